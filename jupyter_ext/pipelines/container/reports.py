"""Metrics and plots of a step as metadata of KFP's artifacts, which is what its user interface draws."""

from __future__ import annotations

import importlib.util
import math
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any


def metadata(
    step: Mapping[str, Any], namespace: Mapping[str, Any], shown: Iterable[Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Metadata by output artifact: ``metrics`` (system.Metrics), ``plots`` (system.ClassificationMetrics)."""
    metrics = {name: namespace[name] for name in step.get("metrics", ()) if name in namespace}
    plots: dict[str, Any] = {}
    for item in shown:
        if item.get("type") == "metrics":
            metrics |= item.get("values") or {}
        elif item.get("type") == "confusion_matrix":
            plots["confusionMatrix"] = confusion(item.get("labels", ()), item.get("matrix", ()))
        elif item.get("type") == "roc":
            plots["confidenceMetrics"] = curve(item)
    numbers = {name: number for name, value in metrics.items() if (number := finite(value)) is not None}
    return {"metrics": numbers, "plots": plots}


def finite(value: Any) -> float | None:
    """A number as JSON can hold it; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def confusion(labels: Iterable[Any], matrix: Iterable[Iterable[Any]]) -> dict[str, Any]:
    """The form of kfp.dsl.ClassificationMetrics.log_confusion_matrix."""
    return {
        "annotationSpecs": [{"displayName": str(label)} for label in labels],
        "rows": [{"row": [float(cell) for cell in row]} for row in matrix],
    }


def curve(item: Mapping[str, Any]) -> list[dict[str, float]]:
    """The form of kfp.dsl.ClassificationMetrics.log_roc_curve."""
    rates = list(zip(item.get("fpr", ()), item.get("tpr", ()), strict=False))
    thresholds = item.get("thresholds") or [1 - n / max(1, len(rates) - 1) for n in range(len(rates))]
    return [
        {
            "falsePositiveRate": float(fpr),
            "recall": float(tpr),
            "confidenceThreshold": 1.0 if limit is None else float(limit),
        }
        for (fpr, tpr), limit in zip(rates, thresholds, strict=False)
    ]


def stand_in(shown: list[dict[str, Any]]) -> None:
    """Let ``import jupyter_ext as kf; kf.pipelines.metrics(…)`` work in an image that lacks jupyter_ext."""
    if importlib.util.find_spec("jupyter_ext") is not None:
        return

    def metrics(values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        shown.append({"type": "metrics", "values": {**(values or {}), **more}})

    def artifact(name: str, value: Any) -> None:
        sys.stdout.write(f"{name}: {value!r}\n")

    def confusion_matrix(labels: Iterable[Any], matrix: Iterable[Iterable[Any]], **_: Any) -> None:
        shown.append(
            {"type": "confusion_matrix", "labels": list(labels), "matrix": [list(row) for row in matrix]}
        )

    def roc(
        fpr: Iterable[float], tpr: Iterable[float], thresholds: Iterable[float] | None = None, **_: Any
    ) -> None:
        limits = None if thresholds is None else [finite(limit) for limit in thresholds]
        shown.append({"type": "roc", "fpr": list(fpr), "tpr": list(tpr), "thresholds": limits})

    package, pipelines = types.ModuleType("jupyter_ext"), types.ModuleType("jupyter_ext.pipelines")
    package.__path__ = []
    for function in (metrics, artifact, confusion_matrix, roc):
        setattr(pipelines, function.__name__, function)
    package.pipelines = pipelines  # type: ignore[attr-defined] # made here
    sys.modules.update({"jupyter_ext": package, "jupyter_ext.pipelines": pipelines})
