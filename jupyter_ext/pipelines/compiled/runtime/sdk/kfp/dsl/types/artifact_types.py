"""Artifacts as a component's code sees them (``kfp.dsl.types.artifact_types``)."""

import os
from typing import Any

_REMOTE = {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/", "oci://": "/oci/"}
CONTAINER_TASK_ROOT: str | None = None
"""The folder of the outputs of the running task."""


class Artifact:
    """A file or folder with metadata. ``path`` is where to read or write it."""

    schema_title = "system.Artifact"
    schema_version = "0.0.1"

    def __init__(
        self,
        name: str | None = None,
        uri: str | None = None,
        metadata: dict[str, Any] | None = None,
        custom_path: str | None = None,
    ) -> None:
        self.name = name or ""
        self.uri = uri or ""
        self.metadata = metadata or {}
        self.custom_path = custom_path or ""

    @property
    def path(self) -> str:
        """The local path."""
        if self.custom_path:
            return self.custom_path
        for remote, local in _REMOTE.items():
            if self.uri.startswith(remote):
                return local + self.uri[len(remote) :]
        return self.uri

    @path.setter
    def path(self, path: str) -> None:
        for remote, local in _REMOTE.items():
            if path.startswith(local):
                path = remote + path[len(local) :]
        self.uri = path

    def set_path(self, path: str) -> None:
        """Have the content at another place than the one given."""
        self.custom_path = path


class Model(Artifact):
    """A machine learning model."""

    schema_title = "system.Model"

    @property
    def framework(self) -> str:
        """The framework of the model."""
        return str(self.metadata.get("framework", ""))

    @framework.setter
    def framework(self, framework: str) -> None:
        self.metadata["framework"] = framework


class Dataset(Artifact):
    """Data."""

    schema_title = "system.Dataset"


class HTML(Artifact):
    """A page."""

    schema_title = "system.HTML"


class Markdown(Artifact):
    """A text in Markdown."""

    schema_title = "system.Markdown"


class Metrics(Artifact):
    """Numbers by name."""

    schema_title = "system.Metrics"

    def log_metric(self, metric: str, value: float) -> None:
        """Note one number."""
        self.metadata[metric] = value


class ClassificationMetrics(Artifact):
    """ROC curve and confusion matrix."""

    schema_title = "system.ClassificationMetrics"

    def log_roc_data_point(self, fpr: float, tpr: float, threshold: float) -> None:
        """Note one point of the ROC curve."""
        points = self.metadata.setdefault("confidenceMetrics", [])
        points.append({"confidenceThreshold": threshold, "recall": tpr, "falsePositiveRate": fpr})

    def log_roc_curve(self, fpr: list[float], tpr: list[float], threshold: list[float]) -> None:
        """Note the whole ROC curve."""
        if not len(fpr) == len(tpr) == len(threshold):
            raise ValueError(
                f"Length of fpr, tpr and threshold must be the same. Got lengths {len(fpr)}, {len(tpr)} and {len(threshold)} respectively."
            )
        self.metadata["confidenceMetrics"] = [
            {"confidenceThreshold": t, "recall": y, "falsePositiveRate": x}
            for x, y, t in zip(fpr, tpr, threshold, strict=False)
        ]

    def set_confusion_matrix_categories(self, categories: list[str]) -> None:
        """Name the classes; every count is zero."""
        self._categories = list(categories)
        self._matrix: list[dict[str, list[Any]]] = [{"row": [0] * len(categories)} for _ in categories]
        self._confusion()

    def _confusion(self) -> None:
        specs = [{"displayName": category} for category in self._categories]
        self.metadata["confusionMatrix"] = {"annotationSpecs": specs, "rows": self._matrix}

    def log_confusion_matrix_row(self, row_category: str, row: list[float]) -> None:
        """Note the counts of one class."""
        if row_category not in self._categories:
            raise ValueError(f"Invalid category: {row_category} passed. Expected one of: {self._categories}")
        if len(row) != len(self._categories):
            raise ValueError(f"Invalid row. Expected size: {len(self._categories)} got: {len(row)}")
        self._matrix[self._categories.index(row_category)] = {"row": row}
        self._confusion()

    def log_confusion_matrix_cell(self, row_category: str, col_category: str, value: int) -> None:
        """Note one count."""
        for category in (row_category, col_category):
            if category not in self._categories:
                raise ValueError(f"Invalid category: {category} passed. Expected one of: {self._categories}")
        row = self._categories.index(row_category)
        self._matrix[row]["row"][self._categories.index(col_category)] = value
        self._confusion()

    def log_confusion_matrix(self, categories: list[str], matrix: list[list[int]]) -> None:
        """Note the whole confusion matrix."""
        self.set_confusion_matrix_categories(categories)
        if len(matrix) != len(categories):
            raise ValueError(f"Invalid matrix: {matrix} passed for categories: {categories}")
        for category, row in zip(categories, matrix, strict=False):
            self.log_confusion_matrix_row(category, list(row))


class SlicedClassificationMetrics(Artifact):
    """Classification metrics for each of several slices of the data."""

    schema_title = "system.SlicedClassificationMetrics"

    def _slice(self, name: str) -> ClassificationMetrics:
        slices: dict[str, ClassificationMetrics] = self.__dict__.setdefault("_slices", {})
        return slices.setdefault(name, ClassificationMetrics())

    def _update(self, name: str) -> None:
        found = self.__dict__.setdefault("_evaluated", {})
        found[name] = dict(self._slice(name).metadata)
        self.metadata["evaluationSlices"] = [
            {"slice": each, "sliceClassificationMetrics": metrics} for each, metrics in found.items()
        ]

    def log_roc_reading(self, slice: str, threshold: float, tpr: float, fpr: float) -> None:  # noqa: A002
        """Note one point of the ROC curve of a slice."""
        self._slice(slice).log_roc_data_point(fpr, tpr, threshold)
        self._update(slice)

    def load_roc_readings(self, slice: str, readings: list[list[float]]) -> None:  # noqa: A002
        """Note the points of a slice, each (threshold, tpr, fpr)."""
        for threshold, tpr, fpr in readings:
            self._slice(slice).log_roc_data_point(fpr, tpr, threshold)
        self._update(slice)

    def set_confusion_matrix_categories(self, slice: str, categories: list[str]) -> None:  # noqa: A002
        """Name the classes of a slice."""
        self._slice(slice).set_confusion_matrix_categories(categories)
        self._update(slice)

    def log_confusion_matrix_row(self, slice: str, row_category: str, row: list[int]) -> None:  # noqa: A002
        """Note the counts of one class of a slice."""
        self._slice(slice).log_confusion_matrix_row(row_category, list(row))
        self._update(slice)

    def log_confusion_matrix_cell(self, slice: str, row_category: str, col_category: str, value: int) -> None:  # noqa: A002
        """Note one count of a slice."""
        self._slice(slice).log_confusion_matrix_cell(row_category, col_category, value)
        self._update(slice)

    def load_confusion_matrix(self, slice: str, categories: list[str], matrix: list[list[int]]) -> None:  # noqa: A002
        """Note the confusion matrix of a slice."""
        self._slice(slice).log_confusion_matrix(categories, matrix)
        self._update(slice)


_SCHEMA_TITLE_TO_TYPE = {
    each.schema_title: each
    for each in (
        Artifact, Model, Dataset, HTML, Markdown, Metrics, ClassificationMetrics, SlicedClassificationMetrics
    )
}  # fmt: skip


def get_uri(suffix: str = "Output") -> str:
    """The address of an output of the running task that it makes itself."""
    if CONTAINER_TASK_ROOT is None:
        raise RuntimeError("'dsl.get_uri' can only be called at task runtime.")
    return os.path.join(CONTAINER_TASK_ROOT, suffix)


def of_schema(runtime: dict[str, Any], otherwise: Any) -> Artifact | Any:
    """The artifact object for a runtime artifact; of the class ``otherwise`` where its type is nobody's."""
    title = runtime.get("type", {}).get("schemaTitle", "")
    kind = _SCHEMA_TITLE_TO_TYPE.get(title, otherwise)
    if not callable(getattr(kind, "__init__", None)) or not isinstance(kind, type):
        kind = Artifact
    made = kind(
        name=runtime.get("name", ""), uri=runtime.get("uri", ""), metadata=runtime.get("metadata", {})
    )
    if runtime.get("customPath"):
        made.custom_path = runtime["customPath"]
    return made
