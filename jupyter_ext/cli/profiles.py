"""``jupyter kf profiles``: the profiles of a cluster, declared in a file, planned, applied, deleted."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Unavailable, Where

from . import grammar
from .text import as_json, say, table

if TYPE_CHECKING:
    from spawner.api import Api
    from spawner.profiles.planning import Change
    from spawner.profiles.policy import Platform

    from .grammar import Commands

Found = TypeVar("Found")

_ABOUT = """Where Kubeflow's Profile controller is installed, profiles are its Profile resources and it makes what belongs
to them; elsewhere the namespaces and what is in them are made from here. Nothing made by others is changed.

exit status: 0 done, 1 something was not done or is blocked, 2 wrong usage or input"""


def parser(commands: Commands) -> None:
    """What may be typed after this command."""
    profiles = grammar.add(commands, "profiles", "list, declare and delete the profiles of a cluster", _ABOUT)
    verbs = profiles.add_subparsers(dest="verb", metavar="VERB", required=True)
    list_ = grammar.add(verbs, "list", "list profiles: whose they are and whether they can be used")
    list_.add_argument("--user", metavar="NAME", help="only those that this user may use, with the role")
    list_.add_argument(
        "--group", action="append", default=[], metavar="NAME", help="a group of that user (repeat for more)"
    )
    for name, about in (
        ("plan", "show what apply would do"),
        ("apply", "make what a file declares, and mend what differs from it"),
    ):
        verb = grammar.add(verbs, name, about)
        verb.add_argument("file", metavar="FILE.yaml")
        verb.add_argument("--all", action="store_true", help="list also what is as declared")
        verb.add_argument(
            "--hub-namespace",
            metavar="NAME",
            default="jupyterhub",
            help="where Hub and proxy run (default: jupyterhub)",
        )
        verb.add_argument(
            "--hub-principal", action="append", default=[], metavar="ID",
            help="identity of Hub or proxy in Istio, as cluster.local/ns/NAMESPACE/sa/NAME (repeat for more)",
        )  # fmt: skip
    delete = grammar.add(verbs, "delete", "delete a profile with everything in it; asks for its name first")
    delete.add_argument("profile", metavar="NAME")
    delete.add_argument("--dry-run", action="store_true", help="only list what would be destroyed")
    delete.add_argument("--confirm", metavar="NAME", help="the name once more, instead of being asked for it")
    schema = grammar.add(verbs, "schema", "print the JSON schema of the file")
    for verb in verbs.choices.values():
        if verb is not schema:
            grammar.json(verb)
            verb.add_argument(
                "--context", metavar="NAME", help="context of the kubeconfig (default: the current one)"
            )


def profiles(args: Namespace) -> int:
    """One of the verbs."""
    verbs: dict[str, Callable[[Namespace], int]] = {
        "list": _list,
        "plan": _plan,
        "apply": _apply,
        "delete": _delete,
        "schema": _schema,
    }
    return verbs[args.verb](args)


def _list(args: Namespace) -> int:
    from spawner.profiles import membership as of_spawner

    async def ask(api: Api) -> list[Mapping[str, Any]]:
        if args.user:
            found = await of_spawner.profiles_of(api, args.user, args.group)
        else:
            from spawner.profiles.directory import Directory

            found = await Directory.of(api).everyone()
        return [
            {"name": one.name, "owner": one.owner, "ownerKind": one.owner_kind, "role": one.role,
             "ready": one.is_ready, "reason": one.reason, "uid": one.uid}
            for one in found
        ]  # fmt: skip

    found = _asked(args, ask)
    if args.json:
        as_json({"profiles": found})
    elif not found:
        say("No profiles. Declare some: jupyter kf profiles apply FILE.yaml")
    else:
        rows = [
            (
                str(one["name"]),
                str(one["owner"]) + (" (group)" if one["ownerKind"] == "Group" else ""),
                str(one["role"]) if args.user else "",
                "ready" if one["ready"] else "not ready",
                str(one["reason"]),
            )
            for one in found
        ]
        say(table(rows, head=("PROFILE", "OWNER", "ROLE" if args.user else "", "STATE", "REASON")))
    return 0


def _plan(args: Namespace) -> int:
    from spawner.profiles.provision import plan

    declaration = _read(args.file)
    changes = _asked(args, lambda api: plan(api, declaration.profiles, _platform(args)))
    if args.json:
        as_json({"changes": [change.to_dict() for change in changes]})
    else:
        _say_plan(changes, everything=args.all)
    return 1 if any(change.action == "blocked" for change in changes) else 0


def _apply(args: Namespace) -> int:
    from spawner.profiles.provision import apply, plan

    declaration = _read(args.file)

    async def work(api: Api) -> tuple[list[Change], list[Any]]:
        changes = await plan(api, declaration.profiles, _platform(args))
        return changes, await apply(api, changes)

    changes, outcomes = _asked(args, work)
    blocked = [change for change in changes if change.action == "blocked"]
    failed = [outcome for outcome in outcomes if not outcome.is_done]
    if args.json:
        done = [{**one.change.to_dict(), "done": one.is_done, "reason": one.reason} for one in outcomes]
        as_json({"outcomes": done, "blocked": [change.to_dict() for change in blocked]})
    else:
        _say_plan([*(one.change for one in outcomes if one.is_done), *blocked], everything=args.all)
        for outcome in failed:
            change = outcome.change
            say(f"not done: {change.kind} {change.name} of {change.profile}: {outcome.reason}")
    return 1 if blocked or failed else 0


def _delete(args: Namespace) -> int:
    from spawner.profiles import cleanup

    async def work(api: Api) -> tuple[cleanup.Doomed, bool]:
        seen = await cleanup.doomed(api, args.profile)
        if not args.json:
            say(f"Profile {seen.name} of {seen.owner}. With it go:")
            for line in seen.lines() or ["nothing but its own settings"]:
                say(f"  {line}")
        if args.dry_run:
            return seen, False
        await cleanup.delete(api, seen, args.confirm if args.confirm is not None else _typed(seen.name))
        return seen, True

    seen, is_deleted = _asked(args, work)
    if args.json:
        as_json({"profile": seen.to_dict(), "deleted": is_deleted})
    else:
        say(f"{seen.name} is being deleted." if is_deleted else "Nothing was deleted (--dry-run).")
    return 0


def _schema(_args: Namespace) -> int:
    from spawner.profiles.declared import schema

    as_json(schema())
    return 0


def _typed(name: str) -> str:
    if not sys.stdin.isatty():
        raise Invalid(
            "Deleting a profile has to be confirmed",
            where=Where(object=name),
            hint=f"Add --confirm {name}, after a look at --dry-run.",
        )
    return input(f"Type the name {name} to delete all of this: ").strip()


def _read(path: str) -> Any:
    from spawner.profiles.declared import read
    from spawner.refused import Refused

    try:
        return read(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise Invalid(f"The file cannot be read: {reason}", where=Where(object=path)) from error
    except Refused as refused:
        raise _error(refused) from refused


def _platform(args: Namespace) -> Platform:
    from spawner.profiles.policy import Platform

    return Platform(hub_namespace=args.hub_namespace, hub_principals=tuple(args.hub_principal))


def _say_plan(changes: list[Change], *, everything: bool) -> None:
    rows = [
        (change.action, change.profile, f"{change.kind}/{change.name}", change.why)
        for change in changes
        if everything or change.action != "keep" or change.kind == "Profile" or "no longer" in change.why
    ]
    if rows:
        say(table(rows, head=("", "PROFILE", "OBJECT", "WHY")))
    kept = sum(change.action == "keep" for change in changes)
    work = sum(change.is_work for change in changes)
    say(f"{work} to change, {kept} as they are." if work or kept else "Nothing to change.")


def _asked(args: Namespace, work: Callable[[Api], Awaitable[Found]]) -> Found:
    """Run it against the cluster of the kubeconfig."""
    import asyncio

    from spawner.refused import Refused

    async def run() -> Found:
        from jupyter_ext.cluster.kubeconfig import connect
        from spawner.profiles.directory import Directory

        api = (await connect(context=args.context)).api
        try:
            return await work(api)
        finally:
            await Directory.of(api).stop()
            await api.close()

    try:
        return asyncio.run(run())
    except Refused as refused:
        raise _error(refused) from refused


def _error(refused: Any) -> KubeflowError:
    kinds: dict[int, type[KubeflowError]] = {400: Invalid, 404: NotFound, 409: Conflict}
    where = Where(field=refused.field) if refused.field else None
    return kinds.get(refused.status, Unavailable)(refused.message, where=where, hint=refused.hint or None)


COMMANDS: dict[str, Callable[[Any], int]] = {"profiles": profiles}
