"""Is this version better than that one, by a metric? With the sentence that a log, a form or a commit message needs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from jupyter_ext.errors import Invalid, NotFound, Where

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Version

_LESS: Final = re.compile(
    r"(?:^|[^a-z])(?:loss|err|error|errors|rmse|mse|mae|mape|rmsle|logloss|perplexity|ppl|wer|cer|latency|seconds|time|"
    r"ms|cost|p50|p95|p99|brier|deviance|distance|fpr|fnr)(?:$|[^a-z])"
)


@dataclass(frozen=True)
class Better:
    """The answer; it is true where the version is better. ``other`` is None where there is nothing to compare with."""

    is_better: bool
    sentence: str
    metric: str
    value: float | None
    other: float | None

    def __bool__(self) -> bool:
        return self.is_better

    def __str__(self) -> str:
        return self.sentence

    def to_dict(self) -> dict[str, object]:
        """JSON form."""
        return {"better": self.is_better, "sentence": self.sentence, "metric": self.metric, "value": self.value,
                "other": self.other}  # fmt: skip


def direction_of(metric: str) -> str:
    """``minimize`` for what sounds like an error, a cost or a time, else ``maximize``."""
    words = re.sub(r"([a-z])([A-Z])", r"\1_\2", metric).lower()
    return "minimize" if _LESS.search(words) else "maximize"


def better(
    version: Version, than: str | Version = "@champion", metric: str | None = None, *,
    direction: str | None = None, by: float = 0.0,
) -> Better:  # fmt: skip
    """Compare ``version`` with another one (``@alias`` of the same model, a reference or a version).

    ``by``: so much better at least. A model that has no such alias yet has nothing better. Raises NotFound, Invalid
    (the metric is not known of either, or it is not clear which is meant).
    """
    if direction not in {None, "maximize", "minimize"}:
        raise Invalid(
            f"direction is {direction!r}", where=Where(field="direction"), hint="maximize or minimize"
        )
    other = _other(version, than)
    if other is None:
        sentence = f"{version.model.name} has no {str(than)[1:]} yet, so {version.name} is the first."
        value = version.metrics.get(metric) if metric else None
        return Better(True, sentence, metric or "", value, None)
    if other.id == version.id:
        return Better(False, f"{version.name} is {than} already.", metric or "", None, None)
    chosen = metric or _one_metric(version, other)
    mine, theirs = (_value(one, chosen) for one in (version, other))
    wanted = direction or direction_of(chosen)
    gain = theirs - mine if wanted == "minimize" else mine - theirs
    is_better = gain > by if by == 0 else gain >= by
    name = than if isinstance(than, str) and than.startswith("@") else ""
    whom = f"{other.name} ({name[1:]})" if name else other.name
    sentence = f"{version.name} is {_how(gain, is_better)} {whom}: {chosen} {mine:.6g} against {theirs:.6g}"
    if not is_better and gain > 0:
        sentence += f", less than {by:g} better"
    return Better(is_better, sentence + ".", chosen, mine, theirs)


def _how(gain: float, is_better: bool) -> str:
    if is_better:
        return "better than"
    return "as good as" if gain == 0 else "not enough better than" if gain > 0 else "worse than"


def _other(version: Version, than: str | Version) -> Version | None:
    if not isinstance(than, str):
        return than
    if than.startswith("@"):
        model = version.model
        model.refresh()
        return model.version(model.aliases[than[1:]]) if than[1:] in model.aliases else None
    return version.registry.version(than)


def _one_metric(version: Version, other: Version) -> str:
    both = [name for name in version.metrics if name in other.metrics]
    if len(both) == 1:
        return both[0]
    raise Invalid(
        "say by which metric" if both else f"{version.name} and {other.name} have no metric in common",
        where=Where(field="metric"),
        hint=f"Both have {', '.join(both)}."
        if both
        else "Give metrics= when they are registered, or version.log().",
    )


def _value(version: Version, metric: str) -> float:
    found = version.metrics
    if metric not in found:
        raise NotFound(
            f"{version.name} has no metric {metric!r}",
            where=Where(object=version.name),
            hint=f"It has {', '.join(found)}." if found else f"Add it: version.log({metric}=…).",
        )
    value = float(found[metric])
    if math.isnan(value):
        raise Invalid(f"{metric} of {version.name} is no number", where=Where(field="metric"))
    return value
