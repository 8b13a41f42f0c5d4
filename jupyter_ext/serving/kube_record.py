"""What an endpoint on a Kubernetes cluster is asked to be: one ConfigMap beside its InferenceServices, with its revisions.

KServe has one predictor for a name, and no memory. The record has all variants in the words of this machine, so that the
verbs are the same; what KServe is given is made from it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.cluster.kube.transport import MERGE
from jupyter_ext.cluster.resource import KINDS, Resource
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.serving import revisions
from jupyter_ext.serving.places import ENDPOINT, KIND

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.local import LocalCluster

VARIANT: Final = "jupyter-kubeflow.org/variant"
LARGEST: Final = 900_000
"""Bytes in a ConfigMap, of which the API server takes 1 MiB."""
_ATTEMPTS: Final = 20
_ASKED: Final = "endpoint.json"
_MADE: Final = "made.json"
_OPENS: Final = "gateway.token"
"""What opens the record of requests at the endpoint's gateway, to whoever may read the namespace."""
_BEGAN: Final = "gateway.began"
"""When the first gateway began to count, in seconds since 1970."""
_versions: Final[dict[tuple[str, str, str], int]] = {}
"""Of what this process wrote last, by server, namespace and endpoint: a gateway that knows less is behind."""

Json = dict[str, Any]
Edit = Callable[[Resource], Resource | None]


class Kept(NamedTuple):
    """A record: what is asked for, what KServe was given for each predictor, and the token of the gateway, if it has one."""

    resource: Resource
    made: dict[str, Json]
    version: int
    token: str


