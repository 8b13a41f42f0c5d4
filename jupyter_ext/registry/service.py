"""The rules of the registry's records: what may be made of what, what happens when it is there already.

They are those of upstream's service (``internal/core``), so that every client of it gets what it expects.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.registry import bodies, grammar, paging
from jupyter_ext.registry.bodies import Body
from jupyter_ext.registry.entities import ARTIFACT_KINDS, ARTIFACTS, KINDS, Kind
from jupyter_ext.registry.store import Record, Store

Answer = dict[str, Any]
_UPSERTED: Final = frozenset({"Metric", "Parameter"})
"""Of these a version or run has one for each name: creating it again changes it."""


class Service:
    """Everything that can be asked of a registry, in the words of its REST API.

    ``version`` is that of the wire, ``v1`` or ``v1alpha3``. Ids come and go as decimal strings.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All calls within happen, or none."""
        with self.store.transaction():
            yield

    def get(self, kind: str, record_id: str, version: str = "v1") -> Answer:
        """Raises NotFound."""
        record = self._get(_kinds(kind), bodies.identifier(record_id, _words(kind)), _words(kind))
        return self._json(record, version)

    def as_json(self, record: Record, version: str = "v1alpha3") -> Answer:
        """A record as the REST API has it."""
        return self._json(record, version)

    def find(self, kind: str, query: Mapping[str, str], version: str = "v1") -> Answer:
        """The one record with this name (and parent) or external id. Raises Invalid and NotFound."""
        name, external = query.get("name") or None, query.get("externalId") or None
        parent = query.get("parentResourceId") or None
        kinds = _kinds(kind)
        one = KINDS[kinds[0]]
        top = one.parent is None and one.artifact is None
        if not external and not (name and (top or parent)):
            wanted = (
                "either name or externalId" if top else "either (name and parentResourceId), or externalId"
            )
            raise Invalid(f"invalid parameters call, supply {wanted}")
        number = bodies.identifier(parent, "parent resource") if parent and not top else None
        place = {"context" if one.artifact else "parent": 0 if top and not external else number}
        found = self.store.find(kinds, name=name, external_id=external, **place)
        if len(found) != 1:
            asked = ", ".join(f"{key}={value}" for key, value in query.items() if value)
            raise NotFound(f"{'multiple' if found else 'no'} {_words(kind)}s found for {asked}")
        return self._json(found[0], version)

    def list(
        self, kind: str, query: Mapping[str, str], version: str = "v1", *, within: str | None = None
    ) -> Answer:
        """A page of the records, with a filter; ``within`` is the id of what they belong to."""
        kinds = [KINDS[name] for name in _kinds(kind, query.get("artifactType") or None)]
        page = paging.read(query)
        where = grammar.parse(query.get("filterQuery", ""))
        number = bodies.identifier(within, "parent resource") if within is not None else None
        place = {"parent" if kinds[0].parent else "context": number}
        extra = _named(query) if within is not None else None
        with self.store.snapshot():
            if number is not None:
                self._exists(_contexts(kinds[0]), number)
            records, more = self.store.list(kinds, paging=page, where=where, extra=extra, **place)
        return _page([self._json(record, version) for record in records], records, page, more)

    def create(
        self, kind: str, body: object, version: str = "v1", *, given: Mapping[str, str] | None = None
    ) -> Answer:
        """A new record; ``given`` are fields that the path says. Raises Conflict where its name is taken."""
        if kind == "Artifact":
            kind = _artifact_kind(body).name
        found = bodies.read(KINDS[kind], body, "create", given)
        with self.store.transaction():
            return self._json(self._insert(KINDS[kind], found), version)

    def create_version(self, model: str, body: object, version: str = "v1") -> Answer:
        """A version within a model; with an ``id`` that version is changed."""
        kind = KINDS["ModelVersion"]
        found = bodies.read(kind, body, "whole", {"registeredModelId": model})
        with self.store.transaction():
            if found.id is None:
                return self._json(self._insert(kind, found), version)
            record = self._get([kind.name], found.id, kind.words)
            return self._json(self._change(record, found), version)

    def serve(self, service: str, body: object, version: str = "v1") -> Answer:
        """Note that an inference service served a version."""
        kind = KINDS["ServeModel"]
        number = bodies.identifier(service, "inference service")
        found = bodies.read(kind, body, "create")
        with self.store.transaction():
            self._exists(["InferenceService"], number)
            record = self._insert(kind, found, parent=number)
            self.store.attribute(number, record.id)
        return self._json(record, version)

    def attach(self, context: str, within: str, body: object, version: str = "v1") -> tuple[Answer, bool]:
        """Create an artifact in a version or run (``context`` is its kind), or change the one whose id is given.

        Gives the artifact and whether it is new.
        """
        kind = _artifact_kind(body)
        found = bodies.read(kind, body, "whole")
        number = bodies.identifier(within, _words(context))
        with self.store.transaction():
            owner = self._get([context], number, _words(context))
            origin = _origin(owner)
            known = self._known(kind, found, number)
            if known is not None:
                record = self._change(known, found, origin)
            else:
                record = self._insert(kind, found, parent=number, extra=origin)
            self.store.attribute(number, record.id)
            if kind.name == "Metric" and context == "ExperimentRun":
                self._remember(record, number)
        return self._json(record, version), known is None

    def change(self, kind: str, record_id: str, body: object, version: str = "v1") -> Answer:
        """Change what is given; custom properties are replaced as a whole."""
        number = bodies.identifier(record_id, _words(kind))
        with self.store.transaction():
            record = self._get(_kinds(kind), number, _words(kind))
            found = bodies.read(KINDS[record.kind], body, "update")
            return self._json(self._change(record, found), version)

    def served_model(self, service: str, version: str = "v1") -> Answer:
        """The model of an inference service."""
        with self.store.snapshot():
            return self.get("RegisteredModel", self._inference(service).fields["registeredModelId"], version)

    def served_version(self, service: str, version: str = "v1") -> Answer:
        """The version of an inference service; the model's newest where it names none."""
        with self.store.snapshot():
            record = self._inference(service)
            if record.fields.get("modelVersionId"):
                return self.get("ModelVersion", record.fields["modelVersionId"], version)
            newest = paging.Paging(1, "created", descending=True)
            model = int(record.fields["registeredModelId"])
            found, _ = self.store.list([KINDS["ModelVersion"]], parent=model, paging=newest)
        if not found:
            raise NotFound(f"no model versions found for inference service {service}")
        return self._json(found[0], version)

    def history(self, query: Mapping[str, str], version: str = "v1", *, run: str | None = None) -> Answer:
        """Every value of the metrics of one run or, with ``experimentRunIds`` or without, of several."""
        page = paging.read(query)
        where = grammar.parse(query.get("filterQuery", ""))
        number = bodies.identifier(run, "experiment run") if run is not None else None
        kinds = [KINDS["MetricHistory"]]
        with self.store.snapshot():
            if number is not None:
                self._exists(["ExperimentRun"], number)
            records, more = self.store.list(
                kinds, paging=page, where=where, context=number, extra=_steps(query)
            )
        return _page([self._json(record, version) for record in records], records, page, more)

    def _inference(self, service: str) -> Record:
        number = bodies.identifier(service, "inference service")
        return self._get(["InferenceService"], number, "inference service")

    def _get(self, kinds: Sequence[str], number: int, words: str) -> Record:
        record = self.store.get(kinds, number)
        if record is None:
            raise NotFound(f"no {words} found for id {number}")
        return record

    def _exists(self, kinds: Sequence[str], number: int) -> None:
        self._get(kinds, number, " or ".join(KINDS[kind].words for kind in kinds))

    def _known(self, kind: Kind, body: Body, context: int) -> Record | None:
        """The artifact that this body is about, if there is one."""
        if body.id is not None:
            record = self._get(ARTIFACT_KINDS, body.id, "artifact")
            if record.kind != kind.name:
                raise Invalid(f"artifact with id {body.id} is not a {kind.words}")
            return record
        if kind.name in _UPSERTED and body.name:
            return next(iter(self.store.find([kind.name], name=body.name, context=context)), None)
        return None

    def _insert(
        self, kind: Kind, body: Body, *, parent: int | None = None, extra: Mapping[str, Any] | None = None
    ) -> Record:
        fields = {**bodies.defaults(kind), **body.fields, **(extra or {})}
        self._check(kind, fields)
        if kind.parent:
            parent = int(fields[kind.parent])
        elif not kind.family:
            parent = 0
        name = body.name or str(uuid.uuid4())
        return self.store.insert(
            kind, name, fields, body.custom or {}, parent=parent, external_id=body.external_id
        )

    def _change(self, record: Record, body: Body, extra: Mapping[str, Any] | None = None) -> Record:
        kind = KINDS[record.kind]
        fixed = {field.name for field in kind.fields if field.create}
        news = {name: value for name, value in body.fields.items() if name not in fixed}
        fields = {**record.fields, **news, **(extra or {})}
        self._check(kind, fields, news)
        custom = record.custom if body.custom is None else body.custom
        return self.store.update(record, fields, custom, body.external_id or record.external_id)

    def _check(self, kind: Kind, fields: Mapping[str, Any], news: Mapping[str, Any] | None = None) -> None:
        """What one field alone does not tell: that what is referred to is there, and that times are in order."""
        for name, value in (fields if news is None else news).items():
            if name in _REFERENCES:
                self._exists([_REFERENCES[name]], int(value))
        if kind.name == "Metric" and fields.get("value") is None:
            raise Invalid("metric value is required", where=Where(field="value"))
        start, end = fields.get("startTimeSinceEpoch"), fields.get("endTimeSinceEpoch")
        if start is not None and end is not None and int(end) < int(start):
            raise Invalid(
                f"EndTimeSinceEpoch ({end}) cannot be less than StartTimeSinceEpoch ({start})",
                where=Where(field="endTimeSinceEpoch"),
            )

    def _remember(self, metric: Record, run: int) -> None:
        kind = KINDS["MetricHistory"]
        fields = {name: value for name, value in metric.fields.items() if name != "description"}
        record = self.store.insert(kind, metric.name, fields, metric.custom, parent=None)
        self.store.attribute(run, record.id)

    def _json(self, record: Record, version: str) -> Answer:
        return bodies.to_json(KINDS[record.kind], record, version)


