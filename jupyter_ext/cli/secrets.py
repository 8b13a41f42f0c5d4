"""``jupyter kf secret``: the profile's own Secrets and ConfigMaps. A value is never an argument, and never printed."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, Where

from . import grammar
from .text import ago, as_json, say, table

if TYPE_CHECKING:
    from .grammar import Commands

_ABOUT = """The value is asked for, or read from standard input (less one newline at its end) or from a file (as it is).
It is never an argument: others could read it there, and the shell would remember it."""


def parser(commands: Commands) -> None:
    """What may be typed after this command."""
    secret = grammar.add(commands, "secret", "keep what pipelines' steps take as Secrets and ConfigMaps")
    verbs = secret.add_subparsers(dest="verb", metavar="VERB", required=True)
    set_ = grammar.add(verbs, "set", "give a key of a secret a value", _ABOUT)
    set_.add_argument("name", metavar="NAME")
    set_.add_argument("key", metavar="KEY")
    set_.add_argument("--from-file", metavar="FILE", help="the value is the content of this file")
    list_ = grammar.add(verbs, "list", "list names and keys")
    grammar.json(list_)
    delete = grammar.add(verbs, "delete", "delete a secret, or one key of it")
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("key", metavar="KEY", nargs="?", help="only this key")
    for verb in (set_, list_, delete):
        verb.add_argument(
            "--config-map",
            action="store_const",
            const="ConfigMap",
            default="Secret",
            dest="kind",
            help="of ConfigMaps",
        )


def secret(args: Namespace) -> int:
    """One of the verbs."""
    verbs: dict[str, Callable[[Namespace], int]] = {"set": _set, "list": _list, "delete": _delete}
    return verbs[args.verb](args)


def _set(args: Namespace) -> int:
    from jupyter_ext import secrets
    from jupyter_ext.secrets.store import checked_key, checked_name

    checked_name(args.name, args.kind)
    checked_key(args.key)
    found = secrets.set(args.name, args.key, _value(args), kind=args.kind)
    say(f"{found.kind} {found.name} has {', '.join(found.keys)}.")
    return 0


def _value(args: Namespace) -> str | bytes:
    from jupyter_ext.secrets.store import LARGEST

    if args.from_file:
        try:
            with Path(args.from_file).open("rb") as file:
                return file.read(LARGEST + 1)
        except OSError as error:
            raise Invalid(
                f"{args.from_file} cannot be read ({error.strerror})",
                where=Where(field="--from-file"),
                hint="Check the path.",
            ) from None
    if sys.stdin.isatty():
        from getpass import getpass

        return getpass(f"Value of {args.key}: ")
    return sys.stdin.buffer.read(LARGEST + 2).removesuffix(b"\n")


def _list(args: Namespace) -> int:
    from jupyter_ext import secrets

    found = secrets.list(kind=args.kind)
    if args.json:
        as_json({"items": [entry.to_dict() for entry in found]})
    elif not found:
        option = " --config-map" if args.kind == "ConfigMap" else ""
        say(f"There are none. Make one: jupyter kf secret set NAME KEY{option}")
    else:
        rows = [(entry.name, ", ".join(entry.keys), ago(entry.created)) for entry in found]
        say(table(rows, head=("NAME", "KEYS", "MADE")))
    return 0


def _delete(args: Namespace) -> int:
    from jupyter_ext import secrets

    secrets.delete(args.name, args.key, kind=args.kind)
    say(f"Deleted {args.name}{' ' + args.key if args.key else ''}.")
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {"secret": secret}
