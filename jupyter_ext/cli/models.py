"""Commands of the model registry: ``register``, ``models``, ``registry serve``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    _Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names it no other way


def parser(commands: _Commands) -> None:
    """What may be typed after these commands."""
    server = _add(commands, "registry", "run a model registry for others to use")
    verbs = server.add_subparsers(dest="verb", metavar="VERB", required=True)
    serve = verbs.add_parser(
        "serve", help="answer the Kubeflow Model Registry's REST API, v1 and v1alpha3, until stopped"
    )
    serve.add_argument(
        "--port", type=int, default=8080, help="port to listen on (default: 8080; 0: a free one)"
    )
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1; another needs a token)"
    )
    serve.add_argument("--database", metavar="FILE", help="SQLite file (default: that of this profile)")
    serve.add_argument(
        "--token-file", metavar="FILE", help="a file with the token that clients must show; may be replaced"
    )


def _add(commands: _Commands, name: str, about: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=about[0].upper() + about[1:] + ".")


def registry(args: argparse.Namespace) -> int:
    """``jupyter kf registry serve``."""
    from jupyter_ext.registry import place
    from jupyter_ext.registry.server import serve

    from .text import say

    database = Path(args.database).absolute() if args.database else place.home() / place.FILE
    token = Path(args.token_file) if args.token_file else None
    serve(
        database,
        host=args.host,
        port=args.port,
        token_file=token,
        ready=lambda address: say(f"Model registry at {address} ({database})"),
    )
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {"registry": registry}
