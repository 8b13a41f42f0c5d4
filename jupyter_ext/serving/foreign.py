"""Runs a runtime of KServe's on a Unix socket: ``python -m jupyter_ext.serving.foreign MODULE SOCKET ARGUMENTS…``.

KServe's server binds every interface and cannot be told otherwise, so uvicorn is told to listen on the socket.
"""

from __future__ import annotations

import os
import runpy
import sys
from importlib import import_module
from typing import Any


def main(module: str, socket: str, arguments: list[str]) -> None:
    """Run the module as a program whose HTTP server listens on the socket."""
    config = import_module("uvicorn.config").Config
    plain = config.__init__

    def on_socket(self: Any, *given: Any, **more: Any) -> None:
        for name in ("host", "port", "fd"):
            more.pop(name, None)
        plain(self, *given, **{**more, "uds": socket, "workers": 1})

    config.__init__ = on_socket
    os.umask(0o177)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
