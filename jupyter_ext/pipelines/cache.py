"""The step cache: when a finished step may stand for a new one, and why it may not.

The key of a step is everything that is known before it runs: its syntax tree, its parameters, the digests of
its inputs, the hidden state it starts from, interpreter and image. What only its execution shows (the files
it read, the versions of the packages it loaded) is kept with the entry and verified when the entry is found,
as build systems do with discovered dependencies.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.store import Store
    from jupyter_ext.pipelines.model import Pipeline, Step

ENTRIES = "cache"
LATEST = "cache-latest"


@dataclass(frozen=True)
class Parts:
    """What a step's result depends on, kept apart so that a miss can say which of it differed."""

    code: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, str] = field(default_factory=dict)
    python: str = "{}.{}.{}".format(*sys.version_info[:3])
    image: str | None = None

    @property
    def key(self) -> str:
        """Hex digest of all parts."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.blake2b(text.encode(), digest_size=20).hexdigest()


@dataclass(frozen=True)
class Hit:
    """A result that may be reused, and the run that made it."""

    run: str
    result: dict[str, Any]


@dataclass(frozen=True)
class Miss:
    """Why the step has to run: short words for a list, and one sentence."""

    differs: tuple[str, ...]
    text: str


def code_digest(step: Step) -> str:
    """Digest of the step's syntax tree: comments, blank lines and layout do not count."""
    shape: list[str] = [repr((step.when, step.foreach, step.collect))]
    for cell in step.cells:
        try:
            shape.append(ast.dump(ast.parse(cell.source)))
        except (SyntaxError, ValueError):
            # Lines of IPython are no Python: there, the text itself counts.
            shape.append("\n".join(line.rstrip() for line in cell.source.splitlines() if line.strip()))
    return hashlib.blake2b("\0".join(shape).encode(errors="surrogatepass"), digest_size=16).hexdigest()


def parts_of(
    step: Step,
    plain: Pipeline,
    parameters: Mapping[str, object],
    inputs: Mapping[str, str],
    hidden: Mapping[str, str],
) -> Parts:
    """Build the parts; ``plain`` is the pipeline before parameters were put into its source."""
    cells = {cell.index for cell in step.cells}
    own = {p.name: parameters.get(p.name, p.default) for p in plain.parameters if p.cell in cells}
    return Parts(code_digest(plain.step(step.name)), own, dict(inputs), dict(hidden), image=step.image)


class Has(Protocol):
    """Where values are kept."""

    def has(self, digest: str) -> bool:
        """Whether this one is there."""


def look_up(
    store: Store,
    blobs: Has,
    scope: str,
    step: str,
    parts: Parts,
    *,
    lenient: bool = False,
    changed: Callable[[Mapping[str, Any]], list[str]] | None = None,
) -> Hit | Miss:
    """Find a reusable result; ``changed`` compares what its execution had observed with what is now.

    ``scope`` names the pipeline for the explanation of a miss. ``lenient`` also takes results of steps whose
    effects (files written, commands run) are not replayed: for resuming, where they have just happened.
    """
    entry = store.fetch(ENTRIES, parts.key)
    if entry is None:
        return _explain(store.fetch(LATEST, f"{scope}/{step}"), parts)
    others = (changed or _changed_since)(entry["observed"])
    if others:
        return Miss(tuple(others), f"Ran because {_listed(others)} changed since run {entry['run']}.")
    if entry["why"] and not lenient:
        return Miss((entry["why"],), f"Not taken from the cache because it {entry['why']}.")
    if not all(blobs.has(digest) for digest in _digests(entry["result"])):
        return Miss(("values",), f"Ran because the values of run {entry['run']} were removed.")
    return Hit(entry["run"], entry["result"])


def probable(store: Store, spec: Mapping[str, Any]) -> bool:
    """Whether the first step of a run was run before with the cache on: then perhaps nothing has to be executed."""
    if not spec.get("options", {}).get("cache", True):
        return False
    steps = spec["pipeline"]["graph"]["steps"]
    scope = str(spec["pipeline"]["path"] or spec["pipeline"]["name"])
    return bool(steps) and store.fetch(LATEST, f"{scope}/{steps[0]['name']}") is not None


def remember(
    store: Store,
    scope: str,
    step: str,
    parts: Parts,
    run: str,
    result: Mapping[str, Any],
    observed: Mapping[str, Any],
    why: str,
) -> None:
    """Keep a result; ``why`` says what forbids its reuse ("" if nothing does)."""
    entry = {"run": run, "step": step, "result": dict(result), "observed": dict(observed), "why": why}
    store.put(ENTRIES, parts.key, entry)
    store.put(LATEST, f"{scope}/{step}", {"parts": asdict(parts), "run": run})


def _digests(value: object) -> list[str]:
    if isinstance(value, str):
        return [value] if value.startswith("b3:") else []
    if isinstance(value, Mapping):
        return [digest for item in value.values() for digest in _digests(item)]
    if isinstance(value, list | tuple):
        return [digest for item in value for digest in _digests(item)]
    return []


def _changed_since(observed: Mapping[str, Any]) -> list[str]:
    files = [f"file {name}" for name, stamp in observed.get("files", {}).items() if file_stamp(name) != stamp]
    if files:
        return files
    return [
        f"package {name} ({version} → {now or 'missing'})"
        for name, version in observed.get("packages", {}).items()
        if (now := package_version(name)) != version
    ]


_versions: dict[str, str | None] = {}


def package_version(name: str) -> str | None:
    """Installed version of a distribution, read once per process."""
    if name not in _versions:
        from importlib import metadata

        try:
            _versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            _versions[name] = None
    return _versions[name]


def file_stamp(name: str) -> list[int] | None:
    """Size in bytes and modification time in ns, or None if there is no such file."""
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _explain(latest: Mapping[str, Any] | None, parts: Parts) -> Miss:
    if latest is None:
        return Miss(("first run",), "Ran because it has not been run before.")
    was, now = latest["parts"], asdict(parts)
    differs: list[str] = []
    if was["code"] != now["code"]:
        differs.append("code")
    differs += [f"parameter {name}" for name in _keys_that_differ(was["parameters"], now["parameters"])]
    differs += [f"input {name}" for name in _keys_that_differ(was["inputs"], now["inputs"])]
    differs += [f"{name} state" for name in _keys_that_differ(was["hidden"], now["hidden"])]
    differs += [word for word in ("python", "image") if was[word] != now[word]]
    if not differs:
        return Miss(("values",), "Ran because the earlier result was removed from the cache.")
    return Miss(tuple(differs), f"Ran because {_listed(differs)} changed since run {latest['run']}.")


def _keys_that_differ(was: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    missing = object()
    return sorted(key for key in {*was, *now} if was.get(key, missing) != now.get(key, missing))


def _listed(words: list[str]) -> str:
    shown = words if len(words) <= 3 else [*words[:3], f"{len(words) - 3} more"]
    return shown[0] if len(shown) == 1 else ", ".join(shown[:-1]) + " and " + shown[-1]
