"""The options of ``jupyter kf serve``, ``%serve`` and their kin, stated once, and what they mean to ``serving.serve``."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, BooleanOptionalAction
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from jupyter_ext.errors import Invalid, Where
from jupyter_ext.training.options import Option, count, pairs, resources, seconds


def percent(text: str) -> float:
    """Read ``10``, ``12.5`` or ``10%``; raises argparse's error."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d{1,4})?)\s*%?", text.strip())
    if found is None or float(found[1]) > 100:
        raise ArgumentTypeError(f"{text!r} is not a number of percent from 0 to 100")
    return _tidy(float(found[1]))


def _tidy(value: float) -> float:
    return int(value) if value.is_integer() else value


def replicas(text: str) -> int | str:
    """Read ``2``, or ``0:3`` for from none to three; raises argparse's error."""
    found = re.fullmatch(r"(\d{1,4}):(\d{1,4})", text)
    if found is None:
        return count(text)
    if int(found[1]) > int(found[2]) or not int(found[2]):
        raise ArgumentTypeError(f"{text!r} is not LEAST:MOST")
    return text


def batch(text: str) -> dict[str, int]:
    """Read ``32``, or ``32:5`` for at most 32 requests that wait 5 ms for each other; raises argparse's error."""
    found = re.fullmatch(r"(\d{1,6})(?::(\d{1,6}))?", text)
    if found is None or not int(found[1]):
        raise ArgumentTypeError(f"{text!r} is not SIZE or SIZE:MILLISECONDS")
    return {"size": int(found[1])} | ({"wait_ms": int(found[2])} if found[2] else {})


def sample(text: str) -> float:
    """Read the share of requests to keep, ``0.1`` or ``10%``; raises argparse's error."""
    try:
        value = float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= 1:
        raise ArgumentTypeError(f"{text!r} is not a share such as 0.1 or 10%")
    return value


def kept(text: str) -> float:
    """Read the share of requests to keep, 0 for ``off``; raises argparse's error."""
    return 0.0 if text == "off" else sample(text)


OPTIONS: tuple[Option, ...] = (
    Option(("--endpoint",), {"metavar": "NAME", "help": "name of the endpoint (default: that of the model)"}),
    Option(("--percent",), {"type": percent, "metavar": "P",
            "help": "put it beside what is served, with this share of the traffic; 0 for none yet (default: take over)"}),
    Option(("--variant",), {"metavar": "NAME", "help": "name of the variant (default: v and the version)"}),
    Option(("--replicas",), {"type": replicas, "metavar": "N", "help": "number of processes, or LEAST:MOST (default: 1)"}),
    Option(("--cpu",), {"metavar": "CORES", "help": "cores of each process"}),
    Option(("--memory",), {"metavar": "AMOUNT", "help": "memory of each process, for example 2Gi"}),
    Option(("--gpu",), {"metavar": "COUNT", "help": "GPUs of each process"}),
    Option(("--env",), {"action": "append", "default": [], "metavar": "NAME=VALUE",
            "help": "set an environment variable (repeat for more)"}),
    Option(("--timeout",), {"type": seconds, "metavar": "TIME", "help": "a request may take so long (default: 60)"}),
    Option(("--batch",), {"type": batch, "metavar": "SIZE[:MS]",
            "help": "put so many requests into one prediction, waiting so long for them"}),
    Option(("--idle",), {"type": seconds, "metavar": "TIME",
            "help": "stop its processes after this time without a request; the next one wakes it"}),
    Option(("--sticky",), {"metavar": "KEY",
            "help": "who has the same value stays with the same variant: header:x-user, query:user or body:user.id"}),
    Option(("--log",), {"nargs": "?", "const": 1.0, "type": sample, "metavar": "SHARE",
            "help": "keep requests and answers, all or this share of them"}),
    Option(("--redact",), {"action": "append", "default": [], "metavar": "NAME",
            "help": "leave this column or field out of what is kept (repeat for more)"}),
    Option(("--rule",), {"action": "append", "default": [], "metavar": "TEXT", "dest": "rules",
            "help": "for example 'roll back if errors > 2 %% over 5 minutes' (repeat for more)"}),
    Option(("--grpc",), {"action": "store_true", "help": "answer V2 by gRPC too"}),
    Option(("--explain",), {"action": "store_true", "help": "answer :explain too, for tables"}),
    Option(("--trust",), {"action": "store_true",
            "help": "load a format that can run code although it was not registered by you from here"}),
)  # fmt: skip


