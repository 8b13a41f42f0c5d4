"""A ``.pipeline`` file as one notebook whose steps do the same, or as Kubeflow's YAML; and what of it could not be carried.

In the notebook the nodes share one namespace and are named as they are drawn; their order is declared. What a node read from a file
it still reads from that file.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Conflict, Invalid, Unfit, Where
from jupyter_ext.pipelines.compiled import parsing, plan
from jupyter_ext.pipelines.elyra.reading import is_elyra
from jupyter_ext.pipelines.elyra.spec import Node, Parameter
from jupyter_ext.pipelines.elyra.translate import Translation, translate

_NAME: Final = re.compile(r"[^A-Za-z0-9_]+")
_EMPTY: Final = {"Integer": 0, "Float": 0.0, "Bool": False}
_OURS: Final = re.compile(r"^%%(step|parameters)\b", re.MULTILINE)
_ENDS: Final = ("exit", "quit", "_exit")


@dataclass
class Converted:
    """The notebook, or the YAML, and a sentence on each thing that is not in it."""

    notebook: dict[str, Any] = field(default_factory=dict)
    yaml: str = ""
    notes: list[str] = field(default_factory=list)
    path: Path | None = None


def to_notebook(path: str | Path, folder: Path | None = None) -> Converted:
    """The notebook that does what the pipeline does. ``folder`` is where it will lie, the pipeline's own by default.

    Raises Invalid for a pipeline that is wrong, Unfit for a node that no cell can stand for.
    """
    translation = _checked(path)
    return _Notebook(translation, (folder or Path(path).parent).absolute()).write()


def to_yaml(path: str | Path) -> Converted:
    """KFP IR YAML for a cluster. Raises as ``to_notebook`` does, and Unfit for components beside files: one image runs both."""
    from jupyter_ext.pipelines import ir
    from jupyter_ext.pipelines.yaml_text import to_yaml as write

    translation = _checked(path)
    if not any(node.kind for node in translation.flow.nodes):
        text = write(translation.pipeline)
        platforms = translation.platforms
        return Converted(yaml=text + ("---\n" + write({"platforms": platforms}) if platforms else ""))
    for node in translation.flow.nodes:
        if not node.kind:
            raise Unfit(
                f"Step {node.name} is a component with an image of its own, beside nodes that run files",
                where=Where(object=f"step {node.name}"),
                hint="Submit it with Elyra, or convert it to a notebook and run that here.",
            )
    found = to_notebook(path)
    from jupyter_ext.pipelines.graph import check

    pipeline = check(found.notebook)
    pipeline.require_valid()
    exported = ir.export(pipeline, folder=Path(path).absolute().parent)
    return Converted(found.notebook, exported.to_text(), [*found.notes, *exported.notes])


def _checked(path: str | Path) -> Translation:
    translation = translate(path)
    for error in translation.problems:
        step = error.where.object if error.where else ""
        node = next((one for one in translation.flow.nodes if step == f"step {one.name}"), None)
        if isinstance(error, Unfit) and node is not None and node.kind in ("r", "shell"):
            continue  # that its program is not here says nothing about where the result will run
        raise error
    plan.make(parsing.read(translation.pipeline))
    return translation


class _Notebook:
    def __init__(self, translation: Translation, folder: Path) -> None:
        self.translation, self.flow, self.places = translation, translation.flow, translation.places
        self.folder = folder
        self.notes: list[str] = []
        self.cells: list[dict[str, Any]] = []
        self.names = dict(_named([node.name for node in self.flow.nodes]))
        self.moves = any(self._where(node) != "." for node in self.flow.nodes if node.kind)

    def write(self) -> Converted:
        flow = self.flow
        about = f"\n\n{flow.description}" if flow.description else ""
        self._add(f"# {flow.name}{about}\n\nConverted from `{self.places.pipeline.name}`.", "markdown")
        if flow.parameters:
            self._add("\n".join(["%%parameters", *(self._parameter(one) for one in flow.parameters)]))
        setup = list(self._setup())
        if setup:
            self._add("\n".join(setup))
        for node in self._ordered():
            self._node(node)
        book = {
            "cells": self.cells,
            "metadata": {
                "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
                "language_info": {"name": "python"},
            },
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        return Converted(book, notes=self.notes)

    def _add(self, source: str, kind: str = "code") -> None:
        cell: dict[str, Any] = {
            "cell_type": kind,
            "id": f"cell-{len(self.cells)}",
            "metadata": {},
            "source": source,
        }
        if kind == "code":
            cell |= {"outputs": [], "execution_count": None}
        self.cells.append(cell)

    def _note(self, node: Node, text: str) -> None:
        self.notes.append(f"Step {self.names[node.name]}: {text}")

    def _parameter(self, one: Parameter) -> str:
        value = one.default
        if value is None:
            value = _EMPTY.get(one.kind, "")
            if one.required:
                self.notes.append(f"Parameter {one.name}: it is required, and {value!r} stands for it here.")
        if one.kind == "Float":
            value = float(value)
        return f"{one.name} = {value!r}"

    def _setup(self) -> Iterator[str]:
        flow = self.flow
        wanted = any(node.listed("pipeline_parameters") for node in flow.nodes if node.kind)
        if wanted or self.moves:
            yield "import os"
        if any(node.kind in ("r", "shell") for node in flow.nodes):
            yield "import subprocess"
        if any(not node.kind for node in flow.nodes):
            yield "import jupyter_ext as kf"
        if self.moves:
            yield ""
            yield "HERE = os.getcwd()"

    def _where(self, node: Node) -> str:
        """A node's folder, from that of the notebook."""
        folder = (self.places.base / node.file).parent
        return Path(os.path.relpath(folder, self.folder)).as_posix()

    def _ordered(self) -> Iterator[Node]:
        """The nodes, each after those that it needs, else as they are drawn."""
        left = {node.id: node for node in self.flow.nodes}
        while left:
            node = next(one for one in left.values() if not any(before in left for before in one.after))
            del left[node.id]
            yield node

    # Steps

    def _node(self, node: Node) -> None:
        head = [self._line(node)]
        if not node.kind:
            self._add("\n".join([*head, *self._call(node)]))
            return
        if self.moves:
            head.append(f"os.chdir(os.path.join(HERE, {self._where(node)!r}))")
        head += [f"os.environ[{name!r}] = str({name})" for name in node.listed("pipeline_parameters")]
        for text in self._left_out(node):
            self._note(node, text)
        file = self.places.base / node.file
        name = Path(node.file).name
        if node.kind == "notebook":
            self._book(node, file, head)
        elif node.kind == "python":
            self._script(node, file.read_text(encoding="utf-8", errors="replace"), name, head)
        else:
            program = {"r": "Rscript", "shell": "bash"}[node.kind]
            self._note(node, f"{name} stays a file, which the step runs with {program}.")
            self._add("\n".join([*head, f"subprocess.run([{program!r}, {name!r}], check=True)"]))

    def _line(self, node: Node) -> str:
        after = [self.names[other.name] for one in node.after if (other := self.flow.node(one))]
        words = ["%%step", self.names[node.name], "--after", ",".join(after) or "none"]
        settings = node.settings
        for option, keys, unit in (
            ("--cpu", ("cpu", "cpu_limit"), ""),
            ("--memory", ("memory", "memory_limit"), "G"),
        ):
            asked = next((settings[key] for key in keys if settings.get(key)), None)
            words += [option, f"{asked}{unit}"] if asked else []
        if settings.get("gpu"):
            vendor = str(settings.get("gpu_vendor") or "nvidia.com/gpu")
            count = str(settings["gpu"])
            words += ["--gpu", count] if vendor == "nvidia.com/gpu" else ["--limit", f"{vendor}={count}"]
        if node.kind and settings.get("runtime_image"):
            words += ["--image", str(settings["runtime_image"])]
        for name, value in (node.env if node.kind else {}).items():
            words += ["--env", f"{name}={value}"]
        for option, key in (
            ("--label", "kubernetes_pod_labels"),
            ("--annotation", "kubernetes_pod_annotations"),
        ):
            for one in node.listed(key):
                words += [option, f"{one.get('key')}={one.get('value') or ''}"]
        return " ".join(shlex.quote(str(word)) for word in words)

    def _left_out(self, node: Node) -> Iterator[str]:
        for key, what in (
            ("kubernetes_secrets", "the secrets of a cluster"),
            ("mounted_volumes", "the volumes of a cluster"),
            ("kubernetes_tolerations", "tolerations"),
        ):
            if node.listed(key):
                yield f"{what} are not in here."
        if node.listed("dependencies"):
            names = ", ".join(map(str, node.listed("dependencies")[:5]))
            yield f"its file dependencies ({names}) stay files beside it."

    def _book(self, node: Node, file: Path, head: list[str]) -> None:
        import nbformat

        try:
            book = nbformat.read(file, as_version=4)
        except Exception as error:
            raise Invalid(
                f"{node.file} is not a notebook ({error})", where=Where(object=f"step {node.name}")
            ) from None
        language = str(book.metadata.get("language_info", {}).get("name") or
                       book.metadata.get("kernelspec", {}).get("language") or "python")  # fmt: skip
        if language != "python":
            raise Unfit(
                f"Step {node.name} is a notebook of {language}, and a pipeline's notebook is of Python",
                where=Where(object=f"step {node.name}"),
                hint="Run the .pipeline file as it is.",
            )
        self._add("\n".join(head))
        for cell in book.cells:
            if cell.cell_type == "markdown":
                self._add(cell.source, "markdown")
            elif cell.cell_type == "code" and cell.source.strip():
                if _OURS.search(cell.source):
                    self._note(node, "its own %%step and %%parameters lines are comments here.")
                self._add(_OURS.sub(r"# \1", cell.source))

    def _script(self, node: Node, text: str, name: str, head: list[str]) -> None:
        why = _as_file(text)
        if why:
            self._note(node, f"{name} stays a file, which the step runs: it {why}.")
            self._add("\n".join([*head, f"%run {shlex.quote(name)}"]))
        else:
            self._add("\n".join(head))
            self._add(text.strip("\n"))

    def _call(self, node: Node) -> Iterator[str]:
        """A component, called with what its task is given."""
        from jupyter_ext.pipelines.elyra import catalogs

        path = catalogs.locate(self.translation, node)
        shown = (
            os.path.relpath(path, self.folder) if path.is_relative_to(self.places.workspace) else str(path)
        )
        if not path.is_relative_to(self.places.workspace):
            self._note(node, f"its component is {path}, which is only right on this machine.")
        given = [f"{name}={value}" for name, value in self._given(node)]
        yield f"{_variable(self.names[node.name])} = kf.pipelines.component({shown!r})({', '.join(given)})"

    def _given(self, node: Node) -> Iterator[tuple[str, str]]:
        inputs: Mapping[str, Any] = self.translation.tasks[node.name].get("inputs") or {}
        for sources in inputs.values():
            for name, source in sources.items():
                if "runtimeValue" in source:
                    yield name, repr(source["runtimeValue"]["constant"])
                elif "componentInputParameter" in source:
                    yield name, source["componentInputParameter"]
                else:
                    told = next(iter(source.values()))
                    output = next(value for key, value in told.items() if key != "producerTask")
                    yield name, f"{_variable(self.names[told['producerTask']])}[{output!r}]"


