"""Steps executed in real processes, with the part of a run's controller that passes values along."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.pipelines.exchange import ALL, CellSource, StepRequest, advance, inputs_for
from jupyter_ext.pipelines.zygote import Zygote


class Steps:
    """A notebook whose cells are executed as steps, each in a process of its own."""

    def __init__(self, zygote, home: Path, logs: Path | None = None) -> None:
        self.zygote, self.home, self.logs = zygote, home, logs or home
        self.blobs = Blobs(home / "blobs")
        self.namespace = {}
        self.hidden = {}
        self.handle = None
        self.result = None
        self._count = 0

    def start(self, *cells, reads=ALL, may_change=ALL, inside=None, **more):
        self._count += 1
        name = more.pop("step", f"s{self._count}")
        given = inputs_for(self.namespace, reads, may_change)
        request = StepRequest(
            "run",
            name,
            cells=tuple(CellSource(i, f"{name}-{i}", source) for i, source in enumerate(cells, start=1)),
            inputs=more.pop("inputs", given),
            hidden=dict(self.hidden),
            may_change=may_change,
            log_path=str(self.logs / f"{name}.log"),
            **more,
        )
        self.handle = self.zygote.run(request, inside=inside)
        return self.handle

    def run(self, *cells, **more):
        """Execute; the result also becomes what later steps see."""
        result = self.start(*cells, **more).wait(60)
        assert result is not None, "no result within a minute"
        self.take(result)
        return result

    def take(self, result):
        self.result = result
        self.namespace = advance(self.namespace, result)
        self.hidden |= result.hidden

    def ok(self, *cells, **more):
        """Execute and return everything printed and shown, as text."""
        result = self.run(*cells, **more)
        problem = result.error and "\n".join([result.error.message, *result.error.traceback])
        assert result.state == "SUCCEEDED", problem
        return self.text()

    def outputs(self):
        if self.result.outputs_digest is None:
            return []
        return json.loads(self.blobs.read(self.result.outputs_digest))

    def text(self):
        items = [item for cell in self.outputs() for item in cell["outputs"]]
        parts = [
            item["text"] if "text" in item else item.get("data", {}).get("text/plain", "") for item in items
        ]
        return "\n".join(part.rstrip("\n") for part in parts)

    def log(self, name):
        path = self.logs / f"{name}.log"
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    with Zygote(home, "default", ["numpy", "pandas"], cwd=home) as zygote:
        yield zygote, home


@pytest.fixture
def steps(server, tmp_path):
    zygote, home = server
    made = Steps(zygote, home, tmp_path)
    yield made
    if made.handle is not None:
        made.handle.kill()


@pytest.fixture
def make_steps():
    """For tests that start a server of their own."""
    return Steps
