"""The same run in Python, on the command line and as a magic: every form shows these lines.

Functions of values: what a form holds goes in, text comes out.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_ext.errors import Invalid, Where

Options = Mapping[str, Any]
"""Members ``from``, ``only``, ``cache``, ``resources`` (``{step: {"cpu": "2"}}``) and ``register``; each may be missing."""
Resources = Mapping[str, Mapping[str, str]]


def snippets(path: str, parameters: Mapping[str, Any], options: Options) -> dict[str, str]:
    """Give the run of a notebook as ``{"python", "cli", "magic"}``."""
    return {
        "python": python(path, parameters, options),
        "cli": cli(path, parameters, options),
        "magic": magic(path, parameters, options),
    }


def python(path: str, parameters: Mapping[str, Any], options: Options) -> str:
    """Two lines of Python."""
    arguments = [repr(path)]
    # A parameter may have the name of an option of run(), or one that is no Python name.
    taken = {
        *("path", "parameters", "from_", "only", "cache", "wait", "notebook", "trigger", "resources"),
        "register",
    }
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
    if options.get("resources"):
        arguments.append(f"resources={ {step: dict(asked) for step, asked in options['resources'].items()} }")
    if options.get("register"):
        arguments.append(f"register={options['register']!r}")
    return f"import jupyter_ext as kf\nrun = kf.pipelines.run({', '.join(arguments)})"


def cli(path: str, parameters: Mapping[str, Any], options: Options) -> str:
    """One line for a shell."""
    file = f"./{path}" if path.startswith("-") else path
    return shlex.join(["jupyter", "kf", "run", file, *_flags(parameters, options)])


def magic(path: str, parameters: Mapping[str, Any], options: Options) -> str:
    """One line for a cell: ``%pipeline`` means the notebook that it stands in."""
    del path
    return shlex.join(["%pipeline", "run", *_flags(parameters, options)])


def _flags(parameters: Mapping[str, Any], options: Options) -> list[str]:
    words = [word for name, value in parameters.items() for word in ("-p", f"{name}={value_text(value)}")]
    for name in ("from", "only"):
        if options.get(name):
            words += [f"--{name}", str(options[name])]
    if options.get("cache") is False:
        words.append("--no-cache")
    if options.get("register"):
        from jupyter_ext.registry.made import word

        words.append(f"--register={word(options['register'], value=True)}")
    limits: Resources = options.get("resources") or {}
    return words + [
        word
        for step, asked in limits.items()
        for name, amount in asked.items()
        for word in ("--limit", f"{step}:{name}:{amount}")
    ]


def read_parameters(texts: Iterable[str]) -> dict[str, str]:
    """Read words of the form NAME=VALUE; raises Invalid for other forms and for a name given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise Invalid(f"{text!r} is not NAME=VALUE", hint="Write for example -p lr=0.1")
        if name in found:
            raise Invalid(f"parameter {name} is given twice", where=Where(field=name))
        found[name] = value
    return found


def read_limits(texts: Iterable[str]) -> dict[str, dict[str, str]]:
    """Read words of the form STEP:RESOURCE:AMOUNT; raises Invalid for other forms."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        parts = text.split(":")
        if len(parts) != 3 or not all(parts):
            raise Invalid(
                f"{text!r} is not STEP:RESOURCE:AMOUNT", hint="Write for example --limit train:memory:4Gi"
            )
        found.setdefault(parts[0], {})[parts[1]] = parts[2]
    return found


def read_register(text: str | None) -> dict[str, str] | str | None:
    """Read MODEL[@ALIAS][=VALUE], or JSON; what is wrong with it is said by whom it is for."""
    if text is None or text.lstrip().startswith("{"):
        return text
    model, _, value = text.partition("=")
    return {"model": model, **({"value": value} if value else {})}


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
