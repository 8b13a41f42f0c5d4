"""A Model Registry that runs on a Kubernetes cluster: found by its label, reached from a pod or through the API server.

Labels and annotations are those of upstream's controller of InferenceServices
(https://github.com/kubeflow/model-registry/tree/main/cmd/controller).
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from jupyter_ext.cluster.kube import services, work
from jupyter_ext.cluster.kube.refusals import Asked, refusal
from jupyter_ext.errors import Invalid, NotFound, Unavailable, Unfit, Where
from jupyter_ext.registry import files
from jupyter_ext.registry.place import SERVICE as SCHEME
from jupyter_ext.registry.remote import Remote
from jupyter_ext.registry.routes import BASE

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.services import Service
    from jupyter_ext.registry.handles import Version
    from jupyter_ext.registry.registry import Registry

DOMAIN: Final = "modelregistry.kubeflow.org"
MODEL_ID: Final = f"{DOMAIN}/registered-model-id"
VERSION_ID: Final = f"{DOMAIN}/model-version-id"
RECORD_ID: Final = f"{DOMAIN}/inference-service-id"
NAME: Final = f"{DOMAIN}/name"
NAMESPACE: Final = f"{DOMAIN}/namespace"
URL: Final = f"{DOMAIN}/url"
READABLE: Final = frozenset({"s3", "gs", "gcs", "abfs", "abfss", "az", "https", "http", "oci", "pvc", "hf"})
"""Schemes whose files a pod can fetch."""
OTHER: Final = "model-registry"
"""``model-registry://MODEL/VERSION``, as upstream's storage initializer reads it."""
_MOST_STEPS: Final = 4


def found(cluster: KubeCluster) -> list[Service]:
    """The Model Registries of the cluster that one may see, the namespace's own first."""
    return list(services.labelled(cluster, services.REGISTRY, services.REGISTRY_PORTS).found)


def by_name(cluster: KubeCluster, address: str) -> Service:
    """The Service that ``service://NAMESPACE/NAME`` means. Raises Invalid, NotFound, Forbidden."""
    namespace, _, name = address.removeprefix(SCHEME).strip("/").partition("/")
    from jupyter_ext.cluster.resource import is_name

    if not (is_name(namespace) and is_name(name)):
        hint = f"Write {SCHEME}NAMESPACE/NAME, for example {SCHEME}kubeflow/model-registry-service."
        raise Invalid("a Service has a namespace and a name", where=Where(field="url"), hint=hint)
    return services.named(cluster, namespace, name, services.REGISTRY_PORTS)


def transport(cluster: KubeCluster, service: Service, *, token_file: str | None = None) -> Remote:
    """The way to it: in a pod of this cluster its own address, elsewhere through the API server.

    A file with a token, if one is named, is for the registry itself, and used in a pod only.
    """
    if is_inside(cluster):
        # Never the account's own token: whoever may make a Service could collect it.
        return Remote(service.url, token=None if token_file else "", token_file=token_file)
    return Through(cluster, service)


def is_inside(cluster: KubeCluster) -> bool:
    """Whether this process is in a pod of that cluster, where its Services have addresses."""
    host = os.environ.get("KUBERNETES_SERVICE_HOST")
    return bool(host) and urlsplit(cluster.access.server).hostname == host


