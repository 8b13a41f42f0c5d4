"""One profile of the embedded cluster: its resources, values, logs and workloads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.answers import Capability, ResourceList, WatchEvent
from jupyter_ext.cluster.local.blobs import Blobs, GcReport
from jupyter_ext.cluster.local.home import PROFILE, home_folder, make_private, profile_name
from jupyter_ext.cluster.local.store import POLL_SECONDS, Events, Store
from jupyter_ext.cluster.resource import Resource, valid_name
from jupyter_ext.errors import Conflict, Invalid, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Leases
    from jupyter_ext.cluster.local.logs import LogFile
    from jupyter_ext.cluster.local.metrics import Metrics

__all__ = ["LocalCluster"]

SWEEP_SECONDS: Final = 0.5
"""Readers look for dead workloads at most this often."""


class LocalCluster:
    """One profile's resources, values, logs and workloads under ``<home>/<profile>/``.

    Readers (``get``, ``list``, ``watch``) first look for workloads whose process died and restart them or mark
    them failed, so what they return is true.
    """

    kind: Final = "local"

    def __init__(self, home: str | Path | None = None, profile: str | None = None) -> None:
        self.base = Path(home).expanduser().absolute() if home else home_folder()
        self.namespace = valid_name(profile, PROFILE) if profile else profile_name()
        self.home = self.base / self.namespace
        self.store = Store(self.home / "store.sqlite", self.namespace)
        self.blobs = Blobs(self.home / "blobs")
        self.locks = make_private(self.home / "locks")
        self._swept = 0.0
        self._metrics: Metrics | None = None

    @property
    def name(self) -> str:
        """For people: where this cluster lives."""
        return f"this machine, profile {self.namespace}"

    @property
    def leases(self) -> Leases:
        """CPU, memory and GPUs of this machine, lent to workloads."""
        from jupyter_ext.cluster.local.devices import Leases

        return Leases(self)

    @property
    def metrics(self) -> Metrics:
        """Curves: what jobs and trials reported, and what was measured of them."""
        if self._metrics is None:
            from jupyter_ext.cluster.local.metrics import Metrics

            self._metrics = Metrics(self.home / "metrics.sqlite")
        return self._metrics

    def lock_path(self, uid: str) -> Path:
        """The file whose lock the workload holds for as long as it lives."""
        if not uid or "/" in uid or uid.startswith("."):
            raise Invalid(f"{uid!r} is not a UID", where=Where(field="uid"))
        return self.locks / f"{uid}.lock"

    def log(self, uid: str, step: str | None = None, attempt: int = 1) -> LogFile:
        """The log of one attempt of a step, or that of the workload itself."""
        from jupyter_ext.cluster.local.logs import LogFile, log_path

        root = self.home / "logs"
        return LogFile(log_path(root, uid, step, attempt) if step else root / uid / "workload.log")

    def log_folder(self, uid: str) -> Path:
        """Where the logs of a workload and its steps are."""
        return make_private(self.home / "logs" / uid)

    def work_folder(self, uid: str) -> Path:
        """A folder for what a workload needs while it runs; removed with its resource."""
        return make_private(self.home / "work" / uid)

    def resource_version(self) -> int:
        """The number of the last change; it grows with each."""
        return self.store.resource_version()

    def apply(self, resource: Resource) -> Resource:
        """Create the resource, or give an existing one this spec, labels and annotations."""

        def change(current: Resource) -> Resource:
            return current.with_(spec=resource.spec, labels=resource.labels, annotations=resource.annotations)

        if self.store.find(resource.kind, resource.name) is None:
            try:
                return self.store.create(resource)
            except Conflict:
                pass  # somebody created it a moment ago
        return self.store.update(resource.kind, resource.name, change)

    def get(self, kind: str, name: str) -> Resource:
        """The resource. Raises NotFound."""
        self._sweep()
        return self.store.get(kind, name)

    def list(
        self,
        kind: str,
        *,
        labels: Mapping[str, str] | None = None,
        phase: str | Iterable[str] | None = None,
        text: str | None = None,
        limit: int | None = None,
        before: str | int | None = None,
        summary: bool = False,
        owner: str | None = None,
    ) -> ResourceList:
        """Resources of a kind, newest first; see Store.list."""
        self._sweep()
        return self.store.list(
            kind,
            labels=labels,
            phase=phase,
            text=text,
            limit=limit,
            before=before,
            summary=summary,
            owner=owner,
        )

    def watch(
        self,
        since: int | str = 0,
        kinds: Iterable[str] | None = None,
        timeout: float | None = None,
        *,
        stop: threading.Event | None = None,
        summary: bool = False,
        pauses: tuple[float, float] = POLL_SECONDS,
    ) -> Iterator[WatchEvent]:
        """Changes after ``since`` and those to come; see Store.watch."""
        return self.store.watch(
            _number(since), kinds, timeout, stop=stop, summary=summary, tick=self._sweep, pauses=pauses
        )

    def patch(self, kind: str, name: str, patch: Mapping[str, Any]) -> Resource:
        """Apply a JSON merge patch (RFC 7386): None removes a key, anything else but a mapping replaces.

        With a ``metadata.resourceVersion``, raises Conflict if the resource was changed since.
        """
        unknown = patch.keys() - {"apiVersion", "kind", "metadata", "spec", "status"}
        if unknown:
            raise Invalid("A patch changes metadata, spec or status", where=Where(field=min(unknown)))

        asked = (patch.get("metadata") or {}).get("resourceVersion")

        def change(current: Resource) -> Resource:
            if asked not in {None, str(current.resource_version)}:
                raise Conflict(f"{kind} {name} was changed meanwhile", hint="Read it again and repeat.")
            merged = _merge(current.to_dict(), patch)
            read = Resource.from_dict(merged)
            return current.with_(
                labels=read.labels, annotations=read.annotations, spec=read.spec, status=read.status
            )

        return self.store.update(kind, name, change)

    def delete(self, kind: str, name: str) -> Resource:
        """Stop the resource's workload, remove the resource, what it owns and what only these used.

        Returns its last state.
        """
        from jupyter_ext.cluster.local import cleaning, workload

        resource = self.store.get(kind, name)
        workload.stop(self, resource.uid)
        last, below = self.store.delete_all(kind, name)
        cleaning.forget(self, last.uid, *below)
        return last

    def logs(
        self,
        kind: str,
        name: str,
        part: str | None = None,
        *,
        tail: int | None = None,
        follow: bool = False,
        stop: threading.Event | Callable[[], bool] | None = None,
    ) -> Iterator[str]:
        """What the workload, or the last attempt of one step, has printed; ``follow`` goes on until ``stop``."""
        uid = self.store.get(kind, name).uid
        log = self.log(uid, part) if part else self.log(uid)
        attempt = 2
        while part and self.log(uid, part, attempt).path.exists():
            log, attempt = self.log(uid, part, attempt), attempt + 1
        if follow:
            yield from log.follow(stop, tail=tail)
        else:
            yield log.read() if tail is None else log.tail(tail)

    def events(self, kind: str, name: str) -> Events:
        """What happened to the resource, oldest first."""
        return self.store.events(kind, name)

    def capabilities(self) -> dict[str, Capability]:
        """What can be done without a Kubernetes cluster."""
        here = Capability(True, "Runs as processes on this machine.")
        names = ("pipelines", "schedules", "training", "tuning", "registry", "serving", "spark")
        return dict.fromkeys(names, here)

    def gc(self, dry_run: bool = False, grace_seconds: float = 3600) -> GcReport:
        """Remove the blobs that neither a resource nor a collection of the store refers to."""
        from jupyter_ext.cluster.local import cleaning

        return cleaning.collect(self, dry_run, grace_seconds)

    def _sweep(self) -> None:
        moment = time.monotonic()
        if moment - self._swept < SWEEP_SECONDS:
            return
        self._swept = moment
        from jupyter_ext.cluster.local import workload

        workload.sweep(self)


def _number(since: int | str) -> int:
    if isinstance(since, str) and not (since.isdecimal() and since.isascii()):
        raise Invalid(f"{since!r} is no place to watch from", where=Where(field="since"))
    return int(since)


def _merge(target: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    base = target if isinstance(target, dict) else {}
    merged = {key: value for key, value in base.items() if patch.get(key, 0) is not None}
    for key, value in patch.items():
        if value is not None:
            merged[key] = _merge(base.get(key), value)
    return merged
