"""What a driver says of itself over its REST interface, asked with the secret that only its user has.

Spark's interface is served on the loopback interface behind ``org.apache.spark.ui.JWSFilter``: a request without a token
signed with the application's key is refused. Tokens live for a minute.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Gone, Unavailable
from jupyter_ext.spark.launch import LOOPBACK, Connection

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource

_LIVES: Final = 60
_PATIENCE: Final = 2.0
_FIRST_PATIENCE: Final = 15.0
"""Seconds for an answer: of one that has answered before, and of one whose interface is only being made."""
_LARGEST: Final = 4 << 20
_MOST: Final = 20
"""Stages in the status: those that run, and the last that ended."""
_MOST_EXECUTORS: Final = 100
_LISTENS: Final = "0A"


def bearer(connection: Connection) -> str:
    """The value of the header Authorization."""
    now = int(time.time())
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iat": now - 5, "exp": now + _LIVES})
    text = ".".join(_coded(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    key = base64.urlsafe_b64decode(connection.ui_key + "=" * (-len(connection.ui_key) % 4))
    return f"Bearer {text}.{_coded(hmac.new(key, text.encode(), hashlib.sha256).digest())}"


def _coded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def is_ours(port: int) -> bool:
    """Whether a process of this user listens on the port of the loopback interface: nobody else is given a secret.

    Where the kernel does not tell (not Linux), whoever listens is believed: the port is held from before its server starts.
    """
    try:
        lines = [line for name in ("tcp", "tcp6") for line in _table(name)]
    except OSError:
        return _listens(port)
    for fields in lines:
        if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == _LISTENS:
            return int(fields[7]) == os.getuid()
    return False


def _table(name: str) -> list[list[str]]:
    path = Path("/proc/net", name)
    return [line.split() for line in path.read_text().splitlines()[1:]] if path.exists() else []


def _listens(port: int) -> bool:
    import socket

    with socket.socket() as probe:
        probe.settimeout(_PATIENCE)
        return probe.connect_ex((LOOPBACK, port)) == 0


def reachable(cluster: LocalCluster, resource: Resource) -> Connection:
    """Where a driver's interface is; raises Gone when it has ended, Unavailable while it is not there."""
    noun = "session" if resource.kind == "SparkConnect" else "application"
    if resource.resting or resource.phase == "CANCELING":
        hint = (
            "Its event log is kept: `events` of its handle is the folder, which Spark's history server reads."
        )
        raise Gone(f"The {noun} {resource.name} has ended, and its web interface with it", hint=hint)
    connection = Connection.read(cluster.work_folder(resource.uid))
    if connection is None or not is_ours(connection.ui):
        what = f"The {noun} {resource.name} has no web interface yet: {resource.reason or 'it is starting'}"
        raise Unavailable(what, hint="Try again in a moment.")
    return connection


def ask(connection: Connection, path: str, patience: float = _PATIENCE) -> Any:
    """One answer of ``/api/v1``. Raises OSError or ValueError where there is none."""
    import http.client

    if not is_ours(connection.ui):
        raise OSError("nothing of this user listens there")
    client = http.client.HTTPConnection(LOOPBACK, connection.ui, timeout=patience)
    try:
        client.request("GET", f"/api/v1/{path}", headers={"Authorization": bearer(connection)})
        answer = client.getresponse()
        body = answer.read(_LARGEST)
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        return json.loads(body)
    except http.client.HTTPException as error:
        raise OSError(str(error)) from error
    finally:
        client.close()


class Stages:
    """The stages and executors of one driver, as they go on."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._app = ""
        self._answered = False

    def look(self) -> dict[str, Any] | None:
        """Fields of the status; None where the driver does not answer (yet)."""
        patience = _PATIENCE if self._answered else _FIRST_PATIENCE
        try:
            if not self._app:
                self._app = str(ask(self._connection, "applications", patience)[0]["id"])
            stages = ask(self._connection, f"applications/{self._app}/stages", patience)
            executors = ask(self._connection, f"applications/{self._app}/allexecutors", patience)
            self._answered = True
            found = summary(stages, executors, serves=bool(self._connection.port))
        except (OSError, ValueError, LookupError, TypeError):
            return None
        return found | {"sparkApplicationId": self._app}


def summary(
    stages: list[Mapping[str, Any]], executors: list[Mapping[str, Any]], *, serves: bool = False
) -> dict[str, Any]:
    """What the status says.

    ``progress`` of a batch counts the tasks of all stages known so far, so it may fall when more come; of one that
    ``serves`` those of the stages that run now, and is 1 while nothing does.
    """
    counted = [stage for stage in stages if stage.get("status") != "SKIPPED"]
    order = sorted(
        counted, key=lambda stage: (stage.get("status") != "ACTIVE", -int(stage.get("stageId", 0)))
    )
    told = [_executor(one) for one in executors[:_MOST_EXECUTORS]]
    found: dict[str, Any] = {
        "stages": [_stage(stage) for stage in order[:_MOST]],
        "stagesDone": sum(stage.get("status") == "COMPLETE" for stage in counted),
        "executors": told,
        "executorState": {one["id"]: one["state"] for one in told if one["id"] != "driver"},
    }
    going = [stage for stage in counted if stage.get("status") == "ACTIVE"] if serves else counted
    tasks = sum(int(stage.get("numTasks", 0)) for stage in going)
    done = sum(int(stage.get("numCompleteTasks", 0)) for stage in going)
    if tasks or serves:
        found["progress"] = round(done / tasks, 4) if tasks else 1.0
    return found


def _title(name: str) -> str:
    """The name of a stage in one line; a session's has the whole request in it."""
    return "Spark Connect" if name.startswith("Spark Connect - ") else name.partition("\n")[0][:120]


def _stage(stage: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "id": stage.get("stageId"),
        "attempt": stage.get("attemptId", 0),
        "name": _title(str(stage.get("name", ""))),
        "state": stage.get("status"),
        "tasks": stage.get("numTasks", 0),
        "active": stage.get("numActiveTasks", 0),
        "done": stage.get("numCompleteTasks", 0),
        "failed": stage.get("numFailedTasks", 0),
        "inputBytes": stage.get("inputBytes", 0),
        "shuffleBytes": stage.get("shuffleReadBytes", 0),
    }
    more = {
        "submittedAt": _time(stage.get("submissionTime")),
        "completedAt": _time(stage.get("completionTime")),
        "reason": _sentence(stage.get("failureReason")),
    }
    return found | {key: value for key, value in more.items() if value}


def _executor(one: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "id": str(one["id"]),
        "state": "RUNNING" if one.get("isActive") else "FAILED",
        "cores": one.get("totalCores", 0),
        "memory": one.get("maxMemory", 0),
        "active": one.get("activeTasks", 0),
        "done": one.get("completedTasks", 0),
        "failed": one.get("failedTasks", 0),
    }
    more = {
        "addedAt": _time(one.get("addTime")),
        "removedAt": _time(one.get("removeTime")),
        "reason": _sentence(one.get("removeReason")),
    }
    return found | {key: value for key, value in more.items() if value}


def _time(text: object) -> str:
    """Spark's ``2026-03-02T12:00:00.000GMT`` as RFC 3339."""
    return str(text or "").replace("GMT", "Z")


def _sentence(text: object) -> str:
    return str(text or "").partition("\n")[0][:300]
