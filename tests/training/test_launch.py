"""What is started for a job, what is refused, and what the ends of processes mean."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

import pytest

from jupyter_ext.errors import Invalid, Unavailable, Unfit
from jupyter_ext.training import fitness, launch
from jupyter_ext.training.frameworks import NAMES, RUNTIMES, ranks
from jupyter_ext.training.launch import Launch, Ports, Verdict
from tests.training.attempt import job, run


def planned(spec, gpus=()):
    with Ports() as ports:
        return launch.plan(spec, sys.executable, ports, gpus)


# --- plans -------------------------------------------------------------------------------------------


def test_plain_ranks_know_themselves_and_where_to_meet(tmp_path):
    parts = planned(job(tmp_path, nodes_min=2, nodes_max=2, procs=2, program="rank.py"))
    assert [part.part for part in parts] == ["rank-0", "rank-1", "rank-2", "rank-3"]
    assert [part.node for part in parts] == [0, 0, 1, 1]
    env = parts[3].env
    known = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "JUPYTER_KUBEFLOW_NODES")
    assert [env[name] for name in known] == ["3", "4", "1", "2", "1", "2"]
    assert len({part.env["MASTER_PORT"] for part in parts}) == 1
    assert parts[0].argv == (sys.executable, "-P", "rank.py", str(tmp_path))


def test_torch_has_an_agent_for_each_node(tmp_path):
    parts = planned(job(tmp_path, "torch", nodes_min=1, nodes_max=3, procs=2, restarts=4, program="rank.py"))
    assert [(part.part, part.ranks, part.role, part.essential) for part in parts] == [
        ("node-0", (0, 1), "agent", False),
        ("node-1", (2, 3), "agent", False),
        ("node-2", (4, 5), "agent", False),
    ]
    argv = " ".join(parts[0].argv)
    for words in ("/frameworks/agent.py ", "--nnodes=1:3", "--nproc-per-node=2", "--max-restarts=4"):
        assert words in argv
    assert parts[0].argv[-3:] == ("-P", "rank.py", str(tmp_path))


def test_a_command_gets_what_upstreams_runtime_would_give_it(tmp_path):
    parts = planned(
        job(tmp_path, "torch", nodes_min=2, nodes_max=2, procs=4, command=("torchrun", "train.py"))
    )
    assert [part.env["PET_NODE_RANK"] for part in parts] == ["0", "1"]
    assert parts[1].env["PET_NNODES"] == "2"
    assert parts[1].env["PET_NPROC_PER_NODE"] == "4"
    assert parts[0].env["PET_MASTER_PORT"] == parts[1].env["PET_MASTER_PORT"]
    assert parts[0].argv == (sys.executable, "-P", "-m", "torch.distributed.run", "train.py")


def test_tensorflow_is_a_cluster_of_roles(tmp_path):
    roles = {"chief": 1, "worker": 2, "ps": 1, "evaluator": 1}
    parts = planned(job(tmp_path, "tensorflow", roles=roles, program="rank.py"))
    assert [part.part for part in parts] == ["chief-0", "worker-0", "worker-1", "ps-0", "evaluator-0"]
    assert [part.decides for part in parts] == [True, True, True, False, False]
    assert [part.essential for part in parts] == [True, True, True, True, False]
    config = json.loads(parts[2].env["TF_CONFIG"])
    assert config["task"] == {"type": "worker", "index": 1}
    assert {role: len(places) for role, places in config["cluster"].items()} == {
        "chief": 1,
        "worker": 2,
        "ps": 1,
    }
    assert all(json.loads(part.env["TF_CONFIG"])["cluster"] == config["cluster"] for part in parts)


def test_tensorflow_without_roles_has_workers_only(tmp_path):
    parts = planned(job(tmp_path, "tensorflow", nodes_min=2, nodes_max=2, procs=2, program="rank.py"))
    assert [part.part for part in parts] == [f"worker-{index}" for index in range(4)]
    assert [part.node for part in parts] == [0, 0, 1, 1]


def test_xgboost_has_a_tracker_unless_the_code_brings_one(tmp_path):
    parts = planned(job(tmp_path / "a", "xgboost", "import xgboost", procs=2))
    assert [part.part for part in parts] == ["tracker", "rank-0", "rank-1"]
    assert not parts[0].essential
    assert [part.env["DMLC_TASK_ID"] for part in parts[1:]] == ["0", "1"]
    parts = planned(job(tmp_path / "b", "xgboost", "from xgboost.tracker import RabitTracker", procs=2))
    assert [part.part for part in parts] == ["rank-0", "rank-1"]
    assert parts[0].env["DMLC_TRACKER_PORT"] == parts[1].env["DMLC_TRACKER_PORT"]


def test_jax_knows_its_coordinator(tmp_path):
    first, second = planned(job(tmp_path, "jax", procs=2, program="rank.py"))
    assert first.env["JAX_COORDINATOR_ADDRESS"] == second.env["JAX_COORDINATOR_ADDRESS"]
    assert (second.env["JAX_NUM_PROCESSES"], second.env["JAX_PROCESS_ID"]) == ("2", "1")


def test_leased_gpus_are_shared_out(tmp_path):
    spec = job(tmp_path, nodes_min=2, nodes_max=2, program="rank.py")
    seen = [
        part.env.get("CUDA_VISIBLE_DEVICES") for part in planned(spec, ("GPU-a", "GPU-b", "GPU-c", "GPU-d"))
    ]
    assert seen == ["GPU-a,GPU-b", "GPU-c,GPU-d"]
    assert "CUDA_VISIBLE_DEVICES" not in planned(spec)[0].env
    spec = job(tmp_path, "tensorflow", roles={"chief": 1, "worker": 1, "ps": 1}, program="rank.py")
    seen = [part.env["CUDA_VISIBLE_DEVICES"] for part in planned(spec, ("GPU-a", "GPU-b"))]
    assert seen == ["GPU-a", "GPU-b", ""]


@pytest.mark.parametrize(
    ("fields", "threads"),
    [
        ({"cpu_milli": 4000, "procs": 2}, "2"),
        ({"cpu_milli": 500}, "1"),
        ({"cpu_milli": 8000, "env": {"OMP_NUM_THREADS": "3"}}, None),
    ],
)
def test_threads_follow_the_lease_and_the_user_has_the_last_word(tmp_path, fields, threads):
    assert planned(job(tmp_path, program="rank.py", **fields))[0].env.get("OMP_NUM_THREADS") == threads


def test_a_port_that_is_held_is_free_for_servers_and_for_nobody_else():
    with Ports() as ports:
        numbers = {ports.take() for _ in range(50)}
        assert len(numbers) == 50
        port = numbers.pop()
        with socket.socket() as stranger, pytest.raises(OSError, match="in use"):
            stranger.bind(("127.0.0.1", port))
        with socket.socket() as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind(("127.0.0.1", port))
            server.listen()
            with socket.create_connection(("127.0.0.1", port)):
                pass
        found = set()
        for _ in range(2000):
            with socket.socket() as other:
                other.bind(("127.0.0.1", 0))
                found.add(other.getsockname()[1])
        assert not found & numbers
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", numbers.pop()))


@pytest.mark.parametrize(
    ("command", "resolved"),
    [
        (("python", "a.py"), (sys.executable, "a.py")),
        (("python3", "-m", "a"), (sys.executable, "-m", "a")),
        (("/bin/sh", "-c", "x"), ("/bin/sh", "-c", "x")),
        (("pytest",), (os.path.join(os.path.dirname(sys.executable), "pytest"),)),  # noqa: PTH118, PTH120
        (("no-such-program",), ("no-such-program",)),
    ],
)
def test_a_command_finds_the_kernels_own_tools(command, resolved):
    assert ranks.resolved(command, sys.executable) == resolved


# --- refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"framework": "tensorflo"}, Invalid, "Did you mean 'tensorflow'?"),
        ({"framework": "deepspeed"}, Unavailable, "pip install deepspeed"),
        ({"framework": "xgboost", "nodes_max": 3}, Unfit, "cannot change its number of nodes"),
        ({"procs": 0}, Invalid, "less than one"),
        ({"nodes_min": 3, "nodes_max": 2}, Invalid, "At least 3 and at most 2 nodes"),
        ({"framework": "torch", "roles": {"chief": 1}}, Unfit, "has no roles"),
        ({"framework": "tensorflow", "roles": {"boss": 1}}, Invalid, "no role 'boss'"),
        ({"framework": "tensorflow", "roles": {"ps": 1}}, Invalid, "nobody trains"),
        ({"framework": "tensorflow", "roles": {"chief": 2}}, Invalid, "at most one chief"),
        ({"command": ("no-such-program", "x")}, Unfit, "no program no-such-program"),
        ({"command": ("/no/such/program",)}, Unfit, "no program /no/such/program"),
        ({"env": {"MASTER_PORT": "many"}}, Invalid, "MASTER_PORT=many is not a port"),
        ({"restarts": -1}, Invalid, "less than nothing"),
    ],
)
def test_what_cannot_run_is_refused_with_the_remedy(tmp_path, fields, error, words):
    with pytest.raises(error, match=words.replace("?", r"\?")):
        launch.check(job(tmp_path, **{"program": "rank.py", **fields}))


def test_a_gpu_is_refused_where_torch_knows_none(tmp_path, monkeypatch):
    package = tmp_path / "torch"
    package.mkdir()
    (package / "__init__.py").touch()
    version = package / "version.py"
    version.write_text("__version__ = '9.9+cpu'\ncuda: Optional[str] = None\nhip: Optional[str] = None\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    fitness._torch_build.cache_clear()
    spec = job(tmp_path / "job", "torch", program="rank.py", gpus=1)
    try:
        with pytest.raises(Unfit, match=r"torch 9.9\+cpu is built without support for GPUs"):
            launch.check(spec)
        version.write_text("__version__ = '9.9'\ncuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n")
        fitness._torch_build.cache_clear()
        launch.check(spec)
    finally:
        fitness._torch_build.cache_clear()


def test_a_port_in_use_is_refused_by_its_number(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Unfit, match=rf"Port {port} \(MASTER_PORT\) is in use"):
            launch.check(job(tmp_path, program="rank.py", env={"MASTER_PORT": str(port)}))
    launch.check(job(tmp_path, program="rank.py", env={"MASTER_PORT": str(port)}))


def test_a_package_that_comes_with_the_job_is_not_missing(tmp_path):
    launch.check(job(tmp_path, "deepspeed", program="rank.py", packages=("deepspeed>=0.15",)))


def test_checking_imports_no_framework(tmp_path):
    program = (
        "import sys, pathlib\n"
        "from tests.training.attempt import job\n"
        "from jupyter_ext.training import launch\n"
        "for name in ('torch', 'tensorflow', 'xgboost'):\n"
        "    spec = job(pathlib.Path(sys.argv[1]), name, program='rank.py', procs=2)\n"
        "    launch.check(spec)\n"
        "    launch.plan(spec, sys.executable, launch.Ports())\n"
        "assert not {'torch', 'tensorflow', 'xgboost', 'numpy', 'pandas'} & set(sys.modules)\n"
    )
    import subprocess

    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)


def test_every_framework_has_a_runtime():
    assert {name: RUNTIMES[name] for name in NAMES}["torch"] == "torch-distributed"
    assert RUNTIMES["plain"] == "plain"


# --- verdicts ----------------------------------------------------------------------------------------


def parts(*names, **more):
    return [Launch(name, index, (index,), (), **more) for index, name in enumerate(names)]


def test_a_job_is_over_when_all_that_decide_have_ended_well(tmp_path):
    spec = job(tmp_path)
    started = [*parts("worker-0", "worker-1"), Launch("ps-0", 2, (2,), (), decides=False)]
    assert launch.verdict(spec, started, {"worker-0": 0}) is None
    assert launch.verdict(spec, started, {"worker-0": 0, "worker-1": 0}).ok


def test_the_failure_of_an_essential_part_is_the_jobs(tmp_path):
    started = parts("rank-0", "rank-1")
    assert launch.verdict(job(tmp_path), started, {"rank-1": -9}) == Verdict(
        False, "rank-1", "rank-1 was killed by SIGKILL."
    )
    assert launch.verdict(job(tmp_path), started, {"rank-0": 3}).reason == "rank-0 ended with exit code 3."


def test_an_elastic_job_bears_losses_down_to_its_least(tmp_path):
    spec = job(tmp_path, "torch", nodes_min=2, nodes_max=3)
    started = parts("node-0", "node-1", "node-2", essential=False, role="agent")
    assert launch.verdict(spec, started, {"node-0": -9}) is None
    assert launch.verdict(spec, started, {"node-0": -9, "node-1": 0, "node-2": 0}).ok
    lost = launch.verdict(spec, started, {"node-0": -9, "node-2": 1})
    assert lost.reason == "node-2 ended with exit code 1: 1 of at least 2 nodes are left."


def test_what_only_helps_may_fail(tmp_path):
    started = [*parts("rank-0"), Launch("tracker", 0, (), (), essential=False, decides=False)]
    assert launch.verdict(job(tmp_path), started, {"tracker": 1}) is None
    assert launch.verdict(job(tmp_path), started, {"tracker": 1, "rank-0": 0}).ok


@pytest.mark.parametrize(
    ("restart", "code", "comes_back"),
    [
        ("Never", -9, False),
        ("OnFailure", 1, True),
        ("OnFailure", 0, False),
        ("Always", 0, True),
        ("ExitCode", 1, False),
        ("ExitCode", 137, True),
        ("Killed", -9, True),
        ("Killed", 1, False),
    ],
)
def test_who_comes_back(tmp_path, restart, code, comes_back):
    spec = job(tmp_path, restarts=2)
    started = parts("worker-0", restart=restart)
    assert (launch.again(spec, started, "worker-0", 1, code) is not None) is comes_back
    assert launch.again(spec, started, "worker-0", 2, code) is None


def test_how_processes_end():
    assert launch.ended(-signal.SIGSEGV) == "was killed by SIGSEGV"
    assert launch.ended(-60) == "was killed by signal 60"


# --- real processes ----------------------------------------------------------------------------------


def test_plain_processes_run_to_their_end(tmp_path):
    verdict, logs = run(
        job(tmp_path / "job", "plain", "import os; print('I am', os.environ['RANK'])", procs=3)
    )
    assert verdict.ok
    assert all(f"I am {rank}" in logs for rank in range(3))


def test_one_that_fails_ends_the_job(tmp_path):
    source = "import os, sys, time\nif os.environ['RANK'] == '1': sys.exit(7)\ntime.sleep(1000)"
    verdict, _ = run(job(tmp_path / "job", "plain", source, procs=2))
    assert verdict == Verdict(False, "rank-1", "rank-1 ended with exit code 7.")
