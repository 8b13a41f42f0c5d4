"""The paths of the REST API and what answers each. Knows no web server: it is mounted in two.

``/api/model_registry/v1alpha3`` has the experiments, ``/api/model_registry/v1`` does not; what else differs is in
``bodies.to_json``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.errors import KubeflowError, NotFound

if TYPE_CHECKING:
    from jupyter_ext.registry.service import Service

BASE: Final = "/api/model_registry"
VERSIONS: Final = ("v1", "v1alpha3")
OURS: Final = "jupyter-kubeflow"
"""In the place of a version: what upstream's API does not have."""
BODY_LIMIT: Final = 4 << 20
"""Bytes of a request's body."""


class Call(NamedTuple):
    """One request. ``ids`` are those in its path, ``body`` is decoded JSON."""

    service: Service
    version: str
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: object = None


Reply = tuple[int, dict[str, Any]]
Verb = Callable[[Call], Reply]


class NotAllowed(KubeflowError):
    """The path is there, the verb is not."""

    status = 405


def _ok(ask: Callable[[Call], dict[str, Any]], status: int = 200) -> Verb:
    return lambda call: (status, ask(call))


def _collection(path: str, one: str, kind: str) -> dict[str, dict[str, Verb]]:
    return {
        one: {"GET": _ok(lambda c: c.service.find(kind, c.query, c.version))},
        path: {
            "GET": _ok(lambda c: c.service.list(kind, c.query, c.version)),
            "POST": _ok(lambda c: c.service.create(kind, c.body, c.version), 201),
        },
        f"{path}/{{id}}": {
            "GET": _ok(lambda c: c.service.get(kind, c.ids[0], c.version)),
            "PATCH": _ok(lambda c: c.service.change(kind, c.ids[0], c.body, c.version)),
        },
    }


def _within(kind: str) -> Verb:
    return _ok(lambda c: c.service.list(kind, c.query, c.version, within=c.ids[0]))


def _children(kind: str, parent: str) -> dict[str, Verb]:
    create = _ok(lambda c: c.service.create(kind, c.body, c.version, given={parent: c.ids[0]}), 201)
    return {"GET": _within(kind), "POST": create}


def _artifacts(context: str) -> dict[str, Verb]:
    def attach(call: Call) -> Reply:
        found, new = call.service.attach(context, call.ids[0], call.body, call.version)
        return 201 if new else 200, found

    return {"GET": _within("Artifact"), "POST": attach}


_V1: Final[dict[str, dict[str, Verb]]] = {
    **_collection("registered_models", "registered_model", "RegisteredModel"),
    **_collection("model_versions", "model_version", "ModelVersion"),
    **_collection("artifacts", "artifact", "Artifact"),
    **_collection("model_artifacts", "model_artifact", "ModelArtifact"),
    **_collection("serving_environments", "serving_environment", "ServingEnvironment"),
    **_collection("inference_services", "inference_service", "InferenceService"),
    "registered_models/{id}/versions": {
        "GET": _within("ModelVersion"),
        "POST": _ok(lambda c: c.service.create_version(c.ids[0], c.body, c.version), 201),
    },
    "model_versions/{id}/artifacts": _artifacts("ModelVersion"),
    "serving_environments/{id}/inference_services": _children("InferenceService", "servingEnvironmentId"),
    "inference_services/{id}/model": {"GET": _ok(lambda c: c.service.served_model(c.ids[0], c.version))},
    "inference_services/{id}/version": {"GET": _ok(lambda c: c.service.served_version(c.ids[0], c.version))},
    "inference_services/{id}/serves": {
        "GET": _within("ServeModel"),
        "POST": _ok(lambda c: c.service.serve(c.ids[0], c.body, c.version), 201),
    },
}
_EXPERIMENTS: Final[dict[str, dict[str, Verb]]] = {
    "experiment_runs/metric_history": {"GET": _ok(lambda c: c.service.history(c.query, c.version))},
    **_collection("experiments", "experiment", "Experiment"),
    **_collection("experiment_runs", "experiment_run", "ExperimentRun"),
    "experiments/{id}/experiment_runs": _children("ExperimentRun", "experimentId"),
    "experiment_runs/{id}/artifacts": _artifacts("ExperimentRun"),
    "experiment_runs/{id}/metric_history": {
        "GET": _ok(lambda c: c.service.history(c.query, c.version, run=c.ids[0]))
    },
}


def _register(call: Call) -> Reply:
    from jupyter_ext.registry.entry import Entry, write
    from jupyter_ext.registry.files import Files
    from jupyter_ext.registry.registry import Registry
    from jupyter_ext.registry.transport import InProcess

    store = call.service.store
    registry = Registry(InProcess(call.service), Files(store.path.parent / "registry"), store)
    made = write(registry, Entry.from_json(call.body))
    return 201, {"model": made.model.record, "version": made.record}


_TABLE: Final[dict[str, dict[str, dict[str, Verb]]]] = {
    "v1": _V1,
    "v1alpha3": {**_EXPERIMENTS, **_V1},
    OURS: {"registrations": {"POST": _register}},
}
_PATTERNS: Final = {
    version: [
        (re.compile(path.replace("{id}", "([^/]+)")), verbs) for path, verbs in table.items() if "{" in path
    ]
    for version, table in _TABLE.items()
}


def routes(version: str) -> dict[str, tuple[str, ...]]:
    """The paths of a version and their verbs, for documents and tests."""
    return {path: tuple(verbs) for path, verbs in _TABLE[version].items()}


def answer(
    service: Service, method: str, version: str, path: str, query: Mapping[str, str], body: object = None
) -> Reply:
    """The status and the JSON of the answer to one request below ``/api/model_registry/{version}/``.

    Also below ``OURS``. Raises errors of ``jupyter_ext.errors``, each with its HTTP status.
    """
    verbs = _TABLE.get(version, {}).get(path)
    ids: tuple[str, ...] = ()
    if verbs is None:
        for pattern, found in _PATTERNS.get(version, []):
            match = pattern.fullmatch(path)
            if match:
                verbs, ids = found, match.groups()
                break
        else:
            raise NotFound(f"there is no {BASE}/{version}/{path[:200]}")
    verb = verbs.get(method)
    if verb is None:
        raise NotAllowed(f"{method} is not for this path", hint=f"It has {', '.join(verbs)}.")
    return verb(Call(service, version, ids, query, body))
