"""Commands for resources of any kind: apply, get, describe, wait, and what stop, resume, delete and logs do with them."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, NotFound, Where

from .text import ago, as_json, one_line, say, seconds, table

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource


def apply(args: Namespace) -> int:
    """``jupyter kf apply -f``."""
    from jupyter_ext import resources
    from jupyter_ext.kinds import title

    applied = [item for text in _texts(args.files) for item in resources.apply(text)]
    if not args.json:
        for item in applied:
            say(f"{title(item.resource)} {item.outcome}")
            for note in item.notes:
                say(f"  {note}")
    ended = [resources.wait(title(item.resource)) for item in applied] if args.wait else []
    if args.json:
        now = ended or [item.resource for item in applied]
        as_json(
            {
                "applied": [
                    {"outcome": item.outcome, "notes": list(item.notes), "resource": resource.to_dict()}
                    for item, resource in zip(applied, now, strict=True)
                ]
            }
        )
    return _conclude(ended, args)


def _texts(files: Sequence[str]) -> Iterator[str | Path]:
    """Give the files of all arguments: ``-`` is standard input, a folder the YAML in it."""
    for file in files:
        path = Path(file)
        if file == "-":
            yield sys.stdin.read() + "\n"
        elif path.is_dir():
            found = sorted(item for item in path.iterdir() if item.suffix in {".yaml", ".yml", ".json"})
            if not found:
                raise NotFound(f"there is no YAML in {file}", where=Where(field="-f"))
            yield from found
        else:
            yield path


def _conclude(ended: Sequence[Resource], args: Namespace) -> int:
    """Say how those that were waited for ended; 1 if one did not succeed."""
    from jupyter_ext import resources

    for resource in ended:
        if not args.json:
            took = seconds(resource.status.get("seconds"))
            say(f"{resource.kind.lower()}/{resource.name} {resource.phase}  {took}".rstrip())
            if not resources.good(resource) and resource.reason:
                sys.stdout.flush()
                sys.stderr.write(f"jupyter kf: {resource.reason}\n")
    return 0 if all(resources.good(resource) for resource in ended) else 1


def references(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Read ``trainjobs``, ``trainjob NAME…``, ``trainjob/NAME`` or ``NAME`` as kind (of a list) and references."""
    from jupyter_ext.kinds import kind_of

    if not words or words == ["all"]:
        return None, []
    kind = kind_of(words[0]) if "/" not in words[0] else None
    if kind is None:
        return None, list(words)
    return kind, [f"{kind.lower()}/{name}" for name in words[1:]]


def get(args: Namespace) -> int:
    """``jupyter kf get``."""
    from jupyter_ext import resources
    from jupyter_ext.kinds import title

    kind, names = references(args.what)
    state = args.state.upper() if args.state else None
    if names:
        found = [resources.get(name) for name in names]
    else:
        found = resources.list_(kind, limit=args.limit, phase=state)
    if args.json or args.format == "json":
        one = len(names) == 1
        as_json(found[0].to_dict() if one else {"items": [item.to_dict() for item in found]})
    elif args.format == "yaml":
        import yaml

        whole = found if names else [resources.get(title(item)) for item in found]
        say(yaml.safe_dump_all([item.to_dict() for item in whole], sort_keys=False).rstrip("\n"))
    elif args.format == "name":
        say("\n".join(title(item) for item in found))
    elif not found:
        say("There is nothing yet. Start something: jupyter kf train FILE.py")
    else:
        say(
            table([_row(item) for item in found], head=("NAME", "STATE", "DONE", "STARTED", "TOOK", "REASON"))
        )
    return 0


def _row(resource: Resource) -> tuple[str, ...]:
    progress = resource.status.get("progress")
    known = isinstance(progress, int | float) and not resource.finished
    return (
        f"{resource.kind.lower()}/{resource.name}",
        resource.phase,
        f"{progress:.0%}" if known else "",
        ago(resource.created),
        seconds(resource.status.get("seconds")),
        one_line(resource.reason, 80),
    )


