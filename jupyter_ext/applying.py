"""What applying one document would do, and doing it: created, configured, or unchanged where it is so already.

A plan is made and checked for every document of a text before the first is carried out (``resources.apply``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Where
from jupyter_ext.kinds import Row, function, row, title

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.manifest import Document


class Applied(NamedTuple):
    """What became of one document: created, configured, unchanged, resumed or suspended."""

    resource: Resource
    outcome: str
    notes: tuple[str, ...] = ()


APPLIED = "jupyter-kubeflow.org/applied"
"""Annotation: digest of what was applied, so that the same again is known to be the same."""


Plan = Callable[[], Applied]


def plan(document: Document, documents: Sequence[Document]) -> Plan:
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
        function(found.check)(asked, **more)
        if old is None:
            return lambda: Applied(function(found.submit)(asked, **more).resource, "created", document.notes)
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
    change = function(found.update)
    change(asked, dry=True, **more)

    def carry_out() -> Applied:
        after = change(asked, **more)
        unchanged = found.serves and (old.spec, old.annotations) == (after.spec, after.annotations)
        return Applied(after, "unchanged" if unchanged else "configured", document.notes)

    return carry_out


def carry_out(document: Document, planned: Plan) -> Applied:
    """Do what is planned; an error names the document."""
    try:
        return planned()
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