def _as_file(text: str) -> str:
    """Why a script cannot be a cell: what it asks of being a file. Empty if it can."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return "cannot be read as Python"
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id == "__file__":
            return "asks where it is"
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "sys.argv":
            return "reads its arguments"
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _ENDS:
            return "ends itself"
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            return "changes how Python reads it"
    return ""


def _named(names: list[str]) -> Iterator[tuple[str, str]]:
    """Names of steps as a ``%%step`` line takes them, and whose variables they may be."""
    taken: set[str] = set()
    for name in names:
        base = _NAME.sub("_", name).strip("_")[:55] or "step"
        base = f"step_{base}" if base[0].isdigit() or base in ("setup", "none") else base
        found, count = base, 1
        while found in taken:
            found, count = f"{base}_{count}", count + 1
        taken.add(found)
        yield name, found


def _variable(name: str) -> str:
    """The variable that has what a component made: not the name of anything that it may be given."""
    return f"{name.lower()}_made"


def convert(path: str | Path, output: str | Path | None = None) -> Converted:
    """A ``.pipeline`` file of Elyra's as a notebook (``.ipynb``) or for Kubeflow (``.yaml``), by the ending of ``output``.

    Without ``output`` it is a notebook beside the pipeline, which must not be there yet. ``notes`` of the result say what is not in it.
    """
    if not is_elyra(path):
        raise Invalid(
            f"{path} is no .pipeline file", where=Where(field="path"), hint="Give one that Elyra wrote."
        )
    target = Path(output) if output is not None else Path(path).with_suffix(".ipynb")
    if output is None and target.exists():
        raise Conflict(f"{target} is there already", hint="Name another file to write: -o OTHER.ipynb.")
    if target.suffix == ".ipynb":
        found = to_notebook(path, target.absolute().parent)
        text = json.dumps(found.notebook, indent=1, ensure_ascii=False) + "\n"
    elif target.suffix in (".yaml", ".yml"):
        found = to_yaml(path)
        text = found.yaml
    else:
        raise Invalid(
            f"{target} is neither a notebook nor YAML",
            where=Where(field="output"),
            hint="Name x.ipynb or x.yaml.",
        )
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{target} cannot be written ({error})", where=Where(field="output")) from None
    found.path = target
    return found
