"""How a command is added to what may be typed: the same for all of them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse names it no other way


def add(commands: Commands, name: str, about: str, epilog: str | None = None) -> argparse.ArgumentParser:
    """Add a command; ``about`` is a sentence without its capital letter and its full stop."""
    return commands.add_parser(
        name,
        help=about,
        description=about[0].upper() + about[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def json(parser: argparse.ArgumentParser, what: str = "print JSON") -> None:
    """Let it print JSON."""
    parser.add_argument("--json", action="store_true", help=what)


def place(parser: argparse.ArgumentParser) -> None:
    """Which cluster and namespace the command is about, this time."""
    parser.add_argument(
        "--context", dest="in_context", metavar="NAME",
        help="in this context of the kubeconfig, in-cluster, or local (default: what the profile uses)",
    )  # fmt: skip
    parser.add_argument(
        "--namespace", dest="in_namespace", metavar="NAME", help="in this namespace of the cluster"
    )
