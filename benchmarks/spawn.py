"""What a start costs the Hub: KubeSpawner as it is and ours, in turn, on one API server with nodes on paper.

    python -m benchmarks.spawn [--quick] [--users N]… [--json FILE]

50, 200 and 500 users should take some 20 minutes on two quiet cores, ``--users 2000`` as long again.

Real Hubs, each driven by its REST API, start the same number of servers at once, stop them, and begin again; then the
same in a namespace that holds 35,000 events of other pods, with every progress page open. A third Hub has a spawner
that starts nothing: what it spends is the Hub's own. CPU is that of the Hub's process from the first request until it
rests; the end of a start is the Hub's first request to the server, as the small server sees it that answers for all.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import requests

from benchmarks import spawn_cluster
from benchmarks.measure import Ratio, Report, Sample, main
from benchmarks.spawn_side import Side

NONE: Final = "Hub alone"
PLAIN: Final = "KubeSpawner 7.1.0"
OURS: Final = "ours"
IMAGE: Final = [{"key": "lab", "reference": "example.org/lab:1", "title": "Lab"}]
SIZE: Final = [{"key": "s", "title": "S", "cpu": "10m", "memory": "16Mi"}]
UNRELATED: Final = 35_000
PROFILES: Final = 2_000
ROUNDS: Final = ((20, 2), (100, 3), (1000, 2), (10_000, 1))
"""How often so many users start and stop."""
PLAIN_WITH_EVENTS: Final = 200
"""Above this many users plain KubeSpawner is not tried among the events: nearly all its starts time out."""


class Scene:
    """The Hubs of one number of users, and their turns."""

    def __init__(self, cluster: Any, folder: Path, users: list[str]) -> None:
        self.cluster, self.folder, self.users = cluster, folder, users
        self.sides: dict[str, Side] = {}
        folder.mkdir()

    def open(self, name: str, spawner: str, **traits: Any) -> None:
        """Start one more Hub."""
        number = len(self.sides)
        port = 21000 + 10 * number
        place = self.folder / str(number)
        self.sides[name] = Side(self.cluster.kubeconfig, place, spawner, port, self.users, **traits)

    def take_turns(self, names: list[str], rounds: int, namespace: str, *, pages: bool) -> None:
        """So many rounds; ``namespace`` is where ours start, or each in the user's own profile."""
        for _ in range(rounds):
            for name in names:
                options = {
                    user: {"namespace": namespace or user} if name.startswith(OURS) else {}
                    for user in self.users
                }
                running: dict[str, tuple[float, str]] = {}
                began = time.monotonic()
                with spawn_cluster.watched(self.cluster, running):
                    self.sides[name].round(running, options, pages=pages)
                _say(f"{len(self.users)} users, {name}: {time.monotonic() - began:.0f} s")

    def close(self) -> None:
        """End the Hubs."""
        for side in self.sides.values():
            side.end()


def measure(sizes: list[int], events: int, profiles: int) -> Report:
    """Every number of users on a cluster of its own."""
    from tests.cluster import lifecycle, network
    from tests.cluster.cluster import Cluster
    from tests.cluster.place import default_place

    title = "Starting servers" if len(sizes) > 1 else f"Starting {sizes[0]:,} servers"
    report = Report(
        title,
        "All servers are asked for at once, on nodes on paper. The first of several rounds is a warm-up for CPU.",
    )
    place = default_place("bench")
    lifecycle.down(place)
    try:
        cluster = Cluster(place)
        with network.restored(), tempfile.TemporaryDirectory() as folder:
            network.enter(place)
            began = time.monotonic()
            users = [f"user{number:04d}" for number in range(max(profiles, *sizes))]
            spawn_cluster.prepare(cluster, users, events)
            _say(f"{len(users)} profiles, {events} events: {time.monotonic() - began:.0f} s")
            cluster.namespace("plain")
            for size in sizes:
                scene = Scene(cluster, Path(folder) / str(size), users[:size])
                try:
                    _play(scene, events, report)
                    if size == sizes[-1]:
                        _pages(report, scene, len(users))
                finally:
                    scene.close()
            return report
    finally:
        lifecycle.down(place)


def _play(scene: Scene, events: int, report: Report) -> None:
    rounds = next(count for most, count in ROUNDS if len(scene.users) <= most)
    plain = {"cpu_guarantee": 0.01, "mem_guarantee": "16M"}
    form = {"images": IMAGE, "sizes": SIZE, "home": False, "check_fit": False}
    scene.open(NONE, "nothing")
    scene.open(PLAIN, "kubespawner.KubeSpawner", namespace="plain-1", **plain)
    scene.open(OURS, "spawner.spawner.ProfileSpawner", **form)
    scene.take_turns([NONE, PLAIN, OURS], rounds, "", pages=False)
    _quiet(report, scene)
    busy = {name: f"{name}, {events} events and pages open" for name in (NONE, PLAIN, OURS)}
    scene.open(busy[NONE], "nothing")
    scene.open(busy[OURS], "spawner.spawner.ProfileSpawner", **form)
    names = [busy[NONE], busy[OURS]]
    scene.take_turns(names, rounds, spawn_cluster.SHARED, pages=True)
    if len(scene.users) <= PLAIN_WITH_EVENTS:
        scene.open(busy[PLAIN], "kubespawner.KubeSpawner", namespace=spawn_cluster.SHARED, **plain)
        scene.take_turns([busy[PLAIN]], 1, "", pages=True)
    _busy(report, scene, busy)


