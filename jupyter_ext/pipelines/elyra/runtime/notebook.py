"""A notebook, executed from top to bottom in a kernel of its own, with its outputs kept cell by cell."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any, Final

import nbformat
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from traitlets.config import Config

_NAME: Final = "jupyter-kubeflow-node"
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


class Beside(LocalProvisioner):
    """Starts a kernel in the process group of who asks, so that ending the one ends the other."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Start it without a session of its own; it is signalled by its process, never by its group."""
        from subprocess import DEVNULL, Popen

        env = {**(kwargs.get("env") or os.environ), "JPY_PARENT_PID": str(os.getpid())}
        self.process = Popen(cmd, stdin=DEVNULL, env=env, cwd=kwargs.get("cwd"))  # noqa: ASYNC220 - as the class it replaces
        self.pid, self.pgid = self.process.pid, None
        return self.connection_info


class _Client(NotebookClient):
    """Also writes to its own output what cells print, as it comes."""

    target: Path

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        """Pass text on."""
        content = msg["content"]
        if msg["msg_type"] == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
        elif msg["msg_type"] == "error":
            sys.stderr.write("\n".join(_COLOURS.sub("", line) for line in content["traceback"]) + "\n")
            sys.stderr.flush()
        elif msg["msg_type"] in ("execute_result", "display_data") and "text/plain" in content["data"]:
            sys.stdout.write(f"{content['data']['text/plain']}\n")
            sys.stdout.flush()
        return super().process_message(msg, cell, cell_index)


def execute(path: Path, target: Path, kernel: str, folder: Path) -> dict[str, Any] | None:
    """Run the notebook and write it as executed; the error that ended it, None where there was none."""
    factory = KernelProvisionerFactory.instance(default_provisioner_name=_NAME)
    factory.provisioners[_NAME] = EntryPoint(_NAME, f"{__name__}:Beside", factory.GROUP_NAME)
    book = nbformat.read(path, as_version=4)
    client = _Client(book, timeout=None, kernel_name=kernel, resources={"metadata": {"path": str(folder)}})

    def keep(**_: Any) -> None:
        nbformat.write(book, target)

    client.on_cell_executed = keep
    keep()
    error: dict[str, Any] | None = None
    with _sockets(target.parent.parent / "kernel") as place:
        # Not a port, which every user of the machine could reach.
        own = {"transport": "ipc", "ip": f"{place}/socket", "connection_file": f"{place}/connection.json"}
        client.config = Config({"KernelManager": own})
        try:
            client.execute(cwd=str(folder))
        except CellExecutionError as failed:
            error = _error(book, failed)
        except DeadKernelError:
            error = {"type": "DeadKernel", "message": "Its kernel died (likely out of memory)"}
    keep()
    return {**error, "executed": str(target)} if error else None


@contextmanager
def _sockets(folder: Path) -> Iterator[str]:
    """A short name of this folder of the run, for a socket's name has 107 characters at most; it goes with the run."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not sys.platform.startswith("linux"):
        with tempfile.TemporaryDirectory(prefix="kf-") as name:
            yield name
        return
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/{os.getpid()}/fd/{opened}"
    finally:
        os.close(opened)


def _error(book: Any, failed: CellExecutionError) -> dict[str, Any]:
    """The failed cell in the words of a run: cells count from 1."""
    for index, cell in enumerate(book.cells):
        for output in cell.get("outputs", ()):
            if output.output_type == "error":
                return {
                    "type": output.ename,
                    "message": _COLOURS.sub("", output.evalue)[:4000],
                    "cell": index + 1,
                    "cellId": cell.get("id"),
                    "traceback": list(output.traceback),
                }
    return {"type": failed.ename, "message": failed.evalue}