_REFERENCES: Final = {
    "registeredModelId": "RegisteredModel",
    "modelVersionId": "ModelVersion",
    "servingEnvironmentId": "ServingEnvironment",
    "experimentId": "Experiment",
    "experimentRunId": "ExperimentRun",
}


def _kinds(kind: str, artifact: str | None = None) -> tuple[str, ...]:
    if kind != "Artifact":
        return (kind,)
    if artifact is None:
        return ARTIFACT_KINDS
    if artifact not in ARTIFACTS:
        raise Invalid(
            f"artifactType is {artifact[:40]!r}",
            where=Where(field="artifactType"),
            hint=f"One of {', '.join(ARTIFACTS)}.",
        )
    return (ARTIFACTS[artifact].name,)


def _words(kind: str) -> str:
    return "artifact" if kind == "Artifact" else KINDS[kind].words


def _contexts(kind: Kind) -> list[str]:
    """The kinds that a list of this kind may be within."""
    if kind.parent_kind:
        return [kind.parent_kind]
    return ["InferenceService"] if kind.name == "ServeModel" else ["ModelVersion", "ExperimentRun"]


def _artifact_kind(body: object) -> Kind:
    tag = body.get("artifactType") if isinstance(body, Mapping) else None
    if not isinstance(tag, str) or tag not in ARTIFACTS:
        raise Invalid(
            f"artifactType is {str(tag)[:40]!r}",
            where=Where(field="artifactType"),
            hint=f"One of {', '.join(ARTIFACTS)}.",
        )
    return ARTIFACTS[tag]


