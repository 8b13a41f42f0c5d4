"""Who one is to a store: from the keys of a Secret, or from the environment, to what fsspec's packages take.

A Secret has the names that environments have (so that a container takes it whole), those of KServe's storage
initializer (https://kserve.github.io/website/docs/model-serving/storage/providers/s3), or those of the Secret that
Kubeflow Pipelines makes in a profile (``accesskey``, ``secretkey``). With none of them the service account speaks: the
packages find what the cloud gave it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.store.address import AZURE, GOOGLE, S3

Values = Mapping[str, str]

_S3: Final[dict[str, tuple[str, ...]]] = {
    "AWS_ACCESS_KEY_ID": ("AWS_ACCESS_KEY_ID", "awsAccessKeyID", "accesskey"),
    "AWS_SECRET_ACCESS_KEY": ("AWS_SECRET_ACCESS_KEY", "awsSecretAccessKey", "secretkey"),
    "AWS_SESSION_TOKEN": ("AWS_SESSION_TOKEN",),
}
_GOOGLE: Final[dict[str, tuple[str, ...]]] = {
    "JUPYTER_KUBEFLOW_GCS_CREDENTIALS": (
        "JUPYTER_KUBEFLOW_GCS_CREDENTIALS",
        "gcloud-application-credentials.json",
    ),
}
_AZURE: Final[dict[str, tuple[str, ...]]] = {
    name: (name, name.replace("AZURE_STORAGE_", "AZURE_"))
    for name in (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_CONNECTION_STRING",
        "AZURE_STORAGE_TENANT_ID",
        "AZURE_STORAGE_CLIENT_ID",
        "AZURE_STORAGE_CLIENT_SECRET",
    )
}
_PLAIN: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "s3": {
        "AWS_ENDPOINT_URL": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "S3_ENDPOINT", "endpoint"),
        "AWS_REGION": ("AWS_REGION", "AWS_DEFAULT_REGION", "region"),
        "S3_USE_HTTPS": ("S3_USE_HTTPS",),
    },
    "gs": {"STORAGE_EMULATOR_HOST": ("STORAGE_EMULATOR_HOST",)},
    "abfs": {"AZURE_STORAGE_ACCOUNT_NAME": ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_ACCOUNT_NAME")},
}
"""What is no secret, by the name that it has in a container."""
_CONNECT_SECONDS: Final = 10
_READ_SECONDS: Final = 30
_TIMES: Final = 2
"""How often botocore asks; s3fs itself asks again what broke off half-way."""


class Known(NamedTuple):
    """What is known for one kind of store, under the names of environments. ``keys``: which key of the Secret each is."""

    values: dict[str, str]
    keys: dict[str, str]


def kind_of(scheme: str) -> str:
    """s3, gs, abfs or file."""
    return "s3" if scheme in S3 else "gs" if scheme in GOOGLE else "abfs" if scheme in AZURE else scheme


def known(scheme: str, given: Values) -> Known:
    """What of the values of a Secret, or of an environment, is for this kind of store."""
    kind = kind_of(scheme)
    secret = {"s3": _S3, "gs": _GOOGLE, "abfs": _AZURE}.get(kind, {})
    values, keys = {}, {}
    for name, aliases in {**secret, **_PLAIN.get(kind, {})}.items():
        if found := next((alias for alias in aliases if given.get(alias)), None):
            values[name] = given[found]
            keys[name] = found
    return Known(values, keys)


def is_secret(name: str) -> bool:
    """Whether its value is to be seen by nobody."""
    return name in {**_S3, **_GOOGLE, **_AZURE}


def options(scheme: str, values: Values) -> dict[str, Any]:
    """What fsspec's package for the scheme is made with. Raises Invalid for values that cannot be such."""
    kind = kind_of(scheme)
    made = {"s3": _s3, "gs": _google, "abfs": _azure}[kind](values)
    # What others wrote a moment ago is to be seen.
    return {"use_listings_cache": False, **{key: value for key, value in made.items() if value}}


def endpoint(values: Values) -> str | None:
    """The URL of an S3 server; KServe's has no scheme. Raises Invalid."""
    given = values.get("AWS_ENDPOINT_URL", "").strip()
    if not given:
        return None
    if "://" not in given:
        given = ("http://" if values.get("S3_USE_HTTPS", "1") == "0" else "https://") + given
    if not given.startswith(("http://", "https://")) or "@" in given or any(c.isspace() for c in given):
        hint = "For example http://minio.example:9000; credentials have keys of their own."
        raise Invalid("AWS_ENDPOINT_URL is no address", where=Where(field="AWS_ENDPOINT_URL"), hint=hint)
    return given


def _s3(values: Values) -> dict[str, Any]:
    # A server of one's own has one region; AWS tells which one a bucket is in.
    region = values.get("AWS_REGION") or ("us-east-1" if values.get("AWS_ENDPOINT_URL") else None)
    return {
        "key": values.get("AWS_ACCESS_KEY_ID"),
        "secret": values.get("AWS_SECRET_ACCESS_KEY"),
        "token": values.get("AWS_SESSION_TOKEN"),
        "endpoint_url": endpoint(values),
        "client_kwargs": {"region_name": region} if region else None,
        "config_kwargs": {
            "connect_timeout": _CONNECT_SECONDS,
            "read_timeout": _READ_SECONDS,
            "retries": {"mode": "standard", "total_max_attempts": _TIMES},
            # Servers that are not AWS do not know the checksums that botocore adds of its own accord.
            "request_checksum_calculation": "when_required",
            "response_checksum_validation": "when_required",
        },
    }


def _google(values: Values) -> dict[str, Any]:
    token: Any = None
    if text := values.get("JUPYTER_KUBEFLOW_GCS_CREDENTIALS"):
        try:
            token = json.loads(text)
        except ValueError:
            token = None
        if not isinstance(token, dict):
            raise Invalid(  # what the parser says could quote it
                "The key of the Google service account is not its JSON file",
                where=Where(field="gcloud-application-credentials.json"),
            )
    emulator = values.get("STORAGE_EMULATOR_HOST")
    return {"token": token or ("anon" if emulator else None), "endpoint_url": emulator}


def _azure(values: Values) -> dict[str, Any]:
    made: dict[str, Any] = {
        name.removeprefix("AZURE_STORAGE_").lower(): value
        for name, value in values.items()
        if name.startswith("AZURE_STORAGE_")
    }
    if not made.keys() - {"account_name"}:
        made["default_credential"] = True  # the identity of the workload; without this it would ask as nobody
    return made