def describe(args: Namespace) -> int:
    """``jupyter kf describe``."""
    from jupyter_ext import resources

    _, names = references(args.what)
    if not names:
        raise Invalid("describe what?", hint="Name it, for example: jupyter kf describe trainjob/mnist")
    for position, name in enumerate(names):
        if args.json:
            as_json(resources.get(name).to_dict())
        else:
            say(("\n" if position else "") + resources.describe(name))
    return 0


def events(args: Namespace) -> int:
    """``jupyter kf events``."""
    from jupyter_ext import resources

    found = {name: resources.events(name) for name in references(args.what)[1]}
    if not found:
        raise Invalid("events of what?", hint="Name it, for example: jupyter kf events trainjob/mnist")
    if args.json:
        as_json(
            {"events": [{"of": name, **event.to_dict()} for name, each in found.items() for event in each]}
        )
        return 0
    rows = [
        (event.time[:19], event.type, event.reason, one_line(event.message, 300))
        for each in found.values()
        for event in each
    ]
    say(table(rows, head=("TIME", "TYPE", "REASON", "WHAT")) if rows else "Nothing that is still known.")
    return 0


def wait(args: Namespace) -> int:
    """``jupyter kf wait``."""
    from jupyter_ext import resources

    _, names = references(args.what)
    if not names:
        raise Invalid("wait for what?", hint="Name it, for example: jupyter kf wait trainjob/mnist")
    try:
        ended = [resources.wait(name, args.timeout) for name in names]
    except TimeoutError as error:
        sys.stderr.write(f"jupyter kf wait: {error}.\n")
        return 1
    if args.json:
        one = len(ended) == 1
        as_json(ended[0].to_dict() if one else {"items": [item.to_dict() for item in ended]})
    return _conclude(ended, args)


def of_another_kind(name: str | None) -> str | None:
    """Give the reference if it does not mean a run; raises NotFound and Invalid."""
    if not name:
        return None
    from jupyter_ext import resources
    from jupyter_ext.kinds import title

    resource = resources.find(name)
    return None if resource.kind == "Run" else title(resource)


def stop(reference: str) -> int:
    """Stop what is no run."""
    from jupyter_ext import resources

    say(f"{reference}: {resources.stop(reference).phase}")
    return 0


def resume(reference: str, args: Namespace) -> int:
    """Go on with what is no run."""
    from jupyter_ext import resources
    from jupyter_ext.cluster.resource import Resource

    how = {"trials": args.trials} if args.trials else {}
    made = resources.resume(reference, **how)
    if isinstance(made, Resource) or not hasattr(made, "logs") or hasattr(made, "traffic"):
        say(f"{reference} goes on.")
        return 0
    from .jobs import follow

    return follow(made, args)


def logs(reference: str, args: Namespace) -> int:
    """Show what something that is no run has printed."""
    from jupyter_ext import resources

    part = f"rank-{args.rank}" if args.rank is not None else args.step
    for chunk in resources.logs(reference, part, tail=args.tail, follow=args.follow):
        sys.stdout.write(chunk)
        sys.stdout.flush()
    return 0


def delete(args: Namespace) -> int:
    """``jupyter kf delete``."""
    from jupyter_ext import manifest, resources
    from jupyter_ext.kinds import title

    names = references(args.what)[1]
    if args.files:
        for text in _texts(args.files):
            names += [title(document.resource) for document in manifest.load(text)]
    if not names:
        raise Invalid("delete what?", hint="Name it, for example: jupyter kf delete trainjob/mnist")
    for name in [title(resources.find(name)) for name in names]:
        resources.delete(name)
        say(f"Deleted {name.removeprefix('run/')}.")
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {
    "apply": apply,
    "get": get,
    "describe": describe,
    "events": events,
    "wait": wait,
    "delete": delete,
}
