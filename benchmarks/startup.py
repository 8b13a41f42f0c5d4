"""What it costs to have it installed: imports, the start of the server, its idle memory, the size of the front end."""

from __future__ import annotations

import gzip
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

from benchmarks.measure import Ratio, Report, Sample, alternate, main, scaled
from benchmarks.notebooks import workplace

REPOSITORY = Path(__file__).resolve().parent.parent
TOKEN = "bench"


def interpreter(code: str) -> None:
    """One fresh interpreter."""
    subprocess.run([sys.executable, "-c", code], check=True)


def imported(code: str) -> float:
    """Seconds that ``code`` takes in a fresh interpreter, its start not counted."""
    program = f"import time; start = time.perf_counter()\n{code}\nprint(time.perf_counter() - start)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def server(folder: Path, enabled: bool) -> tuple[float, float]:
    """Seconds until the server answers, and its memory in bytes some seconds later, with the extension or without."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    switch = f"--ServerApp.jpserver_extensions={{'jupyter_ext': {enabled}, 'jupyterlab': True}}"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", f"--IdentityProvider.token={TOKEN}",
               "--allow-root", "--ServerApp.log_level=ERROR", switch, f"--ServerApp.root_dir={folder}"]  # fmt: skip
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        wait(f"http://127.0.0.1:{port}/api/status?token={TOKEN}", process)
        seconds = time.perf_counter() - start
        time.sleep(3)
        return seconds, float(psutil.Process(process.pid).memory_info().rss)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def wait(address: str, process: subprocess.Popen[bytes], timeout: float = 60) -> None:
    """Wait until the address answers."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.01)
    raise RuntimeError(f"no answer from the server in {timeout} s")


def bundle() -> tuple[int, int]:
    """Bytes of the front end's files, as they are and as they travel (gzip)."""
    folder = REPOSITORY / "jupyter_ext/labextension/static"
    files = [path for path in folder.glob("*") if path.suffix in {".js", ".css"}]
    return sum(path.stat().st_size for path in files), sum(
        len(gzip.compress(path.read_bytes())) for path in files
    )


def measure(quick: bool) -> Report:
    rounds = 3 if quick else 9
    found = alternate(
        {
            "python": lambda: interpreter("pass"),
            "python, import jupyter_ext": lambda: interpreter("import jupyter_ext"),
            "import jupyter_ext (inside)": lambda: imported("import jupyter_ext"),
            "import jupyter_ext.pipelines (inside)": lambda: imported("import jupyter_ext.pipelines"),
            "import jupyter_ext.server after jupyter_server": lambda: imported(
                "import jupyter_server.serverapp, time; start = time.perf_counter(); import jupyter_ext.server"
            ),
        },
        rounds,
    )
    times: dict[bool, list[float]] = {True: [], False: []}
    memory: dict[bool, list[float]] = {True: [], False: []}
    with workplace() as folder:
        for turn in range(2 if quick else 5):
            for enabled in (True, False) if turn % 2 else (False, True):
                seconds, size = server(folder, enabled)
                times[enabled].append(seconds)
                memory[enabled].append(size / 1e6)
    names = {True: "JupyterLab with the extension", False: "JupyterLab without it"}
    starts = {key: Sample(f"{names[key]}, first answer", tuple(values)) for key, values in times.items()}
    sizes = {key: Sample(f"{names[key]}, idle", tuple(values), "MB") for key, values in memory.items()}
    raw, packed = bundle()
    inside = scaled(found["import jupyter_ext (inside)"], 1000, "ms")
    return Report(
        "Start, memory, size",
        "Times of fresh interpreters and fresh servers, with and without the extension, taking turns. Memory is the resident set of "
        "the server three seconds after its first answer.",
        [*(scaled(sample, 1000, "ms") for sample in found.values()), *starts.values(), *sizes.values()],
        [
            Ratio("import jupyter_ext, milliseconds", inside.median, 10, least=False, unit="ms"),
            Ratio(
                "server start, added",
                (starts[True].median - starts[False].median) * 1000,
                100,
                least=False,
                unit="ms",
            ),
            Ratio("idle memory, added", sizes[True].median - sizes[False].median, 20, least=False, unit="MB"),
            Ratio("front end, as it is", raw / 1000, unit="kB"),
            Ratio("front end, gzip", packed / 1000, 250, least=False, unit="kB"),
        ],
    )


if __name__ == "__main__":
    main(measure)
