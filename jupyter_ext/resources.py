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
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_ext import manifest
from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Conflict, Forbidden, Invalid, KubeflowError, NotFound, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.answers import Event
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.manifest import Document

POLL = (0.02, 0.25)
"""Seconds between two looks at what is waited for: first and longest."""


@dataclass(frozen=True)
class Row:
    """Where the functions of one kind are, as ``module:function``.

    ``get(name)`` gives a handle, whose methods are the verbs. ``check(resource)`` raises what ``submit(resource)``
    would refuse; ``update(resource, dry=…)`` changes what may change of one that is there, and raises Conflict
    naming the field that may not; ``dry`` only looks.
    ``instead`` is what to say where a kind cannot be applied; ``shared``: the functions serve several kinds;
    ``serves``: it is as it should be while it runs, and does not end; ``hidden``: lists of all kinds leave it out;
    ``parted``: ``logs`` of its handle knows the names of its parts;
    ``seen(resource)``: what a cluster has, with what views ask of it beside what upstream writes;
    ``over``: the kind it stands on: its functions are told in ``among`` which of those the same file makes.
    """

    kind: str
    get: str
    check: str = ""
    submit: str = ""
    update: str = ""
    short: tuple[str, ...] = ()
    instead: str = ""
    shared: bool = False
    serves: bool = False
    hidden: bool = False
    over: str = ""
    parted: bool = False
    seen: str = ""


def _job(kind: str, *short: str) -> Row:
    home = "jupyter_ext.training"
    return Row(kind, f"{home}:get", f"{home}:check", f"{home}:submit", f"{home}:update", short, shared=True)


_SERVING = "jupyter_ext.serving"
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
        seen="jupyter_ext.tuning.kube_rows:told",
    ),
    Row("Trial", "jupyter_ext.tuning:trial", instead="An Experiment makes its trials.", hidden=True),
    Row(
        "InferenceService",
        f"{_SERVING}:get",
        f"{_SERVING}:check",
        f"{_SERVING}:submit",
        f"{_SERVING}:update",
        ("isvc", "endpoint", "endpoints"),
        serves=True,
    ),
    Row(
        "InferenceGraph",
        f"{_SERVING}.graph:graph",
        f"{_SERVING}.graph:check_graph",
        f"{_SERVING}.graph:submit_graph",
        f"{_SERVING}.graph:update_graph",
        ("ig", "graph", "graphs"),
        serves=True,
        over="InferenceService",
    ),
    Row(
        "SparkApplication",
        "jupyter_ext.spark:get",
        "jupyter_ext.spark:check",
        "jupyter_ext.spark:submit_resource",
        short=("sparkapp", "sparkapps"),
        parted=True,
    ),
    Row(
        "ScheduledSparkApplication",
        "jupyter_ext.spark:schedule_of",
        "jupyter_ext.spark:check_schedule",
        "jupyter_ext.spark:submit_schedule",
        "jupyter_ext.spark:update_schedule",
        ("scheduledsparkapp", "scheduledsparkapps"),
    ),
    Row(
        "SparkConnect",
        "jupyter_ext.spark:session_of",
        "jupyter_ext.spark:check_session",
        "jupyter_ext.spark:start_session",
        short=("sparkconn", "session", "sessions"),
        parted=True,
    ),
    Row("Gateway", "jupyter_ext.resources:Gateway", instead="The first endpoint starts it.", hidden=True),
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


class Gateway:
    """What can be done with the gateway of endpoints: read what it printed. It comes and goes with them."""

    def __init__(self, name: str) -> None:
        self.name = name

    def logs(self, **how: Any) -> Iterator[str]:
        """What it printed."""
        return iter(_cluster().logs("Gateway", self.name, **how))


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


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


def title(resource: Resource) -> str:
    """Give ``trainjob/mnist``, as ``find`` reads it."""
    return f"{resource.kind.lower()}/{resource.name}"


def seen(resource: Resource) -> Resource:
    """Give what a cluster has as its kind's views know it; nothing is asked."""
    found = row(resource.kind).seen
    if not found:
        return resource
    told: Resource = _function(found)(resource)
    return told


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
    used = discover.remote() or _cluster()
    documents = manifest.load(source, used.namespace)
    plans = [_plan(document, documents) for document in documents]
    return [_carry_out(document, plan) for document, plan in zip(documents, plans, strict=True)]


Plan = Callable[[], Applied]


def _plan(document: Document, documents: Sequence[Document]) -> Plan:
    """Check one document; gives what is to be done, which nothing but a change meanwhile can refuse."""
    there = discover.holder(document.resource.kind)
    if isinstance(there, LocalCluster):
        mine = document.resource.with_(namespace=there.namespace)
        return _plan_here(there, replace(document, resource=mine), documents)
    return _plan_there(there, document)


def _plan_there(cluster: KubeCluster, document: Document) -> Plan:
    """Let the API server check it: server-side apply, as the front end of the kind would make it."""
    asked = document.resource
    try:
        if any(note.startswith("namespace ") for note in document.notes):
            hint = "Use that one (kf.cluster.use(…, namespace=…)), or name none."
            what = f"{title(asked)} is not of the namespace {cluster.namespace}"
            raise Invalid(what, where=Where(field="metadata.namespace"), hint=hint)
        cluster.apply(asked, dry=True)
        old = next(iter(_existing(cluster, asked)), None)
    except KubeflowError as error:
        raise document.at(error) from None

    def carry_out() -> Applied:
        made = cluster.apply(asked)
        same = old is not None and old.resource_version == made.resource_version
        return Applied(made, "created" if old is None else "unchanged" if same else "configured")

    return carry_out


def _existing(cluster: KubeCluster, asked: Resource) -> list[Resource]:
    try:
        return [cluster.get(asked.kind, asked.name)]
    except NotFound:
        return []


def _plan_here(cluster: LocalCluster, document: Document, documents: Sequence[Document]) -> Plan:
    asked = marked(document.resource)
    found = row(asked.kind)
    made = [each.resource.name for each in documents if found.over and each.resource.kind == found.over]
    more = {"among": made} if found.over else {}
    if not found.submit:
        what = f"a {asked.kind} cannot be applied"
        raise document.at(Invalid(what, where=Where(field="kind"), hint=found.instead or None))
    old = cluster.store.find(asked.kind, asked.name)
    try:
        # What serves is changed by its verbs too: only its update knows whether applying changes anything.
        if old is not None and not found.serves and same(old, asked):
            return lambda: Applied(cluster.get(asked.kind, asked.name), "unchanged", document.notes)
        _function(found.check)(asked, **more)
        if old is None:
            return lambda: Applied(_function(found.submit)(asked, **more).resource, "created", document.notes)
        return _change(found, old, asked, document, more)
    except KubeflowError as error:
        raise document.at(error) from None


def _change(found: Row, old: Resource, asked: Resource, document: Document, more: Mapping[str, Any]) -> Plan:
    """Plan the change of what is there already; raises Conflict for what cannot change."""
    fields = differences(old.spec, asked.spec)
    if not found.update:
        what = f"{title(old)} is there already and differs in {fields[0] if fields else 'spec'}"
        hint = "Delete it first, or give this one another name."
        raise Conflict(what, where=Where(field=fields[0] if fields else "spec"), hint=hint)
    change = _function(found.update)
    change(asked, dry=True, **more)

    def carry_out() -> Applied:
        after = change(asked, **more)
        unchanged = found.serves and (old.spec, old.annotations) == (after.spec, after.annotations)
        return Applied(after, "unchanged" if unchanged else "configured", document.notes)

    return carry_out


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
