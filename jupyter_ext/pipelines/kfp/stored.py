"""What a run left in object storage: the states of a notebook's steps, and logs, after the pods are gone.

KFP's launcher puts an artifact to ``ROOT/PIPELINE/RUN/TASK/…/NAME`` (backend/src/v2/driver, GenerateOutputURI); between the
task and the name versions of it have one more folder, or none. What a server took from its cache lies with the run that made it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import KubeflowError, NotFound, Unavailable

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.pipelines.kfp.steps import Outline, Part
    from jupyter_ext.store import Document, Store

_MANIFEST: Final = "state/manifest.json"
_LOGS: Final = "executor-logs"
_LARGEST_LOG: Final = 32 << 20


class Stored:
    """The artifacts of one run. Raises Unavailable where nobody says in which store they are."""

    def __init__(
        self, name: str, run: Mapping[str, Any], found: Outline, cluster: KubeCluster | None = None
    ) -> None:
        self.name, self._found = name, found
        self._store = _store(run, cluster)
        self._folder = f"{found.document.pipeline['pipelineInfo']['name']}/{run['run_id']}"
        self._names: list[Document] | None = None

    def value(self, name: str, step: str | None = None) -> Any:
        """A value as it was after ``step``, else as the last step that has it left it. Raises NotFound."""
        wanted = [self._last(step)] if step else self._all()
        manifests = {task: found for task in wanted if (found := self._manifest(task)) is not None}
        holding = [task for task, manifest in manifests.items() if name in _values(manifest)]
        if not holding:
            known = sorted({each for manifest in manifests.values() for each in _values(manifest)})
            hint = f"There are: {', '.join(known[:20])}." if known else self._why_nothing()
            raise NotFound(
                f"Run {self.name} has no value {name!r}" + (f" of step {step}" if step else ""), hint=hint
            )
        latest = max(holding, key=lambda task: (_values(manifests[task])[name], wanted.index(task)))
        return self._load([latest], [name])[name]

    def left(self, step: str) -> dict[str, Any]:
        """What a step left, as fields of its status: ``outputs``, ``metrics``, and ``used``, the steps that its inputs are from.

        Of a task that is no notebook's its artifacts.
        """
        outputs: list[dict[str, Any]] = []
        metrics: dict[str, float] = {}
        used: dict[str, str] = {}
        for part in self._found.parts:
            task = part.leaf.path[-1]
            if part.step != step:
                continue
            used |= self._sources(part)
            if part.role in {"step", "gather"} and (manifest := self._manifest(task)) is not None:
                outputs += [
                    {"names": sorted(entry["versions"]), "bytes": entry["bytes"]}
                    for entry in manifest["values"]
                    if entry["versions"]
                ]
                metrics |= manifest.get("metrics") or {}
            elif not part.told:
                ports = part.leaf.component.outputs.artifacts.items()
                outputs += [
                    ref
                    for name, port in ports
                    if (ref := self._artifact(task, name, port.schema)) is not None
                ]
        return {"outputs": outputs, "metrics": metrics, "used": used}

    def _sources(self, part: Part) -> dict[str, str]:
        """The step that each of its inputs is from; empty for one that is not there."""
        step_of = {each.leaf.path[-1]: each.step for each in self._found.parts}
        found = {str(name): ([-1], part.step) for name in part.told.get("reads", ()) if name != "*"}
        for state in part.told.get("states", ()):
            task = str(state).removeprefix("state-")
            values = _values(self._manifest(task) or {"values": []})
            for name in found.keys() & values.keys():
                found[name] = max(found[name], (values[name], step_of.get(task, "")))
        return {name: step for name, (_, step) in found.items() if step != part.step}

    def _artifact(self, task: str, name: str, schema: Mapping[str, str]) -> dict[str, Any] | None:
        """A reference to the artifact's newest version; its value is where it is."""
        prefix = f"{self._folder}/{task}/"
        mine: dict[str, list[Document]] = {}
        for one in self._listed():
            below = one.name.removeprefix(prefix).split("/") if one.name.startswith(prefix) else []
            if name in below[:2]:
                place = "/".join(below[: below.index(name) + 1])
                mine.setdefault(f"{prefix}{place}", []).append(one)
        if not mine:
            return None
        place = max(mine, key=lambda where: max(str(one.changed) for one in mine[where]))
        url, title = f"{self._store.url}/{place}", schema.get("schemaTitle", "system.Artifact")
        return {
            "names": [name], "types": {name: title.rpartition(".")[2]}, "summary": {name: url}, "inline": {name: url},
            "bytes": sum(one.bytes for one in mine[place]),
        }  # fmt: skip

    def open(self, step: str, namespace: dict[str, Any] | None) -> dict[str, Any]:
        """Load what a step was given; gives one line on each value. Raises NotFound, Conflict."""
        from jupyter_ext.pipelines.debugging import live_shell

        base = step.partition("[")[0]
        part = next((each for each in self._found.parts if each.step == base and each.told), None)
        if part is None:
            raise NotFound(
                f"Run {self.name} has no step {step!r}", hint=f"Steps: {', '.join(self._found.steps)}."
            )
        before = [str(each).removeprefix("state-") for each in part.told["states"]]
        lacking = [task for task in before if self._manifest(task) is None]
        if lacking:
            raise NotFound(
                f"What step {lacking[0]} left is not in {self._store.url}", hint=self._why_nothing()
            )
        loaded = self._load(before, part.told["reads"])
        target = live_shell().user_ns if namespace is None else namespace
        target.update(loaded)
        return {name: f"{type(value).__name__} {_line(value)}" for name, value in loaded.items()}

    def metrics(self) -> dict[str, float]:
        """What the steps reported, the later ones' last; one small document a step."""
        found: dict[str, float] = {}
        for task in self._all():
            found |= (self._manifest(task) or {}).get("metrics") or {}
        return found

    def log(self, part: Part) -> str:
        """What a task printed, where the server keeps logs as artifacts; empty for none."""
        places = self._below(part.leaf.path[-1], _LOGS)
        return "".join(
            self._store.get(place, limit=_LARGEST_LOG).decode(errors="replace") for place in places
        )

    def _load(self, tasks: Iterable[str], wanted: Iterable[str]) -> dict[str, Any]:
        """The values, from states that are brought here for as long as it takes; what is mapped stays mapped."""
        from jupyter_ext.pipelines.container.cells import StepFailed
        from jupyter_ext.pipelines.container.states import States

        with tempfile.TemporaryDirectory(prefix="kubeflow-state-") as folder:
            places = [
                self._store.download(self._state(task), Path(folder) / str(number))
                for number, task in enumerate(tasks)
            ]
            states = States(places)
            names = states.names if "*" in wanted else wanted
            try:
                return states.load(names, {})
            except StepFailed as error:
                raise NotFound(str(error)) from None

    def _last(self, step: str) -> str:
        """The task of a step that leaves its state. Raises NotFound."""
        parts = [part for part in self._found.parts if part.step == step and part.role in {"step", "gather"}]
        if not parts:
            raise NotFound(
                f"Run {self.name} has no step {step!r}", hint=f"Steps: {', '.join(self._found.steps)}."
            )
        return parts[-1].leaf.path[-1]

    def _all(self) -> list[str]:
        """Those of all steps that leave one, in the order of the graph."""
        return list(
            dict.fromkeys(part.leaf.path[-1] for part in self._found.parts if part.role in {"step", "gather"})
        )

    def _state(self, task: str) -> str:
        return self._below(task, _MANIFEST)[-1].removesuffix("/manifest.json")

    def _manifest(self, task: str) -> dict[str, Any] | None:
        places = self._below(task, _MANIFEST)
        if not places:
            return None
        found: dict[str, Any] = json.loads(self._store.get(places[-1]))
        return found

    def _below(self, task: str, ending: str) -> list[str]:
        """The documents of a task with this ending, the newest (of a step that was tried again) last."""
        prefix = f"{self._folder}/{task}/"
        mine = [
            one for one in self._listed() if one.name.startswith(prefix) and one.name.endswith(f"/{ending}")
        ]
        return [one.name for one in sorted(mine, key=lambda one: str(one.changed))]

    def _listed(self) -> list[Document]:
        if self._names is None:
            self._names = self._store.names(self._folder)
        return self._names

    def _why_nothing(self) -> str:
        return (
            f"Nothing is below {self._store.url}/{self._folder}: is this the pipeline root, has the step ended, "
            "or was it taken from the cache of another run?"
        )


def logs(run: Mapping[str, Any], found: Outline, step: str, cluster: KubeCluster | None = None) -> str:
    """What a step printed, from object storage; empty where nothing is known."""
    try:
        stored = Stored("", run, found, cluster)
        return "".join(stored.log(part) for part in found.parts if part.step == step)
    except KubeflowError:
        return ""


def _store(run: Mapping[str, Any], cluster: KubeCluster | None) -> Store:
    from jupyter_ext import store

    root = str((run.get("runtime_config") or {}).get("pipeline_root") or "").partition("?")[0]
    found = store.at(root, cluster=cluster) if root else store.default()
    if found is None:
        raise Unavailable(
            "It is not known where Kubeflow Pipelines keeps its artifacts",
            hint="Set JUPYTER_KUBEFLOW_STORE to its pipeline root, such as s3://BUCKET/v2/artifacts.",
        )
    return found


def _values(manifest: Mapping[str, Any]) -> dict[str, list[int]]:
    """The names in a state, each with the place of the step that last changed it."""
    return {name: version for entry in manifest["values"] for name, version in entry["versions"].items()}


def _line(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:79]}…"
