"""Which feature contributed how much to a prediction: Shapley values against a background sample.

A feature's value is its mean effect on the prediction over all orders in which features take the row's values in place of
the background's (Shapley, 1953; the interventional form of Lundberg & Lee, 2017). Exact for up to ten features; for
more, over random orders and their reverses (antithetic sampling: Mitchell, Cooper, Frank & Holmes, 2022, *Sampling
permutations for Shapley value estimation*). Either way the values of a row add up to its prediction minus the mean
prediction of the background.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where

EXACT: Final = 10
"""Up to so many features all their sets are tried."""
BACKGROUND: Final = 30
"""Rows of the background that are used."""
BUDGET: Final = 100_000
"""Predictions for each explained row, about: fewer orders are tried of models with many features."""
MOST_ROWS: Final = 100
MOST_FEATURES: Final = 1_000
_CHUNK: Final = 20_000
_ORDERS: Final = (2, 200)
NUMERIC: Final = "biuf"

Predict = Callable[[Any], Any]


@dataclass(frozen=True)
class Explanation:
    """For each row what each feature contributed; of several outputs a list each.

    ``base`` is the mean prediction of the background: base + the sum of a row's values = its prediction.
    """

    names: tuple[str, ...]
    base: list[float]
    predictions: list[list[float]]
    values: list[list[list[float]]]
    """By row, feature and output."""
    single: bool
    exact: bool

    def attributions(self, row: int = 0) -> dict[str, float | list[float]]:
        """Of one row, what contributed most first."""
        found = list(zip(self.names, self.values[row], strict=True))
        found.sort(key=lambda item: -max(map(abs, item[1]), default=0.0))
        return {name: self._plain(values) for name, values in found}

    def to_dict(self) -> dict[str, Any]:
        """The body of an answer to V1 ``:explain``."""
        return {
            "explanations": [
                {
                    "base": self._plain(self.base),
                    "prediction": self._plain(prediction),
                    "attributions": self.attributions(row),
                }
                for row, prediction in enumerate(self.predictions)
            ],
            "method": "shapley" if self.exact else "shapley-sampled",
        }

    def _plain(self, values: list[float]) -> float | list[float]:
        return values[0] if self.single else values


def explain(
    predict: Predict,
    rows: Any,
    background: Any,
    names: Sequence[str] | None = None,
    *,
    seed: int = 0,
    budget: int = BUDGET,
) -> Explanation:
    """Explain rows, a frame or a matrix, by a background of the same columns.

    ``predict`` is given the same kind of thing as ``rows`` and answers with a number for each row, or several. Raises
    Invalid for rows that do not fit, and for answers that are no numbers.
    """
    import numpy as np

    table = _Table(rows, background, names, np.random.default_rng(seed))
    asked = _Asked(predict, table)
    before = asked.background()
    base = before.mean(axis=0)
    width = len(table.names)
    exact = width <= EXACT
    predictions = asked.rows()
    values = []
    for row in range(table.count):
        if exact:
            found = _exact(asked, row, width)
        else:
            found = _sampled(asked, row, width, np.random.default_rng(seed), budget)
        values.append(found.tolist())
    return Explanation(tuple(table.names), base.tolist(), predictions.tolist(), values, asked.single, exact)


class _Table:
    """Rows and background, from which mixtures of the two are made."""

    def __init__(self, rows: Any, background: Any, names: Sequence[str] | None, random: Any) -> None:
        import numpy as np

        self.frame = hasattr(rows, "columns") and hasattr(rows, "iloc")
        if self.frame:
            self.kinds = rows.dtypes
            self.names = [str(name) for name in rows.columns]
            self.labels = list(rows.columns)
            background = _matching(background, rows)
            self._rows, others = rows, background
        else:
            self._rows, others = _matrix(rows, "rows"), _matrix(background, "background")
            self.names = [str(name) for name in names or ()] or [
                f"x{at}" for at in range(self._rows.shape[1])
            ]
        self.count, width = self._rows.shape
        if others.shape[1] != width or len(self.names) != width:
            raise Invalid(
                f"The rows have {width} features, the background {others.shape[1]}, and there are {len(self.names)} names",
                where=Where(field="instances"),
            )
        if not 0 < width <= MOST_FEATURES or self.count > MOST_ROWS or not len(others):
            raise Invalid(
                f"{self.count} rows of {width} features with a background of {len(others)} cannot be explained",
                where=Where(field="instances"),
                hint=f"At most {MOST_ROWS} rows and {MOST_FEATURES} features, and a background of at least one row.",
            )
        if len(others) > BACKGROUND:
            chosen = np.sort(random.choice(len(others), BACKGROUND, replace=False))
            others = others.iloc[chosen] if self.frame else others[chosen]
        self._others = others
        self.others = len(others)

    def rows(self) -> Any:
        """All rows."""
        return self._rows

    def background(self) -> Any:
        """The background."""
        return self._others

    def mixed(self, row: int, masks: Any) -> Any:
        """For each mask the whole background, with the row's values of the features that are in the mask."""
        import numpy as np

        inside = np.repeat(masks, self.others, axis=0)
        if not self.frame:
            many = np.tile(self._others, (len(masks), 1))
            return np.where(inside, self._rows[row], many)
        made = self._others.iloc[np.tile(np.arange(self.others), len(masks))].reset_index(drop=True)
        one = self._rows.iloc[np.full(len(made), row)].reset_index(drop=True)
        return made.mask(inside, one).astype(dict(zip(self.labels, self.kinds, strict=True)))


