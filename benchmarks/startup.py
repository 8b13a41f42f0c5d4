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


def server(folder: Path, enabled: bool) -> tuple[float, float, float]:
    """Until the server answers: seconds, and those of processor time; its memory in bytes some seconds later."""
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
        used = processor_time(process.pid)
        time.sleep(3)
        return seconds, used, float(psutil.Process(process.pid).memory_info().rss)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def processor_time(process: int) -> float:
    """Seconds of processor time of all threads of a process so far, to the nanosecond (see clock_getcpuclockid(3))."""
    return time.clock_gettime((~process << 3) | 2)


COUNTED = """
import cProfile, os, sys
from jupyterlab.labapp import LabApp
from jupyter_server.serverapp import ServerApp

counted = cProfile.Profile()

def start_ioloop(self):
    counted.disable()
    print("\\nCALLS", sum(row.callcount for row in counted.getstats()), flush=True)
    os._exit(0)

ServerApp.start_ioloop = start_ioloop
sys.argv = ["jupyter-lab", "--no-browser", "--port=0", "--allow-root", "--ServerApp.log_level=ERROR", *sys.argv[1:]]
counted.enable()
LabApp.launch_instance()
"""


def calls(folder: Path, enabled: bool) -> int:
    """Function calls from the first line of JupyterLab's start until its loop runs: they do not depend on the machine."""
    switches = [f"--ServerApp.jpserver_extensions={{'jupyter_ext': {enabled}, 'jupyterlab': True}}",
                f"--ServerApp.root_dir={folder}"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", COUNTED, *switches], capture_output=True, text=True, check=True
    )
    return int(done.stdout.rpartition("CALLS")[2])


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
    work: dict[bool, list[float]] = {True: [], False: []}
    memory: dict[bool, list[float]] = {True: [], False: []}
    with workplace() as folder:
        counted = {enabled: calls(folder, enabled) for enabled in (True, False)}
        for turn in range(2 if quick else 12):
            for enabled in (True, False) if turn % 2 else (False, True):
                seconds, used, size = server(folder, enabled)
                times[enabled].append(seconds)
                work[enabled].append(used)
                memory[enabled].append(size / 1e6)
    names = {True: "JupyterLab with the extension", False: "JupyterLab without it"}
    starts = {key: Sample(f"{names[key]}, first answer", tuple(values)) for key, values in times.items()}
    works = {key: Sample(f"{names[key]}, processor time", tuple(values)) for key, values in work.items()}
    sizes = {key: Sample(f"{names[key]}, idle", tuple(values), "MB") for key, values in memory.items()}
    raw, packed = bundle()
    inside = scaled(found["import jupyter_ext (inside)"], 1000, "ms")
    return Report(
        "Start, memory, size",
        "Times of fresh interpreters and fresh servers, with and without the extension, taking turns. What is added to the start is the "
        "difference of the least values: whatever else the machine does only adds, and more than what is looked for. Memory is the "
        "resident set of the server three seconds after its first answer.",
        [
            *(scaled(sample, 1000, "ms") for sample in found.values()),
            *starts.values(),
            *works.values(),
            *sizes.values(),
        ],
        [
            Ratio("import jupyter_ext, milliseconds", inside.median, 50, least=False, unit="ms"),
            Ratio(
                "server start, processor time added (between the least)",
                (min(works[True].values) - min(works[False].values)) * 1000,
                50,
                least=False,
                unit="ms",
            ),
            Ratio(
                "server start, processor time added (between the medians)",
                (works[True].median - works[False].median) * 1000,
                unit="ms",
            ),
            Ratio("server start, function calls added", counted[True] - counted[False], unit="calls"),
            Ratio("server start, function calls without it", counted[False], unit="calls"),
            Ratio("idle memory, added", sizes[True].median - sizes[False].median, 20, least=False, unit="MB"),
            Ratio("front end, as it is", raw / 1000, unit="kB"),
            Ratio("front end, gzip", packed / 1000, 250, least=False, unit="kB"),
        ],
    )


if __name__ == "__main__":
    main(measure)
