"""Kubeflow Pipelines' own description of its REST interface (PyPI: kfp-server-api), as a judge of requests and answers."""

from __future__ import annotations

import inspect
import re
from datetime import datetime
from typing import Any

import kfp_server_api
from kfp_server_api import api, models

_DICT = re.compile(r"dict\((\w+), (.+)\)")
_LIST = re.compile(r"list\[(.+)\]")
# The ID in the path of an operation is its own parameter; these are for the client itself.
_CLIENTS = {"async_req", "_preload_content", "_request_timeout", "_return_http_data_only", "uploadfile"}


class NotUpstreams(Exception):
    """The JSON is not what upstream's description says."""


def check(model: str, data: Any, at: str = "") -> None:
    """Raise NotUpstreams for a field that is not there, a value of another type, a word that is none of an enumeration."""
    at = at or model
    if model == "object":
        return
    if match := _LIST.fullmatch(model):
        _require(isinstance(data, list), at, "a list", data)
        for number, item in enumerate(data):
            check(match[1], item, f"{at}[{number}]")
    elif match := _DICT.fullmatch(model):
        _require(isinstance(data, dict), at, "a mapping", data)
        for key, item in data.items():
            check(match[2], item, f"{at}.{key}")
    elif model == "datetime":
        _require(isinstance(data, str), at, "a time", data)
        datetime.fromisoformat(data)
    elif model in {"str", "int", "bool", "float"}:
        kinds = {"str": str, "int": int, "bool": bool, "float": (int, float)}
        _require(
            isinstance(data, kinds[model]) and (model == "bool" or not isinstance(data, bool)),
            at,
            model,
            data,
        )
    else:
        _model(model, data, at)


def _model(model: str, data: Any, at: str) -> None:
    kind = getattr(models, model)
    if words := getattr(kind, "allowable_values", None):
        _require(data in words, at, f"one of {', '.join(words)}", data)
        return
    _require(isinstance(data, dict), at, "a mapping", data)
    of_key = {key: kind.openapi_types[name] for name, key in kind.attribute_map.items()}
    for key, item in data.items():
        if key not in of_key:
            raise NotUpstreams(f"{at} has no field {key!r}")
        check(of_key[key], item, f"{at}.{key}")


def _require(holds: bool, at: str, wanted: str, data: Any) -> None:
    if not holds:
        raise NotUpstreams(f"{at} must be {wanted}, not {str(data)[:100]!r}")


def parameters(service: str, operation: str) -> set[str]:
    """The names that a request of this operation may have in its path and its query."""
    method = getattr(getattr(api, service), operation)
    return set(re.findall(r":param (\w+):", inspect.getdoc(method) or "")) - _CLIENTS


def client(url: str, token: str = "") -> kfp_server_api.ApiClient:
    """Upstream's own generated client."""
    made = kfp_server_api.Configuration(host=url)
    if token:
        made.api_key, made.api_key_prefix = {"authorization": token}, {"authorization": "Bearer"}
    return kfp_server_api.ApiClient(made)
