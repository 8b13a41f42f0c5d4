"""The same experiment in Python, as a magic and on the command line: every form shows these lines.

Functions of values; what goes in is named as for ``training.snippets``, with ``space`` as texts by name.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from jupyter_ext.training.snippets import cell, said, subject, text

Spec = Mapping[str, Any]

KEYWORDS = (
    "algorithm", "settings", "trials", "parallel", "early_stopping", "max_failed", "additional", "name",
    "framework", "nodes", "procs", "resources", "resume", "register",
)  # fmt: skip
DEFAULTS: dict[str, Any] = {
    "algorithm": "random",
    "trials": 20,
    "resume": "LongRunning",
    "nodes": 1,
    "procs": 1,
}


def snippets(spec: Spec) -> dict[str, str]:
    """Give the experiment as ``{"python", "magic", "cli"}``."""
    return {"python": python(spec), "magic": magic(spec), "cli": cli(spec)}


def python(spec: Spec) -> str:
    """A few lines of Python."""
    head, what = subject(spec)
    # The space stands second, behind what is tuned.
    first, *rest = what.split(", function=", 1)
    words = [first, repr(dict(spec.get("space") or {})), repr(spec.get("objective") or "loss:min")]
    words += [f"function={item}" for item in rest]
    words += [f"{name}={value!r}" for name, value in said(spec, KEYWORDS, DEFAULTS).items()]
    return f"import jupyter_ext as kf\n{head}experiment = kf.tuning.tune({', '.join(words)})"


def cli(spec: Spec) -> str:
    """One line for a shell; code of a notebook has to be in a file first."""
    file = str(spec.get("path") or "FILE.py")
    words = ["jupyter", "kf", "tune", f"./{file}" if file.startswith("-") else file]
    if spec.get("function"):
        words += ["--function", str(spec["function"])]
    return shlex.join([*words, *flags(spec)])


def magic(spec: Spec) -> str:
    """A cell, or for a file one line."""
    if spec.get("path"):
        words = ["%kf", "tune", str(spec["path"])]
        if spec.get("function"):
            words += ["--function", str(spec["function"])]
        return shlex.join([*words, *flags(spec)])
    head = shlex.join(["%%tune", *flags(spec)])
    if spec.get("source") is not None:
        return f"{head}\n{cell(spec)}"
    names = ", ".join(f"{name}={name}" for name in spec.get("space") or {})
    return f"{head}\n{spec.get('function') or 'function'}({names})"


def flags(spec: Spec) -> list[str]:
    """Give the options that say what the keywords say."""
    from jupyter_ext.registry.made import word

    found = [f"--param={name}={space}" for name, space in (spec.get("space") or {}).items()]
    found.append(f"--objective={spec.get('objective') or 'loss:min'}")
    for name, value in said(spec, KEYWORDS, DEFAULTS).items():
        if name == "settings":
            found += [f"--setting={key}={text(item)}" for key, item in value.items()]
        elif name == "resources":
            found += [f"--{key}={item}" for key, item in value.items()]
        elif name == "additional":
            found += [f"--metric={item}" for item in value]
        elif name == "register":
            found.append(f"--register={word(value)}")
        elif name == "resume":
            found.append(f"--resume-policy={value}")
        else:
            found.append(f"--{name.replace('_', '-')}={value}")
    return found
