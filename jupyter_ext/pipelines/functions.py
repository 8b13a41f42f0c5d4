"""How functions, classes and what surrounds them are taken apart and rebuilt in another process.

What can be imported travels by its name. What a cell defines travels by value, but never with copies of the
notebook's globals: a function defined in a cell gets the globals of the process that receives it, so that a
global counter is one counter and a later redefinition is seen, as in the plain notebook. Closure cells are
objects of their own, so two functions sharing a variable still share it.

The reducers build on cloudpickle's for classes, code objects and the many small descriptor types.
"""
# ruff: noqa: SLF001 - cloudpickle's reducers have no public names

from __future__ import annotations

import _collections_abc
import builtins
import functools
import gc
import io
import pickle
import types
import typing
from collections.abc import Callable
from enum import Enum
from typing import Any

from cloudpickle import cloudpickle

Reduced = tuple[Any, ...]

CACHE_WRAPPER = type(functools.lru_cache(maxsize=1)(len))
_DICT_VIEWS = {
    _collections_abc.dict_keys: "keys",
    _collections_abc.dict_values: "values",
    _collections_abc.dict_items: "items",
}
_SPECIAL_CLASSES = {type(None): None, type(Ellipsis): Ellipsis, type(NotImplemented): NotImplemented}
_CACHE_OWN = ("__wrapped__", "cache_parameters")
_UNBOUND = "\0unbound"
"""Stands for a closure variable that has no value yet."""


def importable(obj: Any) -> bool:
    """Whether a function, class or module can be found again by its name in another process."""
    try:
        return bool(cloudpickle._should_pickle_by_reference(obj))
    except Exception:
        return False


def global_names(code: types.CodeType) -> set[str]:
    """Global names that the code, or code nested in it, reads or writes, without those that are builtins."""
    return {name for name in cloudpickle._extract_code_globals(code) if not hasattr(builtins, name)}


def rebuild_function(
    namespace: dict[str, Any],
    code: types.CodeType,
    name: str,
    defaults: tuple[Any, ...] | None,
    closure: tuple[types.CellType, ...] | None,
) -> types.FunctionType:
    """A function of the receiving notebook; its attributes and closure contents follow."""
    return types.FunctionType(code, namespace, name, defaults, closure)


def restore_function(function: types.FunctionType, state: Reduced) -> None:
    """The second half of :func:`rebuild_function`, once cycles can refer to the function."""
    attributes, slots, contents = state
    function.__dict__.update(attributes)
    for name, value in slots.items():
        setattr(function, name, value)
    for cell, value in zip(function.__closure__ or (), contents, strict=True):
        if not (isinstance(value, str) and value == _UNBOUND):
            cell.cell_contents = value


def rebuild_cell() -> types.CellType:
    """An empty closure cell."""
    return types.CellType()


def restore_cell(cell: types.CellType, value: Any) -> None:
    """Fill a cell that no function fills."""
    cell.cell_contents = value


def rebuild_cache(function: Callable[..., Any], parameters: dict[str, Any], kept: dict[Any, Any]) -> Any:
    """A ``functools.cache`` around the function, with what it had remembered where it is unbounded."""
    wrapper = functools.lru_cache(**parameters)(function)
    if kept:
        remembered(wrapper).update(kept)
    return wrapper


def rebuild_view(mapping: Any, which: str) -> Any:
    """A live ``keys``, ``values`` or ``items`` view of the mapping."""
    return getattr(mapping, which)()


def remembered(wrapper: Any) -> dict[Any, Any]:
    """What a ``functools`` cache holds: the only dict among its referents that is not its ``__dict__``."""
    own = wrapper.__dict__
    return next((item for item in gc.get_referents(wrapper) if type(item) is dict and item is not own), {})


