"""Find the pipeline in what somebody gives us: a file or text of KFP's IR, or one of the things it is mistaken for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where
from jupyter_ext.pipelines.compiled import yaml_text

SUFFIXES: Final = (".yaml", ".yml", ".json", ".pipeline")
_LARGEST: Final = 32 << 20
_NOT_IR: Final = "Give a pipeline that was compiled with KFP 2 (kfp dsl compile), or a notebook."


class Document(NamedTuple):
    """A pipeline's specification and, where it has any, its settings for platforms; both as plain data.

    ``problems`` are what the file wants of this machine in vain, where it was translated from something else.
    """

    pipeline: Mapping[str, Any]
    platforms: Mapping[str, Any]
    problems: tuple[KubeflowError, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """JSON form, as a run keeps it."""
        return {"pipelineSpec": self.pipeline, "platforms": self.platforms}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Document:
        """Inverse of ``to_dict``."""
        return cls(data["pipelineSpec"], data["platforms"])


def is_compiled(source: object) -> bool:
    """Whether this names a compiled pipeline and not a notebook; by its name only."""
    return isinstance(source, str | Path) and str(source).lower().endswith(SUFFIXES)


def load(path: str | Path) -> Document:
    """Read a file. Raises NotFound, or Invalid saying what the file is instead."""
    if str(path).lower().endswith(".pipeline"):
        from jupyter_ext.pipelines.elyra import document

        return document(path)
    file = Path(path).expanduser()
    try:
        if file.stat().st_size > _LARGEST:
            raise Invalid(f"{path} is larger than {_LARGEST >> 20} MiB", hint=_NOT_IR)
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}", hint="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read ({error})", hint=_NOT_IR) from None
    return parse(text, str(path))


def parse(text: str, name: str = "the text") -> Document:
    """Read YAML (or JSON, which is YAML). Raises Invalid with the line where it is not even that."""
    found = yaml_text.documents(text, name, _NOT_IR)
    if not found or not all(isinstance(item, dict) for item in found):
        raise Invalid("There is no pipeline in it", where=Where(object=name), hint=_NOT_IR)
    return _document(found, name)


def _document(found: list[dict[str, Any]], name: str) -> Document:
    platforms: Mapping[str, Any] = {}
    pipeline: Mapping[str, Any] | None = None
    asked: Mapping[str, Any] = {}
    for item in found:
        if set(item) == {"platforms"}:
            platforms = item["platforms"] or {}
            continue
        inner = _unwrapped(item, name)
        if pipeline is not None:
            raise Invalid(
                "There are two pipelines in it", where=Where(object=name), hint="Give one file each."
            )
        pipeline, asked = inner, _mapping(item.get("runtimeConfig"))
        wrapped = _mapping(_mapping(item.get("spec")).get("platformSpec")).get("platforms")
        platforms = _mapping(wrapped) or platforms
    if pipeline is None:
        raise Invalid("There is no pipeline in it", where=Where(object=name), hint=_NOT_IR)
    _check_schema(pipeline, name)
    return _with_values(Document(pipeline, _mapping(platforms)), asked)


def _with_values(document: Document, asked: Mapping[str, Any]) -> Document:
    """A job of Vertex AI has values for the parameters; of old ones each in a mapping that tells its type."""
    from jupyter_ext.pipelines.compiled import writing

    old = {
        name: next(iter(_mapping(one).values()), None)
        for name, one in _mapping(asked.get("parameters")).items()
    }
    return writing.with_defaults(document, {**old, **_mapping(asked.get("parameterValues"))})


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _unwrapped(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The specification itself: as it is, in a job of Vertex AI, or in Kubernetes' ``PipelineVersion``."""
    if "pipelineInfo" in item or ("root" in item and "components" in item):
        return item
    if isinstance(item.get("pipelineSpec"), dict):
        return dict(item["pipelineSpec"])
    where, kind = Where(object=name), str(item.get("kind", ""))
    api = str(item.get("apiVersion", ""))
    inner = _mapping(item.get("spec"))
    if api.startswith("pipelines.kubeflow.org/") and isinstance(inner.get("pipelineSpec"), dict):
        return dict(inner["pipelineSpec"])
    if api.startswith("argoproj.io/"):
        raise Invalid(
            f"This is an Argo {kind or 'Workflow'}, which version 1 of the KFP SDK compiled",
            where=where,
            hint="Compile its Python source again with KFP 2: kfp dsl compile.",
        )
    if "implementation" in item:
        raise Invalid(
            "This is one component, not a pipeline",
            where=where,
            hint="Load it with kfp.components.load_component_from_file in a pipeline, and compile that.",
        )
    if api and kind:
        raise Invalid(
            f"This is a {kind} ({api}), not a pipeline",
            where=where,
            hint="Start it with: jupyter kf apply -f FILE",
        )
    raise Invalid("This is not a compiled pipeline: it has no pipelineInfo", where=where, hint=_NOT_IR)


def _check_schema(pipeline: Mapping[str, Any], name: str) -> None:
    version = str(pipeline.get("schemaVersion", ""))
    if not version.startswith("2."):
        raise Invalid(
            f"Its schema version is {version or 'missing'}, and this reads 2.x",
            where=Where(object=name),
            hint=_NOT_IR,
        )
