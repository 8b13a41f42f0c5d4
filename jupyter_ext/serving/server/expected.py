"""What a model expects, from its recorded signature; requests become arrays by it, and what does not fit is named."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.serving.server import tensors

Arrays = dict[str, Any]
"""By name, in the order that the model expects."""


@dataclass(frozen=True, slots=True)
class Field:
    """One input. ``rest`` are the sizes after the rows, -1 is any; ``dtype`` None: it may be of any type."""

    name: str
    datatype: str
    dtype: Any
    rest: tuple[int, ...]

    def check(self, array: Any) -> Any:
        """The array in the expected type; raises Invalid about its shape or type."""
        if self.dtype is not None and array.dtype != self.dtype:
            array = tensors.cast(array, self.dtype, self.name)
        shape = array.shape
        if len(shape) != len(self.rest) + 1 or any(
            want not in {-1, have} for want, have in zip(self.rest, shape[1:], strict=True)
        ):
            wanted = [-1, *self.rest]
            raise _unfit(f"{self.name} has the shape {list(shape)}, and {wanted} is expected", self.name)
        return array


class Expected:
    """The inputs of a signature. ``features`` are the names of the columns of its only input, where known.

    ``typed`` False: types were not seen but supposed, and are not asked for.
    """

    def __init__(
        self,
        inputs: Iterable[Mapping[str, Any]],
        features: Iterable[str] | None = None,
        *,
        typed: bool = True,
    ) -> None:
        self.fields = [_field(entry, typed) for entry in inputs]
        self.by_name = {field.name: field for field in self.fields}
        self.features = [str(name) for name in features] if features is not None else None
        self.is_columns = len(self.fields) > 1 and all(not field.rest for field in self.fields)
        first = self.fields[0] if self.fields else None
        if first is not None and len(self.fields) == 1 and not first.rest and first.name != "input-0":
            self.is_columns = True
        self.only = first if len(self.fields) == 1 and not self.is_columns else None

    @property
    def names(self) -> list[str]:
        """Of the columns, or else of the inputs."""
        return self.features if self.features and self.only else list(self.by_name)

    # V1

    def of_rows(self, rows: Any, word: str = "instances") -> Arrays:
        """From a list of rows: lists of values, or objects with names."""
        if not isinstance(rows, list):
            raise Invalid(f"{word} is a list of rows", where=Where(field=word))
        if not rows:
            raise Invalid(f"{word} is empty; there is nothing to predict", where=Where(field=word))
        if isinstance(rows[0], dict):
            return self._of_named_rows(rows, word)
        if self.only is not None:
            return {self.only.name: self._of_plain(rows, self.only, word)}
        if self.is_columns:
            return self._of_positions(rows, word)
        raise _unfit(f"{word} is a list of objects with the names {_listed(self.names)}", word)

    def _of_plain(self, rows: list[Any], field: Field, word: str) -> Any:
        width = field.rest[0] if len(field.rest) == 1 else -1
        if width >= 0:
            for position, row in enumerate(rows):
                if not isinstance(row, list):
                    raise _unfit(
                        f"{word}[{position}] is {_kind(row)}, and a list of {width} values is expected", word
                    )
                if len(row) != width:
                    raise _unfit(
                        f"{word}[{position}] has {len(row)} values, and {self._count(width)} are expected",
                        word,
                    )
        try:
            array = tensors.from_values(rows, field.dtype, word)
        except Invalid as error:
            raise self._with_feature(error, rows, field, word) from None
        if len(array.shape) != len(field.rest) + 1 or array.shape[1:] != field.rest:
            return Field(word, field.datatype, field.dtype, field.rest).check(array)
        return array

    def _with_feature(self, error: Invalid, rows: list[Any], field: Field, word: str) -> Invalid:
        """The same fault with the name of its column, where columns have names."""
        if not self.features or len(field.rest) != 1:
            return Invalid(error.what, where=Where(field=word), hint=error.hint)
        for name, column in zip(self.features, zip(*rows, strict=False), strict=False):
            try:
                tensors.from_values(list(column), field.dtype, name)
            except Invalid as found:
                return Invalid(found.what, where=Where(field=name), hint=found.hint)
        return error

    def _count(self, width: int) -> str:
        return f"{width} ({_listed(self.features)})" if self.features else str(width)

    def _of_positions(self, rows: list[Any], word: str) -> Arrays:
        """Rows without names, for a model of columns: by position."""
        width = len(self.fields)
        for position, row in enumerate(rows):
            if width == 1 and not isinstance(row, list):
                continue
            if not isinstance(row, list) or len(row) != width:
                have = f"{len(row)} values" if isinstance(row, list) else _kind(row)
                raise _unfit(
                    f"{word}[{position}] has {have}, and {width} ({_listed(self.names)}) are expected", word
                )
        plain = width == 1 and not isinstance(rows[0], list)
        columns = [rows] if plain else list(zip(*rows, strict=True))
        return {
            field.name: field.check(tensors.from_values(list(column), field.dtype, field.name))
            for field, column in zip(self.fields, columns, strict=True)
        }

    def _of_named_rows(self, rows: list[Any], word: str) -> Arrays:
        names = self._named(word)
        wanted = set(names)
        for position, row in enumerate(rows):
            if not isinstance(row, dict) or row.keys() != wanted:
                if not isinstance(row, dict):
                    raise _unfit(f"{word}[{position}] has no names, and {word}[0] has", word)
                self._check_names(row, f"{word}[{position}]", names)
        return self._of_lists({name: [row[name] for row in rows] for name in names})

    def of_columns(self, columns: Mapping[str, Any], word: str = "inputs") -> Arrays:
        """From one list for each column (or for each input)."""
        names = self._named(word)
        self._check_names(columns, word, names)
        for name in names:
            if not isinstance(columns[name], list):
                raise _unfit(f"{name} is {_kind(columns[name])}, and a list of values is expected", name)
        return self._of_lists({name: columns[name] for name in names})

    def _of_lists(self, lists: Mapping[str, list[Any]]) -> Arrays:
        """Columns in the expected order, each of them of the expected type."""
        if self.only is not None and self.features and set(lists) == set(self.features):
            dtype = self.only.dtype
            columns = [
                Field(name, self.only.datatype, dtype, ()).check(tensors.from_values(values, dtype, name))
                for name, values in lists.items()
            ]
            _same_rows(dict(zip(lists, columns, strict=True)))
            return {self.only.name: np.stack(columns, axis=1)}
        found = {
            name: self.by_name[name].check(tensors.from_values(values, self.by_name[name].dtype, name))
            for name, values in lists.items()
        }
        _same_rows(found)
        return found

    def _named(self, word: str) -> list[str]:
        if self.only is not None and not self.features and self.only.name == "input-0":
            raise _unfit(
                f"{word} has names, and the model was registered without: give lists of "
                f"{self.only.rest[0] if len(self.only.rest) == 1 else 'the'} values",
                word,
            )
        return self.names

    def _check_names(self, given: Iterable[str], place: str, names: list[str]) -> None:
        have, want = set(given), set(names)
        missing = [name for name in names if name not in have]
        unknown = [name for name in given if name not in want]
        if missing or unknown:
            parts = [f"misses {_listed(missing)}"] if missing else []
            parts += [f"has {_listed(unknown)}, which the model does not know"] if unknown else []
            raise _unfit(
                f"{place} {' and '.join(parts)}; expected: {_listed(names)}", (missing or unknown)[0]
            )

    # V2

    def of_tensors(self, given: Arrays) -> Arrays:
        """From tensors, in any order when they have the model's names."""
        if self.is_columns and len(given) == 1 and len(self.fields) > 1:
            (one,) = given.values()
            if one.ndim == 2:
                return self._of_matrix(one)
        if len(self.fields) == len(given) == 1:
            (one,) = given.values()
            field = self.fields[0]
            return {field.name: field.check(one if field.rest else _flat(one))}
        if self.only is not None and self.features and set(given) == set(self.features):
            columns = {
                name: Field(name, self.only.datatype, self.only.dtype, ()).check(_flat(given[name]))
                for name in self.features
            }
            _same_rows(columns)
            return {self.only.name: np.stack(list(columns.values()), axis=1)}
        names = self.names if self.only is not None and self.features else list(self.by_name)
        self._check_names(given, "the request", names)
        found = {
            name: field.check(given[name] if field.rest else _flat(given[name]))
            for name, field in self.by_name.items()
        }
        _same_rows(found)
        return found

    def _of_matrix(self, matrix: Any) -> Arrays:
        width = len(self.fields)
        if matrix.shape[1] != width:
            raise _unfit(
                f"the input has {matrix.shape[1]} columns, and {width} ({_listed(self.names)}) are expected",
                self.names[0],
            )
        return {field.name: field.check(matrix[:, position]) for position, field in enumerate(self.fields)}


