"""Commands of the model registry: ``register``, ``models``, ``registry serve``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import grammar

if TYPE_CHECKING:
    from jupyter_ext.registry import Model, Version

    from .grammar import Commands

_FILTER = """a filter is for example
  name LIKE 'iris%' AND owner = 'ada'
and with --versions, where metrics, parameters and lineage can be compared too,
  accuracy > 0.9 AND lineage.run = 'flights-7'"""


def parser(commands: Commands) -> None:
    """What may be typed after these commands."""
    _register(grammar.add(commands, "register", "register a model: a file, a folder or an address"))
    models = grammar.add(commands, "models", "list registered models, or show one", epilog=_FILTER)
    models.add_argument(
        "model", metavar="NAME[@ALIAS|:VERSION]", nargs="?", help="show this one instead of a list"
    )
    models.add_argument("--filter", metavar="QUERY", default="", help="only what fits this filter query")
    models.add_argument("--versions", action="store_true", help="list versions, not models")
    models.add_argument("--limit", type=_count, default=50, help="greatest number listed (default: 50)")
    models.add_argument("--archived", action="store_true", help="also what is archived")
    grammar.json(models)
    server = grammar.add(commands, "registry", "run a model registry for others to use")
    verbs = server.add_subparsers(dest="verb", metavar="VERB", required=True)
    _serve(verbs)


def _register(register: argparse.ArgumentParser) -> None:
    register.add_argument("path", metavar="PATH", help="file, folder, or an address, which is only noted")
    register.add_argument("--name", required=True, help="name of the model; it is made if it is not there")
    register.add_argument("--version", dest="version_name", metavar="V", help="default: the next number")
    register.add_argument("--alias", help="let this alias mean the version, for example champion")
    register.add_argument("--description", help="in a sentence or two")
    register.add_argument("--format", help="default: recognised from the files")
    register.add_argument(
        "--metric", action="append", default=[], metavar="NAME=NUMBER", help="a metric (repeat for more)"
    )
    register.add_argument(
        "--param",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what it was trained with (repeat for more)",
    )
    register.add_argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="data it was made from (repeat for more)",
    )
    register.add_argument(
        "--to",
        metavar="URL",
        help="put the files there, for example s3://bucket/models (default: this profile)",
    )
    grammar.json(register)


def _serve(verbs: Commands) -> None:
    serve = verbs.add_parser(
        "serve", help="answer the Kubeflow Model Registry's REST API, v1 and v1alpha3, until stopped"
    )
    serve.add_argument(
        "--port", type=_port, default=8080, help="port to listen on (default: 8080; 0: a free one)"
    )
    serve.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1; another needs a token)"
    )
    serve.add_argument("--database", metavar="FILE", help="SQLite file (default: that of this profile)")
    serve.add_argument(
        "--token-file", metavar="FILE", help="a file with the token that clients must show; may be replaced"
    )


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 10**9:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not int(text) < 65536:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port")
    return int(text)


def register(args: argparse.Namespace) -> int:
    """``jupyter kf register``."""
    from jupyter_ext import registry

    from .text import as_json, say

    version = registry.register(
        args.path,
        args.name,
        args.version_name,
        alias=args.alias,
        description=args.description,
        format=args.format,
        metrics={name: _number(text) for name, text in _pairs(args.metric, "--metric")},
        parameters={name: _literal(text) for name, text in _pairs(args.param, "--param")},
        data=dict(_pairs(args.data, "--data")) or None,
        to=args.to,
    )
    if args.json:
        as_json(_version_object(version))
    else:
        alias = f" ({', '.join(version.aliases)})" if version.aliases else ""
        say(f"{version.name}{alias}  {version.format or 'format unknown'}  {version.uri}")
    return 0


def _pairs(given: list[str], option: str) -> list[tuple[str, str]]:
    from jupyter_ext.errors import Invalid

    found = []
    for text in given:
        name, sign, value = text.partition("=")
        if not sign or not name:
            raise Invalid(f"{option} {text!r} is not NAME=VALUE")
        found.append((name, value))
    return found


def _literal(text: str) -> object:
    from jupyter_ext.registry.forms import literal

    return literal(text)


def _number(text: str) -> float:
    from jupyter_ext.errors import Invalid

    try:
        return float(text)
    except ValueError:
        raise Invalid(f"the metric {text!r} is not a number") from None


def models(args: argparse.Namespace) -> int:
    """``jupyter kf models``."""
    from jupyter_ext import registry

    from .text import as_json, say

    if args.model:
        return _show(args)
    kept = {"limit": args.limit, "archived": args.archived}
    if args.versions:
        found = registry.find(args.filter, **kept)
        if args.json:
            as_json({"versions": [_version_object(version) for version in found]})
        else:
            say(_version_table(found) if found else "No version fits.")
        return 0
    listed = registry.models(args.filter, **kept)
    if args.json:
        as_json({"models": [_model_object(model) for model in listed]})
    elif listed:
        say(_model_table(listed))
    else:
        say(
            "No model fits."
            if args.filter
            else "No models. Register one: jupyter kf register PATH --name NAME"
        )
    return 0


def _show(args: argparse.Namespace) -> int:
    from jupyter_ext import registry

    from .text import as_json, say

    found = registry.get(args.model)
    if isinstance(found, registry.Version):
        if args.json:
            as_json(_version_object(found))
        else:
            say(_version_table([found]))
            for name, value in {**found.lineage, "files": found.uri}.items():
                say(f"  {name}: {value}")
        return 0
    if args.json:
        versions = [_version_object(version) for version in found.versions(limit=args.limit, archived=True)]
        as_json({**_model_object(found), "versions": versions})
    else:
        say(found.card.rstrip("\n"))
    return 0


def _model_object(model: Model) -> dict[str, Any]:
    return {
        "model": model.name,
        "owner": model.owner,
        "description": model.description,
        "aliases": model.aliases,
        "archived": model.archived,
        "created": model.created.isoformat(),
        "properties": model.properties,
    }


def _version_object(version: Version) -> dict[str, Any]:
    return {
        "model": version.model.name,
        "version": version.version,
        "aliases": version.aliases,
        "author": version.author,
        "archived": version.archived,
        "created": version.created.isoformat(),
        "format": version.format if version.is_whole else "",
        "uri": version.uri if version.is_whole else "",
        "metrics": version.metrics,
        "parameters": version.parameters,
        "lineage": version.lineage,
    }


def _model_table(listed: list[Model]) -> str:
    from .text import ago, one_line, table

    rows = []
    for model in listed:
        newest = model.versions(limit=1, archived=True)
        aliases = ", ".join(f"{alias}={version}" for alias, version in model.aliases.items())
        rows.append(
            (
                model.name,
                newest[0].version if newest else "-",
                aliases,
                model.owner,
                ago(model.created.isoformat()),
                one_line(model.description, 60),
            )
        )
    return table(rows, head=("MODEL", "NEWEST", "ALIASES", "OWNER", "CREATED", "DESCRIPTION"))


def _version_table(found: list[Version]) -> str:
    from .text import ago, number, table

    rows = [
        (
            version.name,
            ", ".join(version.aliases),
            version.format if version.is_whole else "",
            "  ".join(f"{name}={number(value)}" for name, value in version.metrics.items()),
            ago(version.created.isoformat()),
        )
        for version in found
    ]
    return table(rows, head=("VERSION", "ALIASES", "FORMAT", "METRICS", "CREATED"))


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


COMMANDS: dict[str, Callable[[Any], int]] = {"register": register, "models": models, "registry": registry}
