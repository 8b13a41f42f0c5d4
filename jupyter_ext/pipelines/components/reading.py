"""Find the component in what somebody gives us: a file or text of KFP 1 or 2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, NotFound, Unfit, Where
from jupyter_ext.pipelines.compiled import parsing, yaml_text
from jupyter_ext.pipelines.compiled import reading as compiled
from jupyter_ext.pipelines.components import old
from jupyter_ext.pipelines.components.described import Described

_LARGEST: Final = 4 << 20
_HINT: Final = "Give a component.yaml of Kubeflow Pipelines, or its text."


def load(source: str | Path) -> Described:
    """Read a file, or text. Raises NotFound, Invalid, and Unfit for an address that is not on this machine."""
    text = str(source)
    if "\n" in text:
        return parse(text, "the text")
    if "://" in text:
        raise Unfit(
            f"{text} is not on this machine, and a notebook that fetches code gives something else each day",
            hint="Download it, and name the file.",
        )
    path = Path(text).expanduser()
    try:
        if path.stat().st_size > _LARGEST:
            raise Invalid(f"{path} is larger than {_LARGEST >> 20} MiB", hint=_HINT)
        content = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFound(f"There is no file {path}", hint="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read ({error})", hint=_HINT) from None
    return parse(content, path.name)


def parse(text: str, name: str, wanted: Mapping[str, str] | None = None) -> Described:
    """Read YAML. ``wanted``: for outputs of KFP 1 whether they are wanted as parameter or artifact. Raises Invalid."""
    found = yaml_text.documents(text, name, _HINT)
    if not found or not all(isinstance(item, dict) for item in found):
        raise Invalid("There is no component in it", where=Where(object=name), hint=_HINT)
    if "implementation" in found[0]:
        return old.read(found[0], name, wanted or {})
    if "pipelineInfo" not in found[0] and "pipelineSpec" not in found[0]:
        raise Invalid(
            "This is no component: it has neither implementation nor pipelineInfo",
            where=Where(object=name),
            hint=_HINT,
        )
    return _of_ir(compiled.parse(text, name), name)


def _of_ir(document: compiled.Document, name: str) -> Described:
    """The only component of a document that the SDK compiled from a component."""
    spec = parsing.read(document.pipeline)
    assert spec.root.dag is not None
    tasks = list(spec.root.dag.tasks.values())
    component = spec.components.get(tasks[0].component) if len(tasks) == 1 else None
    if component is None or component.dag is not None:
        raise Invalid(
            f"{spec.name} is a pipeline of {len(tasks)} tasks, not a component",
            where=Where(object=name),
            hint=f'Run it: kf.pipelines.run("{name}").',
        )
    executor = document.pipeline["deploymentSpec"]["executors"][component.executor]
    if "container" not in executor:
        raise Invalid(f"{spec.name} is no component with a command", where=Where(object=name), hint=_HINT)
    platform: dict[str, Any] = {}
    for found in document.platforms.values():
        executors = ((found or {}).get("deploymentSpec") or {}).get("executors") or {}
        platform |= executors.get(component.executor) or {}
    return Described(spec.name, "", name, document.pipeline["components"][component.name], executor, platform)
