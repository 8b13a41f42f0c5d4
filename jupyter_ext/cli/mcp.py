"""``jupyter kf mcp``: what assistants ask."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import grammar

if TYPE_CHECKING:
    from .grammar import Commands

_ABOUT = """It speaks on standard input and output, and is started by the assistant's program, for example with
  {"mcpServers": {"kubeflow": {"command": "jupyter", "args": ["kf", "mcp"]}}}

It only reads, unless --allow-writes is given. What changes something then takes two calls: the first gives a plan
and a word that is good once, for the very same arguments, for a few minutes; the second, with that word, does it."""


def parser(commands: Commands) -> None:
    """What may be typed after this command."""
    mcp = grammar.add(commands, "mcp", "serve the library to assistants (Model Context Protocol)", _ABOUT)
    mcp.add_argument(
        "--root", metavar="FOLDER", default=".", help="folder whose files may be meant (default: this one)"
    )
    mcp.add_argument("--allow-writes", action="store_true", help="also what changes something, in two steps")
    mcp.add_argument(
        "--confirm-within",
        type=float,
        default=300.0,
        metavar="SECONDS",
        help="how long a plan can be confirmed (default: 300)",
    )


def mcp(args: Namespace) -> int:
    """Serve until standard input ends."""
    from jupyter_ext.mcp.server import serve

    serve(args.root, writes=args.allow_writes, seconds=args.confirm_within)
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {"mcp": mcp}
