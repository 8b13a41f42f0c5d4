"""The runs and schedules that Kubeflow Pipelines has, among those of this machine: listed with them, and their changes told.

Where runs go to no such server nothing is made here, and nothing is asked.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import dropwhile, islice
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Gone, NotFound

from . import access

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import ResourceList
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.pipelines.kfp.following import Following


class RunsElsewhere:
    """Follows the server that runs go to, when somebody lists runs or schedules; of another one that is chosen, the next."""

    def __init__(self, changed: Callable[[str, Resource], None], turned: Callable[[], None]) -> None:
        self._changed, self._turned = changed, turned
        self._key: tuple[object, ...] | None = None
        self._followed: dict[str, Following] = {}
        self._guard = threading.Lock()

    def now(self, kind: str = "Run") -> Following | None:
        """What is followed; None where there is no such server. Blocks until it has answered once, or for some seconds."""
        found = self._chosen(kind)
        if kind == "Run" and (schedules := self._followed.get("RecurringRun")):
            schedules.looked()  # a page asks for runs now and then, and for schedules only when they change
        return found if found is not None and found.shows() else None

    def _chosen(self, kind: str) -> Following | None:
        from jupyter_ext.pipelines.kfp import place

        key = place.wanted()
        with self._guard:
            if key != self._key:
                self._key, old, self._followed = key, self._followed, {}
                for one in old.values():
                    one.stop()
            if key is not None and kind not in self._followed:
                made = _following(kind)(self._told(key), self._turned, access.version)
                self._followed[kind] = made.start()
            return self._followed.get(kind)

    def known(self, kind: str = "Run") -> Following | None:
        """What is followed already; nothing is begun."""
        return self._followed.get(kind)

    def stop(self) -> None:
        """Follow nothing any more."""
        with self._guard:
            self._key, old, self._followed = None, self._followed, {}
        for one in old.values():
            one.stop()

    def _told(self, key: tuple[object, ...]) -> Callable[[str, Resource], None]:
        """Changes at a server that is no longer used are nobody's."""

        def tell(change: str, resource: Resource) -> None:
            if self._key == key:
                self._changed(change, resource)

        return tell

    # One of them

    def whole(self, kind: str, name: str) -> Resource:
        """A run or a schedule in full, of this machine or elsewhere; raises NotFound."""
        known = self.known(kind)
        before = 0 if known is None else known.version_of(name)
        found = access.run(name).resource if kind == "Run" else access.schedule(name)
        return self.named(found, before)

    def named(self, found: Resource, version: int | None = None) -> Resource:
        """As it is known to pages: what is elsewhere by its identity, and by the version of its last change."""
        if not is_elsewhere(found):
            return found
        known = self.known(found.kind)
        if known is not None and version is None:
            version = known.version_of(found.uid)
            known.soon()
        return found.with_(name=found.uid, resource_version=version or 0)

    def deleted(self, kind: str, name: str) -> None:
        """Say so at once: the next look may be seconds away."""
        known = self.known(kind)
        if known is not None:
            known.drop(name)


def _following(kind: str) -> type[Following]:
    if kind == "Run":
        from jupyter_ext.pipelines.kfp.following import Following

        return Following
    from jupyter_ext.pipelines.kfp.following_schedules import FollowingSchedules

    return FollowingSchedules


def is_elsewhere(resource: Resource) -> bool:
    """Whether it is a run or a schedule of a Kubeflow Pipelines server."""
    of_pipelines = resource.kind in {"Run", "RecurringRun"}
    return of_pipelines and (resource.spec.get("place") or {}).get("kind") == "kfp"


def listed(
    here: Callable[..., ResourceList],
    there: Following,
    *,
    limit: int,
    before: str | None = None,
    phase: Iterable[str] | None = None,
    text: str | None = None,
) -> ResourceList:
    """One page of both, newest first; ``before`` is the name of the last run of the page before. Raises Gone."""
    from jupyter_ext.cluster.answers import ResourceList

    own = here(limit=limit + 1, before=_own(before, there), phase=phase, text=text)
    after = _key_of(before, there) if before else None
    phases, wanted = set(phase or ()), (text or "").casefold()

    def passes(run: Resource) -> bool:
        named = f"{run.name}\n{run.title}".casefold()
        return (not phases or run.phase in phases) and wanted in named

    def ours() -> Iterator[Resource]:
        page = own
        while True:
            yield from page
            if not page.more:
                return
            page = here(limit=limit + 1, before=page.next, phase=phase, text=text)

    def later(runs: Iterable[Resource]) -> Iterator[Resource]:
        return iter(runs) if after is None else dropwhile(lambda run: _key(run) >= after, runs)

    both = heapq.merge(later(ours()), later(filter(passes, there.newest())), key=_key, reverse=True)
    found = list(islice(both, limit + 1))
    more, shown = len(found) > limit, found[:limit]
    version = max(own.resource_version, there.version)
    return ResourceList(shown, version, more, shown[-1].name if more and shown else None)


def _key(run: Resource) -> tuple[str, str]:
    return run.created, run.name


def _own(before: str | None, there: Following) -> str | None:
    """The same of what is here: after a run that is elsewhere it is looked for from the start."""
    return None if before is None or there.get(before) is not None else before


def _key_of(before: str, there: Following) -> tuple[str, str]:
    run = there.get(before)
    if run is None:
        try:
            run = access.cluster().get(there.kind, before)
        except NotFound:
            hint = "List again from the start."
            raise Gone(f"{before!r} is no longer in the list", hint=hint) from None
    return _key(run)


def page(found: dict[str, Any], notice: str) -> dict[str, Any]:
    """A page with what is to be said of it."""
    return {**found, "notice": notice} if notice else found
