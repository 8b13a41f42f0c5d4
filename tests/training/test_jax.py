"""JAX jobs, with jax in an environment of its own laid over ours."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from benchmarks import environments
from jupyter_ext.training.frameworks import coordinator
from tests.training.attempt import job, run

SOURCE = """
from jupyter_ext.training.frameworks import coordinator
{begin}
import jax, numpy
from jax.experimental import multihost_utils
jax.distributed.initialize({arguments})
total = multihost_utils.process_allgather(numpy.array([jax.process_index() + 1.0])).sum()
print(f"process={{jax.process_index()}} of={{jax.process_count()}} total={{total:g}}", flush=True)
jax.distributed.shutdown()
"""
UPSTREAM = (
    'coordinator_address=os.environ["JAX_COORDINATOR_ADDRESS"], num_processes=int(os.environ["JAX_NUM_PROCESSES"]),'
    ' process_id=int(os.environ["JAX_PROCESS_ID"])'
)


@pytest.mark.contract
@pytest.mark.slow
@pytest.mark.parametrize(("begin", "arguments"), [("coordinator.install()", ""), ("import os", UPSTREAM)])
def test_processes_find_each_other(tmp_path, begin, arguments):
    python = environments.python("jax")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    env = {"PYTHONPATH": str(python.parent.parent / "lib" / version / "site-packages"), "JAX_PLATFORMS": "cpu",
           "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo"}  # fmt: skip
    source = SOURCE.format(begin=begin, arguments=arguments)
    verdict, logs = run(job(tmp_path / "job", "jax", source, procs=2, env=env), 200)
    assert verdict.ok, logs
    assert {f"process={index} of=2 total=3" for index in range(2)} <= set(logs.splitlines())


def test_who_names_a_coordinator_keeps_it(monkeypatch):
    given = []
    module = ModuleType("jax._src.distributed")
    module.initialize = lambda *positional, **named: given.append((positional, named))
    monkeypatch.setenv("JAX_NUM_PROCESSES", "2")
    monkeypatch.setenv("JAX_PROCESS_ID", "1")
    coordinator.complete(module)
    module.initialize("host:1", 5, 4)
    module.initialize(coordinator_address="host:1")
    module.initialize(initialization_timeout=3)
    assert given == [
        (("host:1", 5, 4), {}),
        ((), {"coordinator_address": "host:1"}),
        ((), {"initialization_timeout": 3, "num_processes": 2, "process_id": 1}),
    ]
