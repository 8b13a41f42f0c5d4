"""An application or a session in the hand: follow it, stop it, read its log, take what it returned."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.handle import Ending
from jupyter_ext.errors import Conflict, KubeflowError, NotFound, Unavailable, Where

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.logs import LogFile
    from jupyter_ext.cluster.resource import Resource

PART: Final = "driver"
READY_SECONDS: Final = 600.0
"""How long a session may take until it takes work."""
_POLL: Final = 0.05
T = TypeVar("T")


class ApplicationFailed(KubeflowError):
    """An application did not come to its end. ``error`` says where in the user's code, where it was that."""

    def __init__(self, what: str, *, error: dict[str, Any]) -> None:
        where = Where(line=error.get("line"), object=error.get("file"))
        super().__init__(what, where=where if error.get("file") else None)
        self.error = error
        self.traceback = "\n".join(error.get("traceback") or ())

    def __str__(self) -> str:
        return f"{self.what}\n\n{self.traceback}" if self.traceback else self.what


class _Driven(Ending):
    """What has a driver."""

    def logs(
        self,
        part: str | None = None,
        tail: int | None = None,
        *,
        follow: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[str]:
        """What the driver has printed; once it has ended, the last of an executor that was a process of its own (``executor-0``).

        With ``follow`` it goes on until it ends, or ``stop`` is set. Raises NotFound for a part there is not.
        """
        from jupyter_ext.cluster.local import workload

        resource = self.resource
        log = self._log(resource, part or PART)

        def done() -> bool:
            if stop is not None and stop.is_set():
                return True
            try:
                return self.resource.resting and not workload.alive(self._cluster, resource.uid)
            except NotFound:
                return True

        if follow:
            yield from log.follow(done, tail=tail)
        else:
            yield log.read() if tail is None else log.tail(tail)

    def _log(self, resource: Resource, part: str) -> LogFile:
        if part == PART:
            attempt = max(int(resource.status.get("attempt") or 1), 1)
            return self._cluster.log(resource.uid, PART, attempt)
        return self._cluster.log(resource.uid, self._known(resource, part))

    def _known(self, resource: Resource, part: str) -> str:
        known = sorted(
            {path.name.partition(".")[0] for path in self._cluster.log_folder(resource.uid).glob("*.log")}
        )
        if part not in known:
            hint = f"There are: {', '.join(known)}."
            raise NotFound(f"{self.name} has no part {part!r}", where=Where(field="part"), hint=hint)
        return part

    @property
    def progress(self) -> float | None:
        """How many of the tasks known so far are done, from 0 to 1."""
        found = self.resource.status.get("progress")
        return None if found is None else float(found)

    @property
    def stages(self) -> list[dict[str, Any]]:
        """Stages: id, name, state, tasks, done, failed; those that run first."""
        return list(self.resource.status.get("stages", ()))

    @property
    def events(self) -> Path:
        """The folder of the event log, as Spark's history server reads it. It is removed with the resource."""
        return self._cluster.work_folder(self.resource.uid) / "events"

    def delete(self) -> None:
        """Stop it if need be, and remove it with its logs and its event log."""
        self._cluster.delete(self.kind, self.name)

    def export(self, path: str | Path | None = None) -> str:
        """The resource as YAML. Raises Conflict where its code is a snapshot, which no cluster has."""
        text = exported(self.resource)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text


def exported(resource: Resource) -> str:
    """A resource as YAML. Raises Conflict where its code is a snapshot."""
    import yaml

    from jupyter_ext.spark.spec import CODE, PREFIX

    if CODE in resource.annotations:
        what = f"The code of {resource.name} is on this machine only"
        hint = "Put the file where the cluster finds it, and name it in mainApplicationFile."
        raise Conflict(what, where=Where(object=resource.name), hint=hint)
    kept = {key: text for key, text in resource.annotations.items() if not key.startswith(PREFIX)}
    return str(yaml.safe_dump(resource.with_(annotations=kept).manifest(), sort_keys=False))


class Application(_Driven):
    """One batch, by name. Its phase is PENDING, RUNNING, SUCCEEDED, FAILED, CANCELING or CANCELED."""

    _kind = "SparkApplication"

    def _ipython_display_(self) -> None:
        from jupyter_ext.spark.widgets import show

        show(self)

    def result(self, timeout: float | None = None) -> Any:
        """Wait, and give what the function returned; a frame as an Arrow table. Raises ApplicationFailed."""
        resource = self.wait(timeout).resource
        if resource.phase != "SUCCEEDED":
            error = dict(resource.status.get("error") or {})
            what = f"Application {self.name} is {resource.phase}: {resource.reason}"
            raise ApplicationFailed(what, error=error)
        return self._returned(resource, hint="Return numbers or a frame, or write it to a file.")


class Session(_Driven):
    """One session's server, by name. It runs until it is stopped."""

    _kind = "SparkConnect"

    def stop(self) -> None:
        """End it, and forget its views; returns at once."""
        from jupyter_ext.spark import views

        views.forget(self._cluster, self.name)
        super().stop()

    def _ipython_display_(self) -> None:
        from jupyter_ext.spark.widgets import show

        show(self)

    def await_ready(self, timeout: float = READY_SECONDS) -> Resource:
        """Wait until it takes work. Raises Unavailable with what it said when it does not come to that, TimeoutError."""
        deadline = time.monotonic() + timeout
        while (resource := self.resource).phase != "RUNNING":
            if resource.resting or resource.phase == "CANCELING":
                what = f"The Spark session {self.name} did not start: {resource.reason}"
                raise Unavailable(what, hint=f"See its log: jupyter kf logs sparkconnect/{self.name}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"session {self.name} is still {resource.phase}: {resource.reason}")
            time.sleep(_POLL)
        return resource

    def spark(self) -> Any:
        """The SparkSession of it; raises as ``kf.spark.session`` does."""
        from jupyter_ext.spark.connecting import session

        return session(self.name)


def remove_ended(cluster: LocalCluster, name: str) -> bool:
    """Whether a session of that name runs or is about to; one that has ended is removed."""
    try:
        found = cluster.get("SparkConnect", name)
    except NotFound:
        return False
    if found.phase in {"PENDING", "RUNNING"}:
        return True
    with suppress(NotFound):
        cluster.delete("SparkConnect", name)
    return False


def place() -> KubeCluster | None:
    """The Kubernetes cluster that Spark's work goes to; None for this machine. Raises Unavailable for one that cannot."""
    from jupyter_ext.cluster.kube import handle

    return handle.place("spark")


def get(name: str) -> Application:
    """The application of that name, of the cluster that is used or else of this machine; raises NotFound."""
    from jupyter_ext.cluster.kube.handle import there
    from jupyter_ext.spark import kube

    if (found := there("spark", lambda cluster: kube.get(cluster, name))) is not None:
        return found
    here = Application(name)
    _ = here.resource
    return here


def session_of(name: str) -> Session:
    """The session's server of that name, of the cluster that is used or else of this machine; raises NotFound."""
    from jupyter_ext.cluster.kube.handle import there
    from jupyter_ext.spark import kube_session

    if (found := there("spark", lambda cluster: kube_session.get(cluster, name))) is not None:
        return found
    here = Session(name)
    _ = here.resource
    return here


def applications(limit: int = 50, phase: str | None = None) -> list[Application]:
    """The newest batches first: of this machine, and of the Kubernetes cluster that is used."""
    from jupyter_ext.spark import kube

    cluster = discover.current()
    listed = cluster.list("SparkApplication", limit=limit, phase=phase, summary=True)
    found = [(each.created, Application(each.name, cluster)) for each in listed]
    if (there := place()) is not None:
        found += kube.applications(there, limit, phase)
    return newest(found, limit)


def sessions(limit: int = 50, phase: str | None = None) -> list[Session]:
    """The newest sessions first: of this machine, and of the Kubernetes cluster that is used."""
    from jupyter_ext.spark import kube_session

    cluster = discover.current()
    listed = cluster.list("SparkConnect", limit=limit, phase=phase, summary=True)
    found = [(each.created, Session(each.name, cluster)) for each in listed]
    if (there := place()) is not None:
        found += kube_session.sessions(there, limit, phase)
    return newest(found, limit)


def newest(found: list[tuple[str, T]], limit: int) -> list[T]:
    """Handles with the time of their creation, as they are listed."""
    found.sort(key=lambda each: each[0], reverse=True)
    return [each for _, each in found[:limit]]


def delete(name: str) -> None:
    """Stop the application if need be and remove it; raises NotFound."""
    get(name).delete()
