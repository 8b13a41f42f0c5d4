"""The cluster of `make test-cluster` for one benchmark, so this needs what that needs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Sample

if TYPE_CHECKING:
    from tests.cluster.cluster import Cluster


def beside_sdk(ours: Sequence[Mapping[str, float]], theirs: Sequence[Mapping[str, float]]) -> list[Sample]:
    """Ours and the Kubeflow SDK's requests, and then seconds."""
    return [
        Sample(f"{who}, {what}", tuple(each[what] for each in found), unit)
        for what, unit in (("requests", ""), ("seconds", "s"))
        for who, found in (("ours", ours), ("Kubeflow SDK", theirs))
    ]


@contextmanager
def inside(name: str, *installed: str, node: bool = False) -> Iterator[tuple[Cluster, Path]]:
    """A new cluster, with these of upstream's controllers; with a ``node`` on which pods of our image run.

    Until the end this process is in its network and in an empty folder, and uses its kubeconfig.
    """
    from tests.cluster import controllers, lifecycle, network, notebook
    from tests.cluster.cluster import Cluster
    from tests.cluster.place import default_place

    # What is built needs a network that has more than the cluster.
    image = notebook.built() if node else None
    lifecycle.prepared("node" if node else "control")
    for each in installed:
        controllers.prepared(each)
    place = default_place(f"bench-{name}")
    lifecycle.down(place)
    before = Path.cwd()
    try:
        cluster = Cluster(place)
        with network.restored(), tempfile.TemporaryDirectory(prefix="kubeflow-bench-") as folder:
            network.enter(place)
            if image:
                cluster.grow()
                cluster.import_image(image)
            for each in installed:
                controllers.install(cluster, each)
            os.environ |= {"KUBECONFIG": str(cluster.kubeconfig), "JUPYTER_KUBEFLOW_HOME": f"{folder}/home"}
            os.chdir(folder)
            yield cluster, Path(folder)
    finally:
        os.chdir(before)
        lifecycle.down(place)
