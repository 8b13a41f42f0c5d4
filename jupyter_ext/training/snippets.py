"""The same job in Python, as a magic and on the command line: every form shows these lines.

Functions of values. What a form holds goes in, under the names of the REST interface: one of ``source`` (a
cell), ``path`` (a file, with ``function`` one of its functions) or ``function`` alone (a name of the notebook),
and the keywords of ``training.train``. Text comes out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

Spec = Mapping[str, Any]

KEYWORDS = (
    "framework", "runtime", "name", "nodes", "procs", "resources", "packages", "args", "env", "data", "checkpoint",
    "deadline", "restarts", "queue", "priority", "register",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {"framework": "torch", "nodes": 1, "procs": 1, "restarts": 0}


def snippets(spec: Spec) -> dict[str, str]:
    """Give the job as ``{"python", "magic", "cli"}``."""
    return {"python": python(spec), "magic": magic(spec), "cli": cli(spec)}


def applied(name: str) -> dict[str, str]:
    """Give what a manifest was started with, where there is no code of ours to show."""
    return {
        "python": f"from jupyter_ext import resources\nresources.apply({name + '.yaml'!r})",
        "magic": shlex.join(["%kf", "apply", f"{name}.yaml"]),
        "cli": shlex.join(["jupyter", "kf", "apply", "-f", f"{name}.yaml"]),
    }


def of(resource: Resource) -> dict[str, str]:
    """Give a job that there is, as ``snippets`` does, and its YAML; ``refused`` says why it has none."""
    from jupyter_ext.cluster.discover import current
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.training import exporting
    from jupyter_ext.training.spec import CODE

    own = CODE in resource.annotations and resource.kind == "TrainJob"
    found = snippets(exporting.asked(current(), resource)) if own else applied(resource.name)
    try:
        return {**found, "yaml": exporting.export(current(), resource), "refused": ""}
    except KubeflowError as error:
        return {**found, "yaml": "", "refused": str(error)}


def said(spec: Spec, keywords: tuple[str, ...] = KEYWORDS, defaults: Mapping[str, Any] = DEFAULTS) -> Spec:
    """Give the keywords that are not what is so anyway."""
    empty: tuple[object, ...] = (None, {}, [], "", False)
    return {
        name: spec[name]
        for name in keywords
        if name in spec and spec[name] not in empty and spec[name] != defaults.get(name)
    }


def python(spec: Spec) -> str:
    """A few lines of Python."""
    head, what = subject(spec)
    words = [what, *(f"{name}={value!r}" for name, value in said(spec).items())]
    return f"import jupyter_ext as kf\n{head}job = kf.training.train({', '.join(words)})"


def subject(spec: Spec) -> tuple[str, str]:
    """Give lines that come before, and what stands as the first argument (or arguments)."""
    if spec.get("path"):
        what = f"Path({spec['path']!r})"
        if spec.get("function"):
            what += f", function={spec['function']!r}"
        return "from pathlib import Path\n", what
    if spec.get("source") is not None:
        return f"source = {_quoted(cell(spec))}\n", "source"
    return "", str(spec.get("function") or "function")


def cell(spec: Spec) -> str:
    """The source without the empty line that stood for the magic's own."""
    return str(spec["source"]).removeprefix("\n")


def _quoted(text: str) -> str:
    plain = "\\" not in text and '"""' not in text and not text.endswith('"') and text.isprintable() is False
    return f'"""\\\n{text}"""' if plain and "\r" not in text else repr(text)


def cli(spec: Spec) -> str:
    """One line for a shell; code of a notebook has to be in a file first."""
    file = str(spec.get("path") or "FILE.py")
    words = ["jupyter", "kf", "train", f"./{file}" if file.startswith("-") else file]
    if spec.get("function"):
        words += ["--function", str(spec["function"])]
    return shlex.join([*words, *flags(spec)])


def magic(spec: Spec) -> str:
    """A cell, or for a file one line."""
    if spec.get("path"):
        words = ["%kf", "train", str(spec["path"])]
        if spec.get("function"):
            words += ["--function", str(spec["function"])]
        return shlex.join([*words, *flags(spec)])
    if spec.get("source") is not None:
        return f"{shlex.join(['%%train', *flags(spec)])}\n{cell(spec)}"
    words = flags({name: value for name, value in spec.items() if name != "args"})
    call = ", ".join(f"{name}={value!r}" for name, value in (spec.get("args") or {}).items())
    return f"{shlex.join(['%%train', *words])}\n{spec.get('function') or 'function'}({call})"


def flags(spec: Spec) -> list[str]:
    """Give the options that say what the keywords say."""
    from jupyter_ext.registry.made import word

    found: list[str] = []
    for name, value in said(spec).items():
        if name in {"args", "env", "data"}:
            found += [f"--{name.removesuffix('s')}={key}={text(item)}" for key, item in value.items()]
        elif name == "resources":
            found += [f"--{key}={item}" for key, item in value.items()]
        elif name == "packages":
            found += [f"--package={item}" for item in value]
        elif name == "register":
            found.append(f"--register={word(value)}")
        elif name == "checkpoint" and value is True:
            found.append("--checkpoint")
        else:
            found.append(f"--{name}={value}")
    return found


def text(value: object) -> str:
    """Give a value as it is typed: text as it is, what JSON has as JSON, the rest as Python says it."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool) else repr(value)
