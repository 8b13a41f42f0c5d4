"""Commands of endpoints: ``serve``, ``traffic``, ``predict``, ``promote``, ``rollback`` and their kin."""

from __future__ import annotations

import argparse
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_ext.serving import options
from jupyter_ext.training.options import Option

from . import grammar

if TYPE_CHECKING:
    from jupyter_ext.serving import Endpoint

    from .grammar import Commands

_SERVE = """NAME alone is the newest version. Without --percent it takes over when it is ready, and what served before
goes on until then; with --percent it is put beside it."""


def parser(commands: Commands) -> None:
    """What may be typed after these commands."""
    serve_ = grammar.add(commands, "serve", "serve a registered model at a stable address", _SERVE)
    serve_.add_argument("model", metavar="NAME[@ALIAS|:VERSION]")
    for option in options.OPTIONS:
        serve_.add_argument(*option.words, **option.settings)
    waiting = serve_.add_mutually_exclusive_group()
    waiting.add_argument("--wait", action="store_true", help="wait until it serves (the default)")
    waiting.add_argument("--no-wait", action="store_true", help="start it and leave; it goes on by itself")
    grammar.json(serve_)
    for command in options.COMMANDS:
        made = grammar.add(commands, command.name, command.about)
        options.add(made, command.options)
        grammar.json(made)
    predict_ = grammar.add(commands, "predict", "ask an endpoint for predictions")
    options.add(predict_, _PREDICT)
    grammar.json(predict_)


_PREDICT = (
    Option(("--data",), {"metavar": "FILE",
        "help": "CSV, JSON, JSON lines, Parquet, .npy, - for JSON on standard input (default: the example)"}),
    Option(("--variant",), {"metavar": "VARIANT", "help": "ask this variant, whatever its share"}),
    Option(("--explain",), {"action": "store_true", "help": "which input weighed how much instead"}),
)  # fmt: skip


def comparing(parser: argparse.ArgumentParser) -> None:
    """Add what ``compare`` takes for an endpoint."""
    options.add(parser, options.COMPARING, endpoint=False)


# What they do


def one(names: Sequence[str]) -> str | None:
    """Give the name of the endpoint if a single name means one; raises Invalid where it means several things."""
    if len(names) != 1:
        return None
    from jupyter_ext import resources

    resource = resources.find(names[0])
    return resource.name if resource.kind == "InferenceService" else None


def _endpoint(reference: str) -> Endpoint:
    """Give an endpoint by its name, or as ``endpoint/NAME``; raises NotFound with names like it."""
    from jupyter_ext import serving
    from jupyter_ext.errors import Invalid, Where
    from jupyter_ext.kinds import kind_of

    word, slash, name = reference.partition("/")
    if slash and kind_of(word) != "InferenceService":
        raise Invalid(f"{reference!r} is not an endpoint", where=Where(field="ENDPOINT"))
    return serving.get(name if slash else reference)


def serve(args: Namespace) -> int:
    """``jupyter kf serve``."""
    from jupyter_ext import serving

    endpoint = serving.serve(args.model, wait=False, **options.given(args))
    if args.no_wait:
        return _started(endpoint, args)
    try:
        endpoint.wait()
    except KeyboardInterrupt:
        sys.stderr.write(
            f"\n{endpoint.name} goes on by itself. Stop it: jupyter kf stop endpoint/{endpoint.name}\n"
        )
        return 130
    return _state(endpoint, args)


def _started(endpoint: Endpoint, args: Namespace) -> int:
    from .text import say

    if args.json:
        return _state(endpoint, args)
    _addresses(endpoint)
    say(f"It comes up by itself. Wait for it: jupyter kf wait endpoint/{endpoint.name}")
    return 0


def _state(endpoint: Endpoint, args: Namespace) -> int:
    """Say how an endpoint is now; 1 if it does not serve, or not what was asked for last."""
    from jupyter_ext.serving import presenting

    from .text import as_json

    resource = endpoint.resource
    failed = [item for item in presenting.variants(resource) if item.get("state") == "failed"]
    good = resource.phase in {"PENDING", "RUNNING"} and not failed
    if args.json:
        as_json(presenting.brief(resource))
    else:
        _addresses(endpoint)
        _variants(presenting.variants(resource))
    if not good and not args.json:
        sys.stdout.flush()
        reason = resource.reason or f"It is {resource.phase.lower()}."
        sys.stderr.write(f"jupyter kf: {reason} See: jupyter kf logs endpoint/{endpoint.name}\n")
    return 0 if good else 1


