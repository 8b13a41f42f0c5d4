"""The model registry beside MLflow and upstream's client: what a call costs, on both ends.

The time of a call depends on what else the machine does; the CPU of client and server hardly does. Nothing is
uploaded: a model is registered with an address. All over SQLite files; both servers on loopback, each
one process that answers.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, ask, main, table

SCRIPT = "registry_calls.py"
CALLS = ("register", "get", "list", "page", "find", "property")
WORDS = {
    "register": "register model, version and artifact",
    "get": "get a model by name",
    "list": "list 100 models",
    "page": "a page of 100 of {versions} versions",
    "find": "one of {versions} versions by name",
    "property": "one of {versions} versions by a property",
}
GO_MS = {"register": 5.2, "get": 2.3}
"""Upstream's Go server on PostgreSQL over HTTP, as measured elsewhere with a client that keeps its connection."""


@contextmanager
def started(command: list[str], address: re.Pattern[str] | str, log: Path) -> Iterator[tuple[str, int]]:
    """A server; gives its address, said in its log where it is a pattern, and its process."""
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent) as server:
        try:
            deadline = time.monotonic() + 300
            while time.monotonic() < deadline and server.poll() is None:
                found = address if isinstance(address, str) else _said(address, log)
                if found and _answers(found):
                    yield found, server.pid
                    break
                time.sleep(0.1)
            else:
                raise RuntimeError(f"{command[1:4]} did not start: {log.read_text()[-500:]}")
        finally:
            server.terminate()
            try:
                server.wait(30)
            except subprocess.TimeoutExpired:
                server.kill()


def _said(pattern: re.Pattern[str], log: Path) -> str | None:
    match = pattern.search(log.read_text())
    return match.group() if match else None


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def _free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def measure(quick: bool) -> Report:
    ours = Path(sys.executable)
    client, mlflow = environments.python("model-registry"), environments.python("mlflow")
    versions, rounds, calls = (1000, 2, 10) if quick else (10_000, 3, 20)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        os.environ["JUPYTER_KUBEFLOW_HOME"] = str(folder / "home")
        os.environ["PYTHONPATH"] = str(environments.REPOSITORY)
        files = {side: folder / f"{side}.db" for side in ("ours", "mlflow")}
        ask(ours, SCRIPT, "prepare", "ours", str(files["ours"]), str(versions))
        ask(mlflow, SCRIPT, "prepare", "mlflow", str(files["mlflow"]), str(versions))
        serve = [str(ours), "-m", "jupyter_ext.cli", "registry", "serve", "--port", "0"]
        port = _free_port()
        peer = [str(mlflow), "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{files['mlflow']}"]
        peer += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
        pattern = re.compile(r"http://127\.0\.0\.1:\d+")
        with (
            started([*serve, "--database", str(files["ours"])], pattern, folder / "ours.log") as here,
            started(peer, f"http://127.0.0.1:{port}", folder / "mlflow.log") as there,
        ):
            sides = {
                "ours": (ours, str(files["ours"]), 0),
                "ours-http": (ours, *here),
                "client-http": (client, *here),
                "mlflow": (mlflow, str(files["mlflow"]), 0),
                "mlflow-http": (mlflow, *there),
            }
            found: dict[str, list[Any]] = {side: [] for side in sides}
            for _ in range(rounds):
                for side, (python, where, pid) in sides.items():
                    words = [side, where, str(pid), str(calls), str(versions)]
                    found[side].append(ask(python, SCRIPT, "measure", *words))
            crowd = {
                side: ask(sides[side][0], SCRIPT, "writers", side, sides[side][1], "8", "10")
                for side in ("ours-http", "mlflow-http")
            }
    return _report(found, crowd, versions)


NAMES = {
    "ours": "ours, in process",
    "ours-http": "ours, HTTP",
    "client-http": "upstream's client, our server",
    "mlflow": "MLflow, in process",
    "mlflow-http": "MLflow, HTTP",
}


def _report(found: dict[str, list[Any]], crowd: dict[str, Any], versions: int) -> Report:
    def of(side: str, call: str, what: str) -> Sample | None:
        values = tuple(round_[call][what] for round_ in found[side] if what in round_.get(call, {}))
        return Sample(f"{NAMES[side]}: {call}, {what}", values, "ms") if values else None

    def middle(side: str, call: str, what: str) -> float:
        sample = of(side, call, what)
        return sample.median if sample else float("nan")

    rows = [
        [WORDS[call].format(versions=f"{versions:,}"), NAMES[side]]
        + [
            f"{middle(side, call, what):.2f}" if of(side, call, what) else ""
            for what in ("p50", "client", "server")
        ]
        for call in CALLS
        for side in NAMES
        if of(side, call, "p50")
    ]
    memory = {
        side: median(one["memory"]["server"] for one in found[side]) for side in ("ours-http", "mlflow-http")
    }
    ratios = [
        Ratio(
            f"{call}: MLflow / ours, in process, p50",
            middle("mlflow", call, "p50") / middle("ours", call, "p50"),
            1,
        )
        for call in CALLS
    ]
    ratios += [
        Ratio(
            f"{call}: MLflow / ours, HTTP, p50",
            middle("mlflow-http", call, "p50") / middle("ours-http", call, "p50"),
            1,
        )
        for call in CALLS
    ]
    ratios += [
        Ratio(f"{call} by HTTP, p50", middle("ours-http", call, "p50"), aim, least=False, unit="ms")
        for call, aim in GO_MS.items()
    ]
    ratios += [
        Ratio(
            "CPU of our client, get by HTTP", middle("ours-http", "get", "client"), 1, least=False, unit="ms"
        ),
        Ratio("memory of our server", memory["ours-http"], 60, least=False, unit="MB"),
        Ratio("memory of MLflow's server", memory["mlflow-http"], unit="MB"),
        Ratio(
            "errors of 8 writers at once, ours", crowd["ours-http"]["errors"], 0, least=False, unit="errors"
        ),
        Ratio("errors of 8 writers at once, MLflow", crowd["mlflow-http"]["errors"], unit="errors"),
        Ratio("8 writers at once, ours, each registration", crowd["ours-http"]["each"], unit="ms"),
        Ratio("8 writers at once, MLflow, each registration", crowd["mlflow-http"]["each"], unit="ms"),
    ]
    samples = [sample for side in NAMES for call in ("register", "get") if (sample := of(side, call, "p50"))]
    head = ["call", "", "p50, ms", "CPU of the client, ms", "CPU of the server, ms"]
    return Report(
        "Model registry",
        (__doc__ or "").split("\n\n")[1].replace("\n", " "),
        samples,
        ratios,
        [table(head, rows)],
    )


if __name__ == "__main__":
    main(measure)
