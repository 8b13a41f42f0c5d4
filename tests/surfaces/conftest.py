"""A real Jupyter Server with the extension, over a real store."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403 - its fixtures, for this folder only

from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.cluster.resource import Resource

Fetch = Callable[..., Any]

GRAPH = {
    "name": "flights",
    "steps": [{"name": "load", "cells": []}, {"name": "train", "cells": []}],
    "edges": [{"source": "load", "target": "train", "names": ["df"]}],
}


@pytest.fixture
def cluster(kubeflow_home: Path) -> LocalCluster:
    """The cluster that server, command line and kernel of this test talk to."""
    return LocalCluster(kubeflow_home)


@pytest.fixture
def put_run(cluster: LocalCluster) -> Callable[..., Resource]:
    """Put a run into the store as if it had happened."""

    def put(
        name: str, phase: str = "SUCCEEDED", path: str = "/elsewhere/flights.ipynb", **status: Any
    ) -> Resource:
        digest = cluster.blobs.put_bytes(json.dumps(notebook()).encode())
        spec = {
            "displayName": "Flights",
            "pipeline": {"name": "flights", "path": path, "digest": digest, "graph": GRAPH},
            "parameters": {"lr": 0.1},
            "options": {"cache": True},
            "trigger": "manual",
        }
        steps = [
            {
                "name": "load",
                "title": "Load",
                "state": "SUCCEEDED",
                "seconds": 0.5,
                "cached": True,
                "outputs": [{"names": ["df"], "digest": "b3:" + "1" * 64}],
            },
            {
                "name": "train",
                "title": "Train",
                "state": phase,
                "seconds": 1.5,
                "cached": False,
                "outputs": [],
            },
        ]
        made = Resource.new("Run", name, spec, namespace=cluster.namespace)
        filled = {
            "phase": phase,
            "reason": "",
            "seconds": 2.0,
            "steps": steps,
            "metrics": {"accuracy": 0.9},
            "progress": 1.0,
        }
        return cluster.store.create(made.with_(status={**filled, **status}))

    return put


def notebook(*sources: str, tags: dict[int, list[str]] | None = None) -> dict[str, Any]:
    """A notebook with these code cells; ``tags`` by position from 0."""
    cells = [
        {
            "cell_type": "code",
            "id": f"c{position}",
            "metadata": {"tags": (tags or {}).get(position, [])},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for position, source in enumerate(sources)
    ]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An IPython shell that has loaded the extension."""
    import atexit

    from IPython.core.interactiveshell import InteractiveShell

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    made = InteractiveShell.instance()
    made.run_line_magic("load_ext", "jupyter_ext")
    yield made
    made.run_line_magic("unload_ext", "jupyter_ext")
    InteractiveShell.clear_instance()
    made.atexit_operations()  # now, while its history is there
    atexit.unregister(made.atexit_operations)


@pytest.fixture
def small() -> dict[str, Any]:
    """Two steps, a parameter and a metric; runs in a moment."""
    return notebook(
        "n = 3",
        "numbers = list(range(n))\nprint('made', n)",
        "total = sum(numbers)",
        tags={0: ["pipeline-parameters"], 1: ["step:load"], 2: ["step:add", "prev:load"]},
    )


@pytest.fixture
def jp_server_config() -> dict[str, Any]:
    """Only our extension, and no verb that is open to everybody."""
    return {
        "ServerApp": {
            "jpserver_extensions": {"jupyter_ext": True, "jupyter_server_terminals": False},
            "allow_unauthenticated_access": False,
            "reraise_server_extension_failures": True,
        }
    }


@pytest.fixture
def stopped(jp_asyncio_loop: Any, jp_serverapp: Any) -> Iterator[None]:
    """The extension's own threads end with the test."""
    yield
    jp_asyncio_loop.run_until_complete(jp_serverapp.extension_manager.stop_all_extensions())


@pytest.fixture
def api(jp_fetch: Fetch, stopped: None) -> Fetch:
    """Fetch below ``kubeflow/v1/`` and give (status, JSON); an error is an answer like others."""

    async def fetch(*parts: str, method: str = "GET", body: Any = None, **more: Any) -> tuple[int, Any]:
        if method in {"POST", "PATCH"}:
            more["body"] = body if isinstance(body, str | bytes) else json.dumps(body)
        more.setdefault("request_timeout", 120)
        found = await jp_fetch("kubeflow", "v1", *parts, method=method, raise_error=False, **more)
        return found.code, json.loads(found.body) if found.body else None

    return fetch
