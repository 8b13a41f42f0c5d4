"""``jupyter kf doctor``: this machine, or with ``--cluster`` a Kubernetes cluster."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, Where

from . import grammar
from .text import as_json, say

if TYPE_CHECKING:
    from .grammar import Commands

_ABOUT = """With --cluster a Kubernetes cluster is looked at, the current one of your kubeconfig; nothing is written there. What you
may not look at is said to be unknown, with the right to ask for.

exit status: 0 all that is needed works, 1 something does not, 2 wrong usage or input"""
_OF_CLUSTER = ("kubeconfig", "context", "namespace", "hub")


def parser(commands: Commands) -> None:
    """What may be typed after this command."""
    doctor = grammar.add(
        commands, "doctor", "check everything that is needed, with a fix for each problem", _ABOUT
    )
    doctor.add_argument(
        "--cluster", action="store_true", help="look at a Kubernetes cluster, not at this machine"
    )
    doctor.add_argument("--kubeconfig", metavar="FILE", help="default: KUBECONFIG, or ~/.kube/config")
    doctor.add_argument(
        "--context", metavar="NAME", help="context of the kubeconfig (default: the current one)"
    )
    doctor.add_argument("--namespace", metavar="NAME", help="look into this namespace only")
    doctor.add_argument(
        "--hub", metavar="NAMESPACE/ACCOUNT",
        help="the Hub's service account, whose rights are checked (default: that of the Hub that is found)",
    )  # fmt: skip
    grammar.json(doctor)


def doctor(args: Namespace) -> int:
    """1 if something that is needed does not work."""
    from jupyter_ext.cluster.discover import doctor as examine

    given = {name: value for name in _OF_CLUSTER if (value := getattr(args, name))}
    if not args.cluster:
        if given:
            name = next(iter(given))
            raise Invalid(f"--{name} is about a cluster", where=Where(field=name), hint="Add --cluster.")
        return _machine(args)
    report = examine(cluster=True, **given)
    if args.json:
        as_json(report.to_dict())
    else:
        say(str(report))
    return 0 if report.ok else 1


def _machine(args: Namespace) -> int:
    from jupyter_ext.cluster.discover import doctor as examine

    report = examine()
    if args.json:
        as_json(report.to_dict())
    else:
        for found in report.checks:
            mark = "ok  " if found.ok else "FAIL" if found.required else "note"
            say(f"{mark}  {found.name}: {found.detail}")
            if not found.ok and found.fix:
                say(f"      {found.fix}")
    return 0 if report.ok else 1


COMMANDS: dict[str, Callable[[Any], int]] = {"doctor": doctor}