class DefinitionReducer:
    """The reducers of one pickler, with what has to be known across its objects."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self._namespace = namespace
        self._owned_cells: set[int] = set()
        self.needs: set[str] = set()

    def reduce(self, obj: Any) -> Any:
        """What ``reducer_override`` returns: a reduce tuple, or NotImplemented for pickle's own way.

        Raises PicklingError for what would come back as something else than it was.
        """
        kind = type(obj)
        if kind is types.FunctionType:
            return self._function(obj)
        if issubclass(kind, type):
            return self._class(obj)
        special = _BY_TYPE.get(kind)
        return special(self, obj) if special is not None else NotImplemented

    def _function(self, function: types.FunctionType) -> Any:
        if importable(function):
            return NotImplemented
        if function.__globals__ is not self._namespace:
            return cloudpickle.Pickler._dynamic_function_reduce(_Foreign(), function)
        self.needs |= global_names(function.__code__)
        cells = function.__closure__ or ()
        self._owned_cells.update(map(id, cells))
        slots = {
            "__qualname__": function.__qualname__,
            "__annotations__": dict(function.__annotations__),
            "__kwdefaults__": function.__kwdefaults__,
            "__module__": function.__module__,
            "__doc__": function.__doc__,
        }
        if getattr(function, "__type_params__", ()):
            slots["__type_params__"] = function.__type_params__  # type: ignore[attr-defined] # since 3.12
        contents = tuple(_contents(cell) for cell in cells)
        made = (
            self._namespace,
            function.__code__,
            function.__name__,
            function.__defaults__,
            function.__closure__,
        )
        return (
            rebuild_function,
            made,
            (dict(function.__dict__), slots, contents),
            None,
            None,
            restore_function,
        )

    def _class(self, cls: Any) -> Any:
        if cls in _SPECIAL_CLASSES:
            return type, (_SPECIAL_CLASSES[cls],)
        if cls in cloudpickle._BUILTIN_TYPE_NAMES:
            return cloudpickle._builtin_type, (cloudpickle._BUILTIN_TYPE_NAMES[cls],)
        if importable(cls):
            return NotImplemented
        # The identifiers that cloudpickle tracks classes by are random: they would make equal values differ.
        if issubclass(cls, Enum):
            make, arguments = cloudpickle._make_skeleton_enum, list(cloudpickle._enum_getnewargs(cls))
            state = cloudpickle._enum_getstate(cls)
        else:
            make, arguments = cloudpickle._make_skeleton_class, list(cloudpickle._class_getnewargs(cls))
            state = cloudpickle._class_getstate(cls)
        arguments[-2] = None
        return make, tuple(arguments), state, None, None, cloudpickle._class_setstate

    def _cell(self, cell: types.CellType) -> Reduced:
        value = _contents(cell)
        if id(cell) in self._owned_cells or (isinstance(value, str) and value == _UNBOUND):
            return rebuild_cell, ()
        return rebuild_cell, (), value, None, None, restore_cell

    def _cache(self, wrapper: Any) -> Any:
        function = wrapper.__wrapped__
        if type(function) is not types.FunctionType or importable(wrapper):
            return NotImplemented
        parameters = wrapper.cache_parameters()
        kept = dict(remembered(wrapper)) if parameters["maxsize"] is None else {}
        attributes = {key: value for key, value in wrapper.__dict__.items() if key not in _CACHE_OWN}
        return rebuild_cache, (function, parameters, kept), attributes

    def _view(self, view: Any) -> Reduced:
        return rebuild_view, (gc.get_referents(view)[0], _DICT_VIEWS[type(view)])

    def _typevar(self, variable: typing.TypeVar) -> Any:
        if cloudpickle._lookup_module_and_qualname(variable, name=variable.__name__) is not None:
            return NotImplemented
        parts = list(cloudpickle._decompose_typevar(variable))
        parts[-1] = None
        return cloudpickle._make_typevar, tuple(parts)

    def _refuse(self, obj: Any) -> Any:
        raise pickle.PicklingError(f"cannot pickle {type(obj).__name__!r} object")


class _Foreign(cloudpickle.Pickler):  # type: ignore[misc] # cloudpickle has no types
    """Only a place for cloudpickle's function reducer to keep its own globals in."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO())


_BY_TYPE: dict[type, Callable[[DefinitionReducer, Any], Any]] = {
    types.CellType: DefinitionReducer._cell,
    CACHE_WRAPPER: DefinitionReducer._cache,
    typing.TypeVar: DefinitionReducer._typevar,
    memoryview: DefinitionReducer._refuse,
    io.TextIOWrapper: DefinitionReducer._refuse,
    **dict.fromkeys(_DICT_VIEWS, DefinitionReducer._view),
}


def _contents(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return _UNBOUND
