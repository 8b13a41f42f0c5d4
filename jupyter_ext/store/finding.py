"""Which store, and with which credentials: what was said, the profile's Secret and ConfigMap, the namespace, the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Unfit, Where
from jupyter_ext.store import credentials, objects
from jupyter_ext.store.address import Address, address
from jupyter_ext.store.artifacts import Store
from jupyter_ext.store.refusals import refusal

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.store.artifacts import Backend

VARIABLE: Final = "JUPYTER_KUBEFLOW_STORE"
"""The URL of the store of this profile."""
SECRET: Final = "JUPYTER_KUBEFLOW_STORE_SECRET"  # noqa: S105 - a variable
"""The name of the Secret with its credentials."""
NAME: Final = "artifact-store"
"""The Secret, and the ConfigMap, of a profile's store where none is named."""


class Granted(NamedTuple):
    """Values of a Secret, and whose it is: ``profile`` (of this machine), ``namespace`` or ``environment``."""

    values: Mapping[str, str]
    secret: str | None
    whose: str


def at(
    url: str,
    *,
    secret: str | None = None,
    settings: Mapping[str, str] | None = None,
    cluster: KubeCluster | None = None,
) -> Store:
    """The store at a URL. Nothing is asked of it yet.

    ``secret``: the name of the Secret with its credentials; else ``artifact-store``, where there is one, else the
    environment and the service account. ``settings``: endpoint and region, as the environment has them. ``cluster``: whose
    namespace has the Secret; else the one that is used.
    Raises Invalid for what cannot be one, Unavailable where the package for it is not installed.
    """
    place = address(url)
    if place.scheme == "file":
        from jupyter_ext.store.folder import Folder

        return Store(place, lambda: Folder(Path(place.prefix)))
    objects.require(place)
    named = secret or os.environ.get(SECRET, "").strip() or None
    if named:
        from jupyter_ext.secrets.store import checked_name

        checked_name(named)

    def opened() -> Backend:
        granted = _granted(place, named, cluster)
        store.secret = granted.secret
        values = {**credentials.known(place.scheme, granted.values).values, **(settings or {})}
        return objects.opened(place, values)

    def environment() -> dict[str, Any]:
        return _pod_environment(place, _granted_to_pods(place, named, cluster), settings or {})

    store = Store(place, opened, named, environment, settings or {})
    return store


def default(cluster: KubeCluster | None = None) -> Store | None:
    """The store of this profile; None where none was said. ``cluster``: as of ``at``.

    JUPYTER_KUBEFLOW_STORE; else ``url`` (and ``secret``) of the profile's ConfigMap ``artifact-store``; else what the
    namespace of the cluster that is used says to Kubeflow Pipelines (ConfigMap ``kfp-launcher``).
    """
    if url := os.environ.get(VARIABLE, "").strip():
        return at(url, cluster=cluster)
    from jupyter_ext.secrets.store import CONFIG_MAP

    found = _of_profile(NAME, CONFIG_MAP)
    if found is not None and found.get("url"):
        return at(found["url"], secret=found.get("secret") or None, cluster=cluster)
    if (cluster := cluster or _cluster()) is None:
        return None
    from jupyter_ext.store import launcher

    said = launcher.found(cluster)
    return None if said is None else at(said.url, secret=said.secret, settings=said.settings, cluster=cluster)


def check(url: str | Store, *, secret: str | None = None) -> None:
    """Write, read and remove one small object; raises what a real one would meet."""
    store = url if isinstance(url, Store) else at(url, secret=secret)
    name, content = f"checks/{os.urandom(8).hex()}", os.urandom(16)
    store.write(name, content)
    try:
        if store.get(name) != content:
            raise Unavailable("The store gave back something else", where=Where(object=store.url))
    finally:
        store.remove(name)


def filesystem(url: str, *, secret: str | None = None) -> tuple[Any, str]:
    """A file system of fsspec for any address that one is installed for, and the path in it. Raises Unavailable.

    Stores get the profile's credentials; other addresses (https, hf, …) have none.
    """
    from jupyter_ext.store.address import STORES, scheme_of

    scheme = scheme_of(url)
    if scheme in STORES and scheme:
        place = address(url)
        granted = _granted(place, secret or os.environ.get(SECRET, "").strip() or None, None)
        found = objects.opened(place, credentials.known(scheme, granted.values).values)
        return found.system, found.base
    try:
        system, base = import_module("fsspec.core").url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise objects.missing(scheme, url, error) from None
    return system, str(base)


