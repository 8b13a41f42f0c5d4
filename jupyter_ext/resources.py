"""Everything that lives in the cluster, whatever its kind: apply, get, list, describe, wait, stop, resume, delete, logs.

    from jupyter_ext import resources
    resources.apply("job.yaml")
    resources.wait("trainjob/mnist")

``kinds`` has a row for each kind: where its functions are. ``applying`` is what one document of a text would do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext import applying, manifest
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Conflict, Forbidden, Invalid, NotFound, Where
from jupyter_ext.kinds import ROWS, function, kind_of, row, title

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import Event

POLL = (0.02, 0.25)
"""Seconds between two looks at what is waited for: first and longest."""


class Schedule:
    """What can be done with a schedule, in the words of the other kinds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def stop(self) -> None:
        """Start no more runs."""
        function("jupyter_ext.pipelines:schedule_set")(self.name, enabled=False)

    def resume(self) -> None:
        """Start runs again."""
        function("jupyter_ext.pipelines:schedule_set")(self.name, enabled=True)

    def delete(self) -> None:
        """Remove it; its runs stay."""
        function("jupyter_ext.pipelines:schedule_delete")(self.name)


class Gateway:
    """What can be done with the gateway of endpoints: read what it printed. It comes and goes with them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def logs(self, **how: Any) -> Iterator[str]:
        """What it printed."""
        return iter(_cluster().logs("Gateway", self.name, **how))


def _cluster() -> LocalCluster:
    return discover.current()


def _is_here(resource: Resource) -> bool:
    """Whether this machine has it. What one reads in a list may be gone from there, or be elsewhere by now."""
    return discover.holder(resource.kind).kind == "local"


# One of them


def find(reference: str) -> Resource:
    """Give the resource that ``kind/name``, or a name alone, means.

    Raises NotFound, and Invalid where a name alone means several.
    """
    word, slash, name = reference.partition("/")
    if slash:
        kind = kind_of(word)
        if kind is None:
            known = ", ".join(KINDS[item.kind].plural for item in ROWS)
            raise Invalid(f"there is no kind {word!r}", where=Where(field="kind"), hint=f"Known: {known}.")
        return discover.holder(kind).get(kind, name)
    found = []
    for item in ROWS:
        try:
            found.append(discover.holder(item.kind).get(item.kind, reference))
        except (NotFound, Forbidden):
            continue
    if not found:
        raise NotFound(f"there is nothing named {reference!r}", hint="See what there is: jupyter kf get")
    if len(found) > 1:
        choices = ", ".join(title(resource) for resource in found)
        raise Invalid(
            f"{reference!r} means several", where=Where(field="name"), hint=f"Say one of: {choices}."
        )
    return found[0]


def seen(resource: Resource) -> Resource:
    """Give what a cluster has as its kind's views know it; nothing is asked."""
    found = row(resource.kind).seen
    if not found:
        return resource
    told: Resource = function(found)(resource)
    return told


def is_part(resource: Resource) -> bool:
    """Whether another resource speaks for it: a variant of an endpoint, or its gateway."""
    from jupyter_ext.serving.places import ENDPOINT

    return resource.labels.get(ENDPOINT, resource.name) != resource.name


def shown(resource: Resource) -> Resource:
    """Give it with what its status does not say where a cluster has it: why it waits, and what its pods do.

    What one may not see is left out.
    """
    if _is_here(resource):
        return resource
    resource = seen(resource)
    try:
        found = handle(resource)
        more = found.told(resource) if hasattr(found, "told") else {}
    except (Forbidden, NotFound):
        return resource
    return resource.with_(status={**resource.status, **more})


def handle(reference: str | Resource) -> Any:
    """Give the handle of a resource: a Run, a Job, an Experiment, an Endpoint."""
    resource = reference if isinstance(reference, Resource) else find(reference)
    found = row(resource.kind)
    more = {"kind": resource.kind} if found.shared else {}
    return function(found.get)(resource.name, **more)


def get(reference: str) -> Resource:
    """Give the resource as it is now; as ``find``."""
    return find(reference)


def list_(
    kind: str | None = None,
    *,
    limit: int = 50,
    phase: str | Iterable[str] | None = None,
    text: str | None = None,
) -> list[Resource]:
    """Give the newest resources of one kind, or of all but trials, newest first, without their heavy parts."""
    kinds = [kind] if kind else [item.kind for item in ROWS if not item.hidden]
    found: list[Resource] = []
    for name in kinds:
        try:
            found += discover.holder(name).list(name, limit=limit, phase=phase, text=text, summary=True)
        except Forbidden:
            if kind:
                raise  # of all kinds, those are given that one may see
    return sorted(found, key=lambda resource: resource.created, reverse=True)[:limit]


