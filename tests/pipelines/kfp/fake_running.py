"""What runs the pipelines of FakeKfp: our own runner of compiled pipelines, told as the nodes of Argo's workflow are."""

from __future__ import annotations

import shutil
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.pipelines.compiled import parsing, plan
from jupyter_ext.pipelines.compiled.reading import Document
from jupyter_ext.pipelines.compiled.submit import submit
from jupyter_ext.pipelines.handle import Run

Json = dict[str, Any]
NEVER = "1970-01-01T00:00:00Z"


class Execution:
    """One run: its processes are those of the embedded cluster in ``cluster``; ``root`` is the object store."""

    def __init__(
        self, cluster: LocalCluster, identity: str, document: Document, given: Json, root: Path
    ) -> None:
        self.identity, self.document, self.root = identity, document, root
        self.read = parsing.read(document.pipeline)
        self.plan = plan.make(self.read)
        made = submit(cluster, None, document, given, {"cache": True})
        self.run = Run(made.name, cluster)
        self.workflow = f"{self.read.name[:40]}-{identity[:5]}"
        self.nodes: dict[str, str] = {}
        self._stored: set[str] = set()

    @property
    def phase(self) -> str:
        return self.run.phase

    def tasks(self) -> list[Json]:
        """The rows of ``run_details.task_details``, as toApiPipelineTaskDetail fills them."""
        resource = self.run.resource
        statuses = {status["name"]: status for status in resource.status.get("steps", ())}
        whole = {"state": resource.phase, "startedAt": resource.created}
        rows = [self._row("root-driver", {**whole, "state": "SUCCEEDED"}), self._row("root", whole)]
        for path, leaf in self.plan.leaves.items():
            for status in self._units(leaf.name, statuses):
                rows += self._of_task(path[-1], status, imported=not hasattr(leaf.executor, "command"))
                self._store(path[-1], status)
        return rows

    def _units(self, name: str, statuses: Mapping[str, Json]) -> Iterator[Json]:
        """The step, or its iterations."""
        children = [each for each in statuses.values() if each.get("parent") == name]
        if children:
            yield from children
        elif name in statuses:
            yield statuses[name]

    def _of_task(self, task: str, status: Json, *, imported: bool) -> Iterator[Json]:
        state, cached = status["state"], bool(status.get("cached"))
        if state == "PENDING" or (state in {"SKIPPED", "CANCELED"} and not status.get("startedAt")):
            return
        if imported:
            yield self._row(task, status)
            return
        yield self._row(f"{task}-driver", {**status, "state": "SUCCEEDED"})
        node = f"{self.workflow}-{zlib.crc32(status['name'].encode())}"
        self.nodes[node] = status["name"]
        # A pod that is ended with its workflow is a failed one to Argo.
        told = {**status, "state": "FAILED" if state == "CANCELED" else state}
        yield self._row(task, told, children=[node])
        yield self._row("executor", {**told, "state": "SKIPPED"} if cached else told)

    def _row(self, name: str, status: Json, children: list[str] | None = None) -> Json:
        key = f"{self.identity} {name} {status.get('name')}"
        started, ended = status.get("startedAt"), status.get("finishedAt")
        return {
            "run_id": self.identity,
            "task_id": f"{zlib.crc32(key.encode()):08x}",
            "display_name": name,
            "create_time": _seconds(self.run.resource.created),
            "start_time": _seconds(started),
            "end_time": _seconds(ended),
            "state": "CANCELED" if status["state"] == "CANCELING" else status["state"],
            "child_tasks": [{"pod_name": child} for child in children or ()],
        }

    def _store(self, task: str, status: Json) -> None:
        """What the launcher does when a component has ended: its artifacts go to the pipeline's root."""
        if status["state"] != "SUCCEEDED" or status["name"] in self._stored:
            return
        self._stored.add(status["name"])
        for ref in status.get("outputs", ()):
            for name in ref["names"]:
                place = Path(str(ref.get("inline", {}).get(name, "")))
                number = zlib.crc32(status["name"].encode())
                goal = self.root / self.read.name / self.identity / task / str(number) / name
                if place.is_absolute() and place.is_dir():
                    shutil.copytree(place, goal)
                elif place.is_absolute() and place.is_file():
                    goal.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(place, goal)

    def log(self, node: str) -> str | None:
        """What the pod printed, between the lines of KFP's launcher; None for one that is not there."""
        name = self.nodes.get(node)
        if name is None:
            return None
        text = self.run.logs(name)
        return f"I1122 10:00:00.000000      22 launcher_v2.go:202] publish success.\n{text}"

    def close(self) -> None:
        if not self.run.finished:
            self.run.stop()
            self.run.wait(60)


def _seconds(text: object) -> str:
    """Whole seconds, as the server has them."""
    return f"{str(text)[:19]}Z" if text else NEVER
