"""An endpoint in the hand: look at it, send it requests, split, promote, roll back, stop."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.errors import Conflict, NotFound, Unavailable, Where
from jupyter_ext.serving import door, revisions, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.asking import Asking
from jupyter_ext.serving.places import KIND
from jupyter_ext.serving.variants import Variant

if TYPE_CHECKING:
    import threading

    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.local.metrics import Page
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.revisions import Revision

SETTLE_SECONDS: Final = 2.0
POLL: Final = 0.01


class Endpoint(Asking):
    """One endpoint, by name. Every property reads the store: the handle is never out of date.

    Its phase is PENDING, RUNNING, PAUSED, FAILED, CANCELING or CANCELED.
    """

    def _said(self) -> str:
        split = ", ".join(f"{each.name} {each.percent} %" for each in self.variants)
        return f"{self.phase}: {split}"

    def _ipython_display_(self) -> None:
        from jupyter_ext.serving.widgets import show

        show(self)

    # What it is

    @property
    def variants(self) -> list[Variant]:
        """What answers, the stable one first; while a change is not ready also what serves until then."""
        found, others = self._variants()
        return found + [each for each in others if each.state != "retired"]

    @property
    def retired(self) -> list[Variant]:
        """What earlier revisions served and is kept warm for a rollback."""
        return [each for each in self._variants()[1] if each.state == "retired"]

    def _variants(self) -> tuple[list[Variant], list[Variant]]:
        resource = self.resource
        said = {(row["name"], row["digest"]): row for row in resource.status.get("variants") or []}
        service = names.read(resource)
        mirror = service.mirror or {}
        found = []
        for each in service.variants:
            row = said.pop((each.name, each.digest), {})
            shown = int(mirror.get("percent", 0)) if mirror.get("variant") == each.name else 0
            facts = (str(each.facts.get("model") or ""), str(each.facts.get("version") or ""))
            found.append(_variant(each.name, each.percent, *facts, row, shown))
        others = [
            _variant(row["name"], row["percent"], row["model"], row["version"], row, 0)
            for row in said.values()
            if row.get("state") == "retired" or row.get("leaving")
        ]
        return found, others

    def variant(self, name: str) -> Variant:
        """One variant. Raises NotFound with the nearest."""
        known = verbs.variant_of(self.resource, name)
        return next(each for each in self.variants if each.name == known)

    # Change it

    def traffic(
        self,
        split: Mapping[str, Any],
        sticky: str | bool | None = False,
        *,
        wait: bool = True,
        dry: bool = False,
    ) -> Endpoint:
        """Split the requests: ``traffic({"v1": 90, "v2": 10}, sticky="header:x-user")``.

        A version of the model that is no variant yet ("v3" or "3") is added. ``sticky=None`` lets each request go
        its own way. ``dry``: only refuse what would be refused. Raises Invalid for percents that do not add up to 100.
        """
        after = verbs.traffic(self._cluster, self.name, split, sticky, dry=dry)
        return self if dry else self._in_force(after, wait=wait)

    def mirror(self, variant: str | None, percent: int = 100, *, wait: bool = True) -> Endpoint:
        """Show a variant a share of the requests besides; its answers go nowhere. None ends it."""
        return self._in_force(verbs.mirror(self._cluster, self.name, variant, percent), wait=wait)

    def promote(self, variant: str | None = None, *, wait: bool = True) -> Endpoint:
        """Make a variant the stable one."""
        return self._in_force(verbs.promote(self._cluster, self.name, variant), wait=wait)

    def rollback(self, revision: int | None = None, *, wait: bool = True) -> Endpoint:
        """Return to the revision before, or to one by its number."""
        return self._in_force(verbs.rollback(self._cluster, self.name, revision), wait=wait)

    def remove(self, variant: str, *, wait: bool = True) -> Endpoint:
        """Take a variant away; its share goes to the stable one."""
        return self._in_force(verbs.remove(self._cluster, self.name, variant), wait=wait)

    def _in_force(self, after: Resource, *, wait: bool) -> Endpoint:
        """Wait until requests go by the change, where all that it needs is there already."""
        deadline = time.monotonic() + SETTLE_SECONDS
        number = revisions.number_of(after)
        rows = after.status.get("variants") or []
        warm = {str(row["digest"]) for row in rows if row.get("state") in {"ready", "retired", "asleep"}}
        asked = {each.digest for each in names.read(after).variants}
        serves = after.status.get("servingRevision") == number
        if not wait or after.resting or not (serves or asked <= warm):
            return self
        while time.monotonic() < deadline:
            current = self._cluster.store.get(KIND, self.name)
            if current.resting or revisions.number_of(current) != number:
                break
            routing = current.status.get("routing") or {}
            known = routing.get("settings") == revisions.settings(current)
            applied = door.applied(self._cluster, self.name, after.uid)
            in_force = applied is None or applied >= int(routing.get("generation") or 0)
            if known and in_force and current.status.get("servingRevision") == number:
                break
            time.sleep(POLL)
        return self

    def revisions(self) -> list[Revision]:
        """What it was, newest first."""
        return revisions.listed(self.resource)

    def rules(self, *texts: str) -> list[dict[str, Any]]:
        """The rules and how they stand; with texts these are the rules from now on (one empty text: none)."""
        if texts:
            verbs.rules(self._cluster, self.name, [text for text in texts if text.strip()])
        resource = self.resource
        said = {str(row.get("text")): row for row in resource.status.get("rules") or []}
        waiting = {"state": "waiting", "value": "", "reason": ""}
        return [{"text": text, **said.get(text, waiting)} for text in names.read(resource).rules]

    def log(self, settings: Mapping[str, Any] | bool | None) -> Endpoint:
        """What is kept of requests: True, a mapping as ``serve`` takes it, or None for nothing."""
        after = verbs.log(self._cluster, self.name, {} if settings is True else (settings or None))
        return self._in_force(after, wait=True)

    @property
    def kept(self) -> dict[str, Any] | None:
        """What is kept of requests: ``sample``, ``bodies``, ``redact`` and ``keep``; None for nothing."""
        return names.read(self.resource).log

    def stop(self, *, wait: bool = False) -> Endpoint:
        """End its servers; it keeps its address and its revisions, and ``start`` serves again."""
        verbs.stop(self._cluster, self.name)
        if wait:
            self._until(lambda resource: resource.resting, 30)
        return self

    def start(self, *, wait: bool = False) -> Endpoint:
        """Serve again after a stop or a failure."""
        resource = self.resource
        if names.read(resource).stopped and not resource.resting:
            self._until(lambda found: found.resting, 30)  # for the servers that are ending
        verbs.start(self._cluster, self.name)
        return self.wait() if wait else self

    resume = start

    def delete(self) -> None:
        """Stop it and remove it with its revisions, its logs and what is known of its requests."""
        from jupyter_ext.serving import records, watching

        last = self.resource
        self._cluster.delete(KIND, self.name)
        watching.traffic(self._cluster).forget(last.uid)
        _sweep_sockets(self._cluster, last.uid)
        records.gone(last)

    # Follow it

    def wait(self, timeout: float | None = None) -> Endpoint:
        """Wait until what is asked for serves; raises Unavailable when that fails, TimeoutError after ``timeout`` s."""
        number = revisions.number_of(self.resource)
        resource = self._until(lambda found: _is_settled(found, number), timeout)
        if resource.phase == "FAILED":
            raise Unavailable(f"{self.name} failed: {resource.reason}", hint="See its logs: endpoint.logs()")
        asked = {each.digest for each in names.read(resource).variants}
        rows = [row for row in resource.status.get("variants") or [] if row.get("digest") in asked]
        failed = [str(row["name"]) for row in rows if row.get("state") == "failed"]
        if failed:
            raise Unavailable(resource.reason, where=Where(object=f"{self.name}, {failed[0]}"))
        if resource.resting:
            raise Conflict(
                f"{self.name} is {resource.phase}: {resource.reason}", hint="Start it: endpoint.start()"
            )
        return self._in_force(resource, wait=True)

    def _until(self, done: Any, timeout: float | None) -> Resource:
        deadline = None if timeout is None else time.monotonic() + timeout
        pause = POLL
        while not done(resource := self.resource):
            if deadline is not None and time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.name} is still {resource.phase} after {timeout:g} s. {resource.reason}"
                )
            time.sleep(pause)
            pause = min(pause * 1.3, 0.1)
        return resource

    def logs(
        self,
        variant: str | None = None,
        tail: int | None = None,
        *,
        follow: bool = False,
        stop: threading.Event | None = None,
    ) -> Iterator[str]:
        """What its servers printed: of one variant (``v1``) or replica (``v1/0``), else of all, each line marked."""
        from jupyter_ext.serving.printing import printed

        return printed(self._cluster, self.resource, variant, tail, follow=follow, stop=stop)

    def curves(self, since: int = 0, *, limit: int = 2000, **more: Any) -> Page:
        """Rate, errors, latencies and requests in flight of each variant, after the cursor ``since``."""
        return self._cluster.metrics.read(self.resource.uid, since=since, limit=limit, **more)

    def why(self) -> str:
        """Everything that explains its state, in words."""
        from jupyter_ext.serving.why import why

        return why(self._cluster, self.resource)

    def export(self, path: str | Path | None = None) -> str:
        """YAML that KServe takes. Raises Unfit for a model whose files only this machine has."""
        from jupyter_ext.serving.export import export

        text = export(self.resource)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def code(self) -> str:
        """Python that makes the same endpoint."""
        from jupyter_ext.serving.code import python

        return python(self.resource)


def _variant(
    name: str, percent: int, model: str, version: str, row: Mapping[str, Any], mirror: int
) -> Variant:
    return Variant(
        name,
        percent,
        model,
        version,
        str(row.get("state") or "loading"),
        str(row.get("reason") or ""),
        int(row.get("replicas") or 0),
        mirror,
        int(row.get("restarts") or 0),
        tuple(row.get("pids") or ()),
    )


def _is_settled(resource: Resource, number: int) -> bool:
    """Whether the outcome of the revision is known."""
    if resource.resting:
        return True
    if resource.phase not in {"RUNNING", "CANCELING"}:
        return False
    states = {row.get("digest"): row.get("state") for row in resource.status.get("variants") or []}
    current = [states.get(each.digest) for each in names.read(resource).variants]
    if "failed" in current:
        return True
    said = resource.status.get("servingRevision")
    return said is not None and said >= number and all(state in {"ready", "asleep"} for state in current)


def _sweep_sockets(cluster: LocalCluster, uid: str) -> None:
    """Remove the sockets of servers that were killed with their controller."""
    from contextlib import suppress

    from jupyter_ext.serving import places

    for path in places.sockets(cluster).glob(f"{uid[:8]}-*"):
        with suppress(OSError):
            path.unlink()


def get(name: str) -> Endpoint:
    """The endpoint of that name, of the cluster that is used or else of this machine. Raises NotFound with the nearest."""
    from jupyter_ext.cluster.kube.handle import there
    from jupyter_ext.serving import kube

    if (found := there("serving", lambda remote: kube.get(remote, name))) is not None:
        return found
    cluster = discover.current()
    if cluster.store.find(KIND, name) is None:
        from jupyter_ext.serving.fields import nearest

        known = [each.name for each in cluster.list(KIND, limit=200, summary=True)]
        raise NotFound(
            f"There is no endpoint {name!r}", where=Where(field="endpoint"), hint=nearest(name, known)
        )
    return Endpoint(name, cluster)


def endpoints(limit: int = 50) -> list[Endpoint]:
    """The newest first: of this machine, and of the Kubernetes cluster that is used."""
    from jupyter_ext.serving import kube

    cluster = discover.current()
    listed = cluster.list(KIND, limit=limit, summary=True)
    found = [(each.created, Endpoint(each.name, cluster)) for each in listed]
    if (remote := kube.place()) is not None:
        found += kube.endpoints(remote, limit)
        found.sort(key=lambda each: each[0], reverse=True)
    return [each for _, each in found[:limit]]


def delete(name: str) -> None:
    """Stop the endpoint and remove it. Raises NotFound."""
    get(name).delete()