def wait(reference: str, timeout: float | None = None) -> Resource:
    """Wait until it has finished or is paused, and what serves until it does.

    Raises TimeoutError after ``timeout`` seconds, NotFound if it is deleted, and what keeps it from serving.
    """
    begun = time.monotonic()
    pause = POLL[0]
    resource = find(reference)
    if row(resource.kind).serves:
        handle(resource).wait(timeout)
        return discover.holder(resource.kind).get(resource.kind, resource.name)
    if not _is_here(resource):
        _no_end(resource)
        handle(resource).wait(timeout)
        return find(title(resource))
    while not resource.resting:
        _no_end(resource)
        if timeout is not None and time.monotonic() - begun >= timeout:
            raise TimeoutError(f"{title(resource)} is still {resource.phase} after {timeout:g} s")
        time.sleep(pause)
        pause = min(pause * 1.3, POLL[1])
        resource = _cluster().get(resource.kind, resource.name)
    return resource


def _no_end(resource: Resource) -> None:
    if resource.kind in {"RecurringRun", "ScheduledSparkApplication"} and not resource.resting:
        where = Where(object=title(resource))
        raise Invalid("a schedule does not end", where=where, hint="Wait for a run.")


def good(resource: Resource) -> bool:
    """Whether it came to the end that was wanted, or serves."""
    return resource.phase == "SUCCEEDED" or (row(resource.kind).serves and resource.phase == "RUNNING")


def _verb(reference: str, name: str) -> Callable[..., Any]:
    """Give a method of the handle; raises Conflict where the kind cannot do it."""
    resource = find(reference)
    method: Callable[..., Any] | None = getattr(handle(resource), name, None)
    if method is None:
        raise Conflict(f"a {resource.kind} has no {name}", where=Where(object=title(resource)))
    return method


def stop(reference: str) -> Resource:
    """Stop it and all that it started; what serves has stopped when this comes back."""
    how = {"wait": True} if row(find(reference).kind).serves else {}
    _verb(reference, "stop")(**how)
    return find(reference)


def resume(reference: str, **how: object) -> Any:
    """Go on where it stopped: gives the handle of what goes on."""
    again = _verb(reference, "resume")(**how)
    return again if again is not None else handle(reference)


def delete(reference: str) -> Resource:
    """Stop it if need be and remove it with all that it owns; gives its last state."""
    resource = find(reference)
    handle(resource).delete()
    return resource


def logs(
    reference: str,
    part: str | None = None,
    *,
    tail: int | None = None,
    follow: bool = False,
    stop: threading.Event | None = None,
) -> Iterator[str]:
    """Give what it printed: of one ``part`` (a step, ``rank-0``), else all; ``follow`` ends with it or by ``stop``."""
    resource = find(reference)
    if not _is_here(resource):
        there = discover.holder(resource.kind)
        return there.logs(resource.kind, resource.name, part, tail=tail, follow=follow, stop=stop)
    more: dict[str, Any] = {"tail": tail, "follow": follow, "stop": stop, **_part(resource, part)}
    found: str | Iterator[str] = _verb(title(resource), "logs")(**more)
    return iter([found]) if isinstance(found, str) else iter(found)


def _part(resource: Resource, part: str | None) -> dict[str, Any]:
    """Give the argument of ``logs`` that means one part; raises NotFound with the parts that there are."""
    if not part:
        return {}
    if resource.kind == "Run":
        return {"step": part}
    if row(resource.kind).parted:
        return {"part": part}
    if row(resource.kind).serves:
        return {"variant": part}
    ranks = resource.status.get("ranks") or []
    known = {str(rank["part"]): int(rank["rank"]) for rank in ranks}
    known |= {f"rank-{rank['rank']}": int(rank["rank"]) for rank in ranks}
    number = part.removeprefix("rank-")
    if not ranks and number.isdecimal():
        # What has not begun has no ranks yet; a trial, which is one process, has this one only.
        known = {part: int(number)} if row(resource.kind).shared else {"rank-0": 0}
    if part not in known:
        hint = f"There are: {', '.join(list(known)[:20])}."
        raise NotFound(f"{title(resource)} has no part {part!r}", where=Where(field="part"), hint=hint)
    return {"rank": known[part]} if row(resource.kind).shared else {}


def export(reference: str) -> str:
    """Give the YAML that a cluster takes as it is."""
    text: str = _verb(reference, "export")()
    return text


def describe(reference: str) -> str:
    """Give all that is worth knowing about it, for people."""
    from jupyter_ext.display import description

    resource = find(reference)
    return description.describe(shown(resource), events(resource))


def events(reference: str | Resource) -> Sequence[Event]:
    """Give what happened to it, oldest first, as long as its cluster remembers."""
    resource = reference if isinstance(reference, Resource) else find(reference)
    return discover.holder(resource.kind).events(resource.kind, resource.name)


# All of a text


def apply(source: str | Path) -> list[applying.Applied]:
    """Start what a file or a text describes, as ``kubectl apply`` does; several documents are all checked first.

    What is there already and equal stays as it is; where it differs, only what upstream lets change is changed.
    Raises Invalid, Unfit and Conflict, naming document, line and field, before anything starts.
    """
    used = discover.remote() or _cluster()
    documents = manifest.load(source, used.namespace)
    plans = [applying.plan(document, documents) for document in documents]
    return [applying.carry_out(document, plan) for document, plan in zip(documents, plans, strict=True)]
