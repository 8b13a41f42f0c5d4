"""What changes an endpoint: each verb is one transaction with the new spec, its revision and an event."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.serving import finding, revisions
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.fields import nearest, whole
from jupyter_ext.serving.kube_record import Records
from jupyter_ext.serving.places import KIND
from jupyter_ext.serving.variants import Draft, name_for

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.registry.handles import Version

    Kept = LocalCluster | Records
    """Where endpoints are kept: here, or as records in a namespace of Kubernetes."""

CONTROLLER: Final = "jupyter_ext.serving.local:reconcile"
LOST: Final = "jupyter_ext.serving.status:lost"
MOST_RULES: Final = 20

Edit = Callable[["Resource"], "Resource | None"]


def change(
    cluster: Kept,
    name: str,
    what: str,
    edit: Edit,
    *,
    by: str | None = None,
    why: str = "",
    of: int | None = None,
) -> Resource:
    """Apply ``edit`` to the endpoint as it is at that moment, and write down who changed what.

    An edit that changes nothing leaves no trace. The controller is started if it had come to an end.
    """
    if isinstance(cluster, Records):
        return cluster.change(name, what, edit, by=by, why=why, of=of)
    changed = False

    def edited(found: Resource) -> Resource | None:
        nonlocal changed
        after = edit(found)
        if after is None:
            return None
        changed = revisions.content(after.spec, after.annotations) != revisions.content(
            found.spec, found.annotations
        )
        if changed or not revisions.entries(found):
            noted = revisions.appended(after, what, by=by, why=why, of=of)
            after = after.with_(status={**after.status, "revisions": noted})
        return after

    with cluster.store.transaction():
        before = cluster.store.get(KIND, name)
        after = cluster.store.update(KIND, name, edited)
        if after.resource_version != before.resource_version:
            kind = "Warning" if why else "Normal"
            cluster.store.record(KIND, name, kind, "Changed", f"{what}. {why}" if why else f"{what}.")
    wake(cluster, after)
    return after


def wake(cluster: Kept, resource: Resource) -> None:
    """Start the controller of an endpoint that came to rest and is asked for something new."""
    from jupyter_ext.cluster.local import record, workload

    if isinstance(cluster, Records):
        return  # KServe's own never comes to rest
    current = cluster.get(KIND, resource.name)
    if not current.resting or names.read(current).stopped or current.uid != resource.uid:
        return
    with suppress(Conflict):  # somebody else was faster
        if record.read(cluster, current.uid) is not None:
            workload.restart(cluster, current.uid)
        else:
            workload.spawn(cluster, current, CONTROLLER, "OnFailure", lost=LOST, max_restarts=RESTARTS)


RESTARTS: Final = 20
"""How often a controller that dies within a minute is started again."""


def traffic(
    cluster: Kept,
    name: str,
    split: Mapping[str, Any],
    sticky: str | bool | None = False,
    *,
    dry: bool = False,
) -> Resource:
    """Split the requests; a version of the endpoint's model that is no variant yet is added.

    ``sticky``: what keeps a user with a variant, None for nothing; False leaves it as it is. ``dry``: nothing is
    changed. Raises Invalid for percents that do not add up to 100, NotFound for an unknown version.
    """
    if not split or not hasattr(split, "items"):
        raise Invalid('The split is a mapping such as {"v1": 90, "v2": 10}', where=Where(field="split"))
    shares = {str(key): whole(value, f"split.{key}", 0, 100) for key, value in split.items()}
    said = " ".join(f"{key}={value}" for key, value in shares.items())
    added = _missing(cluster, name, list(shares))

    def edit(found: Resource) -> Resource:
        draft = Draft(found)
        meant: dict[str, int] = {}
        for key, percent in shares.items():
            variant = _entered(draft, key, added.get(key))
            if variant in meant:
                raise Invalid(f"{variant} is named twice", where=Where(field=f"split.{key}"))
            meant[variant] = percent
        draft.share(meant)
        if not isinstance(sticky, bool):
            draft.set(names.STICKY, sticky or None)
        return draft.done()

    if dry:
        return edit(cluster.get(KIND, name))
    return change(cluster, name, f"Traffic {said}", edit)


def _missing(cluster: Kept, name: str, keys: list[str]) -> dict[str, Version]:
    """The versions of the endpoint's model that are named and are no variants yet. Raises NotFound."""
    draft = Draft(cluster.get(KIND, name))
    found = {}
    for key in keys:
        try:
            draft.known(key)
        except NotFound as error:
            found[key] = _version(draft, key, error)
    for version in found.values():
        finding.require_trust(cluster, finding.of_version(version), version.name)
    return found


def _version(draft: Draft, key: str, unknown: NotFound) -> Version:
    model = (draft.facts.get(draft.names[0]) or {}).get("model")
    if not model:
        raise unknown
    last: NotFound = unknown
    for wanted in dict.fromkeys((key.removeprefix("v") if key[1:2].isdigit() else key, key)):
        try:
            return finding.version_of(f"{model}:{wanted}")
        except NotFound as error:
            last = error
    hint = " ".join(part for part in (unknown.hint, last.hint and f"Of {model}: {last.hint}") if part)
    raise NotFound(
        f"{draft.resource.name} has no variant {key!r}, and {model} no such version",
        where=Where(field="variant"),
        hint=hint or None,
    ) from None


def _entered(draft: Draft, key: str, version: Version | None) -> str:
    """The variant that a key means, put beside the others if it is a version that is none yet."""
    if version is None:
        return draft.known(key)
    try:
        return draft.known(key)  # somebody else put it there meanwhile
    except NotFound:
        pass
    facts = finding.facts_of(version)
    variant = name_for(
        version.version, {each: draft.facts.get(each, {}).get("version", "") for each in draft.names}
    )
    draft.add(variant, {"model": predictor_model(version)}, facts, 0)
    return variant


