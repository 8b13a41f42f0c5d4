"""Hidden state of IPython: extensions, magics and aliases, ``from __future__`` imports, the inline backend."""

from __future__ import annotations
import __future__

from typing import Any

from jupyter_ext.pipelines.hidden import Kind

_FUTURE: int = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_SETTINGS = ("ast_node_interactivity", "automagic", "autocall", "xmode", "separate_in", "logstart")
_builtin_magics: set[tuple[str, str]] = set()


def set_base_magics(shell: Any) -> None:
    """Remember which magics IPython itself has."""
    _builtin_magics.clear()
    _builtin_magics.update(
        (kind, name) for kind, table in shell.magics_manager.magics.items() for name in table
    )


def _settings(shell: Any) -> tuple[Any, ...]:
    return tuple((name, getattr(shell, name, None)) for name in _SETTINGS)


def _set_settings(state: Any, shell: Any) -> None:
    for name, value in state:
        if getattr(shell, name, None) != value:
            setattr(shell, name, value)


def _future(shell: Any) -> int:
    flags: int = shell.compile.flags
    return flags & _FUTURE


def _set_future(state: Any, shell: Any) -> None:
    shell.compile.flags |= state


def _extensions(shell: Any) -> tuple[str, ...]:
    return tuple(sorted(shell.extension_manager.loaded - {"storemagic"}))


def _set_extensions(state: Any, shell: Any) -> None:
    for name in state:
        if name not in shell.extension_manager.loaded:
            shell.extension_manager.load_extension(name)


def _magics(shell: Any) -> tuple[Any, ...]:
    """Magics that cells defined; those of extensions come with the extension."""
    found = []
    for kind, table in sorted(shell.magics_manager.magics.items()):
        for name, magic in sorted(table.items()):
            if (kind, name) in _builtin_magics:
                continue
            if type(magic).__name__ == "Alias":
                found.append(("alias", name, magic.cmd))
            elif getattr(magic, "__module__", None) == "__main__":
                found.append((kind, name, magic))
    return tuple(found)


def _set_magics(state: Any, shell: Any) -> None:
    for kind, name, magic in state:
        if kind == "alias":
            shell.alias_manager.define_alias(name, magic)
        else:
            shell.magics_manager.magics[kind][name] = magic


def _inline(shell: Any) -> tuple[Any, ...] | None:
    found = next((each for each in shell.configurables if type(each).__name__ == "InlineBackend"), None)
    if found is None:
        return None
    return (
        tuple(sorted(found.figure_formats)),
        found.close_figures,
        _items(found.print_figure_kwargs),
        _items(found.rc),
    )


def _items(options: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(sorted(options.items()))


def _set_inline(state: Any, shell: Any) -> None:
    from matplotlib_inline.config import InlineBackend

    formats, close, options, parameters = state
    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    if backend not in shell.configurables:
        shell.configurables.append(backend)
    backend.close_figures, backend.print_figure_kwargs, backend.rc = close, dict(options), dict(parameters)
    if set(formats) != backend.figure_formats:
        import matplotlib.pyplot  # noqa: F401, ICN001 - the formats are registered for its figures

        backend.figure_formats = set(formats)


KINDS = {
    "ipython": Kind("sys", _settings, _set_settings),
    "future": Kind("sys", _future, _set_future),
    "extensions": Kind("sys", _extensions, _set_extensions),
    "magics": Kind("sys", _magics, _set_magics),
    "inline": Kind("matplotlib_inline.config", _inline, _set_inline),
}
