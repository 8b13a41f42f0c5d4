"""Pipelines that Kubeflow's own repository keeps compiled, each run here and with kfp.local: which give what they should.

A folder with a copy of them is given (``test_data/sdk_compiled_pipelines``). ``upstream_pipelines.json`` says of each, by its
file's name, with which arguments it is run, what comes of it, and what it needs that is not a laptop's; the Secrets that
some of them take are the profile's. A pipeline counts
where it ends as it must with the outputs that it must have, or where it is refused with a sentence before it starts.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, table
from benchmarks.notebooks import workplace

KNOWN: Final = Path(__file__).with_name("upstream_pipelines.json")
LIMIT: Final = 300
"""Seconds after which kfp.local is taken to hang."""
KINDS: Final = ("containers", "collected", "nested")


@dataclass
class Pipeline:
    """One file, what is known of it, and what came of it."""

    path: Path
    told: Mapping[str, Any]
    kinds: frozenset[str] = frozenset()
    refused: str = ""
    wrong: str = ""
    seconds: float = 0.0
    steps: int = 0
    theirs: float | None = None
    their_error: str = ""

    @property
    def needs(self) -> str:
        """What it needs beyond this machine; empty where it needs nothing."""
        return str(self.told.get("needs") or ("a valid file" if "refused" in self.told else ""))


@dataclass
class Counts:
    """How many of a kind there are, ran here, and ran there."""

    all: int = 0
    ours: int = 0
    theirs: int = 0
    names: list[str] = field(default_factory=list)


def pipelines(folder: Path) -> Iterator[Pipeline]:
    """Every compiled pipeline below a folder; files with the same content once."""
    known = json.loads(KNOWN.read_text("utf-8"))
    seen: set[str] = set()
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_bytes()
        digest = hashlib.sha256(text).hexdigest()
        told = known.get(path.stem, {})
        if (told or b"deploymentSpec" in text) and digest not in seen and not told.get("skip"):
            seen.add(digest)
            yield Pipeline(path, told)


def _give_secrets() -> None:
    """The profile has what the pipelines take as Secrets."""
    from jupyter_ext import secrets

    for name, values in json.loads(KNOWN.read_text("utf-8"))["@secrets"].items():
        for key, value in values.items():
            secrets.set(name, key, value)


def _arguments(told: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Its arguments, where ``@folder`` is a new one with two small files in it."""
    folder.mkdir(parents=True)
    (folder / "one.txt").write_text("one", "utf-8")
    (folder / "two.txt").write_text("two", "utf-8")
    text = json.dumps(told.get("arguments", {})).replace("@folder", str(folder))
    return dict(json.loads(text))


def _read(value: Any) -> Any:
    """A value, with the text of a file in place of its path."""
    if isinstance(value, list):
        return [_read(each) for each in value]
    if isinstance(value, str) and value.startswith("/") and len(value) < 4096 and Path(value).is_file():
        return Path(value).read_bytes().decode("utf-8", "replace")
    return value


def _differs(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, dict) and isinstance(found, dict):
        return any(_differs(value, found.get(name)) for name, value in wanted.items())
    return bool(wanted != found)


def _left(steps: list[dict[str, Any]], name: str) -> Any:
    """What a step left: a value where there is one output, a mapping of several, the list of all iterations' in a loop."""
    inside = [step for step in steps if step.get("parent") == name and step["outputs"]]
    if inside:
        return [_of(step) for step in inside]
    return _of(next((step for step in steps if step["name"] == name), {"outputs": []}))


def _of(step: Mapping[str, Any]) -> Any:
    found = {name: _read(ref["inline"][name]) for ref in step["outputs"] for name in ref["names"]}
    return next(iter(found.values())) if len(found) == 1 else found


def _ours(one: Pipeline, folder: Path) -> None:
    from jupyter_ext import pipelines as ours
    from jupyter_ext.errors import KubeflowError

    start = time.perf_counter()
    try:
        run = ours.run(one.path, cache=False, parameters=_arguments(one.told, folder)).wait(600)
    except KubeflowError as error:
        one.refused = str(error)
        return
    one.seconds = time.perf_counter() - start
    steps = run.steps
    one.steps = sum(bool(step.get("attempt")) for step in steps)
    failed = [step["name"] for step in steps if step["state"] == "FAILED"]
    expected = one.told.get("fails")
    outputs = {name: _read(value) for name, value in run.resource.status.get("outputs", {}).items()}
    if (run.state == "FAILED") != bool(expected) or (expected and expected not in failed):
        one.wrong = f"{run.state}: {run.resource.reason}"
    elif _differs(one.told.get("outputs", {}), outputs):
        one.wrong = f"outputs {outputs}"
    else:
        bad = [
            name for name, value in one.told.get("steps", {}).items() if _differs(value, _left(steps, name))
        ]
        one.wrong = f"outputs of {', '.join(bad)}" if bad else ""


