"""What a namespace says to Kubeflow Pipelines of its store: the ConfigMap ``kfp-launcher``.

Its form: https://www.kubeflow.org/docs/components/pipelines/operator-guides/configure-object-store/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import KubeflowError
from jupyter_ext.store.address import address

_NAME: Final = "kfp-launcher"
_ROOT: Final = "minio://mlpipeline/v2/artifacts"
"""Where Kubeflow Pipelines puts artifacts when nobody says otherwise, and which server that is."""
_MINIO: Final = "http://minio-service.kubeflow:9000"
_PROVIDERS: Final = {"s3a": "s3", "gcs": "gs"}
_LARGEST: Final = 1 << 20


class Said(NamedTuple):
    """``settings``: endpoint and region, as the environment has them."""

    url: str
    secret: str | None
    settings: dict[str, str]


def found(cluster: Any) -> Said | None:
    """What the cluster's namespace says; None where it says nothing, or may not be asked."""
    try:
        thing = cluster.transport.ask("GET", f"/api/v1/namespaces/{cluster.namespace}/configmaps/{_NAME}")
    except KubeflowError:
        return None
    return said(thing.get("data") or {})


def said(data: Mapping[str, Any]) -> Said:
    """What the ConfigMap says. Raises Invalid for an address that is none."""
    url = str(data.get("defaultPipelineRoot") or _ROOT)
    place = address(url.partition("?")[0])
    entry = _provider(str(data.get("providers") or ""), place.scheme, place.bucket, place.prefix)
    settings = {}
    if endpoint := str(entry.get("endpoint") or ""):
        is_plain = str(entry.get("disableSSL", "")).lower() == "true"
        settings["AWS_ENDPOINT_URL"] = (
            endpoint if "://" in endpoint else f"http{'' if is_plain else 's'}://{endpoint}"
        )
    elif place.scheme == "minio":
        settings["AWS_ENDPOINT_URL"] = _MINIO
    if region := entry.get("region"):
        settings["AWS_REGION"] = str(region)
    granted = entry.get("credentials") or {}
    secret = (
        (granted.get("secretRef") or {}).get("secretName") if not _is_true(granted.get("fromEnv")) else None
    )
    return Said(place.url, str(secret) if secret else None, settings)


def _provider(text: str, scheme: str, bucket: str, prefix: str) -> dict[str, Any]:
    """The entry for a bucket: one of its overrides, else the default."""
    if not text or len(text) > _LARGEST:
        return {}
    import yaml

    try:
        providers = yaml.safe_load(text)
        mine = providers.get(_PROVIDERS.get(scheme, scheme)) or {}
        for entry in mine.get("overrides") or ():
            if entry.get("bucketName") == bucket and prefix.startswith(str(entry.get("keyPrefix") or "")):
                return dict(entry)
        return dict(mine.get("default") or {})
    except (yaml.YAMLError, AttributeError, TypeError, RecursionError):
        return {}


def _is_true(value: Any) -> bool:
    return str(value).lower() == "true"
