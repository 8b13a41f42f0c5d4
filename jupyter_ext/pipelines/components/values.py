"""What goes into a component that a notebook calls, and what comes out of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Invalid, Where


class Artifact(os.PathLike[str]):
    """A file or folder that a component made, with what it says about it. ``open`` and pandas take it like a path."""

    def __init__(self, name: str, uri: str, kind: str, metadata: Mapping[str, Any]) -> None:
        self.name, self.uri, self.type = name, uri, kind
        self.metadata = dict(metadata)

    @property
    def path(self) -> Path:
        """Where it is."""
        return Path(self.uri)

    def __fspath__(self) -> str:
        return self.uri

    def __repr__(self) -> str:
        told = f", metadata={self.metadata}" if self.metadata else ""
        return f"<{self.type.rpartition('.')[2]} {self.name} at {self.uri}{told}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Artifact) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash(self.uri)


class Outputs(Mapping[str, Any]):
    """What one call made: ``result.model``, or ``result["model"]``; ``result.output`` where there is one thing only."""

    def __init__(self, component: str, found: Mapping[str, Any]) -> None:
        self._component, self._found = component, dict(found)

    @property
    def output(self) -> Any:
        """The only output; raises Invalid where there are others."""
        if len(self._found) != 1:
            names = ", ".join(self._found) or "none"
            raise Invalid(f"{self._component} has not one output", hint=f"It has {names}.")
        return next(iter(self._found.values()))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self._found[name]
        except KeyError:
            raise AttributeError(
                f"{self._component} has no output {name!r}; it has {', '.join(self._found) or 'none'}"
            ) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._found]

    def __getitem__(self, name: str) -> Any:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)

    def __repr__(self) -> str:
        lines = [
            f"{self._component}:",
            *(f"  {name} = {_short(value)}" for name, value in self._found.items()),
        ]
        return "\n".join(lines)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else text[:199] + "…"


def as_artifact(name: str, value: Any, schema: Mapping[str, str], folder: Path) -> dict[str, Any]:
    """The runtime artifact that stands for a value.

    A path is it as it is; a frame becomes CSV, or Parquet where the input's type says so; what JSON has becomes JSON; bytes
    are written as they are. Raises Invalid for a path where nothing is, and for anything else.
    """
    kind = str(schema.get("schemaTitle") or "system.Artifact")
    if isinstance(value, Artifact):
        uri, metadata = value.uri, value.metadata
    elif isinstance(value, str | os.PathLike):
        uri, metadata = str(Path(value).expanduser().absolute()), {}
    else:
        uri, metadata = str(_written(name, value, kind, folder)), {}
    if not Path(uri).exists():
        raise Invalid(
            f"There is nothing at {uri}, which {name} is to be",
            where=Where(field=name),
            hint="Give a path, an output of another component, a frame, or bytes.",
        )
    return {"name": name, "type": dict(schema), "uri": uri, "metadata": dict(metadata)}


def _written(name: str, value: Any, kind: str, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    if isinstance(value, bytes | bytearray | memoryview):
        path.write_bytes(value)
    elif type(value).__module__.partition(".")[0] in ("pandas", "polars") and hasattr(value, "columns"):
        _write_frame(value, path, kind)
    elif isinstance(value, dict | list | tuple | int | float | bool):
        try:
            path.write_text(json.dumps(value), encoding="utf-8")
        except (TypeError, ValueError) as error:
            raise Invalid(f"{name} cannot be written as JSON ({error})", where=Where(field=name)) from None
    else:
        raise Invalid(
            f"{name} is a file, and nothing says how to write a {type(value).__name__} into one",
            where=Where(field=name),
            hint="Write it yourself, and give the path.",
        )
    return path


def _write_frame(frame: Any, path: Path, kind: str) -> None:
    pandas = type(frame).__module__.partition(".")[0] == "pandas"
    if "parquet" in kind.lower():
        frame.to_parquet(path) if pandas else frame.write_parquet(path)
    elif pandas:
        frame.to_csv(path, index=False)
    else:
        frame.write_csv(path)