class Peer:
    """kfp.local, imported once; environments of their own only for steps that want more than kfp, as ours have it."""

    def __init__(self) -> None:
        script = Path(__file__).parent / "peers" / "kfp_compiled.py"
        self._process = subprocess.Popen(
            [environments.python("kfp"), script, "-"],
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def ask(self, one: Pipeline, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What came of a pipeline there."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {
            "file": str(one.path), "arguments": arguments, "venv": "packages" in one.kinds, "as_installed": True,
            "limit": LIMIT,
        }  # fmt: skip
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return dict(json.loads(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def _theirs(one: Pipeline, folder: Path, peer: Peer) -> None:
    found = peer.ask(one, _arguments(one.told, folder))
    failure = str(found["error"])
    wanted = {name: _alone(value) for name, value in one.told.get("outputs", {}).items()}
    outputs = {name: _alone(value) for name, value in found["outputs"].items()}
    if "fails" in one.told and "finished with status" in failure:
        one.theirs = float(found["seconds"])
    elif "fails" in one.told or failure:
        one.their_error = failure.splitlines()[0][:200] if failure else "It did not fail"
    elif _differs(wanted, outputs):
        one.their_error = f"outputs {outputs}"[:200]
    else:
        one.theirs = float(found["seconds"])


def _alone(value: Any) -> Any:
    """An artifact is a list of one here and itself there."""
    return value[0] if isinstance(value, list) and len(value) == 1 else value


def kinds(path: Path) -> frozenset[str]:
    """What is in a pipeline that kfp.local has trouble with: containers, collected outputs of loops, pipelines in it."""
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.pipelines.compiled import bootstrap, parsing, reading
    from jupyter_ext.pipelines.compiled.spec import Container

    try:
        spec = parsing.read(reading.load(path).pipeline)
    except KubeflowError:
        return frozenset()
    found = set()
    containers = [each for each in spec.executors.values() if isinstance(each, Container)]
    functions = [bootstrap.read(each) for each in containers]
    if None in functions:
        found.add("containers")
    if any(each.requirements or each.options for each in functions if each):
        found.add("packages")
    for component in (spec.root, *spec.components.values()):
        tasks = component.dag.tasks if component.dag else {}
        for task in tasks.values():
            sources = (*task.parameters.values(), *task.artifacts.values())
            if any(each.kind == "task" and tasks[each.task].iterator for each in sources):
                found.add("collected")
            inner = spec.components[task.component]
            made = ("comp-for-loop", "comp-condition", "comp-exit-handler")
            if inner.dag and not inner.name.startswith(made):
                found.add("nested")
    return frozenset(found)


def measure(folder: Path, *, peer: bool = True) -> Report:
    """Run all of them; ``peer`` with kfp.local as well, which takes most of the time."""
    found = list(pipelines(folder))
    other = Peer() if peer else None
    with workplace() as place:
        _give_secrets()
        for number, one in enumerate(found):
            one.kinds = kinds(one.path)
            made = place / "home" / "default" / "environments"
            before = set(made.iterdir()) if made.exists() else set()
            _ours(one, place / "a" / str(number))
            if not one.refused and made.exists() and set(made.iterdir()) != before:
                _ours(one, place / "b" / str(number))  # without what its packages take to install
            if other is not None and not one.needs:
                _theirs(one, place / "c" / str(number), other)
            print(_line(one), flush=True)
    if other is not None:
        other.close()
    return _report(found, peer)


def _line(one: Pipeline) -> str:
    ours = one.refused or one.wrong or "right"
    theirs = (
        f" · kfp.local {one.theirs or 0:.2f} s {one.their_error}" if one.theirs or one.their_error else ""
    )
    return f"{one.path.stem}: {one.seconds:.2f} s, {ours[:160]}{theirs}"


def _report(found: list[Pipeline], peer: bool) -> Report:
    free = [one for one in found if not one.needs]
    right = [one for one in free if not one.refused and not one.wrong]
    there = [one for one in free if one.theirs is not None]
    rest = [one for one in found if one.needs]
    named = [one for one in rest if one.refused or not one.wrong]
    rows = [["need no cluster", str(len(free)), str(len(right)), str(len(there)) if peer else "-"]]
    for kind in KINDS:
        some = [one for one in free if kind in one.kinds]
        ran = sum(one in right for one in some)
        rows.append([f"… with {kind}", str(len(some)), str(ran), str(sum(one in there for one in some))])
    rows.append(["need more: ran all the same, or refused by name", str(len(rest)), str(len(named)), "-"])
    both = [one for one in right if one.theirs is not None and one.steps]
    samples = [Sample("ours, a whole run", tuple(one.seconds for one in right), "s")]
    ratios = [
        Ratio("ours, right of those that need no cluster", len(right) / max(1, len(free)), 1),
        Ratio(
            "ours, ran or refused by name before anything starts, of the others",
            len(named) / max(1, len(rest)),
        ),
        Ratio("ours, median of a whole run", samples[0].median, 1.5, least=False, unit="s"),
    ]
    if both:
        samples += [
            Sample("ours, of those that both ran", tuple(one.seconds for one in both), "s"),
            Sample("kfp.local, the same", tuple(one.theirs or 0 for one in both), "s"),
        ]
        ours = statistics.median(one.seconds / one.steps for one in both)
        theirs = statistics.median((one.theirs or 0) / one.steps for one in both)
        ratios += [
            Ratio("kfp.local, right of those that need no cluster", len(there) / max(1, len(free))),
            Ratio("ours, milliseconds a step (median)", ours * 1000, least=False, unit="ms"),
            Ratio("kfp.local / ours, a step", theirs / ours),
        ]
    head = ["", "pipelines", "ours", "kfp.local"]
    notes = [table(head, rows), *(f"- {_line(one)}" for one in free if one not in right)]
    notes += [f"- {one.path.stem} needs {one.needs}: {one.refused or one.wrong or 'ran'}" for one in rest]
    return Report(
        "Compiled pipelines of upstream",
        "Pipelines that Kubeflow's repository keeps compiled, without the cache and beyond the installation of packages.",
        samples,
        ratios,
        notes,
    )