def given(args: Any) -> dict[str, Any]:
    """Give the keywords of ``serving.serve`` that were said."""
    log = args.log
    if args.redact and log is None:
        raise Invalid("--redact needs --log", where=Where(field="--redact"))
    found: dict[str, Any] = {
        "endpoint": args.endpoint,
        "percent": args.percent,
        "variant": args.variant,
        "replicas": args.replicas,
        "resources": resources(args),
        "env": pairs(args.env, "--env"),
        "timeout": args.timeout,
        "batch": args.batch,
        "idle": args.idle,
        "sticky": args.sticky,
        "log": None if log is None else {"sample": log} | ({"redact": args.redact} if args.redact else {}),
        "rules": list(args.rules),
        "grpc": args.grpc,
        "explain": args.explain,
        "trust": args.trust,
    }
    return {
        name: value
        for name, value in found.items()
        if value is not None and value is not False and value not in ({}, [])
    }


def split(words: Iterable[str]) -> dict[str, float]:
    """Read ``v1=90 v2=10``; raises Invalid for other forms. Whether they add up is the endpoint's to say."""
    found: dict[str, float] = {}
    for name, text in pairs(words, "VARIANT=PERCENT").items():
        try:
            found[name] = percent(text)
        except ArgumentTypeError as error:
            raise Invalid(str(error), where=Where(field=name)) from None
    if not found:
        raise Invalid("there is no share to set", hint="Say for example: v1=90 v2=10")
    return found


def outcome(words: Iterable[str]) -> dict[str, float]:
    """Read ``clicked=1``; raises Invalid."""
    found: dict[str, float] = {}
    for name, text in pairs(words, "NAME=NUMBER").items():
        word = {"true": "1", "false": "0"}.get(text.lower(), text)
        try:
            found[name] = _tidy(float(word))
        except (ValueError, OverflowError):
            raise Invalid(f"{name} must be a number, not {text!r}", where=Where(field=name)) from None
    if not found:
        raise Invalid("there is no outcome", hint="Say for example: clicked=1")
    return found


def share(value: float) -> str:
    """Give percent as one writes it: 10 %, 12.5 %."""
    return f"{value:g} %"


def words_of(shares: Mapping[str, float]) -> list[str]:
    """Give a split as words of a command."""
    return [f"{name}={value:g}" for name, value in shares.items()]


class Command(NamedTuple):
    """One command on an endpoint: its name, what it does, and what may stand behind the endpoint's name."""

    name: str
    about: str
    options: tuple[Option, ...] = ()


