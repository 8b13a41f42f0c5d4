"""``jupyter kubeflow …``, in short ``jupyter kf …``.

Exit status: 0 done (and, where something was waited for, it SUCCEEDED), 1 it failed or something is broken,
2 wrong usage or input, 130 stopped with Ctrl-C. Errors are one sentence on standard error.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit status; usage errors leave by SystemExit(2), as argparse does."""
    from .parser import parse

    args = parse(argv)
    try:
        status = _call(args.command, args)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, less) has left; Python would complain again while closing.
        import os

        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _call(command: str, args: object) -> int:
    from jupyter_ext.errors import KubeflowError

    from . import (
        anything,
        commands,
        doctor,
        hub,
        jobs,
        mcp,
        models,
        profiles,
        running,
        schedules,
        secrets,
        serving,
        spark,
    )

    functions = {
        **running.COMMANDS,
        **commands.COMMANDS,
        **schedules.COMMANDS,
        **secrets.COMMANDS,
        **anything.COMMANDS,
        **jobs.COMMANDS,
        **models.COMMANDS,
        **serving.COMMANDS,
        **spark.COMMANDS,
        **profiles.COMMANDS,
        **doctor.COMMANDS,
        **mcp.COMMANDS,
        **hub.COMMANDS,
    }
    try:
        if (context := getattr(args, "in_context", None)) or getattr(args, "in_namespace", None):
            _use(context, getattr(args, "in_namespace", None) or "")
        return functions[command](args)
    except KubeflowError as error:
        if getattr(args, "json", False):
            from .text import as_json

            if command in running.COMMANDS:
                as_json(running.refused(error))
            elif command in jobs.COMMANDS:
                as_json(jobs.refused(error, command))
            else:
                as_json({**error_object(error), "message": str(error)})
        sys.stdout.flush()
        sys.stderr.write(f"jupyter kf {command}: {error}\n")
        return 2 if 400 <= error.status < 500 else 1


def _use(context: str | None, namespace: str) -> None:
    """Let this command be about another cluster or namespace. Raises Unavailable, Invalid."""
    from jupyter_ext.cluster import discover

    if context is None:  # another namespace of the cluster that is used
        place = discover.place()
        inside = discover.IN_CLUSTER if place.kind == "kubernetes" else discover.LOCAL
        context = place.context or inside
    discover.use(context, namespace)


def error_object(error: Exception) -> dict[str, object]:
    """Give the JSON form of an error under the key ``error``."""
    from jupyter_ext.errors import KubeflowError

    return {"error": error.to_dict() if isinstance(error, KubeflowError) else {"what": str(error)}}