# Credentials


def _granted(place: Address, named: str | None, cluster: KubeCluster | None) -> Granted:
    """The Secret that was named must be there; the one that was not may be. Raises NotFound, Forbidden."""
    name = _secret_of(place, named)
    if (found := _of_profile(name)) is not None and credentials.known(place.scheme, found).values:
        return Granted(found, name, "profile")
    if (cluster := cluster or _cluster()) is not None:
        try:
            return Granted(_of_namespace(cluster, name), name, "namespace")
        except KubeflowError as error:
            if named and not isinstance(error, NotFound):
                raise
    if named:
        hint = f"Make it: jupyter kf secret set {named} AWS_ACCESS_KEY_ID"
        raise NotFound(f"There is no Secret {named} for this store", where=Where(object=place.url), hint=hint)
    return Granted(os.environ, None, "environment")


def _granted_to_pods(place: Address, named: str | None, cluster: KubeCluster | None) -> Granted:
    """What the namespace has counts for its pods, whatever this machine has beside it."""
    name = _secret_of(place, named)
    if (there := cluster or _cluster()) is not None:
        with suppress(KubeflowError):
            found = _of_namespace(there, name)
            if credentials.known(place.scheme, found).values:
                return Granted(found, name, "namespace")
    return _granted(place, named, cluster)


def _secret_of(place: Address, named: str | None) -> str:
    return named or ("mlpipeline-minio-artifact" if place.scheme == "minio" else NAME)


def _of_profile(name: str, kind: str = "Secret") -> dict[str, str] | None:
    from jupyter_ext.cluster.local.home import home_folder, profile_name
    from jupyter_ext.secrets.store import Store as Secrets

    profile = profile_name()
    secrets = Secrets(home_folder() / profile, profile)
    try:
        keys = secrets.entry(name, kind).keys
    except NotFound:
        return None
    return {key: secrets.value(name, key, kind).decode(errors="replace") for key in keys}


def _of_namespace(cluster: KubeCluster, name: str) -> dict[str, str]:
    """The Secret as the API server has it, and what KServe notes at it. Raises NotFound, Forbidden."""
    import base64

    found = cluster.transport.ask("GET", f"/api/v1/namespaces/{cluster.namespace}/secrets/{name}")
    noted = (found.get("metadata") or {}).get("annotations") or {}
    values = {
        key: str(noted[f"serving.kserve.io/{word}"])
        for key, word in (("S3_ENDPOINT", "s3-endpoint"), ("AWS_REGION", "s3-region"))
        if f"serving.kserve.io/{word}" in noted
    }
    if "serving.kserve.io/s3-usehttps" in noted:
        values["S3_USE_HTTPS"] = str(noted["serving.kserve.io/s3-usehttps"])
    data = found.get("data") or {}
    return values | {key: base64.b64decode(text).decode(errors="replace") for key, text in data.items()}


def _cluster() -> KubeCluster | None:
    from jupyter_ext.cluster import discover

    return discover.remote()


def _pod_environment(place: Address, granted: Granted, settings: Mapping[str, str]) -> dict[str, Any]:
    found = credentials.known(place.scheme, granted.values)
    # Without a Secret the pod speaks as its service account; keys of this process are not put into a pod's spec.
    taken = sorted(name for name in found.values if credentials.is_secret(name))
    if taken and granted.whose != "namespace":
        whose = "this machine" if granted.whose == "profile" else "this process"
        name = granted.secret or NAME
        raise Unfit(
            f"The credentials of {place.url} are of {whose} alone: pods do not have them",
            where=Where(field="store"),
            hint=f"Put them into the namespace: kubectl create secret generic {name} --from-literal={taken[0]}=…",
        )
    env: list[dict[str, Any]] = [
        {"name": name, "valueFrom": {"secretKeyRef": {"name": granted.secret, "key": found.keys[name]}}}
        for name in taken
    ]
    plain = {name: value for name, value in found.values.items() if name not in taken} | dict(settings)
    if kind_is_s3 := credentials.kind_of(place.scheme) == "s3":
        plain.pop("S3_USE_HTTPS", None)
    if kind_is_s3 and (endpoint := credentials.endpoint({**found.values, **settings})):
        plain["AWS_ENDPOINT_URL"] = endpoint
    env += [{"name": name, "value": value} for name, value in sorted(plain.items())]
    return {"env": env}


__all__ = ["NAME", "SECRET", "VARIABLE", "Invalid", "at", "check", "default", "filesystem", "refusal"]
