"""The same run in Python, on the command line and as a magic: every form shows these lines.

Functions of values: what a form holds goes in, text comes out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

Options = Mapping[str, Any]


def snippets(path: str, parameters: Mapping[str, Any], options: Options) -> dict[str, str]:
    """Give the run of a notebook as ``{"python", "cli", "magic"}``; options are ``from``, ``only``, ``cache``."""
    return {
        "python": python(path, parameters, options),
        "cli": cli(path, parameters, options),
        "magic": magic(path, parameters, options),
    }


def python(path: str, parameters: Mapping[str, Any], options: Options) -> str:
    """Two lines of Python."""
    arguments = [repr(path)]
    # A parameter may have the name of an option of run(), or one that is no Python name.
    taken = {"path", "parameters", "from_", "only", "cache", "wait", "notebook", "trigger"}
    if all(name.isidentifier() and name not in taken for name in parameters):
        arguments += [f"{name}={value!r}" for name, value in parameters.items()]
    else:
        arguments.append(f"parameters={dict(parameters)!r}")
    if options.get("from"):
        arguments.append(f"from_={options['from']!r}")
    if options.get("only"):
        arguments.append(f"only={options['only']!r}")
    if options.get("cache") is False:
        arguments.append("cache=False")
    return f"import jupyter_ext as kf\nrun = kf.pipelines.run({', '.join(arguments)})"


def cli(path: str, parameters: Mapping[str, Any], options: Options) -> str:
    """One line for a shell."""
    file = f"./{path}" if path.startswith("-") else path
    return shlex.join(["jupyter", "kf", "run", file, *_flags(parameters, options)])


def magic(path: str, parameters: Mapping[str, Any], options: Options) -> str:
    """One line for a cell: ``%pipeline`` means the notebook that it stands in."""
    del path
    # IPython would put variables in place of $name and {name}.
    words = [word.replace("$", "$$").replace("{", "{{").replace("}", "}}") for word in _flags(parameters, options)]
    return shlex.join(["%pipeline", "run", *words])


def _flags(parameters: Mapping[str, Any], options: Options) -> list[str]:
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}={value_text(value)}")]
    for name in ("from", "only"):
        if options.get(name):
            words += [f"--{name}", str(options[name])]
    if options.get("cache") is False:
        words.append("--no-cache")
    return words


def value_text(value: object) -> str:
    """Give a parameter's value as it is typed: text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


class Code:
    """Text that a notebook shows as code, to be copied."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        from html import escape

        return f"<pre>{escape(self.text)}</pre>"