def _field(entry: Mapping[str, Any], typed: bool) -> Field:
    name, datatype = str(entry["name"]), str(entry.get("datatype") or "FP64")
    shape = list(entry.get("shape") or [-1])
    rest = tuple(int(size) for size in shape[1:])
    return Field(name, datatype, tensors.dtype_of(datatype, name) if typed else None, rest)


def _flat(array: Any) -> Any:
    """A column that came as a matrix of one column."""
    return array[:, 0] if array.ndim == 2 and array.shape[1] == 1 else array


def _same_rows(arrays: Arrays) -> None:
    counts = {name: array.shape[0] if array.shape else 1 for name, array in arrays.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in list(counts.items())[:8])
        raise _unfit(f"the inputs have different numbers of rows: {told}", next(iter(counts)))


def _unfit(what: str, field: str) -> Invalid:
    return Invalid(what, where=Where(field=field))


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    words = {bool: "true or false", str: "a text", dict: "an object", list: "a list"}
    return words.get(type(value), "a number")


def unknown_rows(rows: Any, word: str = "instances") -> Arrays:
    """Rows for a model of which nothing is recorded."""
    if not isinstance(rows, list) or not rows:
        raise Invalid(f"{word} is a list of rows and not empty", where=Where(field=word))
    if isinstance(rows[0], dict):
        names = [str(name) for name in rows[0]]
        if not names:
            raise _unfit(f"{word}[0] is empty; there is nothing to predict", word)
        for position, row in enumerate(rows):
            if not isinstance(row, dict) or row.keys() != rows[0].keys():
                raise _unfit(
                    f"{word}[{position}] does not have the names of {word}[0]: {_listed(names)}", word
                )
        return {name: _guessed([row[name] for row in rows], name) for name in names}
    return {"input-0": _guessed(rows, word)}


def unknown_columns(columns: Mapping[str, Any]) -> Arrays:
    """Columns for a model of which nothing is recorded."""
    found = {str(name): _guessed(values, str(name)) for name, values in columns.items()}
    if not found:
        raise Invalid("inputs is empty; there is nothing to predict", where=Where(field="inputs"))
    _same_rows(found)
    return found


def _guessed(values: Any, name: str) -> Any:
    if not isinstance(values, list):
        raise _unfit(f"{name} is {_kind(values)}, and a list is expected", name)
    return tensors.from_values(values, None, name)