def predictor_model(version: Version) -> dict[str, Any]:
    """The model of a predictor that serves a version."""
    return {"modelFormat": {"name": version.format}, "storageUri": version.uri}


def mirror(cluster: Kept, name: str, variant: str | None, percent: int = 100) -> Resource:
    """Show a variant that many percent of the requests besides; nobody gets its answers. None for no mirror."""
    share = whole(percent, "percent", 0, 100)
    if variant is None or share == 0:

        def off(found: Resource) -> Resource:
            draft = Draft(found)
            draft.set(names.MIRROR, None)
            return draft.done()

        return change(cluster, name, "No mirror", off)
    added = _missing(cluster, name, [variant])

    def edit(found: Resource) -> Resource:
        draft = Draft(found)
        meant = _entered(draft, variant, added.get(variant))
        if meant == draft.names[0]:
            raise Conflict(
                f"{meant} is the stable variant: it gets the requests themselves",
                where=Where(field="variant"),
            )
        draft.set(names.MIRROR, json.dumps({"variant": meant, "percent": share}))
        return draft.done()

    return change(cluster, name, f"Mirror {share} % to {variant}", edit)


def promote(cluster: Kept, name: str, variant: str | None = None) -> Resource:
    """Make a variant the stable one; it gets what the others leave. The one before stays warm for a while."""
    now = Draft(cluster.get(KIND, name))
    chosen = now.known(variant) if variant else _only(now)

    def edit(found: Resource) -> Resource:
        draft = Draft(found)
        draft.promote(draft.known(chosen))
        return draft.done()

    return change(cluster, name, f"Promote {chosen}", edit)


def _only(draft: Draft) -> str:
    """The variant that can be meant when none is named."""
    choices = [each for each, (percent, _) in draft.canaries.items() if percent] or list(draft.canaries)
    if len(choices) == 1:
        return choices[0]
    if not choices:
        raise Conflict(
            f"{draft.resource.name} has no variant beside {draft.names[0]}", where=Where(field="variant")
        )
    raise Invalid(
        "Several variants can be meant", where=Where(field="variant"), hint=f"One of {', '.join(choices)}."
    )


def rollback(
    cluster: Kept,
    name: str,
    revision: int | None = None,
    *,
    by: str | None = None,
    why: str = "",
) -> Resource:
    """Return to an earlier revision: the one before, or one by its number. See ``revisions.chosen``."""
    entry = revisions.chosen(cluster.get(KIND, name), revision)
    number = int(entry["number"])

    def edit(found: Resource) -> Resource:
        again = revisions.chosen(found, number if revision is None else revision)
        return revisions.returned(found, again)

    of = int(entry.get("of") or number)
    return change(cluster, name, f"Roll back to revision {of}", edit, by=by, why=why, of=of)


def remove(cluster: Kept, name: str, variant: str) -> Resource:
    """Take a variant away; its share goes to the stable one. Raises Conflict for the stable one itself."""

    def edit(found: Resource) -> Resource:
        draft = Draft(found)
        draft.remove(draft.known(variant))
        return draft.done()

    return change(cluster, name, f"Remove {variant}", edit)


def rules(cluster: Kept, name: str, texts: list[str]) -> Resource:
    """Set the rules. Raises Invalid for one that cannot be read."""
    from jupyter_ext.serving.rules import parse

    if len(texts) > MOST_RULES:
        raise Invalid(f"An endpoint has at most {MOST_RULES} rules", where=Where(field="rules"))
    canonical = [str(parse(text)) for text in texts]

    def edit(found: Resource) -> Resource:
        annotations = {key: text for key, text in found.annotations.items() if key != names.RULES}
        if canonical:
            annotations[names.RULES] = json.dumps(canonical, ensure_ascii=False)
        return found.with_(annotations=annotations)

    return change(cluster, name, "Rules changed" if canonical else "No rules", edit)


def log(cluster: Kept, name: str, settings: Mapping[str, Any] | None) -> Resource:
    """Set what is kept of requests; None for nothing. Raises Invalid."""
    kept = None if settings is None else names.checked_log(settings)

    def edit(found: Resource) -> Resource:
        annotations = {key: text for key, text in found.annotations.items() if key != names.LOG}
        if kept is not None:
            annotations[names.LOG] = json.dumps(kept)
        return found.with_(annotations=annotations)

    return change(cluster, name, "Log changed", edit)


def stop(cluster: Kept, name: str) -> Resource:
    """Ask the endpoint to end its servers; it keeps its address and its revisions."""

    def edit(found: Resource) -> Resource:
        return found.with_(annotations={**found.annotations, names.STOP: "true"})

    return change(cluster, name, "Stopped", edit)


def start(cluster: Kept, name: str) -> Resource:
    """Serve again."""

    def edit(found: Resource) -> Resource:
        kept = {key: text for key, text in found.annotations.items() if key != names.STOP}
        return found.with_(annotations=kept)

    after = change(cluster, name, "Started", edit)
    wake(cluster, after)
    return after


def variant_of(resource: Resource, variant: str) -> str:
    """The variant that a name means. Raises NotFound with the nearest."""
    known = [each.name for each in names.read(resource).variants]
    if variant in known:
        return variant
    if f"v{variant}" in known:
        return f"v{variant}"
    raise NotFound(
        f"{resource.name} has no variant {variant!r}",
        where=Where(field="variant"),
        hint=nearest(variant, known),
    )
