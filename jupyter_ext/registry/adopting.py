"""Registering what a form names: a file, an address, or what a run, a job or a trial made.

What workloads made is known to capabilities above this one; they announce themselves in ``MAKERS`` by module and
function, which is called in a process of its own: a value of a user is never read in the server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Where
from jupyter_ext.registry import files, formats, snippets

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version
    from jupyter_ext.registry.registry import Registry

Json = dict[str, Any]
FACTS = ("version", "alias", "description", "metrics", "parameters", "properties", "data", "format", "to")


def register(registry: Registry, given: Mapping[str, Any]) -> Version:
    """Register it. Raises what ``Registry.register`` does, NotFound for what was not made."""
    facts = {name: given[name] for name in FACTS if given.get(name) not in (None, {}, "")}
    if given.get("from"):
        from jupyter_ext.registry import made

        return made.register(registry, given["from"], given["name"], facts)
    return registry.register(_path(given), given["name"], facts.pop("version", None), **facts)


def _path(given: Mapping[str, Any]) -> str:
    path = given.get("path")
    if not path:
        raise Invalid("there is nothing to register", where=Where(field="path"), hint="Give path or from.")
    return str(path)


def draft(registry: Registry, given: Mapping[str, Any]) -> Json:
    """What ``register`` would do: format, danger, size, the number of the version, problems, and the same as code."""
    found: Json = {
        "format": given.get("format") or None,
        "danger": None,
        "bytes": None,
        "version": None,
        "problems": [],
    }
    looks: tuple[Callable[[], Json], ...] = (lambda: _named(registry, given), lambda: _looked_at(given))
    for look in looks:
        try:
            found |= look()
        except KubeflowError as error:
            found["problems"].append(
                {
                    "field": error.where.field if error.where else None,
                    "message": error.what,
                    "hint": error.hint,
                }
            )
    return {**found, **snippets.register({**given, "variable": _variable(given)})}


def _variable(given: Mapping[str, Any]) -> str | None:
    source = given.get("from")
    if not source:
        return None
    from jupyter_ext.registry import made

    return made.expression(source)


def _named(registry: Registry, given: Mapping[str, Any]) -> Json:
    name, version = str(given.get("name") or ""), given.get("version")
    if not name:
        raise Invalid("a model needs a name", where=Where(field="name"))
    try:
        model = registry.model(name, near=False)
    except NotFound:
        return {"version": str(version or 1), "new": True}
    if not version:
        return {"version": str(registry.next_version(model)), "new": False}
    try:
        model.version(version)
    except NotFound:
        return {"version": str(version), "new": False}
    raise Invalid(
        f"{name} has a version {version} already",
        where=Where(field="version"),
        hint="A version never changes.",
    )


def _looked_at(given: Mapping[str, Any]) -> Json:
    if given.get("from"):
        from jupyter_ext.registry import made

        return made.looked_at(given["from"])
    text = _path(given)
    path = files.local_path(text)
    if path is None:
        return {"format": given.get("format") or None}
    if not path.exists():
        raise Invalid(f"there is no file or folder {path}", where=Where(field="path"))
    named = given.get("format")
    form = formats.FORMATS.get(str(named)) if named else formats.of_path(path)
    if form is None and not named:
        raise Invalid(
            f"the format of {path.name} is not recognised",
            where=Where(field="format"),
            hint=f"Say which: {', '.join(formats.FORMATS)}, or a name of your own.",
        )
    return {
        "format": form.name if form else named,
        "danger": form.danger(formats.the_file(path)) if form else None,
        "bytes": _size(path),
    }


def _size(path: Path) -> int:
    return sum(file.stat().st_size for _, file in files.names_in(path))