def _addresses(endpoint: Endpoint) -> None:
    from jupyter_ext.cluster import discover
    from jupyter_ext.serving import presenting

    from .text import say

    found = presenting.addresses(endpoint.resource)
    say(f"endpoint/{endpoint.name}" + (f"  {found['url']}" if found else ""))
    for name, word in (("v1", "V1"), ("v2", "V2"), ("grpc", "gRPC")):
        if name in found:
            say(f"  {word:<5}  {found[name]}")
    if found:
        say(f"  token  {discover.current().home / 'gateway.token'}")


def _variants(found: Sequence[Mapping[str, Any]]) -> None:
    from .text import one_line, say, table

    rows = [
        (
            f"  {item['name']}",
            f"{item.get('percent') or 0:g} %",
            ":".join(str(item[name]) for name in ("model", "version") if item.get(name)),
            str(item.get("state") or ""),
            one_line(str(item.get("reason") or ""), 90),
        )
        for item in found
    ]
    if rows:
        say(table(rows))


def _changed(endpoint: Endpoint, args: Namespace) -> int:
    """Say what an endpoint is after a change."""
    from jupyter_ext.serving import presenting

    from .text import as_json, say

    if args.json:
        as_json(presenting.brief(endpoint.resource))
        return 0
    say(f"endpoint/{endpoint.name}")
    _variants(presenting.asked(endpoint.resource))
    return 0


def traffic(args: Namespace) -> int:
    """``jupyter kf traffic``."""
    endpoint = _endpoint(args.endpoint)
    options.apply_traffic(endpoint, args)
    return _changed(endpoint, args)


def mirror(args: Namespace) -> int:
    """``jupyter kf mirror``."""
    endpoint = _endpoint(args.endpoint)
    endpoint.mirror(args.variant, args.percent if args.variant else 0)
    return _changed(endpoint, args)


def promote(args: Namespace) -> int:
    """``jupyter kf promote``."""
    endpoint = _endpoint(args.endpoint)
    endpoint.promote(args.variant)
    return _changed(endpoint, args)


def rollback(args: Namespace) -> int:
    """``jupyter kf rollback``."""
    endpoint = _endpoint(args.endpoint)
    endpoint.rollback(args.revision)
    return _changed(endpoint, args)


def remove(args: Namespace) -> int:
    """``jupyter kf remove``."""
    endpoint = _endpoint(args.endpoint)
    endpoint.remove(args.variant)
    return _changed(endpoint, args)


def log(args: Namespace) -> int:
    """``jupyter kf log``."""
    from .text import as_json, say

    kept = options.apply_log(_endpoint(args.endpoint), args)
    if args.json:
        as_json({"log": kept})
    else:
        say(options.log_words(kept))
    return 0


def start(args: Namespace) -> int:
    """``jupyter kf start``."""
    endpoint = _endpoint(args.endpoint)
    endpoint.start()
    endpoint.wait()
    return _state(endpoint, args)


def rules(args: Namespace) -> int:
    """``jupyter kf rules``."""
    from .text import as_json, say, table

    endpoint = _endpoint(args.endpoint)
    found = endpoint.rules(*(args.rules or ([""] if args.clear else [])))
    if args.json:
        as_json({"rules": found})
    else:
        rows = [tuple(str(item.get(name) or "") for name in ("text", "state", "value")) for item in found]
        say(table(rows) if rows else "It has no rules.")
    return 0


def revisions(args: Namespace) -> int:
    """``jupyter kf revisions``."""
    from jupyter_ext.serving import presenting

    from .text import ago, as_json, say, table

    found = presenting.revisions(_endpoint(args.endpoint))
    if args.json:
        as_json({"revisions": found})
        return 0
    rows = [
        (
            f"{item['number']}{'*' if item.get('current') else ''}",
            ago(item.get("time")),
            str(item.get("by") or ""),
            " ".join(options.words_of(item.get("traffic") or {})),
            str(item.get("what") or ""),
            str(item.get("why") or ""),
        )
        for item in found
    ]
    say(table(rows, head=("REVISION", "SINCE", "BY", "TRAFFIC", "WHAT", "WHY")))
    return 0


