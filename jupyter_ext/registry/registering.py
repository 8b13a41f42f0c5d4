"""What is known of a model when it is registered, before anything is written into the registry."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.registry import files, formats, lineage, metadata, signature
from jupyter_ext.registry.files import Files
from jupyter_ext.registry.formats import Format
from jupyter_ext.registry.records import DIGEST, EXAMPLE, PACKAGES, SIGNATURE

EXAMPLE_LIMIT: Final = 64 << 10
"""Bytes: a larger example is not kept."""

Json = dict[str, Any]


@dataclass
class Facts:
    """All that is registered with a version. ``custom`` are its properties as the REST API has them."""

    author: str
    custom: dict[str, metadata.Property]
    model: Json = field(default_factory=dict)
    others: list[Json] = field(default_factory=list)
    digest: str | None = None
    is_ours: bool = False
    """Whether the files were written or read by this process, so that their digest is this user's own."""

    def artifacts(self, name: str) -> list[Json]:
        """The artifacts of the version; the model's is named after the model, as upstream's client looks for it."""
        return [{"artifactType": "model-artifact", "name": name, **self.model}, *self.others]


def gather(
    model: Any,
    store: Files | None,
    *,
    name: str,
    to: str | None,
    format: str | None,  # noqa: A002 - the word for it
    format_version: str | None,
    example: Any,
    data: Any,
    metrics: Mapping[str, float] | None,
    parameters: Mapping[str, Any] | None,
    properties: Mapping[str, Any] | None,
    source: Mapping[str, str] | None = None,
) -> Facts:
    """Check everything and put the files where they belong; the registry itself is not touched."""
    if not name:
        raise Invalid("a model needs a name", where=Where(field="name"))
    if model is None:
        raise Invalid("there is no model to register", where=Where(field="model"))
    numbers = _numbers(metrics or {})
    given = lineage.without_secrets(parameters or {})
    around = lineage.surroundings() if source is None else {**lineage.code_of(), **source}
    custom = {lineage.PREFIX + key: metadata.from_python(value) for key, value in around.items()}
    described: dict[str, Any] = {**_scalars(given), **lineage.without_secrets(properties or {}), **numbers}
    custom |= {key: metadata.from_python(value) for key, value in described.items()}
    facts = Facts(lineage.user(), custom)
    facts.others = [
        *_metrics(numbers),
        *_parameters(given),
        *lineage.data_of(data, getattr(model, "predict", None)),
    ]
    place = _Place(store, to, name)
    if isinstance(model, (str, Path)):
        form, version = _from_path(str(model), format, place, facts)
    else:
        form, version = _from_object(model, format, place, facts)
        found = signature.of(model, example)
        if found:
            custom[SIGNATURE] = metadata.from_python(found)
    if example is not None:
        _keep_example(example, custom)
    custom[PACKAGES] = metadata.from_python(lineage.packages())
    facts.model |= {
        "state": "LIVE",
        **({"modelFormatName": form} if form else {}),
        **({"modelFormatVersion": str(format_version or version)} if format_version or version else {}),
        **_source(around),
    }
    return facts


@dataclass(frozen=True)
class _Place:
    """Where files go: this profile's storage, or a URL."""

    store: Files | None
    to: str | None
    name: str

    def put(self, source: Path, facts: Facts) -> None:
        """Store the files and note where."""
        if self.to is not None:
            facts.digest = files.digest_of(source)
            facts.model["uri"] = files.upload(source, self._below(self.to, facts.digest[3:19]))
        elif self.store is not None:
            stored = self.store.put(source)
            facts.digest = stored.digest
            facts.model["uri"] = stored.uri
        else:
            raise Invalid(
                "this registry has no storage of its own",
                where=Where(field="to"),
                hint="Give to=, a URL that fsspec knows, or the address of files that are already somewhere.",
            )
        facts.is_ours = True
        facts.model["customProperties"] = {DIGEST: metadata.from_python(facts.digest)}

    def _below(self, to: str, part: str) -> str:
        """A place of its own for these files."""
        base = lineage.checked_uri(to).rstrip("/")
        if base.startswith("oci://"):
            from jupyter_ext.registry import oci

            return oci.named(base, self.name, part)
        return f"{base}/{self.name}/{part}"


def _from_path(text: str, format: str | None, place: _Place, facts: Facts) -> tuple[str | None, str | None]:  # noqa: A002 - the word for it
    path = files.local_path(text)
    if path is None:
        facts.model["uri"] = lineage.checked_uri(text)
        return format, None
    path = path.absolute()
    if not path.exists():
        raise Invalid(f"there is no file or folder {path}", where=Where(field="model"))
    form = formats.FORMATS.get(format) if format else formats.of_path(path)
    if form is None and format is None:
        raise Invalid(
            f"the format of {path.name} is not recognised",
            where=Where(field="format"),
            hint=f"Say format=, one of {', '.join(formats.FORMATS)}, or a name of your own.",
        )
    place.put(path, facts)
    return (form.name if form else format), (form.version if form else None)


def _from_object(model: Any, format: str | None, place: _Place, facts: Facts) -> tuple[str, str | None]:  # noqa: A002 - the word for it
    form: Format = formats.known(format) if format else formats.of_object(model)
    with tempfile.TemporaryDirectory(prefix="model-") as folder:
        form.save(model, Path(folder))
        found = list(Path(folder).iterdir())
        place.put(found[0] if len(found) == 1 else Path(folder), facts)
    return form.name, form.version


def _numbers(metrics: Mapping[str, Any]) -> dict[str, float]:
    found = {}
    for name, value in metrics.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = float("nan")
        if not metadata.is_finite(number):
            raise Invalid(
                f"the metric {name} is {value!r}, not a finite number", where=Where(field="metrics")
            )
        found[str(name)] = number
    return found


def _metrics(numbers: Mapping[str, float]) -> list[Json]:
    return [{"artifactType": "metric", "name": name, "value": value} for name, value in numbers.items()]


_TYPES: Final = {bool: "boolean", int: "number", float: "number", str: "string"}


def _parameters(values: Mapping[str, Any]) -> list[Json]:
    return [
        {"artifactType": "parameter", "name": name, "value": _written(value),
         "parameterType": _TYPES.get(type(value), "object")}
        for name, value in values.items()
    ]  # fmt: skip


def _written(value: Any) -> str:
    import json

    if isinstance(value, str):
        return value
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return str(value)


def _scalars(values: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that a filter can compare."""
    return {name: value for name, value in values.items() if type(value) in _TYPES}


def _keep_example(example: Any, custom: dict[str, metadata.Property]) -> None:
    kept = metadata.from_python(signature.example_json(example))
    if len(kept.get("struct_value", "")) <= EXAMPLE_LIMIT:
        custom[EXAMPLE] = kept
    if SIGNATURE not in custom:
        custom[SIGNATURE] = metadata.from_python({"inputs": signature.tensors(example, "input")})


def _source(around: Mapping[str, str]) -> Json:
    """Upstream's own fields for where a model comes from."""
    if "run" in around:
        kinds = {"Run": ("pipelines", "pipelinerun"), "TrainJob": ("training", "trainjob")}
        kind, group = kinds.get(around["kind"], ("kubeflow", around["kind"].lower()))
        found = {"modelSourceKind": kind, "modelSourceClass": group, "modelSourceId": around["uid"],
                 "modelSourceName": around["run"]}  # fmt: skip
        from jupyter_ext.cluster.local.home import profile_name

        return {**found, "modelSourceGroup": profile_name()}
    if "notebook" in around:
        return {"modelSourceKind": "notebook", "modelSourceName": around["notebook"]}
    return {}