def _matching(background: Any, rows: Any) -> Any:
    if not hasattr(background, "iloc") or not hasattr(background, "columns"):
        raise Invalid("The background must be a frame, as the rows are", where=Where(field="background"))
    missing = [str(name) for name in rows.columns if name not in background.columns]
    if missing:
        raise Invalid(
            f"The background has no {', '.join(missing[:5])}",
            where=Where(field="instances", object=missing[0]),
        )
    return background[list(rows.columns)]


def _matrix(value: Any, what: str) -> Any:
    import numpy as np

    if hasattr(value, "toarray"):
        value = value.toarray()
    found = np.asarray(value)
    if found.dtype.kind not in NUMERIC:
        found = np.asarray(value, dtype=object)
    if found.ndim != 2:
        raise Invalid(
            f"The {what} must be a table, not of shape {list(found.shape)}",
            where=Where(field="instances"),
            hint="Only rows of features can be explained.",
        )
    return found


class _Asked:
    """The model, asked for many mixtures at once, and its answers as a matrix of numbers."""

    def __init__(self, predict: Predict, table: _Table) -> None:
        self._predict, self._table = predict, table
        self.single = True

    def rows(self) -> Any:
        """Of all rows."""
        return self._answers(self._table.rows())

    def background(self) -> Any:
        """Of the background."""
        return self._answers(self._table.background())

    def cost(self) -> int:
        """Predictions for one mask."""
        return self._table.others

    def means(self, row: int, masks: Any) -> Any:
        """For each mask the mean over the background."""
        import numpy as np

        size = max(_CHUNK // self._table.others, 1)
        found = []
        for start in range(0, len(masks), size):
            part = masks[start : start + size]
            answers = self._answers(self._table.mixed(row, part))
            found.append(answers.reshape(len(part), self._table.others, -1).mean(axis=1))
        return np.concatenate(found)

    def _answers(self, rows: Any) -> Any:
        import numpy as np

        answers = np.asarray(self._predict(rows))
        if answers.dtype.kind not in NUMERIC:
            raise Invalid(
                f"The model answers with {answers.dtype.name if answers.dtype.kind != 'O' else 'objects'}, not with numbers",
                hint="Only numbers can be explained: serve predict_proba for labels.",
            )
        self.single = answers.ndim <= 1 or answers.shape[-1] == 1
        if answers.ndim == 0 or len(answers) != len(rows):
            raise Invalid("The model does not answer with one prediction for each row")
        if not np.isfinite(answers).all():
            raise Invalid("The model answers with infinite numbers or none, which cannot be explained")
        return answers.reshape(len(answers), -1).astype("float64")


def _exact(asked: _Asked, row: int, width: int) -> Any:
    """By all sets of features: the sum of each feature's effect on each set, weighted by the orders that have it."""
    import numpy as np

    numbers = np.arange(2**width)
    masks = (numbers[:, None] >> np.arange(width)) & 1 == 1
    means = asked.means(row, masks)
    sizes = masks.sum(axis=1)
    weights = np.array([1 / (width * math.comb(width - 1, size)) for size in range(width)])
    found = []
    for feature in range(width):
        without = numbers[~masks[:, feature]]
        effect = means[without | (1 << feature)] - means[without]
        found.append((weights[sizes[without], None] * effect).sum(axis=0))
    return np.stack(found)


def _sampled(asked: _Asked, row: int, width: int, random: Any, budget: int) -> Any:
    """By orders: each step adds one feature, and a whole order goes from the background to the row."""
    import numpy as np

    least, most = _ORDERS
    affordable = budget // (asked.cost() * (width + 1))
    orders = list(_orders(width, min(max(affordable, least), most), random))
    found = 0.0
    for order in orders:
        masks = np.zeros((width + 1, width), dtype=bool)
        for place, feature in enumerate(order):
            masks[place + 1 :, feature] = True
        steps = np.diff(asked.means(row, masks), axis=0)
        values = np.empty_like(steps)
        values[order] = steps
        found = found + values / len(orders)
    return found


def _orders(width: int, count: int, random: Any) -> Iterator[Any]:
    for _ in range(max(count // 2, 1)):
        order = random.permutation(width)
        yield order
        yield order[::-1]
