"""Up, down and status of one cluster; each can be said twice."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cluster import build, contracts, control, groups, images, network, node, processes
from tests.cluster.answers import Caller
from tests.cluster.place import Place, Refused


def up(place: Place, tier: str = "control") -> str:
    """Start what does not run, wait until it is ready; a line about what is left out, or nothing. Raises Refused."""
    prepared(tier)  # before the lock: it may take minutes
    with place.locked():
        if processes.find(place, network.HOLDER) is None:
            _end(place)  # what is left is in a network that nobody can enter
        network.hold(place, node.mounts(place))
        if tier == "node" or not place.tier.exists():
            place.tier.write_text(tier)
        whole = place.tier.read_text()
        programs = prepared(whole)
        left_out = _control(place, programs)
        if whole == "node":
            _node(place, programs)
    return left_out


def prepared(tier: str) -> dict[str, Path]:
    """The programs of ``tier``, built, and what it takes from the system, installed. Raises Refused."""
    if tier == "node":
        node.install()
        if reason := node.forbidden():
            raise Refused(reason)
    return build.programs(tier)


def _control(place: Place, programs: Mapping[str, Path]) -> str:
    control.prepare(place)
    for name in control.SERVER:
        control.start(place, programs, name)
    control.wait(place, control.SERVER, ["/readyz"])
    for name in control.CLIENTS:
        control.start(place, programs, name)
    control.wait(place, control.SERVER + control.CLIENTS, control.MADE_BY_CONTROLLERS)
    with network.entered(place):
        caller = Caller(place.certificates, "admin")
        left_out = contracts.install(caller)
        contracts.await_established(caller)
    return left_out


def _node(place: Place, programs: Mapping[str, Path]) -> None:
    if not network.is_mounted(place):
        raise Refused(f"no mounts for a node here:\n{processes.last_lines(place.logs / 'holder.log')}")
    node.prepare(place)
    started = processes.find(place, "containerd") is None
    node.start(place, programs, "containerd")
    node.wait_for_containerd(place)
    if started:
        pause = place.folder / "pause.tar"
        images.write_program(pause, node.PAUSE, programs["pause"], "/pause")
        images.import_file(place, pause)
        pause.unlink()
    for name in node.ORDER[1:]:
        node.start(place, programs, name)
    node.wait(place)


def down(place: Place) -> None:
    """End every process of the cluster and remove its folder; nothing to do when there is none."""
    if not place.folder.exists():
        return
    with place.locked():
        _end(place)
        shutil.rmtree(place.folder)


def _end(place: Place) -> None:
    processes.end(place, processes.names(place))
    groups.end_shims(place)
    groups.remove(place)


def status(place: Place) -> dict[str, Any]:
    """Which parts run, since when, with how much memory (bytes)."""
    parts: dict[str, Any] = {}
    for name in processes.names(place):
        process = processes.find(place, name)
        parts[name] = process and {"pid": process.pid, "memory": process.memory_info().rss}
    return {
        "folder": str(place.folder),
        "tier": place.tier.read_text() if place.tier.exists() else None,
        "up": bool(parts) and all(parts.values()),
        "parts": parts,
    }


def kubectl(place: Place, programs: dict[str, Path]) -> list[str]:
    """The command line of kubectl, for use inside the network."""
    return [str(programs["kubernetes"]), "kubectl", f"--kubeconfig={place.kubeconfig}"]
