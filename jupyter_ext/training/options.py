"""The options of ``jupyter kf train`` and ``%%train``, stated once, and what they mean to ``training.train``."""

from __future__ import annotations

import ast
import re
from argparse import ArgumentTypeError
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.training.spec import FRAMEWORKS


class Option(NamedTuple):
    """One option: its words, and argparse's settings of it."""

    words: tuple[str, ...]
    settings: dict[str, Any]


_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text: str) -> int:
    """Read ``90``, ``90s``, ``10m`` or ``2h``; raises argparse's error."""
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text)
    if found is None or not int(found[1]):
        raise ArgumentTypeError(f"{text!r} is not a time such as 90, 10m or 2h")
    return int(found[1]) * _UNITS[found[2]]


def count(text: str) -> int:
    """Read a whole number above 0; raises argparse's error."""
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def nodes(text: str) -> int | str:
    """Read ``2``, or ``1:4`` for an elastic job; raises argparse's error."""
    if re.fullmatch(r"\d{1,6}:\d{1,6}", text):
        return text
    return count(text)


def _repeated(words: tuple[str, ...], about: str, metavar: str, name: str) -> Option:
    return Option(words, {"action": "append", "default": [], "dest": name, "metavar": metavar, "help": about})


OPTIONS: tuple[Option, ...] = (
    Option(("--framework",), {"choices": FRAMEWORKS, "help": "how its processes find each other (default: torch)"}),
    Option(("--nodes",), {"type": nodes, "metavar": "N", "help": "number of nodes, or MIN:MAX (default: 1)"}),
    Option(("--procs",), {"type": count, "metavar": "M", "help": "processes on each node (default: 1)"}),
    Option(("--name",), {"help": "name of the job; one is made up without it"}),
    _repeated(("-a", "--arg"), "set an argument (repeat for more)", "NAME=VALUE", "args"),
    _repeated(("--env",), "set an environment variable (repeat for more)", "NAME=VALUE", "env"),
    _repeated(("--data",), "name a file or folder that it reads (repeat for more)", "NAME=PATH", "data"),
    _repeated(("--package",), "a package that it needs (repeat for more)", "NAME", "packages"),
    Option(("--cpu",), {"metavar": "CORES", "help": "cores of each node"}),
    Option(("--memory",), {"metavar": "AMOUNT", "help": "memory of each node, for example 4Gi"}),
    Option(("--gpu",), {"metavar": "COUNT", "help": "GPUs of each node"}),
    Option(("--deadline",), {"type": seconds, "metavar": "TIME", "help": "stop it after this, for example 90 or 2h"}),
    Option(("--queue",), {"metavar": "NAME", "help": "a queue of Kueue, on a cluster that has it"}),
    Option(("--priority",), {"metavar": "NAME", "help": "its priority in the queue"}),
    Option(("--restarts",), {"type": count, "metavar": "N", "help": "start it again so often when it fails"}),
    Option(
        ("--checkpoint",),
        {"nargs": "?", "const": True, "metavar": "FOLDER",
         "help": "keep a folder for checkpoints, from which it resumes"},
    ),
    Option(
        ("--register",),
        {"metavar": "MODEL[@ALIAS]", "help": "register what rank 0 returns, or the last checkpoint, as this model"},
    ),
    Option(("--runtime",), {"metavar": "NAME", "help": "runtime by its upstream name, for example torch-distributed"}),
)  # fmt: skip


def pairs(texts: Iterable[str], option: str) -> dict[str, str]:
    """Read words of the form NAME=VALUE; raises Invalid for other forms and for a name given twice."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        name = name.strip()
        if not equals or not name:
            raise Invalid(f"{text!r} is not NAME=VALUE", where=Where(field=option))
        if name in found:
            raise Invalid(f"{option} {name} is given twice", where=Where(field=option))
        found[name] = value
    return found


def literal(text: str) -> Any:
    """Give what a Python literal means (``0.1``, ``[1, 2]``, ``None``), else the text itself."""
    if text in {"true", "false"}:
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def given(args: Any, *, typed: bool) -> dict[str, Any]:
    """Give the keywords of ``training.train`` that were said; ``typed``: arguments are literals, not texts."""
    texts = pairs(args.args, "--arg")
    found: dict[str, Any] = {
        "framework": args.framework or _framework_of(args.runtime),
        "runtime": args.runtime,
        "name": args.name,
        "nodes": args.nodes,
        "procs": args.procs,
        "args": {name: literal(text) for name, text in texts.items()} if typed else texts,
        "env": pairs(args.env, "--env"),
        "data": pairs(args.data, "--data"),
        "packages": list(args.packages),
        "resources": resources(args),
        "deadline": args.deadline,
        "restarts": args.restarts,
        "queue": args.queue,
        "priority": args.priority,
        "checkpoint": args.checkpoint,
        "register": args.register,
    }
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def _framework_of(runtime: str | None) -> str | None:
    framework = (runtime or "").removesuffix("-distributed")
    return framework if framework in FRAMEWORKS else None


def resources(args: Any) -> dict[str, str]:
    """Give what each node asks for."""
    asked: Mapping[str, str | None] = {"cpu": args.cpu, "memory": args.memory, "gpu": args.gpu}
    return {name: text for name, text in asked.items() if text}
