"""The views and functions that were named in a session, so that they can be made again in another.

What names one is a command of Spark Connect's own protocol (``spark/connect/commands.proto``), and says itself what it is
made of: it is kept as it was sent, in a file of the profile, for other kernels too. One that stands on rows that were sent
along, or on what only the lost session had, cannot be made again.
"""

from __future__ import annotations

import base64
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_LARGEST: Final = 1 << 20
"""Bytes of one command that is kept."""
_MOST: Final = 500
_NAMING: Final = re.compile(
    r"\s*create\s+(?:or\s+replace\s+)?(?:global\s+)?temp(?:orary)?\s+(?:view|function)\s+(?:if\s+not\s+exists\s+)?"
    r"([\w.`]+)",
    re.IGNORECASE,
)


@dataclass
class Known:
    """Commands by what they name, in order. ``uid`` is that of the server they were sent to last."""

    uid: str = ""
    commands: dict[str, str] = field(default_factory=dict)


@dataclass
class Rebuilt:
    """What became of them in a new session."""

    commands: dict[str, str]
    lost: list[str]

    @property
    def sentence(self) -> str:
        """For people."""
        parts = []
        if self.commands:
            parts.append(f"Made again: {', '.join(self.commands)}.")
        if self.lost:
            parts.append(f"To be made again by you: {', '.join(self.lost)}.")
        return " ".join(parts) or "It had no views."


def read(cluster: LocalCluster, name: str) -> Known:
    """What is kept of a session."""
    try:
        found = json.loads(_path(cluster, name).read_text())
        return Known(str(found["uid"]), dict(found["commands"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Known()


def write(cluster: LocalCluster, name: str, uid: str, commands: dict[str, str]) -> None:
    """Keep them, for this user only."""
    path = _path(cluster, name)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"uid": uid, "commands": dict(list(commands.items())[-_MOST:])}, file)
    temporary.replace(path)


def forget(cluster: LocalCluster, name: str) -> None:
    """A session that its user stopped is not taken up again."""
    _path(cluster, name).unlink(missing_ok=True)


def _path(cluster: LocalCluster, name: str) -> Path:
    from jupyter_ext.cluster.local.home import make_private

    return make_private(cluster.home / "spark" / "views") / f"{name}.json"


def named(command: Any) -> str:
    """What a command names; empty where it names nothing."""
    kind = command.WhichOneof("command_type")
    if kind == "create_dataframe_view":
        return str(command.create_dataframe_view.name)
    if kind == "register_function":
        return str(command.register_function.function_name)
    if kind == "sql_command":
        text = command.sql_command.input.sql.query or command.sql_command.sql
        found = _NAMING.match(text)
        return found[1].strip("`") if found else ""
    return ""


def hook(cluster: LocalCluster, name: str, uid: str, client: Any) -> Any:
    """Something that sees each request of a client before it is sent."""
    from pyspark.sql.connect.session import SparkSession

    class Remember(SparkSession.Hook):  # type: ignore[misc]
        """Keep what names something."""

        def __init__(self, _: Any) -> None:
            pass

        def on_execute_plan(self, request: Any) -> Any:
            plan = request.plan
            if plan.WhichOneof("op_type") == "command" and (word := named(plan.command)):
                content = plan.command.SerializeToString()
                known = read(cluster, name)
                kept = known.commands if known.uid == uid else {}
                kept.pop(word, None)
                if len(content) <= _LARGEST:
                    kept[word] = base64.b85encode(content).decode()
                write(cluster, name, uid, kept)
            return request

    return Remember(client)


def rebuild(client: Any, known: Known) -> Rebuilt:
    """Send them to another session, in their order."""
    from pyspark.sql.connect.proto import Command

    found = Rebuilt({}, [])
    for name, text in known.commands.items():
        command = Command()
        try:
            command.ParseFromString(base64.b85decode(text))
            client.client.execute_command(command)
        except Exception:
            found.lost.append(name)
        else:
            found.commands[name] = text
    return found
