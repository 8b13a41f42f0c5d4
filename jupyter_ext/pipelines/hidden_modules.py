"""The state of the user's own modules: a counter that a workspace module keeps goes on in the next step.

Only modules that are not installed are followed, and of them only plain data; functions and classes come with
the module itself. The state is set when a step imports the module: a step that does not use it never runs it.
"""

from __future__ import annotations

import importlib.util
import pickle
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from jupyter_ext.pipelines import observe
from jupyter_ext.pipelines.hidden import Kind

LIMIT = 1 << 20
"""Bytes of one variable above which it is not followed."""
_ATOMS = (bool, int, float, complex, str, bytes, type(None))
_pending: dict[str, dict[str, bytes]] = {}


def _capture(_: Any) -> tuple[Any, ...] | None:
    observe.learn_modules()
    found = []
    for name in sorted(observe.workspace_modules()):
        module = sys.modules.get(name)
        if module is None or name == "__main__":
            continue
        variables = [
            (key, pickle.dumps(value)) for key, value in sorted(vars(module).items()) if _plain(key, value)
        ]
        found.append((name, tuple((key, data) for key, data in variables if len(data) <= LIMIT)))
    waiting = [
        (name, tuple(sorted(kept.items()))) for name, kept in _pending.items() if name not in sys.modules
    ]
    return tuple(sorted([*found, *waiting])) or None


def _plain(key: str, value: object) -> bool:
    return not key.startswith("__") and _is_data(value, 0)


def _is_data(value: object, depth: int) -> bool:
    if isinstance(value, _ATOMS):
        return True
    if depth > 8:
        return False
    if type(value) in (list, tuple, set, frozenset):
        return all(_is_data(item, depth + 1) for item in value)  # type: ignore[attr-defined]
    if type(value) is dict:
        return all(_is_data(item, depth + 1) for pair in value.items() for item in pair)
    return False


def _apply(state: Sequence[tuple[str, Sequence[tuple[str, bytes]]]], _: Any) -> None:
    for name, variables in state:
        module = sys.modules.get(name)
        if module is not None:
            _set(module, dict(variables))
        else:
            _pending[name] = dict(variables)
    if _pending and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def _set(module: ModuleType, variables: dict[str, bytes]) -> None:
    for key, data in variables.items():
        setattr(module, key, pickle.loads(data))


class _Finder:
    """Sees a module with waiting state being imported, and sets the state right after its code ran."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        variables = _pending.pop(name, None)
        if variables is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None or not hasattr(spec.loader, "exec_module"):
            return spec
        execute = spec.loader.exec_module

        def execute_and_set(module: ModuleType) -> None:
            execute(module)
            _set(module, variables)

        spec.loader.exec_module = execute_and_set  # type: ignore[method-assign]
        return spec


KINDS = {"modules": Kind("sys", _capture, _apply)}
