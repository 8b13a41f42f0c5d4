"""The fixture `cluster`: `from tests.cluster.fixtures import *` in the conftest of a folder whose tests need one.

There is one for all folders of a test session, and each session has its own. Tests that ask for it run in its network:
only there can the API be reached, and nothing else can. JUPYTER_KUBEFLOW_TEST_CLUSTER=keep uses the one that
`python -m tests.cluster up` starts, and leaves it up.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import socket
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cluster import beside, build, controllers, lifecycle, network, node, notebook
from tests.cluster.cluster import Cluster
from tests.cluster.place import Place, default_place

__all__ = [
    "_swept",
    "cluster",
    "helm_program",
    "jobset",
    "kserve",
    "notebook_image",
    "object_store",
    "pytest_collection_finish",
    "pytest_collection_modifyitems",
    "pytest_runtest_protocol",
    "real_node",
    "spark",
    "trainer",
    "training_operator",
]

KEEP = "JUPYTER_KUBEFLOW_TEST_CLUSTER"
_KEY = pytest.StashKey[Cluster]()
_SAID = pytest.StashKey[str]()


@pytest.fixture(scope="session")
def cluster(request: pytest.FixtureRequest) -> Cluster:
    """The control plane, with nodes on paper."""
    config = request.config
    if _KEY not in config.stash:
        place = default_place()
        if os.environ.get(KEEP) != "keep":
            place = _free(config)
            lifecycle.down(place)  # what a session left that was killed
            config.add_cleanup(lambda: lifecycle.down(place))
        made = Cluster(place)
        if made.left_out:
            _say(config, made.left_out)
        network.enter(place)
        config.stash[_KEY] = made
    return config.stash[_KEY]


def _free(config: pytest.Config) -> Place:
    """The first place that no other session on this machine uses.

    A name in the abstract namespace of sockets is taken by one process, leaves no file, and goes with it. Each
    network has such names of its own.
    """
    where = Path("/proc/thread-self/ns/net").stat().st_ino
    for number in itertools.count(1):
        place = default_place(f"{where} {number}")
        taken = socket.socket(socket.AF_UNIX)
        try:
            taken.bind(f"\0{place.folder}")
        except OSError:
            taken.close()
        else:
            config.add_cleanup(taken.close)
            return place
    raise AssertionError


@pytest.fixture(scope="session")
def real_node(cluster: Cluster) -> str:
    """The name of a node with a kubelet and containerd, whose pods really run."""
    cluster.grow()
    return node.NAME


@pytest.fixture(scope="session")
def notebook_image(cluster: Cluster, real_node: str) -> str:
    """The one image of binder/, on the real node, and beside it what only the tour uses; the name that pods call it by."""
    cluster.import_image(notebook.built())
    beside.use(cluster.place, notebook.libraries())
    return notebook.NAME


@pytest.fixture(scope="session")
def helm_program() -> Path:
    """Helm, built from its module."""
    return build.built(build.PROGRAMS["helm"])


@pytest.fixture(scope="session")
def object_store() -> Path:
    """A server of S3's protocol (`tests/store/gateway.py`), built from its module."""
    return build.built(build.PROGRAMS["versitygw"])


@pytest.fixture(scope="session")
def jobset(cluster: Cluster, real_node: str) -> None:
    """The controller of JobSets runs."""
    controllers.install(cluster, "jobset")


@pytest.fixture(scope="session")
def trainer(cluster: Cluster, jobset: None) -> None:
    """The controller of TrainJobs runs, and its runtimes are there."""
    controllers.install(cluster, "trainer")


@pytest.fixture(scope="session")
def training_operator(cluster: Cluster, real_node: str) -> None:
    """The operator of the kinds before TrainJob runs: PyTorchJob, TFJob, XGBoostJob."""
    controllers.install(cluster, "training")


@pytest.fixture(scope="session")
def kserve(cluster: Cluster, real_node: str) -> None:
    """The controller of InferenceServices runs, in Standard mode."""
    controllers.install(cluster, "kserve")


@pytest.fixture(scope="session")
def spark(cluster: Cluster, real_node: str) -> None:
    """The operator of SparkApplications runs, and its Spark; pods find one under `spark_image.name()`."""
    controllers.install(cluster, "spark")


_PREPARE: Final[Mapping[str, Callable[[], object]]] = {
    "cluster": lambda: lifecycle.prepared("control"),
    "real_node": lambda: lifecycle.prepared("node"),
    "notebook_image": notebook.libraries,
    "helm_program": lambda: build.built(build.PROGRAMS["helm"]),
    "definitions": lambda: [controllers.prepared(name) for name in ("jobset", "trainer", "kserve", "spark")],
    "object_store": lambda: build.built(build.PROGRAMS["versitygw"]),
    "training_operator": lambda: controllers.prepared("training"),
    **{name: functools.partial(controllers.prepared, name) for name in controllers.CONTROLLERS},
}


@pytest.fixture(autouse=True)
def _swept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Namespaces and nodes that a test made are removed after it; a module's or the session's are not."""
    found = request.config.stash.get(_KEY, None)
    if found is None or "cluster" not in request.fixturenames:
        yield
        return
    with found.swept():
        yield


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """A test that asks for the cluster runs in its network, and so do its fixtures; others do not."""
    if "cluster" not in getattr(item, "fixturenames", ()):
        return (yield)
    with network.restored():
        if (found := item.config.stash.get(_KEY, None)) is not None:
            network.enter(found.place)
        return (yield)


@pytest.hookimpl(trylast=True)  # after the deselection by marker
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where the machine forbids a cluster, or its node, one line says so and the tests that need it are left out."""
    for fixture, reason in (
        ("cluster", network.forbidden()),
        ("real_node", node.forbidden(installable=True)),
    ):
        needing = [item for item in items if fixture in getattr(item, "fixturenames", ())]
        if needing and reason:
            if os.environ.get("CI") == "true":
                raise pytest.UsageError(reason)
            _say(config, f"{len(needing)} tests are left out: {reason}")
            config.hook.pytest_deselected(items=needing)
            items[:] = [item for item in items if item not in needing]
    # Once there is a real node, pods of other tests may be put there: those tests are first.
    items.sort(key=lambda item: "real_node" in getattr(item, "fixturenames", ()))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the chosen tests need: here no test's time runs out, and there is a way to the registries."""
    wanted = {name for item in session.items for name in getattr(item, "fixturenames", ())}
    if session.config.option.collectonly or not wanted & set(_PREPARE):
        return
    capture = session.config.pluginmanager.get_plugin("capturemanager")
    with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
        for name, prepare in _PREPARE.items():
            if name in wanted:
                prepare()  # the first time takes minutes, and says what it does


def _say(config: pytest.Config, line: str) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and config.stash.get(_SAID, "") != line:
        config.stash[_SAID] = line
        reporter.write_line(line)