_ENDPOINT: Final = Option(("endpoint",), {"metavar": "ENDPOINT"})
_VARIANT: Final = Option(("variant",), {"metavar": "VARIANT"})
COMMANDS: Final[tuple[Command, ...]] = (
    Command("traffic", "share the traffic of an endpoint between its variants, or show the shares", (
        Option(("split",), {"metavar": "VARIANT=PERCENT", "nargs": "*", "help": "they add up to 100"}),
        Option(("--sticky",), {"metavar": "KEY", "help": "header:NAME, query:NAME, body:PATH, or off"}),
    )),
    Command("mirror", "send copies of requests to a variant; nobody waits for its answers", (
        Option(("variant",), {"metavar": "VARIANT", "nargs": "?", "help": "default: none any more"}),
        Option(("--percent",), {"type": percent, "default": 100, "metavar": "P", "help": "default: 100"}),
    )),
    Command("promote", "give a variant all the traffic; it becomes the stable one", (
        Option(("variant",), {"metavar": "VARIANT", "nargs": "?", "help": "default: the only other one"}),
    )),
    Command("rollback", "go back to an earlier revision of an endpoint", (
        Option(("revision",), {"metavar": "REVISION", "nargs": "?", "type": count, "help": "default: the one before"}),
    )),
    Command("remove", "take a variant away; its share goes to the stable one", (_VARIANT,)),
    Command("rules", "set the rules by which an endpoint rolls back by itself, or show how they stand", (
        Option(("rules",), {"metavar": "RULE", "nargs": "*", "help": "such as 'roll back if errors > 2 %% over 5 minutes'"}),
        Option(("--clear",), {"action": "store_true", "help": "no rules any more"}),
    )),
    Command("log", "change what is kept of the requests of an endpoint, or show it", (
        Option(("share",), {"metavar": "SHARE", "nargs": "?", "type": kept,
                "help": "keep this share of them, such as 0.1 or 10%%, or off"}),
        Option(("--redact",), {"action": "append", "metavar": "NAME",
                "help": "leave out this column or field (repeat for more; '' for none any more)"}),
        Option(("--keep",), {"type": count, "metavar": "N", "help": "the newest so many"}),
        Option(("--bodies",), {"action": BooleanOptionalAction, "help": "keep what was sent and answered too"}),
    )),
    Command("start", "start a stopped endpoint again"),
    Command("revisions", "what an endpoint was, newest first"),
    Command("requests", "show the log of requests of an endpoint, newest first, or one of them", (
        Option(("id",), {"metavar": "REQUEST_ID", "nargs": "?", "help": "show this one with what was sent and answered"}),
        Option(("--limit",), {"type": count, "default": 20, "metavar": "N", "help": "greatest number (default: 20)"}),
        Option(("--variant",), {"metavar": "VARIANT", "help": "only of this variant"}),
        Option(("--failed",), {"action": "store_true", "help": "only those that failed"}),
        Option(("--search",), {"default": "", "metavar": "TEXT", "help": "only those with this text"}),
    )),
    Command("replay", "send logged requests to a variant and compare the answers", (
        _VARIANT,
        Option(("--limit",), {"type": count, "default": 200, "metavar": "N", "help": "so many of the newest (default: 200)"}),
        Option(("--against",), {"metavar": "VARIANT", "help": "compare with its answers now, not with those of the log"}),
    )),
    Command("drift", "how far requests have moved from what the model was trained on"),
    Command("feedback", "say what came of a prediction", (
        Option(("request",), {"metavar": "REQUEST_ID", "help": "the X-Request-Id of its answer"}),
        Option(("outcome",), {"metavar": "NAME=NUMBER", "nargs": "+", "help": "for example clicked=1"}),
    )),
)  # fmt: skip
COMPARING: Final[tuple[Option, ...]] = (
    Option(("--metric",), {"help": "of an endpoint: errors, p95, or an outcome that was fed back"}),
    Option(("--against",), {"metavar": "VARIANT", "help": "of an endpoint: default the stable one"}),
    Option(
        ("--since",), {"type": seconds, "metavar": "TIME", "help": "of an endpoint: only the last 10m, 2h, …"}
    ),
)


def add(parser: Any, found: Iterable[Option], *, endpoint: bool = True) -> None:
    """Put options into a parser, behind the endpoint's name."""
    for option in ((_ENDPOINT,) if endpoint else ()) + tuple(found):
        parser.add_argument(*option.words, **option.settings)


def requests_asked(args: Any) -> dict[str, Any]:
    """Give what ``requests`` was asked for."""
    asked = {"limit": args.limit, "variant": args.variant, "search": args.search}
    return asked | ({"failed": True} if args.failed else {})


def apply_traffic(endpoint: Any, args: Any) -> None:
    """Change the traffic as was said; nothing where nothing was."""
    if not args.split and args.sticky is None:
        return
    shares = split(args.split) if args.split else {one.name: one.percent for one in endpoint.variants}
    more = {} if args.sticky is None else {"sticky": None if args.sticky in {"off", ""} else args.sticky}
    endpoint.traffic(shares, **more)


def apply_log(endpoint: Any, args: Any) -> dict[str, Any] | None:
    """Change what is kept as was said, and leave the rest as it is; gives what is kept now, None for nothing."""
    said = {"sample": args.share, "keep": args.keep, "bodies": args.bodies}
    if args.redact is not None:
        said["redact"] = [name for name in args.redact if name]
    said = {name: value for name, value in said.items() if value is not None}
    if args.share == 0:
        if len(said) > 1:
            raise Invalid("nothing is kept with off", where=Where(field="SHARE"), hint="Leave the rest out.")
        endpoint.log(None)
    elif said:
        endpoint.log({**(endpoint.kept or {}), **said})
    found: dict[str, Any] | None = endpoint.kept
    return found


def log_words(kept: Mapping[str, Any] | None) -> str:
    """What is kept of requests, in a sentence."""
    if not kept or not kept["sample"]:
        return "Nothing is kept of its requests."
    which = "All requests" if kept["sample"] >= 1 else f"{share(kept['sample'] * 100)} of the requests"
    bodies = " and answers" if kept["bodies"] else ", without what was sent and answered"
    without = f", without {', '.join(kept['redact'])}" if kept["redact"] and kept["bodies"] else ""
    return f"{which}{bodies} are kept{without}; the newest {kept['keep']:,}."