def compare(name: str, args: Namespace) -> int:
    """``jupyter kf compare`` of an endpoint."""
    import time

    from .text import as_json, say

    since = time.time() - args.since if args.since else None
    found = _endpoint(name).compare(metric=args.metric, against=args.against, since=since)
    if args.json:
        as_json(found.to_dict())
    else:
        say(str(found))
    return 0


def predict(args: Namespace) -> int:
    """``jupyter kf predict``."""
    from jupyter_ext.serving import reading

    from .text import as_json, say

    endpoint = _endpoint(args.endpoint)
    data = reading.read(args.data) if args.data else reading.example(endpoint)
    verb = endpoint.explain if args.explain else endpoint.predict
    answer = verb(data, variant=args.variant, raw=True)
    value = reading.plain(answer.value)
    if args.json:
        word = "explanations" if args.explain else "predictions"
        as_json(
            {
                word: value,
                "variant": answer.variant,
                "requestId": answer.request_id,
                "seconds": answer.seconds,
            }
        )
    else:
        for line in reading.lines(value):
            say(line)
    return 0


def feedback(args: Namespace) -> int:
    """``jupyter kf feedback``."""
    from .text import as_json, say

    given = options.outcome(args.outcome)
    _endpoint(args.endpoint).feedback(args.request, **given)
    if args.json:
        as_json({"request": args.request, "outcome": given})
    else:
        say(f"Kept for {args.request}.")
    return 0


def requests(args: Namespace) -> int:
    """``jupyter kf requests``."""
    import json

    from jupyter_ext.serving import presenting

    from .text import as_json, one_line, say, seconds, table

    endpoint = _endpoint(args.endpoint)
    if args.id:
        found = presenting.request(endpoint, args.id)
        if args.json:
            as_json(found)
            return 0
        for name in ("id", "variant", "path", "status", "error"):
            say(f"{name + ':':<10}{found[name] if found[name] is not None else ''}".rstrip())
        for name in ("request", "response"):
            shown = found[f"{name}Text"] or json.dumps(found[name], ensure_ascii=False)
            say(f"{name + ':':<10}{shown if shown != 'null' else 'not kept'}")
        return 0
    page = presenting.requests_page(endpoint, options.requests_asked(args))
    if args.json:
        as_json(page)
    elif not page["items"]:
        say(
            f"Nothing is kept. Keep requests with: jupyter kf log {endpoint.name} 10%"
            if not endpoint.requests(limit=1)
            else "None."
        )
    else:
        rows = [
            (item["id"], _time(item["time"]), item["variant"], str(item["status"]), seconds(item["seconds"]), one_line(item["error"] or "", 80))
            for item in page["items"]
        ]  # fmt: skip
        say(table(rows, head=("REQUEST", "TIME", "VARIANT", "STATUS", "TOOK", "ERROR")))
    return 0


def _time(value: float) -> str:
    from datetime import datetime

    return datetime.fromtimestamp(value).astimezone().strftime("%H:%M:%S")


def replay(args: Namespace) -> int:
    """``jupyter kf replay``: 1 if an answer differs or failed."""
    from .text import as_json, say

    more = {"against": args.against} if args.against else {}
    found = _endpoint(args.endpoint).replay(args.variant, limit=args.limit, **more)
    told = found.to_dict()
    if args.json:
        as_json(told)
    else:
        say(str(found))
    return 0 if not told["different"] and not told["failed"] else 1


def drift(args: Namespace) -> int:
    """``jupyter kf drift``."""
    from .text import as_json, say

    found = _endpoint(args.endpoint).drift()
    if args.json:
        as_json(found.to_dict())
    else:
        say(str(found))
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {
    "serve": serve, "traffic": traffic, "mirror": mirror, "promote": promote, "rollback": rollback, "remove": remove,
    "log": log, "start": start, "rules": rules, "revisions": revisions, "predict": predict, "feedback": feedback,
    "requests": requests, "replay": replay, "drift": drift,
}  # fmt: skip
