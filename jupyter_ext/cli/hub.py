"""``jupyter kf hub``: a JupyterHub on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, KubeflowError, Unavailable, Where

if TYPE_CHECKING:
    from collections.abc import Callable

_ABOUT = """Start a JupyterHub on this machine, for the people who share it. It listens on the loopback interface only; each user
signs in with a link that is printed. Servers are processes with limits of CPU and memory, and GPUs are lent: who asks for one
that is taken is told who has it."""


def parser(commands: Any) -> None:
    """Add the command to the grammar."""
    hub = commands.add_parser(
        "hub", help="start a JupyterHub on this machine, for the people who share it", description=_ABOUT
    )
    hub.add_argument("--port", type=int, default=8000, help="on the loopback interface (default: 8000)")
    hub.add_argument("--users", metavar="A,B,C", help="who may sign in (default: you)")
    hub.add_argument(
        "--folder", type=Path, help="where the Hub keeps everything (default: beside your profiles)"
    )
    hub.add_argument(
        "--config", type=Path, metavar="FILE", help="more configuration, as in jupyterhub_config.py"
    )
    hub.add_argument(
        "--per-user", metavar="RESOURCE=AMOUNT", action="append", default=[],
        help="what one user may have at a time: cpu=4, memory=16Gi, gpu=1 (repeat for more)",
    )  # fmt: skip
    hub.add_argument(
        "--wait", type=float, default=300, metavar="SECONDS", help="for what others hold (default: 300)"
    )
    hub.add_argument(
        "--idle", type=int, default=60, metavar="MINUTES", help="stop idle servers; 0 never (default: 60)"
    )
    hub.add_argument("--keep-servers", action="store_true", help="leave servers running when the Hub ends")
    hub.add_argument(
        "--share-root", action="store_true", help="as root, run servers as root too (in containers)"
    )


def hub(args: argparse.Namespace) -> int:
    """Start it and stay. Raises Unavailable without JupyterHub, Invalid for wrong options."""
    try:
        from spawner.hub import setup as hubs
        from spawner.refused import Refused
    except ModuleNotFoundError as error:
        raise _without(error) from None
    try:
        import jupyterhub  # noqa: F401 - only whether it is there
    except ModuleNotFoundError as error:
        raise _without(error) from None
    if not 1 <= args.port <= 65535:
        raise Invalid(f"{args.port} is not a port", where=Where(field="--port"))
    if args.config and not args.config.is_file():
        raise Invalid(f"there is no file {args.config}", where=Where(field="--config"))
    try:
        hubs.run(
            hubs.Settings(
                folder=(args.folder or hubs.default_folder()).absolute(),
                users=hubs.names(args.users or _me()),
                port=args.port,
                config=args.config,
                keep_servers=args.keep_servers,
                share_root=args.share_root,
                idle_minutes=max(args.idle, 0),
                per_user=_amounts(args.per_user),
                wait_seconds=max(args.wait, 0.0),
            )
        )
    except Refused as refused:
        kind = Invalid if refused.status < 500 else Unavailable
        raise kind(refused.message, hint=refused.hint or None) from None
    return 0


def _without(error: ModuleNotFoundError) -> KubeflowError:
    return Unavailable(
        f"{error.name} is not installed", hint="Install it: pip install 'jupyter-kubeflow[hub]'."
    )


def _me() -> str:
    import getpass

    return getpass.getuser()


def _amounts(given: list[str]) -> dict[str, str]:
    """Read ``cpu=4``; a GPU may be called gpu."""
    from spawner.quantities import stored

    found = {}
    for text in given:
        key, _, value = text.partition("=")
        key = {"gpu": "nvidia.com/gpu"}.get(key, key)
        if key not in {"cpu", "memory", "nvidia.com/gpu"}:
            raise Invalid(f"{text!r} is not cpu=…, memory=… or gpu=…", where=Where(field="--per-user"))
        try:
            stored(value)
        except ValueError:
            raise Invalid(
                f"{value!r} is not an amount", where=Where(field="--per-user"), hint="Such as 4 or 16Gi."
            ) from None
        found[key] = value
    return found


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {"hub": hub}
