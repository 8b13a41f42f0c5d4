"""A Kubeflow Pipelines server: pipelines and their versions, experiments, runs and recurring runs, as its REST names them.

Every method is one request where nothing else is said, and gives what the server gave.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Conflict, Invalid, NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.pipelines.kfp.wire import Wire

Json = dict[str, Any]

PAGE: Final = 100
MOST: Final = 10_000
"""That are looked through at most."""
DEFAULT_EXPERIMENT: Final = "Default"
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_SPECIFICATIONS: Final = 64
"""Versions of pipelines that are kept in memory at most."""
_LOST_LOOKS: Final = 3
_LOST_SECONDS: Final = 0.5


class Server:
    """One server, in one namespace where it has several users. ``cluster`` is where its pods are, where one can look."""

    def __init__(self, wire: Wire, namespace: str = "", cluster: KubeCluster | None = None) -> None:
        self.wire, self.cluster = wire, cluster
        self._namespace = namespace
        self._multi_user: bool | None = None
        self._experiments: dict[str, str] = {}
        self._specifications: dict[tuple[str, str], Json | None] = {}

    @property
    def address(self) -> str:
        """Without credentials."""
        return self.wire.address

    def close(self) -> None:
        """Close the connections; the next call makes new ones."""
        self.wire.close()

    def health(self, patience: float | None = None) -> Json:
        """Whether it is up; says ``multi_user``. Raises Unavailable."""
        found = self.wire.call("GET", "/healthz", patience=patience)
        self._multi_user = bool(found.get("multi_user"))
        return found

    @property
    def namespace(self) -> str:
        """That runs belong to; empty where the server has one user. Raises Invalid where it has several and none is named."""
        if self._multi_user is None:
            self.health()
        if not self._multi_user:
            return ""
        if not self._namespace:
            raise Invalid(
                f"{self.address} has several users, and no namespace is named",
                where=Where(field="namespace"),
                hint="Set JUPYTER_KUBEFLOW_NAMESPACE to the profile's.",
            )
        return self._namespace

    # Experiments

    def experiment(self, name: str = "") -> str:
        """The identity of the experiment of that name, which is made if there is none; two requests, once each."""
        name = name or DEFAULT_EXPERIMENT
        if name not in self._experiments:
            found = self._experiment(name)
            if found is None:
                try:
                    found = self.wire.call("POST", "/experiments", {"display_name": name, **self._own()})
                except Conflict:
                    found = self._experiment(name)  # somebody else made it meanwhile
            if found is None:
                raise Conflict(
                    f"The experiment {name!r} cannot be made, and is not there", hint="Choose another."
                )
            self._experiments[name] = str(found["experiment_id"])
        return self._experiments[name]

    def _experiment(self, name: str) -> Json | None:
        query = {"filter": equal("display_name", name), **self._own()}
        listed = self.wire.call("GET", "/experiments", query=query).get("experiments") or ()
        kept = [each for each in listed if each.get("storage_state") != "ARCHIVED"]
        return kept[0] if kept else None

    def experiments(self) -> Iterator[Json]:
        """The newest first."""
        return self._pages("/experiments", "experiments", self._own())

    # Pipelines and their versions

    def pipeline(self, name: str) -> Json:
        """The pipeline of that name. Raises NotFound."""
        from urllib.parse import quote

        return self.wire.call("GET", f"/pipelines/names/{quote(name, safe='')}", query=self._own())

    def pipelines(self) -> Iterator[Json]:
        """The newest first."""
        return self._pages("/pipelines", "pipelines", self._own())

    def versions(self, pipeline: str) -> Iterator[Json]:
        """Those of a pipeline (its identity), the newest first."""
        return self._pages(f"/pipelines/{_id(pipeline)}/versions", "pipeline_versions", {})

    def specification(self, pipeline: str, version: str = "") -> Json | None:
        """What a version has, by default the newest; None where that is no more. A version never changes: asked for once."""
        key = (pipeline, version)
        if version and key in self._specifications:
            return self._specifications[key]
        try:
            found = next(
                (
                    one.get("pipeline_spec")
                    for one in self.versions(pipeline)
                    if version in ("", one["pipeline_version_id"])
                ),
                None,
            )
        except NotFound:
            found = None
        if len(self._specifications) >= _SPECIFICATIONS:
            self._specifications.clear()
        self._specifications[key] = found
        return found

    def upload(self, content: str, name: str, *, version: str = "", description: str = "") -> Json:
        """A new pipeline, or a new version of the one of that name; gives the version. Two or three requests.

        Raises Conflict where the version is there already.
        """
        query = {"name": name, "display_name": name, "description": description, **self._own()}
        try:
            there = self.pipeline(name)
        except NotFound:
            made = self.wire.upload("/pipelines/upload", query, f"{name}.yaml", content.encode())
            return next(self.versions(made["pipeline_id"]))
        label = version or time.strftime("%Y-%m-%dT%H-%M-%S", time.gmtime())
        told = {
            "name": label,
            "display_name": label,
            "description": description,
            "pipelineid": there["pipeline_id"],
        }
        return self.wire.upload("/pipelines/upload_version", told, f"{name}.yaml", content.encode())

    def delete_pipeline(self, pipeline: str) -> None:
        """Remove a pipeline (its identity) and its versions; runs stay."""
        for version in list(self.versions(pipeline)):
            self.wire.call(
                "DELETE", f"/pipelines/{_id(pipeline)}/versions/{_id(version['pipeline_version_id'])}"
            )
        self.wire.call("DELETE", f"/pipelines/{_id(pipeline)}")

    # Runs

    def start(self, run: Mapping[str, Any]) -> Json:
        """Create a run. A lost answer never makes two: the run is looked for by its name, which must be unique."""
        return self._created("/runs", "runs", run)

    def run(self, identity: str) -> Json:
        """Raises NotFound."""
        return self.wire.call("GET", f"/runs/{_id(identity)}")

    def find_run(self, name: str) -> Json:
        """By identity or by name; of several with one name the newest. Raises NotFound."""
        if _UUID.fullmatch(name):
            return self.run(name)
        found = self._named("/runs", "runs", name)
        if found is None:
            raise NotFound(
                f"There is no run {name!r} at {self.address}", hint="List them: kf.pipelines.runs()."
            )
        return found

    def runs(self, state: str | None = None, experiment: str = "") -> Iterator[Json]:
        """Those that are not archived, the newest first."""
        asked = [_KEPT, *([predicate("EQUALS", "state", state)] if state else [])]
        query = {
            "filter": filtered(asked),
            "experiment_id": experiment,
            **({} if experiment else self._own()),
        }
        return self._pages("/runs", "runs", query)

    def run_page(
        self, size: int = PAGE, token: str = "", patience: float | None = None
    ) -> tuple[list[Json], str]:
        """The newest of all runs, or those that follow ``token``, and the token of what follows them; one request."""
        query = {
            "filter": filtered([_KEPT]),
            "page_size": size,
            "page_token": token,
            "sort_by": "created_at desc",
            **self._own(),
        }
        found = self.wire.call("GET", "/runs", query=query, patience=patience)
        return list(found.get("runs") or ()), str(found.get("next_page_token") or "")

    def terminate(self, identity: str) -> None:
        """End a run; what has ended in it stays."""
        self.wire.call("POST", f"/runs/{_id(identity)}:terminate", repeat=True)

    def retry(self, identity: str) -> None:
        """Go on with a run that failed, or was ended: what had succeeded is kept."""
        self.wire.call("POST", f"/runs/{_id(identity)}:retry")

    def archive(self, identity: str, *, again: bool = False) -> None:
        """Put it aside; ``again``: take it back."""
        self.wire.call("POST", f"/runs/{_id(identity)}:{'unarchive' if again else 'archive'}", repeat=True)

    def delete_run(self, identity: str) -> None:
        """Remove a run and its pods."""
        self.wire.call("DELETE", f"/runs/{_id(identity)}", repeat=True)

    def log(self, run: str, node: str) -> str:
        """What the pod of a node printed; from the archive of logs once the pod is gone, where the server keeps one."""
        return self.wire.text(f"/apis/v1alpha1/runs/{_id(run)}/nodes/{_id(node)}/log")

    # Recurring runs

    def start_recurring(self, recurring: Mapping[str, Any]) -> Json:
        """Create one, as ``start`` does a run."""
        return self._created("/recurringruns", "recurringRuns", recurring)

    def recurring(self, identity: str) -> Json:
        """Raises NotFound."""
        return self.wire.call("GET", f"/recurringruns/{_id(identity)}")

    def find_recurring(self, name: str) -> Json:
        """By identity or by name. Raises NotFound."""
        if _UUID.fullmatch(name):
            return self.recurring(name)
        found = self._named("/recurringruns", "recurringRuns", name)
        if found is None:
            raise NotFound(
                f"There is no schedule {name!r} at {self.address}",
                hint="kf.pipelines.schedules() lists them.",
            )
        return found

    def all_recurring(self) -> Iterator[Json]:
        """The newest first."""
        return self._pages("/recurringruns", "recurringRuns", self._own())

    def recurring_page(
        self, size: int = PAGE, token: str = "", patience: float | None = None
    ) -> tuple[list[Json], str]:
        """As ``run_page``."""
        query = {"page_size": size, "page_token": token, "sort_by": "created_at desc", **self._own()}
        found = self.wire.call("GET", "/recurringruns", query=query, patience=patience)
        return list(found.get("recurringRuns") or ()), str(found.get("next_page_token") or "")

    def enable_recurring(self, identity: str, *, enabled: bool) -> None:
        """Pause it, or let it go on."""
        verb = "enable" if enabled else "disable"
        self.wire.call("POST", f"/recurringruns/{_id(identity)}:{verb}", repeat=True)

    def delete_recurring(self, identity: str) -> None:
        """Remove it; runs that it made stay."""
        self.wire.call("DELETE", f"/recurringruns/{_id(identity)}", repeat=True)

    def _own(self) -> dict[str, str]:
        namespace = self.namespace
        return {"namespace": namespace} if namespace else {}

    def _created(self, path: str, key: str, body: Mapping[str, Any]) -> Json:
        try:
            return self.wire.call("POST", path, body)
        except Unavailable as error:
            if "does not answer" not in error.what:
                raise
            for _ in range(_LOST_LOOKS):
                time.sleep(_LOST_SECONDS)
                found = self._named(path, key, str(body["display_name"]))
                if found is not None:
                    return found
            raise

    def _named(self, path: str, key: str, name: str) -> Json | None:
        query = {
            "filter": equal("display_name", name),
            "page_size": 1,
            "sort_by": "created_at desc",
            **self._own(),
        }
        listed = self.wire.call("GET", path, query=query).get(key) or ()
        return listed[0] if listed else None

    def _pages(self, path: str, key: str, query: Mapping[str, Any]) -> Iterator[Json]:
        told: Json = {"page_size": PAGE, "sort_by": "created_at desc", **query}
        for _ in range(MOST // PAGE):
            page = self.wire.call("GET", path, query=told)
            yield from page.get(key) or ()
            token = page.get("next_page_token")
            if not token:
                return
            told["page_token"] = token


def predicate(operation: str, key: str, value: str) -> Json:
    """One condition of a `Filter (v2beta1)`."""
    return {"operation": operation, "key": key, "string_value": value}


def filtered(predicates: list[Json]) -> str:
    """All conditions as the text that a list takes."""
    return json.dumps({"predicates": predicates}, separators=(",", ":"))


def equal(key: str, value: str) -> str:
    """The filter for one value."""
    return filtered([predicate("EQUALS", key, value)])


def _id(text: object) -> str:
    """What may stand in a path. Raises Invalid."""
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise Invalid(f"{str(text)[:80]!r} is no identity of Kubeflow Pipelines", where=Where(field="id"))
    return text


_KEPT: Final = predicate("EQUALS", "storage_state", "AVAILABLE")
"""Of a run that is not archived."""
