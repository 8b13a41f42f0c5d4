"""A lightweight Python component is a shell script that installs packages and runs a function: here it is read again.

The script is written by the KFP SDK (``kfp.dsl.component_factory``), so its form is known. What is read from it is run
without a shell; a script of another form is a command like any other.
"""

from __future__ import annotations

import ast
import itertools
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from jupyter_ext.pipelines.compiled.spec import Container

_WRITES_PROGRAM: Final = '"$program_path/ephemeral_component.py"'
_INSTALL: Final = re.compile(r"python3 -m pip install (.*?)(?=&&|\n|$)", re.DOTALL)
_KFP: Final = re.compile(r"kfp(?:\[[^\]]*\])?\s*(?:[=<>~!@].*)?")
_SHELL: Final = frozenset({"sh", "bash", "/bin/sh", "/bin/bash"})
_QUIET: Final = frozenset({"--quiet", "--no-warn-script-location", "--no-deps", "-q"})


@dataclass(frozen=True)
class PythonFunction:
    """What the script would do: run ``function`` of ``source`` where ``requirements`` are installed."""

    source: str
    function: str
    requirements: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    kfp: str = ""

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that the source imports, first part only."""
        return imported(self.source)


def read(container: Container) -> PythonFunction | None:
    """What a container's command means, None where it is not a lightweight component."""
    words = container.command
    place = next(
        (n for n, word in enumerate(words) if _WRITES_PROGRAM in word and "executor_main" in word), None
    )
    if place is None or place + 1 >= len(words):
        return None
    if not all(word in _SHELL or word.startswith("-") or "pip install" in word for word in words[:place]):
        return None
    function = _after("--function_to_execute", (*words[place + 2 :], *container.args))
    installed = _installs("\n".join(words[:place]))
    if function is None or installed is None:
        return None
    requirements, options = installed
    kfp = next((each for each in requirements if _KFP.fullmatch(each)), "")
    others = tuple(each for each in requirements if each != kfp and not _moot(each))
    return PythonFunction(words[place + 1], function, others, options, kfp)


def _after(flag: str, words: Sequence[str]) -> str | None:
    for name, value in itertools.pairwise(words):
        if name == flag:
            return value if value.isidentifier() else None
    return None


def _installs(script: str) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Requirements and options (of indexes) of every ``pip install`` in it; None for what is not understood."""
    requirements: list[str] = []
    options: list[str] = []
    for text in _INSTALL.findall(script):
        try:
            words = shlex.split(text)
        except ValueError:
            return None
        while words:
            word = words.pop(0)
            if word in ("--index-url", "--extra-index-url", "--trusted-host", "-i") and words:
                options += [{"-i": "--index-url"}.get(word, word), words.pop(0)]
            elif word.startswith("-") and word not in _QUIET:
                return None
            elif not word.startswith("-"):
                requirements.append(word)
    return tuple(dict.fromkeys(requirements)), tuple(_pairs(options))


def _pairs(options: Sequence[str]) -> list[str]:
    pairs = dict.fromkeys(zip(options[::2], options[1::2], strict=True))
    return [word for pair in pairs for word in pair]


def _moot(requirement: str) -> bool:
    """Whether its marker says that this Python does not need it."""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        marker = Requirement(requirement).marker
    except InvalidRequirement:
        return False
    return marker is not None and not marker.evaluate()


def imported(source: str) -> tuple[str, ...]:
    """The first parts of the modules that some Python imports anywhere, without those of ``kfp``."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            found.append(node.module)
    return tuple(dict.fromkeys(name.partition(".")[0] for name in found if name.partition(".")[0] != "kfp"))


_OFFERED: Final = frozenset({"kfp", "kfp.dsl", "kfp.dsl.types", "kfp.dsl.types.artifact_types"})


@dataclass
class _Uses:
    beyond: bool = False
    names: dict[str, str] = field(default_factory=dict)


def needs_sdk(source: str, offered: frozenset[str]) -> bool:
    """Whether a component uses more of ``kfp`` than the part that runs components, whose names are ``offered``."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return False
    uses = _Uses()
    for node in ast.walk(tree):
        _note(node, uses, offered)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            module = uses.names.get(node.value.id)
            known = {"kfp": {"dsl", "__version__"}, "kfp.dsl": offered}.get(module or "")
            if known is not None and node.attr not in known:
                return True
    return uses.beyond


def _note(node: ast.AST, uses: _Uses, offered: frozenset[str]) -> None:
    if isinstance(node, ast.Import):
        for alias in node.names:
            if alias.name.partition(".")[0] == "kfp":
                uses.beyond |= alias.name not in _OFFERED
                uses.names[alias.asname or "kfp"] = alias.name if alias.asname else "kfp"
    elif (
        isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "kfp" and not node.level
    ):
        module = str(node.module)
        uses.beyond |= module not in _OFFERED
        for alias in node.names:
            if module == "kfp" and alias.name == "dsl":
                uses.names[alias.asname or "dsl"] = "kfp.dsl"
            elif alias.name not in offered and not (
                module in ("kfp", "kfp.dsl") and alias.name in ("*", "types")
            ):
                uses.beyond = True
