"""What cannot run here is refused by name, before anything starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import jupyter_ext as kf
from jupyter_ext.cluster.local import LocalCluster
from jupyter_ext.errors import KubeflowError
from tests.pipelines.elyra.building import book, component, node
from tests.pipelines.elyra.conftest import Write

FILES = {
    "a.py": "",
    "b.py": "",
    "nb.ipynb": book("1"),
    "julia.ipynb": book("1", kernel="julia-1.9", language="julia"),
}


@pytest.mark.parametrize(
    ("nodes", "said"),
    [
        ([node("a", "gone.py")], r"file gone.py is not there \(step gone\)"),
        ([node("a", "/etc/hosts.py")], "absolute path"),
        ([node("a", "../outside.py")], "leaves the workspace"),
        ([node("a", "link/a.py")], "leaves the workspace"),
        ([node("a", "~/a.py")], "absolute path"),
        ([node("a", "C:\\\\x.py")], "not a path"),
        ([node("a", "")], "names no file"),
        ([node("a", "a.py", ["b"]), node("b", "b.py", ["a"])], "wait for each other"),
        ([node("a", "a.py", dependencies=["../../secrets"])], "leaves the workspace"),
        ([node("a", "a.py", dependencies=["missing.csv"])], "dependency missing.csv is not there"),
        ([node("a", "a.py", outputs=["/tmp/x"])], "absolute path"),
        ([node("a", "a.py", op="execute-notebook-node")], "not a notebook"),
        ([node("a", "julia.ipynb")], "kernel julia-1.9"),
        ([node("a", "a.py", pipeline_parameters=["lr"])], "wants the parameter lr"),
        ([node("a", "a.py", env_vars=[{"env_var": "A B", "value": "1"}])], "'A B' is not a name"),
        ([node("a", "a.py", cpu="many")], "'many' is not an amount"),
        ([node("a", "a.py", cpu=10_000)], "10,?000|cores"),
    ],
)
def test_refused(
    cluster: LocalCluster, write: Write, tmp_path: Path, nodes: list[dict[str, Any]], said: str
) -> None:
    if not nodes[0]["app_data"]["component_parameters"]["filename"]:
        nodes[0]["app_data"]["ui_data"]["label"] = "empty"
    (tmp_path / "link").symlink_to(tmp_path.parent)
    pipeline = write(*nodes, files=FILES)
    with pytest.raises(KubeflowError, match=said):
        kf.pipelines.run(pipeline)
    if "wait for each other" not in said:
        assert kf.pipelines.check(pipeline).errors
    assert not kf.pipelines.runs()


def test_airflow_is_named(cluster: LocalCluster, write: Write) -> None:
    pipeline = write(component("a", "Mail", {}, runtime="x"), runtime="APACHE_AIRFLOW")
    with pytest.raises(KubeflowError, match=r"Step Mail is the Airflow operator .* only Apache Airflow runs"):
        kf.pipelines.run(pipeline)


def test_all_problems_at_once(cluster: LocalCluster, write: Write) -> None:
    found = kf.pipelines.check(write(node("a", "gone.py"), node("b", "b.py", ["a"], cpu="x"), files=FILES))
    assert [problem.step for problem in found.problems] == ["gone", "b"]
    assert [step.name for step in found.steps] == ["gone", "b"]


def test_secrets_and_volumes_of_a_cluster_are_asked_of_what_compiled_pipelines_ask(
    cluster: LocalCluster, write: Write
) -> None:
    secret = {"env_var": "TOKEN", "name": "api", "key": "token"}
    pipeline = write(node("a", "a.py", kubernetes_secrets=[secret]), files=FILES)
    assert "api" in str(kf.pipelines.check(pipeline).problems) or "Secret" in str(
        kf.pipelines.check(pipeline).problems
    )
    # A variable that the node sets itself stands for the secret, as it does in Elyra's local runs.
    own = [{"env_var": "TOKEN", "value": "x"}]
    pipeline = write(node("a", "a.py", kubernetes_secrets=[secret], env_vars=own), files=FILES)
    assert not kf.pipelines.check(pipeline).problems
