"""The Jobs and pods of one run, kept as they are now by a list and a watch of each kind."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import why
from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.cluster.kube.pods import Pod, pod_of
from jupyter_ext.cluster.kube.streaming import Reader
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.kube.manifest import RUN

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

Json = dict[str, Any]

LASTS: Final = 290
SILENCE: Final = 310.0
"""Seconds without a word: the API server ends the request before."""
_PAUSES: Final = (0.2, 10.0)
_OF: Final = "batch.kubernetes.io/job-name"
_EVENTS_SECONDS: Final = 5.0


class Following:
    """What became of the Jobs of a run. ``changed`` is set at every change; any thread may ask.

    A connection that ends, an API server that restarts: it is listed anew, so that nothing is missed.
    """

    def __init__(self, cluster: KubeCluster, uid: str) -> None:
        self.cluster = cluster
        self.changed = threading.Event()
        self._labels = f"{RUN}={uid}"
        base = f"/namespaces/{cluster.namespace}"
        self._jobs = _Kind(self, f"/apis/batch/v1{base}/jobs", self._labels)
        self._pods = _Kind(self, f"/api/v1{base}/pods", self._labels)
        self._events: dict[str, tuple[float, str]] = {}

    def start(self) -> None:
        """Look once, then follow. Raises what the API server says to the first look."""
        for kind in (self._jobs, self._pods):
            kind.look()
            kind.start()

    def close(self) -> None:
        """End it; what runs there goes on."""
        self._jobs.end()
        self._pods.end()

    @property
    def trouble(self) -> str:
        """Why nothing is heard at the moment; empty for no trouble."""
        return self._jobs.trouble or self._pods.trouble

    def job(self, name: str) -> Json | None:
        """The Job, as it is now."""
        return self._jobs.things.get(name)

    def noted(self, job: Json) -> None:
        """A Job that was just made; the watch tells the rest."""
        self._jobs.things.setdefault(str(job["metadata"]["name"]), job)

    def pods(self, job: str) -> list[Pod]:
        """The pods of a Job, oldest first: there is a second one where the node had to end the first."""
        things = [
            t for t in list(self._pods.things.values()) if (t["metadata"].get("labels") or {}).get(_OF) == job
        ]
        return [
            pod_of("Job", thing)
            for thing in sorted(things, key=lambda t: str(t["metadata"]["creationTimestamp"]))
        ]

    def ending(self, job: str) -> str | None:
        """``Complete`` or ``Failed`` once the Job has ended, ``Deleted`` where it is gone, None while it goes on."""
        thing = self.job(job)
        if thing is None:
            return None if self._jobs.trouble else "Deleted"
        for row in (thing.get("status") or {}).get("conditions") or ():
            if row.get("type") in {"Complete", "Failed"} and row.get("status") == "True":
                return str(row["type"])
        return None

    def why(self, job: str) -> str:
        """Why its pod waits or failed, in one sentence; empty where there is nothing to say."""
        pods = self.pods(job)[-1:]
        if said := why.reason(pods, ()):
            return said.removeprefix(f"{pods[0].part}: ")
        return "" if pods else self._told(job)

    def _told(self, job: str) -> str:
        """What could not make its pod: a quota, a policy. Asked now and then, as long as there is none."""
        moment, words = self._events.get(job, (-_EVENTS_SECONDS, ""))
        if time.monotonic() - moment < _EVENTS_SECONDS:
            return words
        path = f"/api/v1/namespaces/{self.cluster.namespace}/events"
        try:
            things, _ = pages(self.cluster.transport, path, fields=f"type=Warning,involvedObject.name={job}")
            words = why.reason((), things)
        except KubeflowError:
            pass  # who may not see events is told nothing
        self._events[job] = (time.monotonic(), words)
        return words


class _Kind(Reader):
    """One kind: listed, then watched from there; listed again whenever the watch ends in any other way than by time."""

    def __init__(self, owner: Following, path: str, labels: str) -> None:
        super().__init__(f"kubeflow-run-{path.rpartition('/')[2]}", owner.cluster.transport, path)
        self._owner, self._labels = owner, labels
        self._since = ""
        self.things: dict[str, Json] = {}
        self.trouble = ""

    def look(self) -> None:
        """Take what there is."""
        found, version = pages(self._transport, self._path, labels=self._labels)
        self.things = {str(thing["metadata"]["name"]): thing for thing in found}
        self._since, self.trouble = str(version), ""
        self._owner.changed.set()

    def run(self) -> None:
        """Follow until the end."""
        pause = _PAUSES[0]
        while not self._over.is_set():
            try:
                if not self._since:
                    self.look()
                self._watch()
                pause = _PAUSES[0]
            except (KubeflowError, ValueError, KeyError) as error:
                # Away, expired, or a line cut with the connection: what there is now tells all.
                self._since = ""
                self.trouble = str(error)
                self._owner.changed.set()
                self._over.wait(pause)
                pause = min(pause * 2, _PAUSES[1])

    def _watch(self) -> None:
        query = {"watch": "1", "labelSelector": self._labels, "resourceVersion": self._since}
        query |= {"timeoutSeconds": str(LASTS), "allowWatchBookmarks": "true"}
        for line in self._asked(query, SILENCE):
            self._take(json.loads(line))
        self._over.wait(_PAUSES[0])

    def _take(self, change: Mapping[str, Any]) -> None:
        if change["type"] == "ERROR":
            raise ValueError(str(change["object"].get("message") or "the watch was refused"))
        thing = change["object"]
        about = thing["metadata"]
        if change["type"] == "DELETED":
            self.things.pop(str(about["name"]), None)
        elif change["type"] != "BOOKMARK":
            self.things[str(about["name"])] = thing
        self._since = str(about["resourceVersion"])
        if change["type"] != "BOOKMARK":
            self._owner.changed.set()
