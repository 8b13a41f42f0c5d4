"""What KServe is given for an endpoint: an InferenceService for each variant, and a graph that splits what is asked.

KServe of Standard mode gives one InferenceService one model (before 0.20, and without the Gateway API after it), so each
variant has its own. Once there are several our gateway stands before them (``kube_gateway``), or, where that cannot be, an
`InferenceGraph (serving.kserve.io/v1alpha1)` of one Splitter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube.handle import refused
from jupyter_ext.cluster.resource import Resource, is_name
from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.serving import finding, kube_gateway, kube_mode, kube_models, kube_runtime, revisions
from jupyter_ext.serving import spec as names
from jupyter_ext.serving.fields import CONTAINER
from jupyter_ext.serving.kube_record import VARIANT, reference
from jupyter_ext.serving.kube_runtime import NAME
from jupyter_ext.serving.places import ENDPOINT, KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.serving.kube_record import Records
    from jupyter_ext.serving.spec import Predictor, Service

DIGEST: Final = "jupyter-kubeflow.org/predictor"
"""Label of pods: which predictor they run."""
GRAPH: Final = "InferenceGraph"
_OF_PODS: Final = ("imagePullSecrets", "nodeSelector", "tolerations", "affinity")
"""Fields of a runtime that are about its pods."""

Json = dict[str, Any]


def graph_name(endpoint: str) -> str:
    """Of the graph before the variants."""
    return f"{endpoint}-split"


def service_name(endpoint: str, service: Service, variant: str) -> str:
    """The InferenceService of a variant: the stable one has the endpoint's own name."""
    return endpoint if variant == service.stable.name else f"{endpoint}-{variant}"


_WITHOUT: Final = {
    "sticky": "Split without it.",
    "mirror": "Serve the variant with percent=0 and send it requests by variant=.",
    "rules": "Look with endpoint.why(), and roll back with endpoint.rollback().",
    "log": "KServe logs to a URL: apply an InferenceService with spec.predictor.logger.",
}
"""What to do where there can be no gateway."""


def require(resource: Resource, remote: KubeCluster, before: Resource | None = None) -> Service:
    """Refuse by name what KServe has no word for, nor a gateway of ours there; gives what is asked for.

    ``before``: as it was until now. Taking away something of what a gateway is needed for is never refused.
    """
    service = names.read(resource)
    needed = kube_gateway.needs(service)
    is_less = before is not None and set(needed) < set(kube_gateway.needs(names.read(before)))
    if needed and not is_less and not service.stopped:
        there = kube_gateway.found(remote, resource.name)
        why = kube_gateway.lost(remote, there) if there else kube_gateway.lacks(remote, resource.name)
        if why:
            what = f"{needed[0]} needs our gateway before the endpoint: {why}"
            raise refused(needed[0], what, _WITHOUT[needed[0]])
    for field, asked, hint in (
        ("idle", service.idle != names.IDLE_SECONDS, "Stop it: endpoint.stop()."),
        ("transformer", service.transformer, "Apply an InferenceService with spec.transformer."),
        ("explainer", service.explainer, "Apply an InferenceService with spec.explainer."),
    ):
        if asked:
            raise refused(
                field,
                f"{field} is for endpoints on this machine: KServe's Standard mode has none of it",
                hint,
            )
    for each in service.variants:
        _require(each)
        name = service_name(resource.name, service, each.name)
        if len(name) > kube_gateway.LONGEST or not is_name(name):
            what = f"{name!r} is too long for an InferenceService: {kube_gateway.LONGEST} letters"
            raise Invalid(what, where=Where(field="endpoint"))
        if name == kube_gateway.name_of(resource.name):
            what = f"A variant {each.name} would have the name of the endpoint's gateway"
            raise Invalid(what, where=Where(field="variant"), hint="Name it otherwise.")
    return service


def _require(predictor: Predictor) -> None:
    """Refuse by name what a model server's pod cannot do."""
    for field, asked, hint in (
        ("containers", not predictor.model, "Apply the InferenceService itself."),
        ("grpc", predictor.grpc, "Ask it by HTTP."),
        ("explain", predictor.facts.get("explain"), "Explain with the model itself."),
        ("replicas", predictor.least == 0, "KServe sleeps only in its Knative mode: give at least 1."),
    ):
        if asked:
            raise refused(field, f"{field} is for endpoints on this machine", hint)
    for name, text in predictor.env.items():
        if "{{" in text:
            what = f"The variable {name} has '{{{{', which KServe reads as a template"
            raise Unfit(what, where=Where(field=f"env.{name}"))


def predictor_of(records: Records, endpoint: str, predictor: Predictor) -> Json:
    """A variant as KServe's predictor, in whichever InferenceService (``NAME``). Its files are brought there."""
    files = kube_models.brought(records, endpoint, predictor)
    source = finding.fetch(records.here, predictor.model, predictor.facts) if files.uri is None else None
    trusted = source is None or (source.danger and finding.may_run(records.here, source))
    arguments = [
        f"--model_format={predictor.model['modelFormat']['name']}",
        f"--model_version={predictor.facts.get('version') or '1'}",
        f"--timeout={predictor.timeout}",
        *files.arguments,
        *(["--trust"] if trusted else []),
    ]
    if predictor.batch:
        arguments.append(f"--max_batch_size={predictor.batch['size']}")
        arguments.append(f"--max_batch_latency_ms={predictor.batch['wait_ms']:g}")
    own: Json = {"args": arguments, **files.more}
    if env := [*(predictor.model.get("env") or ()), *files.env, *kube_models.told(source)]:
        own["env"] = env
    if predictor.model.get("resources"):
        own["resources"] = predictor.model["resources"]
    body: Json = {"timeout": predictor.timeout, "labels": {DIGEST: predictor.digest}}
    found = kube_runtime.found(records.remote)
    if files.uri is None:
        return {**body, **_container(found, own, files.volumes)}
    model = {
        "modelFormat": {"name": predictor.model["modelFormat"]["name"]},
        "runtime": str(found["metadata"]["name"]),
        "protocolVersion": "v2",
        "storageUri": files.uri,
    }
    return {**body, "model": {**model, **own}}


