"""Everything that lives in the cluster, whatever its kind: apply, get, list, describe, wait, stop, resume, delete, logs.

    from jupyter_ext import resources
    resources.apply("job.yaml")
    resources.wait("trainjob/mnist")

A capability adds a row to ``ROWS``: where the functions of its kind are. Nothing else here knows a kind.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_ext import manifest
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.manifest import Document

POLL = (0.02, 0.25)
"""Seconds between two looks at what is waited for: first and longest."""


@dataclass(frozen=True)
class Row:
    """Where the functions of one kind are, as ``module:function``.

    ``get(name)`` gives a handle, whose methods are the verbs. ``check(resource)`` raises what ``submit(resource)``
    would refuse; ``update(resource, dry=…)`` changes what may change of one that is there, and raises Conflict
    naming the field that may not; ``dry`` only looks.
    ``instead`` is what to say where a kind cannot be applied; ``shared``: the functions serve several kinds.
    """

    kind: str
    get: str
    check: str = ""
    submit: str = ""
    update: str = ""
    short: tuple[str, ...] = ()
    instead: str = ""
    shared: bool = False


def _job(kind: str, *short: str) -> Row:
    home = "jupyter_ext.training"
    return Row(kind, f"{home}:get", f"{home}:check", f"{home}:submit", f"{home}:update", short, shared=True)


ROWS: tuple[Row, ...] = (
    Row("Run", "jupyter_ext.pipelines:get", instead="Start one with: jupyter kf run NOTEBOOK.ipynb"),
    Row(
        "RecurringRun",
        "jupyter_ext.resources:Schedule",
        short=("schedule", "schedules"),
        instead="Make one with: jupyter kf schedule add NOTEBOOK.ipynb --cron …",
    ),
    _job("TrainJob", "tj", "job", "jobs"),
    _job("TFJob"),
    _job("PyTorchJob"),
    _job("XGBoostJob"),
    Row(
        "Experiment",
        "jupyter_ext.tuning:get",
        "jupyter_ext.tuning:check",
        "jupyter_ext.tuning:submit",
        "jupyter_ext.tuning:update",
        ("exp", "sweep"),
    ),
    Row("Trial", "jupyter_ext.tuning:trial", instead="An Experiment makes its trials."),
)


def row(kind: str) -> Row:
    """Give the row of a kind; raises Invalid."""
    for found in ROWS:
        if found.kind == kind:
            return found
    raise Invalid(f"there is no kind {kind!r}", where=Where(field="kind"), hint=f"Known: {', '.join(KINDS)}.")


def kind_of(word: str) -> str | None:
    """Give the kind that a word means: its name, plural or short form in any case; None for another word."""
    wanted = word.lower()
    for found in ROWS:
        if wanted in {found.kind.lower(), KINDS[found.kind].plural, *found.short}:
            return found.kind
    return None


class Schedule:
    """What can be done with a schedule, in the words of the other kinds."""

    def __init__(self, name: str) -> None:
        self.name = name

    def stop(self) -> None:
        """Start no more runs."""
        _function("jupyter_ext.pipelines:schedule_set")(self.name, enabled=False)

    def resume(self) -> None:
        """Start runs again."""
        _function("jupyter_ext.pipelines:schedule_set")(self.name, enabled=True)

    def delete(self) -> None:
        """Remove it; its runs stay."""
        _function("jupyter_ext.pipelines:schedule_delete")(self.name)


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


def _cluster() -> LocalCluster:
    return discover.current()


# One of them


def find(reference: str) -> Resource:
    """Give the resource that ``kind/name``, or a name alone, means.

    Raises NotFound, and Invalid where a name alone means several.
    """
    word, slash, name = reference.partition("/")
    cluster = _cluster()
    if slash:
        kind = kind_of(word)
        if kind is None:
            known = ", ".join(KINDS[item.kind].plural for item in ROWS)
            raise Invalid(f"there is no kind {word!r}", where=Where(field="kind"), hint=f"Known: {known}.")
        return cluster.get(kind, name)
    found = []
    for item in ROWS:
        try:
            found.append(cluster.get(item.kind, reference))
        except NotFound:
            continue
    if not found:
        raise NotFound(f"there is nothing named {reference!r}", hint="See what there is: jupyter kf get")
    if len(found) > 1:
        choices = ", ".join(title(resource) for resource in found)
        raise Invalid(
            f"{reference!r} means several", where=Where(field="name"), hint=f"Say one of: {choices}."
        )
    return found[0]


def title(resource: Resource) -> str:
    """Give ``trainjob/mnist``, as ``find`` reads it."""
    return f"{resource.kind.lower()}/{resource.name}"


def handle(reference: str | Resource) -> Any:
    """Give the handle of a resource: a Run, a Job, an Experiment."""
    resource = reference if isinstance(reference, Resource) else find(reference)
    found = row(resource.kind)
    more = {"kind": resource.kind} if found.shared else {}
    return _function(found.get)(resource.name, **more)


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
    cluster = _cluster()
    kinds = [kind] if kind else [item.kind for item in ROWS if item.kind != "Trial"]
    found = [
        resource
        for name in kinds
        for resource in cluster.list(name, limit=limit, phase=phase, text=text, summary=True)
    ]
    return sorted(found, key=lambda resource: resource.created, reverse=True)[:limit]


def wait(reference: str, timeout: float | None = None) -> Resource:
    """Wait until it has finished or is paused; raises TimeoutError after ``timeout`` seconds, NotFound if it is deleted."""
    begun = time.monotonic()
    pause = POLL[0]
    resource = find(reference)
    while not resource.resting:
        if resource.kind == "RecurringRun":
            raise Invalid(
                "a schedule does not end", where=Where(object=title(resource)), hint="Wait for a run."
            )
        if timeout is not None and time.monotonic() - begun >= timeout:
            raise TimeoutError(f"{title(resource)} is still {resource.phase} after {timeout:g} s")
        time.sleep(pause)
        pause = min(pause * 1.3, POLL[1])
        resource = _cluster().get(resource.kind, resource.name)
    return resource


def _verb(reference: str, name: str) -> Callable[..., Any]:
    """Give a method of the handle; raises Conflict where the kind cannot do it."""
    resource = find(reference)
    method: Callable[..., Any] | None = getattr(handle(resource), name, None)
    if method is None:
        raise Conflict(f"a {resource.kind} has no {name}", where=Where(object=title(resource)))
    return method


def stop(reference: str) -> Resource:
    """Stop it and all that it started."""
    _verb(reference, "stop")()
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
    more: dict[str, Any] = {"tail": tail, "follow": follow, "stop": stop, **_part(resource, part)}
    found: str | Iterator[str] = _verb(title(resource), "logs")(**more)
    return iter([found]) if isinstance(found, str) else iter(found)


def _part(resource: Resource, part: str | None) -> dict[str, Any]:
    """Give the argument of ``logs`` that means one part; raises NotFound with the parts that there are."""
    if not part:
        return {}
    if resource.kind == "Run":
        return {"step": part}
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
    return description.describe(resource, _cluster().events(resource.kind, resource.name))


# All of a text


class Applied(NamedTuple):
    """What became of one document: created, configured, unchanged, resumed or suspended."""

    resource: Resource
    outcome: str
    notes: tuple[str, ...] = ()


APPLIED = "jupyter-kubeflow.org/applied"
"""Annotation: digest of what was applied, so that the same again is known to be the same."""


def apply(source: str | Path) -> list[Applied]:
    """Start what a file or a text describes, as ``kubectl apply`` does; several documents are all checked first.

    What is there already and equal stays as it is; where it differs, only what upstream lets change is changed.
    Raises Invalid, Unfit and Conflict, naming document, line and field, before anything starts.
    """
    cluster = _cluster()
    documents = manifest.load(source, cluster.namespace)
    plans = [_plan(cluster, document) for document in documents]
    return [_carry_out(document, plan) for document, plan in zip(documents, plans, strict=True)]


Plan = Callable[[], Applied]


def _plan(cluster: LocalCluster, document: Document) -> Plan:
    """Check one document; gives what is to be done, which nothing but a change meanwhile can refuse."""
    asked = marked(document.resource)
    found = row(asked.kind)
    if not found.submit:
        what = f"a {asked.kind} cannot be applied"
        raise document.at(Invalid(what, where=Where(field="kind"), hint=found.instead or None))
    old = cluster.store.find(asked.kind, asked.name)
    try:
        if old is not None and same(old, asked):
            return lambda: Applied(cluster.get(asked.kind, asked.name), "unchanged", document.notes)
        _function(found.check)(asked)
        if old is None:
            return lambda: Applied(_function(found.submit)(asked).resource, "created", document.notes)
        return _change(found, old, asked, document)
    except KubeflowError as error:
        raise document.at(error) from None


def _change(found: Row, old: Resource, asked: Resource, document: Document) -> Plan:
    """Plan the change of what is there already; raises Conflict for what cannot change."""
    fields = differences(old.spec, asked.spec)
    if not found.update:
        what = f"{title(old)} is there already and differs in {fields[0] if fields else 'spec'}"
        hint = "Delete it first, or give this one another name."
        raise Conflict(what, where=Where(field=fields[0] if fields else "spec"), hint=hint)
    change = _function(found.update)
    change(asked, dry=True)
    return lambda: Applied(change(asked), "configured", document.notes)


def _carry_out(document: Document, plan: Plan) -> Applied:
    try:
        return plan()
    except KubeflowError as error:
        raise document.at(error) from None


def marked(resource: Resource) -> Resource:
    """Give the resource with the digest of itself in an annotation."""
    import hashlib
    import json

    annotations = {key: text for key, text in resource.annotations.items() if key != APPLIED}
    content = json.dumps(
        [resource.kind, resource.spec, resource.labels, annotations], sort_keys=True, default=str
    )
    digest = hashlib.sha256(content.encode()).hexdigest()[:32]
    return resource.with_(annotations={**annotations, APPLIED: digest})


def same(old: Resource, asked: Resource) -> bool:
    """Whether applying would change nothing: it is what was applied, or all that is asked for is so already."""
    if APPLIED in old.annotations and old.annotations[APPLIED] == asked.annotations[APPLIED]:
        return True
    wanted = {key: text for key, text in asked.annotations.items() if key != APPLIED}
    return (
        APPLIED not in old.annotations
        and old.spec == asked.spec
        and wanted.items() <= old.annotations.items()
        and asked.labels.items() <= old.labels.items()
    )


def differences(old: Any, new: Any, path: str = "spec") -> list[str]:
    """Give the paths at which two specs differ, those of the new one first."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = [*new, *(name for name in old if name not in new)]
        return [
            found for name in names for found in differences(old.get(name), new.get(name), f"{path}.{name}")
        ]
    if _list(old) and _list(new) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [found for place, (a, b) in pairs for found in differences(a, b, f"{path}[{place}]")]
    return [] if old == new else [path]


def _list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)
