"""The test cluster from the command line: `python -m tests.cluster up`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Final

from tests.cluster import build, lifecycle, network
from tests.cluster.place import Place, Refused, default_place

_VERBS: Final = {
    "up": "start what does not run, and wait until it is ready",
    "down": "end all of it and remove its folder",
    "status": "which parts run, as JSON",
    "build": "build the programs and print where they are",
    "test": "run pytest on the tests marked `cluster`, as root of a user namespace where one is not root",
    "exec": "run a command in the cluster's network, with KUBECONFIG set",
    "kubectl": "run kubectl",
}


def main(arguments: list[str]) -> int:
    """Do one verb; 1 and a line when this machine cannot."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, words in _VERBS.items():
        one = verbs.add_parser(verb, help=words, description=words)
        one.add_argument(
            "--folder", type=Path, help="where the cluster keeps its things (default: one per checkout)"
        )
        if verb in {"up", "build"}:
            one.add_argument("--tier", choices=sorted(build.OF_TIER), default="control")
    mine, rest = _split(arguments)
    chosen = parser.parse_args(mine)
    place = Place(chosen.folder.absolute()) if chosen.folder else default_place()
    try:
        return _do(chosen.verb, place, getattr(chosen, "tier", ""), rest)
    except Refused as error:
        print(error, file=sys.stderr)
        return 1


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """What is for us, and what is for the command that a verb runs."""
    if arguments[:1] not in (["exec"], ["kubectl"], ["test"]):
        return arguments, []
    end = 3 if arguments[1:2] == ["--folder"] else 1
    rest = arguments[end:]
    return arguments[:end], rest[1:] if rest[:1] == ["--"] else rest


def _do(verb: str, place: Place, tier: str, command: list[str]) -> int:
    if verb == "build":
        print(*build.programs(tier).values(), sep="\n")
    elif verb == "up":
        started = time.monotonic()
        if left_out := lifecycle.up(place, tier):
            print(left_out, file=sys.stderr)
        print(f"up in {time.monotonic() - started:.1f} s: {place.kubeconfig}")
    elif verb == "down":
        lifecycle.down(place)
    elif verb == "status":
        print(json.dumps(lifecycle.status(place), indent=1))
    elif verb == "test":
        _test(command)
    else:
        if verb == "kubectl":
            command = [*lifecycle.kubectl(place, build.programs("control")), *command]
        argv = network.inside(place, command)
        os.execvpe(argv[0], argv, os.environ | {"KUBECONFIG": str(place.kubeconfig)})
    return 0


def _test(arguments: list[str]) -> None:
    """Become pytest. In a user namespace one is root enough for the control plane, though not for a node."""
    argv = [sys.executable, "-m", "pytest", "-m", "cluster", *arguments]
    if os.getuid() != 0:
        build.programs("control")  # while there is a way to the registries
        argv = ["unshare", "--user", "--map-root-user", "--net", *argv]
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