def _origin(owner: Record) -> dict[str, str]:
    """Which experiment an artifact comes from; nothing for one of a version."""
    if owner.kind != "ExperimentRun":
        return {}
    return {"experimentId": str(owner.fields["experimentId"]), "experimentRunId": str(owner.id)}


def _named(query: Mapping[str, str]) -> tuple[str, list[Any]] | None:
    """Nested lists may be asked for one name or external id too."""
    if query.get("name"):
        return "r.name = ?", [query["name"]]
    if query.get("externalId"):
        return "r.external_id = ?", [query["externalId"]]
    return None


def _steps(query: Mapping[str, str]) -> tuple[str, list[Any]]:
    """The conditions of a metric history: name, steps, runs."""
    parts, values = ["1"], list[Any]()
    if query.get("name"):
        parts.append("r.name = ?")
        values.append(query["name"])
    for name, text in (("stepIds", "json_extract(r.fields, '$.step')"), ("experimentRunIds", None)):
        if not query.get(name):
            continue
        numbers = query[name].split(",")
        if not all(part.isascii() and part.isdecimal() and len(part) <= 9 for part in numbers):
            raise Invalid(f"{name} is not a list of whole numbers", where=Where(field=name))
        marks = ", ".join("?" * len(numbers))
        of_runs = f"r.id IN (SELECT record FROM attributions WHERE context IN ({marks}))"  # noqa: S608 - our own constants only; values are bound
        parts.append(f"{text} IN ({marks})" if text else of_runs)
        values += map(int, numbers)
    return " AND ".join(parts), values


def _page(items: list[Answer], records: Sequence[Record], page: paging.Paging, more: bool) -> Answer:
    token = paging.token(records[-1].id, getattr(records[-1], page.column)) if more else ""
    return {"items": items, "size": len(items), "pageSize": page.size, "nextPageToken": token}