def _container(found: Json, own: Json, volumes: list[Json]) -> Json:
    """The runtime's container as a predictor of its own.

    A model without ``storageUri`` is taken for one of many that KServe's agent brings, and gets that agent.
    """
    spec = found["spec"]
    first = next(
        (each for each in spec["containers"] if each.get("name") == CONTAINER), spec["containers"][0]
    )
    container = {**first, "name": CONTAINER, "args": [*(first.get("args") or ()), *own["args"]]}
    for name in ("env", "volumeMounts"):
        if joined := [*(first.get(name) or ()), *(own.get(name) or ())]:
            container[name] = joined
    if "resources" in own:
        container["resources"] = own["resources"]
    kept = {name: spec[name] for name in _OF_PODS if spec.get(name)}
    body: Json = {"containers": [container], **kept}
    if joined := [*(spec.get("volumes") or ()), *volumes]:
        body["volumes"] = joined
    return body


def realize(records: Records, resource: Resource) -> None:
    """Give KServe an InferenceService for each variant; what is no longer asked for goes in ``settle``."""
    service = names.read(resource)
    mode = kube_mode.asked(records.remote, resource.name)
    made = {digest: body for digest, body in records.made(resource.name).items() if digest in _kept(resource)}
    for each in service.variants:
        if each.digest not in made:
            made[each.digest] = predictor_of(records, resource.name, each)
            records.keep(resource.name, made)
    owner = ""
    for each in service.variants:
        body = {"minReplicas": each.least, "maxReplicas": each.most, **made[each.digest]}
        if each.most > each.least:
            body |= {
                "scaleMetric": "cpu",
                "scaleTarget": 80,
            }  # what the API server's own autoscaler can measure
        applied = records.remote.apply(_service(resource, service, each, body, mode))
        if owner:
            owned(records, applied, owner)
        else:
            owner = applied.uid
            records.adopt(resource.name, owner)
    kube_gateway.realize(records, resource, service, owner)


def is_realized(resource: Resource, service: Service, there: Mapping[str, Resource]) -> bool:
    """Whether KServe was told all of it: who told it may have ended amid that. ``there``: what it has, by name."""
    for each in service.variants:
        found = there.get(service_name(resource.name, service, each.name))
        if found is None or found.deleted or (names.STOP in found.annotations) != service.stopped:
            return False
        body = found.spec.get("predictor") or {}
        digest = (body.get("labels") or {}).get(DIGEST)
        replicas = (body.get("minReplicas"), body.get("maxReplicas"))
        if (found.labels.get(VARIANT), digest, replicas) != (each.name, each.digest, (each.least, each.most)):
            return False
    return True


def owned(records: Records, resource: Resource, owner: str) -> None:
    """Let it go with the endpoint's InferenceService."""
    if resource.owner != owner:
        endpoint = resource.labels[ENDPOINT]
        change = {"metadata": {"ownerReferences": [reference(endpoint, owner)]}}
        records.remote.patch(resource.kind, resource.name, change)


def _kept(resource: Resource) -> set[str]:
    """The digests of all predictors that can be returned to."""
    found = {each.digest for each in names.read(resource).variants}
    for entry in resource.status.get("revisions") or ():
        found |= {each.digest for each in revisions.asked(resource, entry).variants}
    return found


def _service(
    resource: Resource, service: Service, each: Predictor, body: Json, mode: dict[str, str]
) -> Resource:
    labels = {ENDPOINT: resource.name, VARIANT: each.name}
    for label, key in ((names.MODEL_ID, "model_id"), (names.VERSION_ID, "id")):
        if each.facts.get(key):
            labels[label] = str(each.facts[key])
    notes = {**mode, **({names.STOP: "true"} if service.stopped else {})}
    if each.most == each.least:
        notes["serving.kserve.io/autoscalerClass"] = "none"
    notes[names.VARIANTS] = json.dumps({each.name: each.facts}, sort_keys=True)
    name = service_name(resource.name, service, each.name)
    for container in body.get("containers") or ():
        container["args"] = [str(word).replace(NAME, name) for word in container["args"]]
    return Resource.new(KIND, name, {"predictor": body}, labels=labels, annotations=notes)


def split(resource: Resource, service: Service, mode: Mapping[str, str] | None = None) -> Resource:
    """The graph that gives each variant its share."""
    steps = [
        {"serviceName": service_name(resource.name, service, each.name), "weight": each.percent}
        for each in service.variants
        if each.percent
    ]
    spec = {"nodes": {"root": {"routerType": "Splitter", "steps": steps}}}
    notes = {**(mode or {}), **({names.STOP: "true"} if service.stopped else {})}
    return Resource.new(
        GRAPH, graph_name(resource.name), spec, labels={ENDPOINT: resource.name}, annotations=notes
    )
