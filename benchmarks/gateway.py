"""The gateway before two variants, split by a header: what it adds to a request.

Processor time is the gateway's own, user space and kernel, for each request; the added median is beside the same
requests sent to the model server itself. The servers listen on Unix sockets and answer at once; clients keep their
connections and each sends one request after the other. Nothing is mirrored, one request in a hundred is logged.
The peers proxy to the same sockets: aiohttp as one writes it, nginx where it is installed (``BENCH_NGINX`` names it).
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import environments
from benchmarks.measure import Ratio, Report, Sample, ask, main, table

HERE = Path(__file__).parent / "peers"
LOAD = "gateway_load.py"
PATH = "/iris/v1/models/iris:predict"
NGINX = """
{user}worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 1000000000;
  split_clients "$http_x_user" $side {{ 90% one; * two; }}
  upstream one {{ server unix:{one}; keepalive 64; keepalive_requests 1000000000; }}
  upstream two {{ server unix:{two}; keepalive 64; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_http_version 1.1; proxy_set_header Connection ""; proxy_pass http://$side; }}
  }}
}}
"""


class Side(NamedTuple):
    """Where the load goes, and whose processor time counts."""

    address: str
    pid: int
    token: str = "-"


@contextmanager
def running(command: list[str], ready: str | None = None, **more: object) -> Iterator[subprocess.Popen[str]]:
    """A process; waits for the line that says that it is ready, if it says one."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more) as process:  # type: ignore[call-overload]
        try:
            if ready is not None:
                line = process.stdout.readline()
                if line.strip() != ready:
                    raise RuntimeError(f"{command[:3]} said {line!r}")
            yield process
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def listening(port: int) -> int:
    """Wait for somebody to listen."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return port
        time.sleep(0.05)
    raise RuntimeError(f"nobody listens at {port}")


@contextmanager
def ours(folder: Path, sockets: list[str]) -> Iterator[Side]:
    from jupyter_ext.cluster.local import LocalCluster, locks, workload
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving import gateway

    cluster = LocalCluster(folder / "home")
    variants = [
        {"name": name, "percent": percent, "version": name[1:], "ready": True, "replicas": [{"socket": path}]}
        for name, percent, path in zip(("v1", "v2"), (90, 10), sockets, strict=True)
    ]
    routing = {"generation": 1, "timeout": 60, "sticky": "header:x-user", "variants": variants}
    routing["log"] = {"sample": 0.01, "bodies": True}
    status = {"phase": "RUNNING", "routing": routing}
    cluster.store.create(Resource.new("InferenceService", "iris", status=status))
    address = gateway.ensure(cluster)
    uid = cluster.store.get("Gateway", "serving").uid
    try:
        holder = locks.holder(cluster.lock_path(uid))
        yield Side(address.url.removeprefix("http://"), holder or 0, str(gateway.token_path(cluster)))
    finally:
        workload.stop(cluster, uid)


@contextmanager
def aiohttp(folder: Path, sockets: list[str]) -> Iterator[Side]:
    del folder
    port = free_port()
    command = [str(environments.python("aiohttp")), str(HERE / "gateway_aiohttp.py"), str(port), *sockets]
    with running(command) as process:
        yield Side(f"127.0.0.1:{listening(port)}", process.pid)


@contextmanager
def nginx(folder: Path, sockets: list[str]) -> Iterator[Side]:
    program = os.environ.get("BENCH_NGINX") or shutil.which("nginx")
    if program is None:
        raise environments.NoEnvironment(
            "nginx is not installed (Debian: nginx-light; or BENCH_NGINX=/path/to/nginx)."
        )
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        NGINX.format(
            user="user root; " if os.geteuid() == 0 else "",
            folder=folder,
            port=port,
            one=sockets[0],
            two=sockets[1],
        )
    )
    with running(
        [program, "-e", str(folder / "nginx.log"), "-p", str(folder), "-c", str(configuration)]
    ) as process:
        listening(port)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        yield Side(f"127.0.0.1:{port}", int(children[0]))


def memory(pid: int) -> float:
    """Megabytes that a process holds."""
    import psutil

    return psutil.Process(pid).memory_info().rss / 1e6 if pid else 0.0


def measure(quick: bool) -> Report:
    requests, rounds, widths = (1500, 3, (1, 16)) if quick else (10_000, 5, (1, 16, 64))
    notes, found, sizes = [], dict[tuple[str, int], list[dict[str, float]]](), dict[str, float]()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gw")))
        os.environ["PYTHONPATH"] = str(environments.REPOSITORY)
        sockets = [str(folder / f"{name}.sock") for name in ("one", "two")]
        for path in sockets:
            backend = [sys.executable, str(HERE / "gateway_backend.py"), path, Path(path).stem]
            stack.enter_context(running(backend, ready="ready"))
        sides = {"no gateway": Side(sockets[0], 0)}
        for name, start in (("ours", ours), ("aiohttp", aiohttp), ("nginx", nginx)):
            try:
                sides[name] = stack.enter_context(start(folder, sockets))
            except environments.NoEnvironment as error:
                notes.append(f"Without {name}: {error}")
        for _ in range(rounds):
            for width in widths:
                for name, side in sides.items():
                    words = [side.address, PATH, str(requests), str(width), side.token, str(side.pid)]
                    found.setdefault((name, width), []).append(ask(Path(sys.executable), LOAD, *words))
        sizes = {name: memory(side.pid) for name, side in sides.items() if side.pid}
    return _report(found, sizes, notes)


def _report(
    found: dict[tuple[str, int], list[dict[str, float]]], sizes: dict[str, float], notes: list[str]
) -> Report:
    def of(name: str, width: int, what: str, unit: str) -> Sample:
        values = tuple(each[what] for each in found[name, width])
        return Sample(f"{name}, {width} connections: {what}", values, unit)

    def added(name: str) -> float:
        return of(name, 1, "p50", "ms").median - of("no gateway", 1, "p50", "ms").median

    rows = [
        [name, str(width)]
        + [
            f"{of(name, width, what, '').median:.{digits}f}"
            for what, digits in (("cpu", 0), ("p50", 2), ("p99", 2), ("rate", 0))
        ]
        for name, width in found
    ]
    ratios = [
        Ratio(
            "ours: CPU for each request, one connection", of("ours", 1, "cpu", "µs").median, 120, False, "µs"
        ),
        Ratio(
            "ours: CPU for each request, 16 connections", of("ours", 16, "cpu", "µs").median, 120, False, "µs"
        ),
        Ratio("ours: added to the median", added("ours"), 0.6, False, "ms"),
        Ratio("ours: memory", sizes["ours"], 60, False, "MB"),
    ]
    for name in ("aiohttp", "nginx"):
        if (name, 1) in found:
            ratios += [
                Ratio(f"{name}: added to the median", added(name), unit="ms"),
                Ratio(
                    f"{name}: CPU / ours, one connection",
                    of(name, 1, "cpu", "µs").median / of("ours", 1, "cpu", "µs").median,
                ),
                Ratio(f"{name}: memory", sizes[name], unit="MB"),
            ]
    samples = [of(name, 1, what, unit) for name in sizes for what, unit in (("cpu", "µs"), ("p50", "ms"))]
    head = ["", "connections", "CPU µs", "p50 ms", "p99 ms", "requests/s"]
    about = (__doc__ or "").split("\n\n")[1].replace("\n", " ").strip()
    return Report("Gateway", about, samples, ratios, [table(head, rows), *notes])


if __name__ == "__main__":
    main(measure)
