"""Predictions over kept connections, one after the other on each; the last line is JSON.

    python model_load.py HOST:PORT|SOCKET v1|v2 REQUESTS CONNECTIONS PID

PID is the process whose processor time is counted. Gives milliseconds of the median and of 99 in 100, requests a
second, microseconds of processor time for each.
"""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import repeat

from gateway_load import load

ROWS = [[5.1, 3.5, 1.4, 0.2], [6.2, 2.9, 4.3, 1.3]]
BODIES = {
    "v1": {"instances": ROWS},
    "v2": {
        "inputs": [{"name": "input-0", "shape": [2, 4], "datatype": "FP64", "data": [*ROWS[0], *ROWS[1]]}]
    },
}
PATHS = {"v1": "/v1/models/m:predict", "v2": "/v2/models/m/infer"}


def main() -> None:
    """Warm up, measure, tell."""
    address, protocol, requests, connections, pid = sys.argv[1:6]
    body = json.dumps(BODIES[protocol]).encode()
    message = (
        f"POST {PATHS[protocol]} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body
    width = int(connections)
    turns = [
        [repeat(message, max(1, count // width)) for _ in range(width)]
        for count in (max(20, int(requests) // 5), int(requests))
    ]
    asyncio.run(load(address, int(pid), turns))


if __name__ == "__main__":
    main()
