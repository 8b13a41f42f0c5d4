"""FakeKfp: a double of Kubeflow Pipelines' API server, which cannot be had outside of a cluster.

Each request and each answer is judged by upstream's own description of its interface (``upstream.py``): what is not in
there is answered with 400, or fails the test. Pipelines are really run, by the runner of compiled pipelines. What the real
server leaves empty is empty here.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import yaml

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines.compiled import reading
from tests.pipelines.kfp import upstream
from tests.pipelines.kfp.fake_routes import API, ROUTES, Route
from tests.pipelines.kfp.fake_running import Execution

Json = dict[str, Any]
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 500: 13, 503: 14}


class Refused(Exception):
    """An answer that is not yes."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class FakeKfp:
    """One server on a port of this machine. ``users``: bearer tokens; none: the server has one user and asks for nothing."""

    def __init__(self, home: Path, users: tuple[str, ...] = (), host: str = "127.0.0.1") -> None:
        self.cluster = LocalCluster(home, "kfp")
        self.root = home / "bucket"
        self.users = users
        self.experiments: dict[str, Json] = {}
        self.runs: dict[str, Json] = {}
        self.executions: dict[str, Execution] = {}
        self.pipelines: dict[str, Json] = {}
        self.versions: dict[str, Json] = {}
        self.recurring: dict[str, Json] = {}
        self.kept: dict[tuple[str, str], str] = {}
        """Logs of runs that nothing runs here, by run and node."""
        self.requests: list[str] = []
        """Method and path of each, in order."""
        self.broken: list[Callable[[str, str], int | None]] = []
        """Asked before each request: a status to refuse it with, -1 to hang up."""
        self.lost: list[str] = []
        """Method and path of requests that are done, and whose answer is lost."""
        self._guard = threading.RLock()
        self._server = ThreadingHTTPServer((host, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://{self._server.server_address[0]}:{self.port}"

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        for execution in self.executions.values():
            execution.close()

    # One request

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Json | str]:
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            self._authorized(headers)
            if match := re.fullmatch(r"/apis/v1alpha1/runs/([^/]+)/nodes/([^/]+)/log", parts.path):
                return 200, self._log(match[1], match[2])
            route, given = self._route(method, parts.path)
            service, _, operation = route.operation.partition(".")
            known = upstream.parameters(service, operation)
            unknown = (query.keys() | given.keys() - {"verb"}) - known
            if unknown:
                raise Refused(400, f"{operation} has no parameter {min(unknown)}")
            told = self._body(route, headers, body)
            with self._guard:
                found = getattr(self, f"_{operation}")(told, **{**query, **given})
            upstream.check(route.answer, found)
            return 200, found
        except upstream.NotUpstreams as error:
            return 400, _status(400, f"Invalid input error: {error}")
        except Refused as error:
            return error.status, _status(error.status, str(error))
        except KubeflowError as error:
            return 400, _status(400, f"Validate create run request failed.: Invalid input error: {error}")

    def _authorized(self, headers: Any) -> None:
        scheme, _, token = str(headers.get("Authorization", "")).partition(" ")
        if self.users and (scheme != "Bearer" or token not in self.users):
            raise Refused(
                401, "Unauthenticated error: Request header error: there is no user identity header."
            )

    def _route(self, method: str, path: str) -> tuple[Route, dict[str, str]]:
        for route in ROUTES:
            match = re.fullmatch(API + route.pattern, path)
            if match and route.method == method:
                return route, {key: unquote(value) for key, value in match.groupdict().items()}
        raise Refused(404, "Not Found")

    def _body(self, route: Route, headers: Any, body: bytes) -> Any:
        kind = str(headers.get("Content-Type", ""))
        if kind.startswith("multipart/form-data"):
            message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            files = [
                part
                for part in message.walk()
                if part.get_param("name", header="content-disposition") == "uploadfile"
            ]
            if len(files) != 1:
                raise Refused(400, "Failed to upload pipeline: http: no such file")
            return files[0].get_payload(decode=True).decode()
        if not route.body:
            return None
        told = json.loads(body)
        upstream.check(route.body, told)
        return told

    def _log(self, run: str, node: str) -> str:
        execution = self.executions.get(run)
        found = execution.log(node) if execution else self.kept.get((run, node))
        if found is None:
            raise Refused(404, f"Failed to get run {run} node {node}: ResourceNotFoundError: not found")
        return found

    # Operations, by upstream's names

    def _healthz_service_get_healthz(self, _: Any) -> Json:
        return {"multi_user": bool(self.users)}

    def _experiment_service_list_experiments(self, _: Any, **query: str) -> Json:
        return self._listed("experiments", self._of(self.experiments, query), query)

    def _experiment_service_create_experiment(self, told: Json) -> Json:
        name, space = told.get("display_name"), told.get("namespace", "")
        self._require_namespace(space)
        if any(
            (one["display_name"], one.get("namespace", "")) == (name, space)
            for one in self.experiments.values()
        ):
            raise Refused(
                409, f"Already exist error: Failed to create a new experiment. The name {name} already exist."
            )
        made = {**told, "experiment_id": _new(), "created_at": _now(), "storage_state": "AVAILABLE"}
        self.experiments[made["experiment_id"]] = made
        return made

    def _experiment_service_get_experiment(self, _: Any, experiment_id: str) -> Json:
        return self._one(self.experiments, experiment_id)

    def _run_service_create_run(self, told: Json, experiment_id: str = "") -> Json:
        if not told.get("display_name"):
            raise Refused(400, "Invalid input error: The run name is empty. Please specify a valid name")
        home = told.get("experiment_id") or experiment_id
        if home not in self.experiments and (home or self.users):
            raise Refused(404, f"ResourceNotFoundError: Experiment {home} not found")
        identity = _new()
        document = reading.parse(yaml.safe_dump_all(_documents(self._specification(told))))
        given = (told.get("runtime_config") or {}).get("parameters") or {}
        self.executions[identity] = Execution(self.cluster, identity, document, given, self.root)
        self.runs[identity] = {**told, "run_id": identity, "created_at": _now(), "storage_state": "AVAILABLE"}
        return self._run(identity)

    def _specification(self, told: Json) -> Json:
        if told.get("pipeline_spec"):
            return told["pipeline_spec"]
        named = told.get("pipeline_version_reference") or {}
        mine = [one for one in self.versions.values() if one["pipeline_id"] == named.get("pipeline_id")]
        wanted = named.get("pipeline_version_id") or (mine[-1]["pipeline_version_id"] if mine else "")
        return self._one(self.versions, wanted)["pipeline_spec"]

    def _run(self, identity: str) -> Json:
        kept = self._one(self.runs, identity)
        if (execution := self.executions.get(identity)) is None:
            return kept
        resource = execution.run.resource
        ended = {"finished_at": resource.status["completionTime"]} if resource.finished else {}
        rows = execution.tasks()
        return {**kept, "state": resource.phase, **ended, "run_details": {"task_details": rows},
                "state_history": [{"update_time": _now(), "state": resource.phase}]}  # fmt: skip

    def _run_service_get_run(self, _: Any, run_id: str, **query: str) -> Json:
        del query
        return self._run(run_id)

    def _run_service_list_runs(self, _: Any, **query: str) -> Json:
        runs = {identity: self._run(identity) for identity in self.runs}
        home = query.pop("namespace", "")
        self._require_namespace(home if not query.get("experiment_id") else "x")
        return self._listed("runs", self._of(runs, query), query)

    def _run_service_delete_run(self, _: Any, run_id: str, **query: str) -> Json:
        del query
        self._one(self.runs, run_id)
        if execution := self.executions.pop(run_id, None):
            execution.close()
        del self.runs[run_id]
        return {}

    def _run_service_terminate_run(self, _: Any, run_id: str) -> Json:
        self._one(self.runs, run_id)
        self.executions[run_id].run.stop()
        return {}

    def _run_service_retry_run(self, _: Any, run_id: str) -> Json:
        if self._run(run_id)["state"] not in {"FAILED", "CANCELED"}:
            raise Refused(400, "Invalid input error: Workflow must be Failed/Error to retry.")
        self.executions[run_id].run.resume()
        return {}

    def _run_service_archive_run(self, _: Any, run_id: str) -> Json:
        self._one(self.runs, run_id)["storage_state"] = "ARCHIVED"
        return {}

    def _pipeline_service_list_pipelines(self, _: Any, **query: str) -> Json:
        return self._listed("pipelines", self._of(self.pipelines, query), query)

    def _pipeline_service_get_pipeline_by_name(self, _: Any, name: str, namespace: str = "") -> Json:
        self._require_namespace(namespace)
        found = [one for one in self.pipelines.values() if one["name"] == name]
        if not found:
            raise Refused(404, f"ResourceNotFoundError: Pipeline {name} not found")
        return found[0]

    def _upload_pipeline(
        self, content: str, name: str, display_name: str = "", description: str = "", namespace: str = ""
    ) -> Json:
        if any(one["name"] == name for one in self.pipelines.values()):
            raise Refused(
                409, f"Already exist error: Failed to create a new pipeline. The name {name} already exist."
            )
        made = {"pipeline_id": _new(), "name": name, "display_name": display_name or name, "description": description,
                "created_at": _now(), **({"namespace": namespace} if namespace else {})}  # fmt: skip
        self.pipelines[made["pipeline_id"]] = made
        self._upload_pipeline_version(content, name=name, pipelineid=made["pipeline_id"])
        return made

    def _upload_pipeline_version(
        self, content: str, name: str, pipelineid: str, display_name: str = "", description: str = ""
    ) -> Json:  # fmt: skip
        self._one(self.pipelines, pipelineid)
        if any((one["name"], one["pipeline_id"]) == (name, pipelineid) for one in self.versions.values()):
            raise Refused(409, f"Already exist error: the pipeline version {name} already exist.")
        found = reading.parse(content)
        spec = {"pipeline_spec": found.pipeline, "platform_spec": {"platforms": found.platforms}}
        made = {"pipeline_id": pipelineid, "pipeline_version_id": _new(), "name": name, "display_name": display_name or name,
                "description": description, "created_at": _now(), "pipeline_spec": spec if found.platforms else found.pipeline}  # fmt: skip
        self.versions[made["pipeline_version_id"]] = made
        return made

    def _pipeline_service_list_pipeline_versions(self, _: Any, pipeline_id: str, **query: str) -> Json:
        mine = {key: one for key, one in self.versions.items() if one["pipeline_id"] == pipeline_id}
        return self._listed("pipeline_versions", self._of(mine, query), query)

    def _pipeline_service_delete_pipeline(self, _: Any, pipeline_id: str, **query: str) -> Json:
        del query
        if any(one["pipeline_id"] == pipeline_id for one in self.versions.values()):
            raise Refused(400, "Invalid input error: the pipeline has versions")
        del self.pipelines[pipeline_id]
        return {}

    def _pipeline_service_delete_pipeline_version(
        self, _: Any, pipeline_id: str, pipeline_version_id: str
    ) -> Json:
        self._one(self.pipelines, pipeline_id)
        del self.versions[pipeline_version_id]
        return {}

    def _recurring_run_service_create_recurring_run(self, told: Json) -> Json:
        if len(told["trigger"].get("cron_schedule", {}).get("cron", "").split()) != 6:
            raise Refused(400, "Invalid input error: Schedule cron is not a supported format")
        if not 1 <= int(told.get("max_concurrency", "0")) <= 10:
            raise Refused(
                400,
                "Invalid input error: The max concurrency of the recurring run must be at least 1 and at most 10",
            )
        reading.parse(yaml.safe_dump_all(_documents(self._specification(told))))
        state = "DISABLED" if told.get("mode") == "DISABLE" else "ENABLED"
        made = {
            **told,
            "recurring_run_id": _new(),
            "created_at": _now(),
            "updated_at": _now(),
            "status": state,
        }
        self.recurring[made["recurring_run_id"]] = made
        return made

    def _recurring_run_service_get_recurring_run(self, _: Any, recurring_run_id: str) -> Json:
        return self._one(self.recurring, recurring_run_id)

    def _recurring_run_service_list_recurring_runs(self, _: Any, **query: str) -> Json:
        return self._listed("recurringRuns", self._of(self.recurring, query), query)

    def _recurring_run_service_enable_recurring_run(self, _: Any, recurring_run_id: str, verb: str) -> Json:
        self._one(self.recurring, recurring_run_id)["status"] = "ENABLED" if verb == "enable" else "DISABLED"
        return {}

    def _recurring_run_service_delete_recurring_run(
        self, _: Any, recurring_run_id: str, **query: str
    ) -> Json:
        del query
        self._one(self.recurring, recurring_run_id)
        del self.recurring[recurring_run_id]
        return {}

    # What lists share

    def _one(self, kept: dict[str, Json], identity: str) -> Json:
        if identity not in kept:
            raise Refused(404, f"ResourceNotFoundError: {identity} not found")
        return kept[identity]

    def _require_namespace(self, namespace: str) -> None:
        if self.users and not namespace:
            raise Refused(400, "Invalid input error: A namespace is required in multi-user mode")

    def _of(self, kept: dict[str, Json], query: dict[str, str]) -> list[Json]:
        wanted = json.loads(query.get("filter") or "{}")
        upstream.check("V2beta1Filter", wanted)
        found = list(kept.values())
        for one in wanted.get("predicates", ()):
            if one["operation"] != "EQUALS":
                raise Refused(400, f"Invalid input error: {one['operation']} is not spoken by this double")
            found = [each for each in found if each.get(one["key"]) == one["string_value"]]
        for key in ("experiment_id", "namespace"):
            if query.get(key):
                found = [each for each in found if each.get(key, query[key]) == query[key]]
        if query.get("sort_by") not in {None, "", "created_at desc"}:
            raise Refused(400, f"Invalid input error: {query['sort_by']} is not spoken by this double")
        return found[::-1] if query.get("sort_by") else found

    def _listed(self, key: str, found: list[Json], query: dict[str, str]) -> Json:
        size = int(query.get("page_size") or 20)
        start = int(base64.b64decode(query.get("page_token", "")) or 0)
        more = (
            {"next_page_token": base64.b64encode(str(start + size).encode()).decode()}
            if len(found) > start + size
            else {}
        )
        return {key: found[start : start + size], "total_size": len(found), **more}


def _documents(spec: Json) -> Iterator[Json]:
    """As pipelineSpecStructToYamlString has it."""
    yield spec.get("pipeline_spec", spec)
    if spec.get("platform_spec"):
        yield spec["platform_spec"]


def _status(status: int, message: str) -> Json:
    return {"error": message, "code": CODES.get(status, 14), "message": message, "details": []}


def _new() -> str:
    return str(uuid.uuid4())


def _now() -> str:
    return f"{datetime.now(UTC).isoformat()[:26]}Z"


def _handler(fake: FakeKfp) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fake.requests.append(f"{self.command} {self.path}")
            for broken in fake.broken:
                status = broken(self.command, self.path)
                if status == -1:
                    self.close_connection = True
                    return
                if status:
                    self._answer(status, _status(status, "the weather"))
                    return
            status, found = fake.answer(self.command, self.path, self.headers, body)
            if fake.lost and fake.lost[0] == f"{self.command} {urlsplit(self.path).path}":
                fake.lost.pop(0)
                self.close_connection = True
                return
            self._answer(status, found)

        def _answer(self, status: int, found: Json | str) -> None:
            is_text = isinstance(found, str)
            content = (found if isinstance(found, str) else json.dumps(found)).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if is_text else "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """The test's output is its own."""

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server looks for

    return Handler
