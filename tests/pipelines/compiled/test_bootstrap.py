"""What the SDK's script would do is read from it; placeholders stand for what the launcher puts there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as some

from jupyter_ext.errors import Invalid
from jupyter_ext.pipelines.compiled import bootstrap, environments, parsing, values
from jupyter_ext.pipelines.compiled.placeholders import Placeholders, as_text
from jupyter_ext.pipelines.compiled.spec import Container, Parameter

FOLDER = Path(__file__).parents[2] / "data" / "compiled"
SCRIPT = """
if ! [ -x "$(command -v pip)" ]; then
    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip
fi

PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location {first} 'kfp==2.17.0' '--no-deps' \
'typing-extensions>=3.7.4,<5; python_version<"3.9"' {between} && "$0" "$@"
"""
WRITES = 'program_path=$(mktemp -d)\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\npython3 -m kfp.dsl.executor_main "$@"'


def _container(first: str = "", between: str = "", source: str = "def f(): pass") -> Container:
    script = SCRIPT.format(first=first, between=between)
    args = ("--executor_input", "{{$}}", "--function_to_execute", "f")
    return Container("python:3.11", ("sh", "-c", script, "sh", "-ec", WRITES, source), args)


def test_requirements_and_indexes_are_read() -> None:
    found = bootstrap.read(
        _container(
            first="--index-url https://index.example/simple --trusted-host index.example",
            between="&& python3 -m pip install --quiet --no-warn-script-location 'a==1' 'b[x]>=2'",
        )
    )
    assert found is not None
    assert (found.requirements, found.kfp, found.function) == (("a==1", "b[x]>=2"), "kfp==2.17.0", "f")
    assert found.options == ("--index-url", "https://index.example/simple", "--trusted-host", "index.example")


@pytest.mark.parametrize(
    "container",
    [
        _container(first="--target /x"),
        _container(first="'unclosed"),
        Container("x", ("sh", "-c", "echo")),
        Container("x", ("python3", "-m", "kfp.dsl.executor_main")),
        Container("x", _container().command, ("--function_to_execute", "not a name")),
    ],
)
def test_another_command_is_a_command(container: Container) -> None:
    assert bootstrap.read(container) is None


def test_every_component_of_the_set_is_read() -> None:
    for path in FOLDER.glob("*.yaml"):
        spec = parsing.read(yaml.safe_load(path.read_text()))
        found = [bootstrap.read(each) for each in spec.executors.values() if isinstance(each, Container)]
        assert found
        assert all(found) or path.stem == "containers"


@pytest.mark.parametrize(
    ("source", "needs"),
    [
        ("import kfp\nfrom kfp import dsl\nfrom kfp.dsl import *\ndef f(a: dsl.Input[Dataset]): pass", False),
        ("from kfp import dsl\ndsl.get_uri()", False),
        ("import kfp\nkfp.Client()", True),
        ("from kfp import compiler", True),
        ("from kfp import dsl\ndsl.run_notebook()", True),
        ("import kfp.components", True),
        ("from kfp.dsl import Model, component", True),
    ],
)
def test_who_uses_more_of_the_sdk_gets_the_sdk(source: str, needs: bool) -> None:
    assert bootstrap.needs_sdk(source, environments.offered()) is needs


def _placeholders(parameters: dict[str, object]) -> Placeholders:
    artifact = {"name": "a", "uri": "/data/a", "metadata": {"rows": 3}}
    told = {
        "inputs": {"parameterValues": parameters, "artifacts": {"one": {"artifacts": [artifact]}}},
        "outputs": {"parameters": {"out": {"outputFile": "/out"}}, "artifacts": {}, "outputFile": "/told"},
    }
    return Placeholders(told, {"workspace": "/ws", "job_name": "run-x"})


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("{{$.inputs.parameters['n']}}", ["3"]),
        ("{{$.inputs.parameters['r']}}-{{$.inputs.parameters['big']}}", ["0.5-1000000000000000000000"]),
        ("{{$.inputs.parameters['yes']}} {{$.inputs.parameters['list']}}", ['true [1,"a"]']),
        ("{{$.inputs.artifacts['one'].path}} {{$.inputs.artifacts['one'].metadata['rows']}}", ["/data/a 3"]),
        ("{{$.outputs.parameters['out'].output_file}}", ["/out"]),
        ("{{$.pipeline_job_name}} /kfp-workspace/x {{$.workspace_path}}", ["run-x /ws/x /ws"]),
        ("{{$.outputs.output_file}} {{$.outputs.output_metadata_uri}}", ["/told /told"]),
        ("{{$.nobody.knows}} {{x}}", ["{{$.nobody.knows}} {{x}}"]),
        ('{"Concat": ["a", "{{$.inputs.parameters[\'n\']}}", {"IfPresent": {"InputName": "gone", "Then": "x", "Else": "y"}}]}',
         ["a3y"]),
        ('{"IfPresent": {"InputName": "n", "Then": ["--n", "{{$.inputs.parameters[\'n\']}}"]}}', ["--n", "3"]),
        ('{"IfPresent": {"InputName": "none", "Then": ["--n"]}}', []),
        ('{"IfPresent": {"InputName": "one", "Then": "here", "Else": "away"}}', ["here"]),
    ],
)  # fmt: skip
def test_placeholders(word: str, words: list[str]) -> None:
    given_ = {"n": 3, "r": 0.5, "big": 1e21, "yes": True, "list": [1, "a"], "none": None}
    assert _placeholders(given_).words([word]) == words


def test_what_was_not_given_is_said() -> None:
    with pytest.raises(Invalid, match="gone was not given"):
        _placeholders({}).text("{{$.inputs.parameters['gone']}}")


@given(some.text())
def test_a_value_is_not_read_again_as_a_placeholder(text: str) -> None:
    assert _placeholders({"x": text + "{{$}}"}).text("{{$.inputs.parameters['x']}}") in (
        text + "{{$}}", (text + "{{$}}").replace("/kfp-workspace", "/ws")
    )  # fmt: skip


@given(some.floats(allow_nan=False, allow_infinity=False))
def test_numbers_in_full(number: float) -> None:
    text = as_text(number)
    assert float(text) == number
    assert "e" not in text


@given(some.integers(), some.sampled_from(["NUMBER_INTEGER", "NUMBER_DOUBLE", "STRING", "LIST"]))
def test_a_value_has_the_type_of_its_parameter_or_is_refused(number: int, kind: str) -> None:
    try:
        found = values.typed("x", number, Parameter(kind))
    except (Invalid, OverflowError):
        assert kind in ("LIST", "NUMBER_DOUBLE", "NUMBER_INTEGER")
    else:
        assert isinstance(found, {"NUMBER_INTEGER": int, "NUMBER_DOUBLE": float, "STRING": str}[kind])
        assert kind != "STRING" or json.loads(found) == number
