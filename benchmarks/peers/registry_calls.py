"""What one client pays to register, get, list and find models; runs in the environment of that client.

usage: registry_calls.py prepare SIDE WHERE VERSIONS
       registry_calls.py measure SIDE WHERE SERVER_PID CALLS VERSIONS
       registry_calls.py writers SIDE WHERE WRITERS EACH

SIDE: ours, ours-http, client-http (upstream's), mlflow, mlflow-http. WHERE: a database or an address.
Prints JSON: for each call p50 in ms, and ms of CPU of this process and of the server. SERVER_PID 0: none.
"""

# ruff: noqa: ARG002, D102 - the same calls for every side, each named after what it does

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import sys
import threading
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")
TICK = os.sysconf("SC_CLK_TCK")


class Ours:
    """Ours, in process or by HTTP."""

    def __init__(self, where: str) -> None:
        from jupyter_ext import registry

        self.registry = registry.connect(where) if where.startswith("http") else registry.local(where)

    def register(self, name: str, version: str = "1") -> None:
        self.registry.register("s3://bucket/model", name, version, format="onnx", format_version="1")

    def get(self, name: str) -> object:
        return self.registry.model(name)

    def list(self) -> None:
        assert len(self.registry.models(limit=100)) == 100

    def page(self, versions: int) -> None:
        assert len(self.registry.model("big").versions("author = 'a'", limit=100)) == 100

    def find(self, versions: int) -> None:
        assert self.registry.model("big").version(str(versions // 2))

    def property(self, versions: int) -> None:
        [found] = self.registry.find(f"tag = 't{versions // 2}'")
        assert found.version == str(versions // 2)

    def prepare(self, versions: int) -> None:
        service = self.registry.transport.service
        with service.transaction():
            for number in range(200):
                service.create("RegisteredModel", {"name": f"few{number}"})
            big = service.create("RegisteredModel", {"name": "big"})
            for number in range(1, versions + 1):
                tag = {"metadataType": "MetadataStringValue", "string_value": f"t{number}"}
                body = {"name": str(number), "author": "a", "customProperties": {"tag": tag}}
                service.create_version(big["id"], body)


class Client:
    """Upstream's: it has no filter and no page of a chosen size for versions."""

    def __init__(self, where: str) -> None:
        from model_registry import ModelRegistry

        host, _, port = where.rpartition(":")
        self.registry = ModelRegistry(host, int(port), author="a", is_secure=False)

    def register(self, name: str, version: str = "1") -> None:
        self.registry.register_model(
            name, "s3://bucket/model", version=version, model_format_name="onnx", model_format_version="1"
        )

    def get(self, name: str) -> object:
        return self.registry.get_registered_model(name)

    def list(self) -> None:
        pager = self.registry.get_registered_models().page_size(100)
        for number, _ in enumerate(pager, 1):
            if number == 100:
                break

    def page(self, versions: int) -> None:
        pager = self.registry.get_model_versions("big").page_size(100)
        for number, _ in enumerate(pager, 1):
            if number == 100:
                break

    def find(self, versions: int) -> None:
        assert self.registry.get_model_version("big", str(versions // 2))


class Mlflow:
    """MLflow's client, on a file or a server."""

    def __init__(self, where: str) -> None:
        import logging

        logging.disable(logging.INFO)
        from mlflow import MlflowClient

        self.where = where
        address = where if where.startswith("http") else f"sqlite:///{where}"
        self.client = MlflowClient(tracking_uri=address, registry_uri=address)

    def register(self, name: str, version: str = "1") -> None:
        self.client.create_registered_model(name)
        self.client.create_model_version(name, "s3://bucket/model")

    def get(self, name: str) -> object:
        return self.client.get_registered_model(name)

    def list(self) -> None:
        assert len(self.client.search_registered_models(max_results=100)) == 100

    def page(self, versions: int) -> None:
        assert len(self.client.search_model_versions("name = 'big'", max_results=100)) == 100

    def find(self, versions: int) -> None:
        assert self.client.get_model_version("big", str(versions // 2))

    def property(self, versions: int) -> None:
        [found] = self.client.search_model_versions(f"tags.tag = 't{versions // 2}'", max_results=10)
        assert int(found.version) == versions // 2

    def prepare(self, versions: int) -> None:
        for number in range(200):
            self.client.create_registered_model(f"few{number}")
        self.client.create_registered_model("big")
        self.client.create_model_version("big", "s3://bucket/model", tags={"tag": "t1"})
        with sqlite3.connect(self.where) as file:
            columns = [row[1] for row in file.execute("PRAGMA table_info(model_versions)")]
            names = ", ".join(columns)
            (first,) = file.execute(f"SELECT {names} FROM model_versions WHERE name = 'big'").fetchall()
            place = columns.index("version")
            rows = [(*first[:place], number, *first[place + 1 :]) for number in range(2, versions + 1)]
            file.executemany(
                f"INSERT INTO model_versions ({names}) VALUES ({', '.join('?' * len(columns))})", rows
            )
            columns = [row[1] for row in file.execute("PRAGMA table_info(model_version_tags)")]
            names = ", ".join(columns)
            (first,) = file.execute(f"SELECT {names} FROM model_version_tags").fetchall()
            rows = [
                tuple(
                    {"version": number, "value": f"t{number}"}.get(column, value)
                    for column, value in zip(columns, first, strict=True)
                )
                for number in range(2, versions + 1)
            ]
            file.executemany(
                f"INSERT INTO model_version_tags ({names}) VALUES ({', '.join('?' * len(columns))})", rows
            )
        file.close()


SIDES = {"ours": Ours, "ours-http": Ours, "client-http": Client, "mlflow": Mlflow, "mlflow-http": Mlflow}


def tree(pid: int) -> list[int]:
    """The process and all that it started."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(path.parent.name))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += parents.get(one, [])
    return found


def cpu_of(pids: Sequence[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICK


def rss_of(pids: Sequence[int]) -> float:
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                total += int(line.split()[1])
    return total / 1024


def measure(side: str, where: str, pid: int, calls: int, versions: int) -> dict[str, Any]:
    start = time.process_time()
    peer = SIDES[side](where)
    found = {"start": {"client": (time.process_time() - start) * 1000}}
    stamp = time.time_ns()
    work = {
        "register": lambda number: peer.register(f"m{stamp}-{number}"),
        "get": lambda number: peer.get(f"few{number % 200}"),
        "list": lambda _: peer.list(),
        "page": lambda _: peer.page(versions),
        "find": lambda _: peer.find(versions),
    }
    if hasattr(peer, "property"):
        work["property"] = lambda _: peer.property(versions)
    pids = tree(pid) if pid else []
    for name, call in work.items():
        call(-1)
        times = []
        before, server = time.process_time(), cpu_of(pids)
        for number in range(calls):
            start = time.perf_counter()
            call(number)
            times.append(time.perf_counter() - start)
        found[name] = {
            "p50": statistics.median(times) * 1000,
            "client": (time.process_time() - before) * 1000 / calls,
            "server": (cpu_of(pids) - server) * 1000 / calls,
        }
    found["memory"] = {"server": rss_of(pids)}
    return found


def writers(side: str, where: str, count: int, each: int) -> dict[str, Any]:
    peers = [SIDES[side](where) for _ in range(count)]
    failed = []
    stamp = time.time_ns()

    def write(worker: int) -> None:
        for number in range(each):
            try:
                peers[worker].register(f"w{stamp}-{worker}-{number}")
            except Exception as error:
                failed.append(f"{type(error).__name__}: {error}"[:200])

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(count)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    return {"errors": len(failed), "each": seconds * 1000 / (count * each), "first": failed[:1]}


if __name__ == "__main__":
    what, side, where, *numbers = sys.argv[1:]
    numbers = [int(number) for number in numbers]
    if what == "prepare":
        SIDES[side](where).prepare(*numbers)
        print("{}")
    else:
        print(json.dumps({"measure": measure, "writers": writers}[what](side, where, *numbers)))