class Through(Remote):
    """A registry behind the API server's proxy: no port is forwarded, and the registry never sees who one is."""

    def __init__(self, cluster: KubeCluster, service: Service) -> None:
        super().__init__(service.url, token="")
        self._cluster = cluster
        self._service = service

    @property
    def address(self) -> str:
        """For people."""
        return f"{SCHEME}{self._service.title} of {self._cluster.access.name}"

    @property
    def is_here(self) -> bool:
        """Never: it is the cluster's."""
        return False

    def _exchange(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        path = f"{self._service.proxy}{BASE}/{target}"
        content = None if body is None else json.loads(body)
        answer = self._cluster.transport.exchange(method, path, content)
        if answer.status >= 400 and _is_of_api_server(answer.data):
            if answer.status == 404:
                services.forget(self._cluster)
                raise Unavailable(f"there is no Service {self._service.title}, or not yet", hint="Try again.")
            raise refusal(Asked(method, path, self._cluster.access.name), answer.status, answer.data)
        return answer.status, answer.data


def _is_of_api_server(data: bytes) -> bool:
    """Whether the API server itself refused: its word for that is a Status."""
    try:
        told = json.loads(data)
    except ValueError:
        return False
    return isinstance(told, dict) and told.get("kind") == "Status" and told.get("apiVersion") == "v1"


# What an endpoint says of its model


def labels(
    version: Version, endpoint: str = "", namespace: str = ""
) -> tuple[dict[str, str], dict[str, str]]:
    """Labels and annotations that lead from an InferenceService to its version, as upstream's controller reads them.

    With ``endpoint`` (its name) the registry's record of it is among them, made if there is none, so that the
    controller takes that one up and makes no second.
    """
    found = {MODEL_ID: version.model.id, VERSION_ID: version.id}
    way = version.registry.transport
    service = version.registry.service
    if service is not None:
        found |= {NAME: service.name, NAMESPACE: service.namespace}
    if endpoint and isinstance(way, Remote):
        found[RECORD_ID] = _record(version, endpoint, namespace)
    noted = {URL: way.address} if isinstance(way, Remote) and service is None else {}
    return found, noted


def _record(version: Version, endpoint: str, namespace: str) -> str:
    from jupyter_ext.registry import served

    served.note(version.registry, endpoint, [version], profile=namespace or None, runtime="kserve")
    of_model = [
        row
        for row in served.records(version.registry, endpoint, profile=namespace or served.own_profile())
        if str(row["registeredModelId"]) == version.model.id
    ]
    return str(of_model[-1]["id"])


def served_by(registry: Registry, noted: dict[str, str]) -> Version | None:
    """The version that these labels mean; None without them, or where the registry has no such version."""
    from jupyter_ext.registry.handles import Version

    number = noted.get(VERSION_ID, "")
    if not number.isdecimal():
        return None
    try:
        return Version(registry, registry.transport.ask("GET", f"model_versions/{number}"))
    except NotFound:
        return None


# Where the files are


def readable_uri(version: Version) -> str:
    """A URI from which a pod can fetch the version's files: storage is resolved here, no initializer has to.

    Files of this machine are put into the profile's store, once for each content. Raises Unfit where there is none.
    """
    uri = resolve(version.registry, version.uri)
    if urlsplit(uri).scheme in READABLE:
        return uri
    path = files.local_path(uri)
    if path is None:
        raise Unfit(f"a pod cannot read {uri[:200]}", where=Where(object=version.name))
    return _shared(version)


def resolve(registry: Registry, uri: str) -> str:
    """The address of files, where ``model-registry://MODEL[/VERSION]`` points to those of a version. Raises Invalid."""
    for _ in range(_MOST_STEPS):
        parts = urlsplit(uri)
        if parts.scheme != OTHER:
            return uri
        words = [word for word in (parts.netloc + parts.path).split("/") if word]
        if len(words) == 3:  # the host of a registry before it: that is the one that was asked
            words = words[1:]
        if not words or len(words) > 2:
            hint = f"Write {OTHER}://MODEL/VERSION."
            raise Invalid(f"{uri[:200]!r} names no model", where=Where(field="uri"), hint=hint)
        model = registry.model(words[0])
        uri = (model.version(words[1]) if len(words) == 2 else model.version()).uri
    raise Invalid(
        f"{uri[:200]!r} leads from one address to the next without an end", where=Where(field="uri")
    )


def _shared(version: Version) -> str:
    """The address in the store of what is on this machine; it is put there where it is not yet."""
    from jupyter_ext import store

    place = store.default()
    if place is None:
        hint = "Name one: JUPYTER_KUBEFLOW_STORE=s3://bucket/prefix; or register with to=."
        what = f"the files of {version.name} are on this machine, where no pod can read them, and there is no store"
        raise Unfit(what, where=Where(object=version.name), hint=hint)
    base = _base(place.url, version.name)
    source = version.path()
    digest = files.digest_of(source).removeprefix("b3:")
    name = f"models/{digest}"
    mark = f"{name}.whole"
    if not place.exists(mark):
        place.upload(source, name)
        place.create(mark, b"")
    address = f"{base}/{name}"
    return f"{address}/{source.name}" if source.is_file() else address


def _base(url: str, name: str) -> str:
    """What pods call the store; a folder is known to them by its claim. Raises Unfit for a folder of this machine only."""
    if not url.startswith("file:"):
        return url.rstrip("/")
    if not (claim := work.claim()):
        hint = f"Name the claim that this folder is, {work.CLAIM}=NAME, or a bucket as the store."
        raise Unfit(f"no pod can read the store {url}", where=Where(object=name), hint=hint)
    return f"pvc://{claim}"


def storage() -> str | None:
    """Where models go that are registered in the cluster's registry: below the profile's store."""
    from jupyter_ext import store

    place = store.default()
    return f"{place.url.rstrip('/')}/models" if place else None
