"""Requests over kept connections, one after the other on each; the last line is JSON.

    python gateway_load.py ADDRESS PATH REQUESTS CONNECTIONS TOKEN_FILE PID

ADDRESS is host:port or the path of a Unix socket. PID is the process whose processor time is counted, 0: none.
Gives milliseconds of the median and of 99 in 100, requests a second, microseconds of processor time for each.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path

BODY = b'{"instances": [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]}'
TICK = os.sysconf("SC_CLK_TCK")


def spent(pid: int) -> float:
    """Seconds of processor time, in user space and in the kernel."""
    if not pid:
        return 0.0
    schedule = Path(f"/proc/{pid}/schedstat")
    threads = Path(f"/proc/{pid}/task")
    try:
        return sum(int((task / "schedstat").read_text().split()[0]) for task in threads.iterdir()) / 1e9
    except OSError:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK if schedule else 0.0


async def connection(address: str, messages: Iterable[bytes], times: list[float]) -> None:
    """All requests of one connection."""
    if address.startswith("/"):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        host, _, port = address.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
    for message in messages:
        begun = time.perf_counter()
        writer.write(message)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        place = answer.index(b"content-length:") + 15
        body = await reader.readexactly(int(answer[place : answer.index(b"\r\n", place)]))
        assert answer.startswith(b"http/1.1 200"), body
        times.append(time.perf_counter() - begun)
    writer.close()


async def load(address: str, pid: int, turns: Iterable[list[Iterable[bytes]]]) -> None:
    """Send each turn, the messages of each connection, and tell of the last one; those before it warm up."""
    for turn in turns:
        times: list[float] = []
        before, begun = spent(pid), time.perf_counter()
        await asyncio.gather(*(connection(address, messages, times) for messages in turn))
        seconds, cpu = time.perf_counter() - begun, spent(pid) - before
    times.sort()
    print(
        json.dumps(
            {
                "p50": times[len(times) // 2] * 1e3,
                "p99": times[len(times) * 99 // 100] * 1e3,
                "rate": len(times) / seconds,
                "cpu": cpu / len(times) * 1e6,
            }
        )
    )


def main() -> None:
    """Warm up, measure, tell."""
    address, path, requests, connections, token_file, pid = sys.argv[1:7]
    token = f"Authorization: Bearer {Path(token_file).read_text().strip()}\r\n" if token_file != "-" else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\n{token}Content-Type: application/json\r\n"
        f"Accept: */*\r\nUser-Agent: load\r\nX-User: user-%d\r\nContent-Length: {len(BODY)}\r\n\r\n"
    ).encode()
    width = int(connections)
    each = int(requests) // width

    def messages(place: int, count: int) -> Iterable[bytes]:
        return (head % (number % 1000) + BODY for number in range(place * count, (place + 1) * count))

    turns = [[messages(place, count) for place in range(width)] for count in (max(50, each // 5), each)]
    asyncio.run(load(address, int(pid), turns))


if __name__ == "__main__":
    main()
