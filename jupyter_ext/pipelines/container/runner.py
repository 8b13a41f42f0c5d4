"""One task of an exported pipeline, from the launcher's message to the one that it answers with.

The interface is that of kfp.dsl.executor_main: an ExecutorInput (pipeline_spec.proto) as JSON in, and
``executor_output.json`` out. ``step`` is what ``ir.py`` wrote about the step; its ``role`` says which part of it
this task is: ``step`` (all of it), ``when`` (its condition), or ``items``, ``iteration`` and ``gather`` of a loop.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from . import files, hidden, reports, values
from .cells import Cells, StepFailed
from .states import Leaving, Placed, States, begin

ITEMS = "__items__"


class Exchange:
    """The launcher's message, and the answer to it."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        inputs, self._outputs = given.get("inputs", {}), given["outputs"]
        self.parameters: dict[str, Any] = inputs.get("parameterValues", {})
        self._artifacts: dict[str, Any] = inputs.get("artifacts", {})
        self._metadata: dict[str, dict[str, Any]] = {}
        self.values: dict[str, Any] = {}

    def folders(self, name: str) -> list[Path]:
        """Local folders of an input artifact; that of a loop has several."""
        return [Path(local(item)) for item in self._artifacts[name]["artifacts"]]

    def output(self, name: str) -> Path | None:
        """Where an output artifact belongs, if the task has one of that name."""
        listed = self._outputs.get("artifacts", {}).get(name)
        return Path(local(listed["artifacts"][0])) if listed else None

    def describe(self, name: str, metadata: dict[str, Any]) -> None:
        """Give an output artifact its metadata."""
        if self.output(name) is not None:
            self._metadata[name] = metadata

    @property
    def shared(self) -> bool:
        """Whether all tasks run on one machine in one folder (kfp.local), so that files need not travel."""
        listed = [*self._outputs.get("artifacts", {}).values(), *self._artifacts.values()]
        uris = [item["uri"] for each in listed for item in each.get("artifacts", [])]
        return all("://" not in uri for uri in uris)

    def answer(self) -> None:
        """Write executor_output.json."""
        message: dict[str, Any] = {"parameterValues": self.values, "artifacts": {}}
        for name, metadata in self._metadata.items():
            artifact = self._outputs["artifacts"][name]["artifacts"][0]
            kept = {key: artifact[key] for key in ("name", "uri", "type") if key in artifact}
            message["artifacts"][name] = {"artifacts": [{**kept, "metadata": metadata}]}
        path = Path(self._outputs["outputFile"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(message), "utf-8")


def local(artifact: Mapping[str, Any]) -> str:
    """Where the launcher puts an artifact (LocalPathForURI in KFP's launcher)."""
    uri = str(artifact.get("customPath") or artifact["uri"])
    scheme, mark, rest = uri.partition("://")
    return f"/{'gcs' if scheme == 'gs' else scheme}/{rest}" if mark else uri


class Task:
    """What one container does."""

    def __init__(
        self, step: Mapping[str, Any], given: Mapping[str, Any], sources: Sequence[str], bundle: Path
    ) -> None:
        self.step, self.exchange, self._bundle = step, Exchange(given), bundle
        parameters = step.get("parameters", ())
        self.sources = [
            substituted(decoded(source, cell), cell["index"], parameters, self.exchange.parameters)
            for cell, source in zip(step["cells"], sources, strict=True)
        ]
        self.states = States(folder for name in step["states"] for folder in self.exchange.folders(name))
        self.cells = Cells()
        self.placed: Placed = {}
        self.order: list[int] = [step["order"]]
        self.collected: dict[str, list[Any]] = {name: [] for name in step.get("collect", ())}

    def run(self) -> None:
        """Do this task's part and answer."""
        role = getattr(self, f"_{self.step['role']}")
        self._prepare()
        role()
        self.exchange.answer()

    def _prepare(self) -> None:
        if os.getcwd() == "/" or not os.access(".", os.W_OK):  # noqa: PTH109
            os.chdir(tempfile.mkdtemp())
            hidden.STARTED_IN = Path.cwd()
        self.folder = hidden.STARTED_IN
        self.cells.open()
        if self.step["brought"]:
            files.bring(self._bundle, self.folder)
        if not self.exchange.shared:
            files.restore(self.folder, self.states.files())
        namespace = self.cells.namespace
        values.track_classes()
        reads = self.step["reads"]
        loaded = self.states.load(self.states.names if values.ANY in reads else reads, namespace)
        namespace.update(loaded)
        self.placed = self.states.hidden()
        self.hidden = hidden.Hidden(self.cells.shell, namespace)
        self.hidden.begin({kind: state for kind, (_, state) in self.placed.items()})
        self.leaving = Leaving(self.step, namespace, loaded, self.states, self.hidden)
        self.files_before = self._files()

    def _files(self) -> dict[str, files.Stamp] | None:
        if self.exchange.shared or not self.step["watch"]:
            return {}
        return files.look(self.folder, self.step["paths"])

    # Roles

    def _step(self) -> None:
        loop = self.step.get("foreach")
        if self.step.get("when") and not self.cells.value(self.step["when"]):
            log(f"Skipped: {self.step['when']} is false.")
            self.step = {**self.step, "writes": [], "mayWrite": []}
        elif loop:
            for item in self.cells.value(loop["expr"]):
                self._iterate(loop["var"], item)
            self.cells.namespace.update(self.collected)
        else:
            self.cells.run(self.step["cells"], self.sources)
        self._leave()

    def _when(self) -> None:
        self.exchange.values["Output"] = bool(self.cells.value(self.step["when"]))

    def _items(self) -> None:
        """Find a loop's items. They need not be JSON, so they are passed as values and counted as parameters."""
        skipped = self.step.get("when") and not self.cells.value(self.step["when"])
        items = [] if skipped else list(self.cells.value(self.step["foreach"]["expr"]))
        # A loop over nothing would leave nothing for the tasks after it: it has one iteration that does nothing.
        self.exchange.values["Output"] = list(range(len(items))) or [-1]
        self.cells.namespace[ITEMS] = items
        self._leave(names=[ITEMS])

    def _iteration(self) -> None:
        index = int(self.exchange.parameters["index"])
        self.order.append(index)
        if index >= 0:
            self._iterate(self.step["foreach"]["var"], self._found_items()[index])
        self._leave(names=self.step["collect"])

    def _found_items(self) -> list[Any]:
        states = States(self.exchange.folders("items"))
        items: list[Any] = states.load([ITEMS], self.cells.namespace)[ITEMS]
        return items

    def _iterate(self, var: str, item: Any) -> None:
        # As in a for statement, VAR may be several names.
        bound: dict[str, Any] = {}
        exec(f"{var} = __item", {**self.cells.namespace, "__item": item}, bound)  # noqa: S102
        self.cells.namespace.update(bound)
        self.cells.run(self.step["cells"], self.sources)
        for name, found in self.collected.items():
            if name not in self.cells.namespace:
                raise StepFailed(f"{name!r} is to be collected, but the loop does not set it")
            found.append(self.cells.namespace[name])

    def _gather(self) -> None:
        """Leave what the iterations leave one after the other; run them so if one changed what others read."""
        namespace = self.cells.namespace
        iterations = States(self.exchange.folders("iterations")).listed
        iterations = [state for state in iterations if state[0]["order"][-1] >= 0]
        if any(_carries(manifest, self.placed) for manifest, _ in iterations[:-1]):
            log("Run one by one: an iteration changes what the next one reads.")
            for item in self._found_items():
                self._iterate(self.step["foreach"]["var"], item)
        elif iterations:
            for name, found in self.collected.items():
                found += [States([folder]).load([name], namespace)[name] for _, folder in iterations]
            last = States([iterations[-1][1]])
            namespace.update(last.load(last.names, namespace))
            for name in iterations[-1][0]["deleted"]:
                namespace.pop(name, None)
            self.hidden.begin({kind: state for kind, (_, state) in last.hidden().items()})
            self.placed |= last.hidden()
            if not self.exchange.shared:
                files.restore(self.folder, last.files())
        namespace.update(self.collected)
        self._leave()

    def _leave(self, names: Sequence[str] = ()) -> None:
        """Write the state, metrics and reports."""
        step, namespace = self.step, self.cells.namespace
        state = self.exchange.output("state")
        reported = reports.metadata(step, namespace, self.cells.shown)
        for name, metadata in reported.items():
            self.exchange.describe(name, metadata)
        if state is None:
            return
        begin(state, self._bundle)
        step = {**step, "exports": [*step["exports"], *names]}
        manifest = self.leaving.write(state, step, self.order, self.cells.new_names())
        manifest["files"] = self._written_files(state)
        manifest["metrics"] = reported["metrics"]
        self.leaving.finish(state, manifest, self.placed)
        self.exchange.describe("state", {"step": step["name"], "names": ", ".join(_names(manifest))})

    def _written_files(self, state: Path) -> list[dict[str, Any]]:
        """The files of this step, and of those before it if a later one may want them."""
        own: list[dict[str, Any]] = []
        after = self._files()
        if after is None or self.files_before is None:
            log(f"There are more than {files.LIMIT} files in {self.folder}: those written here stay here.")
        else:
            own = files.collect(self.folder, self.files_before, after, state, self.order)
        if self.step["carry"]:
            files.carry(self.states.files(), own, state)
        return own


def _names(manifest: Mapping[str, Any]) -> list[str]:
    return [name for entry in manifest["values"] for name in entry["versions"]]


def _carries(manifest: Mapping[str, Any], hidden_before: Mapping[str, Any]) -> bool:
    """Whether an iteration left what the next one starts from."""
    return bool(manifest["changed"]) or any(
        kind in hidden_before for kind in manifest["hidden"] if kind != "warnings"
    )


def decoded(source: str, cell: Mapping[str, Any]) -> str:
    """The code of a cell as the notebook has it."""
    return base64.b64decode(source).decode(errors="surrogatepass") if cell.get("encoded") else source


def substituted(
    source: str, cell: int, parameters: Sequence[Mapping[str, Any]], given: Mapping[str, Any]
) -> str:
    """The cell with the literals of its parameters replaced by the run's values, where they differ."""
    lines = source.encode(errors="surrogatepass").split(b"\n")
    for parameter in parameters:
        if parameter["cell"] != cell or parameter["name"] not in given:
            continue
        value = typed(parameter["type"], given[parameter["name"]])
        if value == parameter["default"] and type(value) is type(parameter["default"]):
            continue
        literal = _literal(
            b"\n".join(lines).decode(errors="surrogatepass"), parameter["name"], parameter["line"]
        )
        first, last = literal.lineno - 1, (literal.end_lineno or literal.lineno) - 1
        text = (
            lines[first][: literal.col_offset] + repr(value).encode() + lines[last][literal.end_col_offset :]
        )
        # The lines after it keep their numbers.
        lines[first : last + 1] = [text, *[b""] * (last - first)]
    return b"\n".join(lines).decode(errors="surrogatepass")


def _literal(source: str, name: str, line: int) -> ast.expr:
    code = re.sub(r"(?m)^\s*[%!].*$", "", source)
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.lineno == line and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == name for target in targets):
                return node.value
    raise StepFailed(f"parameter {name!r} is not where it was when the pipeline was exported (line {line})")


def typed(kind: str, value: Any) -> Any:
    """A parameter's value in its Python type: JSON and protobuf know only one kind of number."""
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind in {"list", "dict"}:
        return _whole(value)
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    return value


def log(text: str) -> None:
    """Write a line to the task's log."""
    sys.stdout.write(text + "\n")


def main(bundle: str) -> NoReturn:
    """Run the task that the command line tells, and exit. ``bundle`` is the zip that this code comes from."""
    sys.path.remove(bundle)
    end = sys.argv.index("--executor_input")
    step, *sources = sys.argv[1:end]
    sys.exit(run(json.loads(step), json.loads(sys.argv[end + 1]), sources, Path(bundle)))


def run(step: Mapping[str, Any], given: Mapping[str, Any], sources: Sequence[str], bundle: Path) -> int:
    """Run a task; its exit status."""
    started = time.monotonic()
    try:
        Task(step, given, sources, bundle).run()
    except StepFailed as failure:
        sys.stdout.flush()
        sys.stderr.write(f"Step {step['name']} failed: {failure}\n")
        return 1
    part = "" if step["role"] == "step" else f" ({step['role']})"
    log(f"Step {step['name']}{part} done in {time.monotonic() - started:.2f} s.")
    return 0
