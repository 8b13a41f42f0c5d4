"""InferenceServices from elsewhere: what KServe would take is taken, and what cannot be honoured here is refused by name."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import Resource, valid_name
from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.serving import finding, kube, verbs
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.fields import FRAMEWORKS, whole
from jupyter_ext.serving.handle import Endpoint
from jupyter_ext.serving.places import KIND
from jupyter_ext.serving.starting import create

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster


def submit(resource: Resource, *, trust: bool = False) -> Endpoint:
    """Check an InferenceService, create it and start it. Raises as ``check`` does, and Untrusted."""
    if (remote := kube.place()) is not None:
        return kube.submit(remote, resource)
    cluster = discover.current()
    asked = _examined(cluster, resource, trust=trust)
    return create(cluster, asked)


def check(resource: Resource) -> None:
    """Refuse what ``submit`` would refuse, without starting anything. Raises Invalid, NotFound and Unfit."""
    if (remote := kube.place()) is not None:
        remote.apply(resource, dry=True)
        return
    cluster = discover.current()
    _examined(cluster, resource, cluster.store.find(KIND, resource.name))


def update(resource: Resource, *, dry: bool = False, trust: bool = False) -> Resource:
    """Give an endpoint that exists this spec; ``dry``: only refuse what would be refused.

    Annotations and labels that it does not name stay, as with ``kubectl apply``. ``canaryTrafficPercent`` leaves the
    rest of the traffic with what the endpoint served before.
    """
    if (remote := kube.place()) is not None:
        return remote.apply(resource, dry=dry)
    cluster = discover.current()
    current = cluster.get(KIND, resource.name)
    _examined(cluster, resource, current, trust=trust)
    if dry:
        return current

    def edit(found: Resource) -> Resource:
        again = _merged(_mapped(resource, found), found)
        return found.with_(spec=again.spec, labels=again.labels, annotations=_with_facts(again))

    return verbs.change(cluster, resource.name, "Apply", edit)


def _examined(
    cluster: LocalCluster, resource: Resource, current: Resource | None = None, *, trust: bool = False
) -> Resource:
    """The resource as it is to be stored; everything in it can be honoured here."""
    valid_name(resource.name, "metadata.name")
    asked = _merged(_mapped(resource, current), current)
    asked = asked.with_(annotations=_with_facts(asked))
    service = names.read(asked)
    for each in service.variants:
        _check_predictor(cluster, each, trust=trust)
    for part in (service.transformer, service.explainer):
        if part and part.get("containers"):
            _check_command(part["containers"][0])
    return asked


def _merged(asked: Resource, current: Resource | None) -> Resource:
    """With what is known of the endpoint and was not said again: rules, log, and the versions behind its addresses."""
    if current is None:
        return asked
    known = names.note(current.annotations, names.VARIANTS, dict)
    facts = {**names.note(asked.annotations, names.VARIANTS, dict)}
    plain = asked.with_(annotations={})
    before = {each.name: each.model.get("storageUri") for each in names.read(current).variants}
    there = {each.name: each.model.get("storageUri") for each in names.read(plain).variants}
    for name, uri in there.items():
        if name in known and uri and before.get(name) == uri:
            facts.setdefault(name, known[name])
    annotations = {
        **current.annotations,
        **asked.annotations,
        names.VARIANTS: json.dumps(facts, sort_keys=True),
    }
    mirror = names.note(annotations, names.MIRROR, dict)
    if names.MIRROR not in asked.annotations and mirror.get("variant") not in there:
        annotations.pop(names.MIRROR, None)
    return asked.with_(annotations=annotations, labels={**current.labels, **asked.labels})


def _mapped(resource: Resource, current: Resource | None) -> Resource:
    """``canaryTrafficPercent`` of KServe's other mode, said as a canary beside what was served before."""
    predictor = resource.spec.get("predictor")
    if not isinstance(predictor, dict) or "canaryTrafficPercent" not in predictor:
        return resource
    path = "spec.predictor.canaryTrafficPercent"
    percent = whole(predictor["canaryTrafficPercent"], path, 0, 100)
    if resource.spec.get("canary"):
        raise Invalid(f"{path} and spec.canary exclude each other", where=Where(field=path))
    rest = {key: value for key, value in predictor.items() if key != "canaryTrafficPercent"}
    spec = {**resource.spec, "predictor": rest}
    if percent == 100 or current is None:
        return resource.with_(spec=spec)
    before = names.read(current).stable
    name = str(rest.get("name") or "latest")
    if name == before.name:
        name = "latest" if before.name != "latest" else "latest-2"
    own = {key: value for key, value in rest.items() if key in {"model", "containers", "timeout", "batcher"}}
    older = [each for each in FRAMEWORKS if each in rest]
    if older:
        framework = dict(rest[older[0]])
        own["model"] = {"modelFormat": {"name": FRAMEWORKS[older[0]]}, **framework}
    canary = [{"trafficPercent": percent, "predictor": {**own, "name": name}}]
    facts = names.note(current.annotations, names.VARIANTS, dict)
    noted = {**names.note(resource.annotations, names.VARIANTS, dict)}
    if before.name in facts:
        noted[before.name] = facts[before.name]
    annotations = {**resource.annotations, names.VARIANTS: json.dumps(noted, sort_keys=True)}
    return resource.with_(
        spec={**resource.spec, "predictor": before.body, "canary": canary}, annotations=annotations
    )


def _with_facts(resource: Resource) -> dict[str, str]:
    """The annotations, with what is known of versions that are served by their address in the registry."""
    service = names.read(resource)
    facts = names.note(resource.annotations, names.VARIANTS, dict)
    for each in service.variants:
        uri = str(each.model.get("storageUri") or "")
        version = finding.named_by(uri) if uri else None
        if version is not None:
            facts[each.name] = finding.facts_of(version)
    annotations = {key: text for key, text in resource.annotations.items() if key != names.VARIANTS}
    if facts:
        annotations[names.VARIANTS] = json.dumps(facts, sort_keys=True)
    return annotations


def _check_predictor(cluster: LocalCluster, predictor: names.Predictor, *, trust: bool) -> None:
    where = f"spec.predictor of {predictor.name}"
    try:
        cluster.leases.check(predictor.request)
    except Unfit as error:
        raise Unfit(f"{predictor.name}: {error.what}", where=error.where, hint=error.hint) from None
    model = predictor.model
    if not model:
        _check_command(predictor.container)
        return
    if model.get("runtime"):
        from jupyter_ext.serving.transformer import check_runtime

        check_runtime(str(model["runtime"]))
    finding.check_format(str(model["modelFormat"]["name"]), f"{where}.model.modelFormat.name")
    uri = str(model["storageUri"])
    finding.check_uri(uri, f"{where}.model.storageUri")
    from jupyter_ext.registry.files import local_path

    if predictor.facts.get("model") or local_path(uri) is not None or trust:
        source = finding.fetch(cluster, model, predictor.facts)
        if trust:
            finding.trust(cluster, source)
        finding.require_trust(cluster, source, uri)


def _check_command(container: Mapping[str, Any]) -> None:
    command = str(container["command"][0])
    if shutil.which(command) is None:
        raise Unfit(
            f"There is no command {command!r} on this machine",
            where=Where(field="containers[0].command"),
            hint="Install it, or use a cluster.",
        )
