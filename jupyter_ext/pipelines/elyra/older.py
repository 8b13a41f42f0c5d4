"""Settings of nodes as earlier versions of Elyra wrote them, in the form of version 8.

The steps are those of ``@elyra/pipeline-services`` (``migration/migrateV1`` to ``migrateV8``); a file is never rewritten.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Final

_RENAMED: Final = {
    "notebook": "filename",
    "artifact": "filename",
    "docker_image": "runtime_image",
    "image": "runtime_image",
    "vars": "env_vars",
    "file_dependencies": "dependencies",
    "recursive_dependencies": "include_subdirectories",
}
_WIDGETS: Final = {
    "BooleanControl": "boolean",
    "NumberControl": "number",
    "NestedEnumControl": "inputpath",
    "StringControl": "string",
}
_OPERATIONS: Final = {
    "run-notebook-using-papermill": "run_notebook_using_papermill.yaml",
    "run_notebook_using_papermill_Runnotebookusingpapermill": "run_notebook_using_papermill.yaml",
    "filter-text": "filter_text_using_shell_and_grep.yaml",
    "filter_text_using_shell_and_grep_Filtertext": "filter_text_using_shell_and_grep.yaml",
    "component_Downloaddata": "download_data.yaml",
    "component_Calculatedatahash": "calculate_hash.yaml",
}
EXAMPLES: Final = "elyra-kfp-examples-catalog"
_AIRFLOW: Final = ("_BashOperator", "_EmailOperator", "_SimpleHttpOperator", "_SparkSqlOperator",
                   "_SparkSubmitOperator", "_SlackAPIPostOperator")  # fmt: skip
_RUNTIMES: Final = {"kfp": "KUBEFLOW_PIPELINES", "airflow": "APACHE_AIRFLOW"}


def settings(node: Mapping[str, Any], version: float) -> dict[str, Any]:
    """What the form of a node says."""
    data = dict(node.get("app_data") or {})
    if version < 4:
        found = {key: value for key, value in data.items() if key not in ("ui_data", "label")}
    else:
        found = dict(data.get("component_parameters") or {})
    if version < 1:
        found = {_RENAMED.get(key, key): value for key, value in found.items()}
    return {
        key: value(key, each) if (value := _SHAPES.get(key)) else _input(each) for key, each in found.items()
    }


def operation(node: Mapping[str, Any], version: float) -> str:
    """What a node does. Before version 1 there were notebooks only."""
    return "execute-notebook-node" if version < 1 else str(node.get("op") or "")


def component(op: str) -> str:
    """The file of Elyra's example catalog that an operation of an earlier version names, empty for others."""
    return _OPERATIONS.get(op, "")


def runtime(data: Mapping[str, Any], ops: list[str]) -> str:
    """The kind of runtime that a pipeline is for; before version 6 its name, before version 4 nothing said it."""
    known = str(data.get("runtime_type") or _RUNTIMES.get(str(data.get("runtime")), ""))
    if known in ("", "LOCAL") and any(op.endswith(_AIRFLOW) for op in ops):
        return "APACHE_AIRFLOW"
    return "" if known == "LOCAL" else known


def _input(value: Any) -> Any:
    """An input of a component: ``{"widget": …, "value": …}`` where it says how it is given."""
    if not isinstance(value, Mapping):
        return value
    active = value.get("activeControl")
    if isinstance(active, str):
        value = {"widget": _WIDGETS.get(active, "string"), "value": value.get(active)}
    if set(value) == {"value", "option"}:
        value = {"widget": "inputpath", "value": dict(value)}
    return dict(value)


def _pairs(*names: str, separators: str = "=") -> Callable[[str, Any], Any]:
    """``A=B`` became ``{name: A, other: B}``; the last part takes what is left."""

    def read(_key: str, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [_split(item) if isinstance(item, str) else item for item in value if item]

    def _split(text: str) -> dict[str, str]:
        parts: list[str] = []
        for separator in separators:
            head, _, text = text.partition(separator)
            parts.append(head.strip())
        return dict(zip(names, [*parts, text.strip()], strict=True))

    return read


def _taints(_key: str, value: Any) -> Any:
    """``toleration=key:operator:value:effect``."""
    if not isinstance(value, list):
        return value
    names = ("key", "operator", "value", "effect")
    return [
        dict(zip(names, item.partition("=")[2].split(":"), strict=False)) if isinstance(item, str) else item
        for item in value
    ]


def _plain(_key: str, value: Any) -> Any:
    return value


_SHAPES: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "env_vars": _pairs("env_var", "value"),
    "mounted_volumes": _pairs("path", "pvc_name"),
    "kubernetes_pod_annotations": _pairs("key", "value"),
    "kubernetes_pod_labels": _pairs("key", "value"),
    "kubernetes_secrets": _pairs("env_var", "name", "key", separators="=:"),
    "kubernetes_tolerations": _taints,
    "kubernetes_shared_mem_size": _plain,
}


def example(path: object) -> str:
    """The name of a component's file, of a catalog that was a folder of Elyra's."""
    return posixpath.basename(str(path or ""))