class Records:
    """The records of one namespace, for the verbs. ``here`` is the embedded cluster: it knows whom one trusts."""

    def __init__(self, remote: KubeCluster, here: LocalCluster) -> None:
        self.remote, self.here = remote, here

    @property
    def store(self) -> Any:
        """Of the embedded cluster."""
        return self.here.store

    def find(self, name: str) -> Resource | None:
        """What the endpoint of that name is asked to be; None for one that was not made here."""
        found = self.kept(name)
        return None if found is None else found.resource

    def kept(self, name: str) -> Kept | None:
        """All that the record says; None for an endpoint that was not made here."""
        try:
            return self._read_all(name)
        except NotFound:
            return None

    def get(self, kind: str, name: str) -> Resource:
        """The same. Raises Conflict for an InferenceService without a record, NotFound for none."""
        found = self.find(name)
        if found is None:
            self.remote.get(kind, name)
            raise Conflict(
                f"{name} was not made by this library, so its variants are not known",
                hint="Change it with its own YAML: kf.resources.apply(…).",
            )
        return found

    def create(self, resource: Resource) -> None:
        """Write a new record. Raises Conflict if there is one of this name."""
        body = {
            "metadata": {"name": name_of(resource.name), "labels": {ENDPOINT: resource.name}},
            "data": self._data(resource, {}),
        }
        self._wrote(resource.name, self.remote.transport.ask("POST", self._path(), body, query=self._query))
        try:
            self._realize(resource)
        except Exception:
            self.forget(resource.name)
            raise

    def change(
        self, name: str, what: str, edit: Edit, *, by: str | None = None, why: str = "", of: int | None = None
    ) -> Resource:
        """Apply ``edit`` to what the endpoint is asked to be at that moment, and let KServe be told."""
        from jupyter_ext.serving.kube_objects import require

        for attempt in range(_ATTEMPTS):
            if (kept := self.kept(name)) is None:
                self.get(KIND, name)  # which says that somebody else made it, or that there is none
                continue
            found = kept.resource
            after = edit(found)
            if after is None:
                return found
            require(after, self.remote, found)
            if revisions.content(after.spec, after.annotations) != revisions.content(
                found.spec, found.annotations
            ):
                noted = revisions.appended(after, what, by=by, why=why, of=of)
                after = after.with_(status={"revisions": noted})
            try:
                self._write(after, kept.made, kept.version)
            except Conflict:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue  # somebody else was faster
            self._realize(after)
            return after
        raise AssertionError

    def made(self, name: str) -> dict[str, Json]:
        """What KServe was given for each predictor, by its digest."""
        return self._read_all(name).made

    def keep(self, name: str, made: Mapping[str, Json]) -> None:
        """Remember what KServe is given, so that the same predictor is never given otherwise."""
        body = {"data": {_MADE: json.dumps(made, separators=(",", ":"))}}
        self.remote.transport.ask(
            "PATCH", self._path(name), body, query=self._query, content_type=MERGE, repeat=True
        )

    def open(self, name: str) -> str:
        """The token of the endpoint's gateway, made if there is none."""
        for _ in range(_ATTEMPTS):
            kept = self._read_all(name)
            if kept.token:
                return kept.token
            body = {
                "metadata": {"resourceVersion": str(kept.version)},
                "data": {_OPENS: secrets.token_urlsafe(32)},
            }
            with suppress(Conflict):  # read what somebody else made
                self.remote.transport.ask(
                    "PATCH", self._path(name), body, query=self._query, content_type=MERGE
                )
        raise Conflict(f"The record of {name} changes all the time")

    def began(self, name: str, moment: float) -> float:
        """When the endpoint's first gateway began to count: ``moment``, where none did before."""
        for _ in range(_ATTEMPTS):
            thing = self._thing(name)
            if text := (thing["data"] or {}).get(_BEGAN):
                return float(text)
            version = {"resourceVersion": thing["metadata"]["resourceVersion"]}
            body = {"metadata": version, "data": {_BEGAN: f"{moment:.3f}"}}
            with suppress(Conflict):  # somebody changed the endpoint meanwhile
                path = self._path(name)
                self.remote.transport.ask("PATCH", path, body, query=self._query, content_type=MERGE)
        raise Conflict(f"The record of {name} changes all the time")

    def written(self, name: str) -> int:
        """The version of the record that this process wrote last; 0 for none."""
        return _versions.get(self._mine(name), 0)

    def uid(self, name: str) -> str:
        """Of the record; what has it as its owner goes with it."""
        return str(self._thing(name)["metadata"]["uid"])

    def adopt(self, name: str, owner: str) -> None:
        """Let the record go with the endpoint's InferenceService."""
        known = [str(each.get("uid")) for each in self._thing(name)["metadata"].get("ownerReferences") or ()]
        if known != [owner]:
            body = {"metadata": {"ownerReferences": [reference(name, owner)]}}
            self.remote.transport.ask(
                "PATCH", self._path(name), body, query=self._query, content_type=MERGE, repeat=True
            )

    def forget(self, name: str) -> None:
        """Remove the record, and all that it owns."""
        _versions.pop(self._mine(name), None)
        with suppress(NotFound):
            self.remote.transport.ask(
                "DELETE", self._path(name), {"propagationPolicy": "Background"}, repeat=True
            )

    # The ConfigMap

    def _realize(self, resource: Resource) -> None:
        from jupyter_ext.serving.kube_objects import realize

        realize(self, resource)

    @property
    def _query(self) -> dict[str, str]:
        return {"fieldManager": self.remote.manager}

    def _mine(self, name: str) -> tuple[str, str, str]:
        return (self.remote.access.server, self.remote.namespace, name)

    def _wrote(self, name: str, thing: Json) -> None:
        _versions[self._mine(name)] = int(thing["metadata"]["resourceVersion"])

    def _path(self, name: str | None = None) -> str:
        root = f"/api/v1/namespaces/{self.remote.namespace}/configmaps"
        return f"{root}/{name_of(name)}" if name else root

    def _thing(self, name: str) -> Json:
        found: Json = self.remote.transport.ask("GET", self._path(name))
        return found

    def _read_all(self, name: str) -> Kept:
        thing = self._thing(name)
        try:
            kept = json.loads(thing["data"][_ASKED])
            made = json.loads(thing["data"].get(_MADE) or "{}")
            found = Resource.new(
                KIND,
                name,
                kept["spec"],
                annotations=kept["annotations"],
                labels=kept["labels"],
                namespace=self.remote.namespace,
                created=str(thing["metadata"].get("creationTimestamp") or ""),
                status={"revisions": kept["revisions"]},
            )
        except (KeyError, TypeError, ValueError) as error:
            what = f"The record of {name} is no record ({type(error).__name__})"
            raise Invalid(what, where=Where(object=f"ConfigMap {name_of(name)}")) from None
        token = str(thing["data"].get(_OPENS) or "")
        return Kept(found, made, int(thing["metadata"]["resourceVersion"]), token)

    def _write(self, resource: Resource, made: Mapping[str, Json], version: int) -> None:
        body = {"metadata": {"resourceVersion": str(version)}, "data": self._data(resource, made)}
        path = self._path(resource.name)
        thing = self.remote.transport.ask("PATCH", path, body, query=self._query, content_type=MERGE)
        self._wrote(resource.name, thing)

    def _data(self, resource: Resource, made: Mapping[str, Json]) -> dict[str, str]:
        kept = {
            "spec": resource.spec,
            "annotations": resource.annotations,
            "labels": resource.labels,
            "revisions": resource.status.get("revisions") or revisions.appended(resource, "Created"),
        }
        found = {
            _ASKED: json.dumps(kept, separators=(",", ":"), ensure_ascii=False),
            _MADE: json.dumps(made, separators=(",", ":")),
        }
        if sum(len(text.encode()) for text in found.values()) > LARGEST:
            raise Invalid(
                f"What {resource.name} is asked to be needs more than {LARGEST // 1000} kB with its revisions",
                hint="Give it fewer variables, or delete it and serve it anew.",
            )
        return found


def reference(endpoint: str, uid: str) -> Json:
    """The endpoint's InferenceService as owner of what goes with it."""
    return {"apiVersion": KINDS[KIND].api_version, "kind": KIND, "name": endpoint, "uid": uid}


def name_of(endpoint: str) -> str:
    """The name of the record's ConfigMap."""
    return f"{endpoint}-endpoint"
