"""One linear numpy model (4 numbers to 3, two rows a request) behind our model server and behind others.

Processor time is the server's own, user space and kernel, for each request: it hardly depends on what else the machine
does, times do. Clients keep their connections and send one request after the other on each. KServe runs as shipped
(with a line in its log for each request) and quiet; FastAPI with pydantic models; Starlette with orjson and no
validation at all; MLServer in one process. Ours checks each request against the signature.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, ask, main, table

HERE = Path(__file__).parent / "peers"
PEERS = {
    "kserve": ("kserve", ("v1", "v2")),
    "kserve-quiet": ("kserve", ("v1", "v2")),
    "mlserver": ("mlserver", ("v2",)),
    "fastapi": ("asgi", ("v1", "v2")),
    "starlette": ("asgi", ("v1", "v2")),
}
SIGNATURE = {
    "inputs": [{"name": "input-0", "datatype": "FP64", "shape": [-1, 4]}],
    "outputs": [{"name": "output-0", "datatype": "FP64", "shape": [-1, 3]}],
}
MODEL = """
import numpy as np

class Linear:
    def __init__(self):
        self.weights = np.arange(12.0).reshape(4, 3)

    def predict(self, rows):
        return rows @ self.weights

model = Linear()
"""
AIMS = {"v1": 220, "v2": 280}


class Side(NamedTuple):
    """A server: where, which process, what its start took in seconds and in those of a processor, its memory in MB."""

    address: str
    pid: int
    wall: float
    cpu: float
    memory: float


def free_port() -> int:
    """With the two after it, most likely."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def started(command: list[str], address: str, protocol: str, log: Path) -> Iterator[Side]:
    """A server that has answered its first prediction."""
    import psutil

    begun = time.perf_counter()
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent) as process:
        try:
            first = [address, protocol, "1", "1", str(process.pid)]
            while True:
                try:
                    with socket.socket(socket.AF_UNIX if address[0] == "/" else socket.AF_INET) as one:
                        host, _, port = address.partition(":")
                        one.connect(address if address[0] == "/" else (host, int(port)))
                    ask(Path(sys.executable), "model_load.py", *first)
                    break
                except (OSError, RuntimeError):
                    if process.poll() is not None or time.perf_counter() - begun > 120:
                        raise RuntimeError(f"{command[:3]} did not start: {log.read_text()[-800:]}") from None
                    time.sleep(0.05)
            about = psutil.Process(process.pid)
            times = about.cpu_times()
            wall = time.perf_counter() - begun
            yield Side(address, process.pid, wall, times.user + times.system, about.memory_info().rss / 1e6)
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def ours(folder: Path) -> Iterator[Side]:
    (folder / "model.py").write_text(MODEL)
    model = {"name": "m", "path": str(folder / "model.py"), "signature": SIGNATURE, "trusted": True}
    place = folder / "s"
    (folder / "config.json").write_text(json.dumps({"models": [model], "http": {"socket": str(place)}}))
    command = [sys.executable, "-P", "-m", "jupyter_ext.serving.server", str(folder / "config.json")]
    with started(command, str(place), "v1", folder / "log") as side:
        yield side


@contextmanager
def peer(name: str, folder: Path) -> Iterator[Side]:
    environment, protocols = PEERS[name]
    port = free_port()
    command = [
        str(environments.python(environment)),
        str(HERE / "model_servers.py"),
        name,
        str(port),
        str(folder),
    ]
    with started(command, f"127.0.0.1:{port}", protocols[0], folder / "log") as side:
        yield side


def measure(quick: bool) -> Report:
    requests, rounds, widths = (400, 1, (1, 16)) if quick else (4000, 3, (1, 16, 64))
    found: dict[tuple[str, str, int], list[dict[str, float]]] = {}
    starts: dict[str, list[Side]] = {}
    notes: list[str] = []
    os.environ["PYTHONPATH"] = str(environments.REPOSITORY)
    for _ in range(rounds):
        for name in ("ours", *PEERS):
            with tempfile.TemporaryDirectory(prefix="ms") as place:
                folder = Path(place)
                try:
                    with ours(folder) if name == "ours" else peer(name, folder) as side:
                        starts.setdefault(name, []).append(side)
                        _ask(name, side, requests, widths, found)
                except (environments.NoEnvironment, RuntimeError) as error:
                    notes.append(f"Without {name}: {error}")
    return _report(found, starts, sorted(set(notes)))


def _ask(
    name: str,
    side: Side,
    requests: int,
    widths: tuple[int, ...],
    found: dict[tuple[str, str, int], list[dict[str, float]]],
) -> None:
    for protocol in PEERS[name][1] if name in PEERS else ("v1", "v2"):
        for width in widths:
            words = [side.address, protocol, str(requests), str(width), str(side.pid)]
            answer = ask(Path(sys.executable), "model_load.py", *words)
            found.setdefault((name, protocol, width), []).append(answer)


def _report(
    found: dict[tuple[str, str, int], list[dict[str, float]]], starts: dict[str, list[Side]], notes: list[str]
) -> Report:
    def of(key: tuple[str, str, int], what: str, unit: str) -> Sample:
        name, protocol, width = key
        values = tuple(each[what] for each in found[key])
        return Sample(f"{name}, {protocol.upper()}, {width} at once: {what}", values, unit)

    def start(name: str, what: str, unit: str) -> Sample:
        return Sample(f"{name}, start: {what}", tuple(getattr(side, what) for side in starts[name]), unit)

    digits = {"cpu": 0, "p50": 2, "p99": 2, "rate": 0}
    rows = [
        [
            key[0],
            key[1].upper(),
            str(key[2]),
            *(f"{of(key, what, '').median:.{n}f}" for what, n in digits.items()),
        ]
        for key in found
    ]
    begun = [
        [
            name,
            *(
                f"{start(name, what, '').median:.{n}f}"
                for what, n in (("wall", 2), ("cpu", 2), ("memory", 0))
            ),
        ]
        for name in starts
    ]
    ratios = [
        *_ratios({key: of(key, "cpu", "µs").median for key in found}),
        Ratio(
            "memory after the first prediction",
            start("ours", "memory", "MB").median,
            60,
            least=False,
            unit="MB",
        ),
        Ratio("CPU of a start", start("ours", "cpu", "s").median, 1, least=False, unit="s"),
    ]
    samples = [of(key, "cpu", "µs") for key in found if key[2] == 1]
    head = ["", "protocol", "at once", "CPU µs", "p50 ms", "p99 ms", "requests/s"]
    about = (__doc__ or "").split("\n\n")[1].replace("\n", " ").strip()
    tables = [table(head, rows), table(["start", "seconds", "CPU s", "memory MB"], begun)]
    return Report("Model server", about, samples, ratios, [*tables, *notes])


def _ratios(cpu: dict[tuple[str, str, int], float]) -> Iterator[Ratio]:
    """Ours against its aims, the others against ours; microseconds of a request."""
    for (name, protocol, width), theirs in cpu.items():
        if name == "ours":
            what = f"CPU of a request, {protocol.upper()}, {width} at once"
            yield Ratio(what, theirs, AIMS[protocol], least=False, unit="µs")
        elif width == 1:
            mine = cpu["ours", protocol, width]
            yield Ratio(f"{protocol.upper()}, one at once: {name} / ours, CPU", theirs / mine)


if __name__ == "__main__":
    main(measure)
