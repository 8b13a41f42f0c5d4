"""Waiting for files: of a notebook that has thousands open, too."""

from __future__ import annotations

import fcntl
import os
import resource
import socket

from jupyter_ext.cluster.local.processes import readable


def test_any_number_of_open_files_will_do():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    here, there = socket.socketpair()
    high = fcntl.fcntl(here.fileno(), fcntl.F_DUPFD_CLOEXEC, 2000)
    try:
        assert readable([high, here], 0) == []
        there.send(b"x")
        assert readable([high, here]) == [high, here]
        assert high >= 2000
        here.recv(1)
        there.close()
        assert readable([high], 5) == [high], "it has ended"
    finally:
        os.close(high)
        here.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