def _cpu(side: Side) -> float:
    return statistics.median(side.cpu[1:] or side.cpu)


def _tell(report: Report, scene: Scene, name: str) -> None:
    """What was seen of one Hub."""
    side, seen = scene.sides[name], scene.sides[name].watch
    title = f"{len(scene.users)} users, {name}"
    report.samples.append(Sample(f"{title}: Hub CPU a start", tuple(side.cpu[1:] or side.cpu), "ms"))
    if side.behind:
        report.samples.append(Sample(f"{title}: asked after Running", tuple(side.behind)))
        report.samples.append(Sample(f"{title}: of it until the spawner knew", tuple(side.noticed)))
    report.notes.append(
        f"{title}: {side.failed} failed starts, {statistics.median(side.requests):.1f} requests to the API server and "
        f"{side.memory_of_one:.2f} MiB of the Hub a server; loop blocked at most {seen['longest']:.2f} s, "
        f"{seen['spawner']:.2f} s of one time by the spawner ({seen['spawner_cpu']:.2f} s of CPU"
        f"{'; ' if seen['spawner_in'] else ''}{seen['spawner_in']}); "
        f"the collector of garbage took {seen['collector']:.2f} s at most."
    )


def _aims(report: Report, title: str, side: Side) -> None:
    report.ratios += [
        Ratio(f"{title}: failed starts", float(side.failed), 0.0, least=False, unit="starts"),
        Ratio(
            f"{title}: asked after Running",
            statistics.median(side.behind or [0.0]),
            0.3,
            least=False,
            unit="s",
        ),
        Ratio(
            f"{title}: of it until the spawner knew",
            statistics.median(side.noticed or [0.0]),
            0.3,
            least=False,
            unit="s",
        ),
        Ratio(f"{title}: loop blocked by the spawner", side.watch["spawner"], 0.2, least=False, unit="s"),
    ]


def _quiet(report: Report, scene: Scene) -> None:
    for name in (NONE, PLAIN, OURS):
        _tell(report, scene, name)
    none, plain, ours = (scene.sides[name] for name in (NONE, PLAIN, OURS))
    title = f"{len(scene.users)} users"
    report.ratios += [
        Ratio(f"{title}: Hub CPU a start, KubeSpawner / ours", _cpu(plain) / _cpu(ours)),
        Ratio(
            f"{title}: Hub CPU a start beyond the Hub's own",
            _cpu(ours) - _cpu(none),
            5,
            least=False,
            unit="ms",
        ),
    ]
    _aims(report, title, ours)


def _busy(report: Report, scene: Scene, busy: dict[str, str]) -> None:
    for name in busy.values():
        if name in scene.sides:
            _tell(report, scene, name)
    ours = scene.sides[busy[OURS]]
    title = f"{len(scene.users)} users, events and pages"
    own = _cpu(scene.sides[busy[NONE]]) - _cpu(scene.sides[NONE])
    report.ratios += [
        Ratio(
            f"{title}: Hub CPU a start / without",
            (_cpu(ours) - own) / _cpu(scene.sides[OURS]),
            1.2,
            least=False,
        ),
        Ratio(
            f"{title}: memory of the Hub a server / without", ours.memory_of_one / max(0.01, scene.sides[OURS].memory_of_one), 1.2,
            least=False,
        ),
    ]  # fmt: skip
    _aims(report, title, ours)
    report.notes.append(
        f"What open pages cost the Hub itself, {own:.1f} ms a start, is left out of the ratio of CPU."
    )


def _pages(report: Report, scene: Scene, profiles: int) -> None:
    """How long pages take, one after the other, while nothing else goes on."""
    from spawner.hub.servers import Hub

    side, user = scene.sides[OURS], scene.users[-1]
    browser = side.signed_in(user)
    hub = Hub(f"{side.url}/api", side.token_of(user, browser), user)
    asked: dict[str, Callable[[], Any]] = {
        "login page": lambda: _has(requests.get(f"{side.url}/login", timeout=60), "login_submit"),
        "start form": lambda: _has(browser.get(f"{side.url}/spawn/{user}"), "example.org/lab:1"),
        "servers panel": hub.panel,
    }
    for name, ask in asked.items():
        times = [_time(ask) for _ in range(21)]
        report.notes.append(f"{name}: {times[0]:.0f} ms the first time.")
        sample = Sample(name, tuple(times[1:]), "ms")
        report.samples.append(sample)
        report.ratios.append(
            Ratio(f"{name} at {profiles} profiles", sample.median, 100, least=False, unit="ms")
        )


def _has(answer: requests.Response, words: str) -> None:
    if answer.status_code >= 400 or words not in answer.text:
        raise RuntimeError(f"{answer.url} is not the page: {answer.status_code}")


def _time(ask: Callable[[], Any]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _run(quick: bool, users: list[int]) -> Report:
    if quick:
        return measure(users or [20], events=2_000, profiles=0)
    return measure(sorted(users) or [50, 200, 500], events=UNRELATED, profiles=PROFILES)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--users", type=int, action="append", default=[], help="how many start at once")
    mine, sys.argv[1:] = parser.parse_known_args()
    main(lambda quick: _run(quick, mine.users))
