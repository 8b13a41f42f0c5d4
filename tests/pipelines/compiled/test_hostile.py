"""Files that nobody wrote with the SDK: each is one sentence, soon, and nothing of them becomes a path or a process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.compiled import parsing, plan, reading
from tests.pipelines.compiled.conftest import FOLDER

LINEAR = (FOLDER / "linear.yaml").read_text()
Change = Callable[[dict[str, Any]], object]


def _read(text: str) -> object:
    return plan.make(parsing.read(reading.parse(text).pipeline))


def _sentence(text: str) -> str:
    with pytest.raises(Invalid) as caught:
        _read(text)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert len(sentence) < 1000
    return sentence


def _merges() -> str:
    lines = ["x0: &x0 {a: 1}"]
    for level in range(1, 40):
        lines += [f"x{level}: &x{level}", f"  <<: [{', '.join([f'*x{level - 1}'] * 9)}]"]
    return "\n".join(lines)


TEXTS = {
    "a: &a [*a]": "too many values",
    "pipelineInfo: &a {name: x, again: *a}": "too many values",
    "a: " + "[" * 300_000: "nested more than 200 deep",
    "- " * 300_000: "nested more than 200 deep",
    _merges(): "merges too many mappings",
    "a: !!python/object/apply:os.system [x]": "not YAML",
    "a: !!binary aGVsbG8=": "a value of bytes",
    "a: !!set {b}": "a value of set",
    "a: .nan": "a number that is none",
    "a: .inf": "a number that is none",
}


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_texts_that_are_larger_than_they_look(text: str) -> None:
    start = time.process_time()
    assert TEXTS[text] in _sentence(text)
    assert time.process_time() - start < 20  # and not for ever


def _task(**more: Any) -> Change:
    return lambda document: document["root"]["dag"]["tasks"]["add"].update(more)


def _renamed(name: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        tasks = document["root"]["dag"]["tasks"]
        tasks[name] = tasks.pop("shout")

    return change


def _container(**more: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        next(iter(document["deploymentSpec"]["executors"].values()))["container"].update(more)

    return change


def _output(name: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        ports = document["components"]["comp-add"]["outputDefinitions"]
        ports["artifacts"] = {name: {"artifactType": {"schemaTitle": "system.Dataset"}}}

    return change


CHANGES: list[tuple[Change, str]] = [
    (_renamed("../../x"), "is not a name"),
    (_renamed(".."), "is not a name"),
    (_renamed("a\nb"), "is not a name"),
    (_renamed("a" * 300), "is not a name"),
    (_output("../../evil"), "is not a name"),
    (_output("/etc/evil"), "is not a name"),
    (_task(retryPolicy={"maxRetryCount": -1}), "maxRetryCount must be a whole number"),
    (_task(retryPolicy={"maxRetryCount": 1e300}), "larger than anything"),
    (_task(iteratorPolicy={"parallelismLimit": -3}), "parallelismLimit must be a whole number"),
    (_task(iteratorPolicy={"parallelismLimit": 0.5}), "parallelismLimit must be a whole number"),
    (_task(inputs="x"), "inputs must be a mapping"),
    (_container(args=["a\0b"]), "null character"),
    (_container(image="a\0b"), "null character"),
    (_container(env=[{"name": "A=B", "value": "x"}]), "has = in it"),
    (_container(env=[{"name": "", "value": "x"}]), "is empty"),
    (_container(resources={"cpuRequest": 10**400}), "larger than anything"),
]


@pytest.mark.parametrize(("change", "words"), CHANGES, ids=[words for _, words in CHANGES])
def test_names_and_numbers_that_are_none(change: Change, words: str) -> None:
    document = yaml.safe_load(LINEAR)
    change(document)
    assert words in _sentence(yaml.safe_dump(document))


def test_a_date_is_the_text_that_it_was() -> None:
    text = LINEAR.replace("defaultValue: hi", "defaultValue: 2020-01-01")
    assert text != LINEAR
    read = parsing.read(reading.parse(text).pipeline)
    assert read.root.inputs.parameters["word"].default == "2020-01-01"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data(), value=VALUES)
@settings(max_examples=80, deadline=None)
def test_any_value_at_any_place_is_read_or_refused(data: st.DataObject, value: Any) -> None:
    document = yaml.safe_load(LINEAR)
    place: Any = document
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            place[key] = value
            break
        place = place[key]
    with contextlib.suppress(Invalid):
        _read(yaml.safe_dump(document))
