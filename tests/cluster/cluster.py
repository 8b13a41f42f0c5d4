"""What a test does with a cluster: namespaces and nodes of its own, clients of any user, parts that end and return."""

from __future__ import annotations

import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tests.cluster import build, certificates, control, images, lifecycle, network, nodes, processes
from tests.cluster.answers import PORT, Answer, Caller
from tests.cluster.place import NODE_ADDRESS, Place

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient, Configuration


T = TypeVar("T")


class Cluster:
    """A cluster that is up."""

    def __init__(self, place: Place, tier: str = "control") -> None:
        self.place = place
        self.tier = tier
        self.left_out = lifecycle.up(place, tier)
        self.call = Caller(place.certificates, "admin")
        """`call(method, path, body)`: JSON from the API as the administrator; raises Answer."""
        self._numbers = itertools.count(1)
        self._made: list[str] = []

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; of use inside the cluster's network only."""
        return self.place.kubeconfig

    @property
    def server(self) -> str:
        """The address of the API, inside the cluster's network."""
        return f"https://{NODE_ADDRESS}:{PORT}"

    def kubeconfig_of(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with which one is ``user`` (64 characters at most) in ``groups``."""
        return control.write_kubeconfig(self.place, self._certificate(user, groups))

    def caller(self, user: str, groups: Sequence[str] = ()) -> Caller:
        """As `call`, for this user."""
        return Caller(self.place.certificates, self._certificate(user, groups))

    def configuration(self, user: str | None = None, groups: Sequence[str] = ()) -> Configuration:
        """The settings of a kubernetes_asyncio client, of the administrator or of a user."""
        from kubernetes_asyncio.client import Configuration

        name = "admin" if user is None else self._certificate(user, groups)
        made = Configuration(host=self.server)
        made.ssl_ca_cert = str(self.place.certificates / "ca.crt")
        made.cert_file = str(self.place.certificates / f"{name}.crt")
        made.key_file = str(self.place.certificates / f"{name}.key")
        return made

    def api(self, user: str | None = None, groups: Sequence[str] = ()) -> ApiClient:
        """A kubernetes_asyncio client; made in a running loop, and to be closed (``async with cluster.api()``)."""
        from kubernetes_asyncio.client import ApiClient

        return ApiClient(self.configuration(user, groups))

    def namespace(
        self, name: str = "test", labels: Mapping[str, str] | None = None, **annotations: str
    ) -> str:
        """A new namespace, ``name`` with a number; with all that controllers put into a new one. Gone after."""
        made = self._create_namespace(name, dict(labels or {}), annotations)
        self.gone_after(f"/api/v1/namespaces/{made}")
        paths = [
            f"/api/v1/namespaces/{made}/{one}"
            for one in ("serviceaccounts/default", "configmaps/kube-root-ca.crt")
        ]
        self.until(lambda: all(self.exists(path) for path in paths))
        return made

    def node(
        self,
        name: str,
        labels: Mapping[str, str] | None = None,
        capacity: Mapping[str, Any] | None = None,
        taints: Sequence[Mapping[str, str]] = (),
        count: int = 1,
    ) -> list[str]:
        """``count`` nodes that KWOK keeps ready, and whose pods it says are running. Their names; gone after.

        ``capacity`` comes on top of 32 CPUs, 256Gi of memory and 110 pods. Kinds with GPUs: `tests.cluster.nodes`.
        A name that another test had just before may take KWOK ten seconds.
        """
        names = [name] if count == 1 else [f"{name}-{index}" for index in range(count)]
        for one in names:
            self.call("POST", "/api/v1/nodes", nodes.node(one, labels or {}, capacity or {}, taints))
            self.gone_after(f"/api/v1/nodes/{one}")
        self.until(lambda: all(nodes.is_ready(self.call("GET", f"/api/v1/nodes/{one}")) for one in names))
        return names

    def apply(self, path: str, manifest: Mapping[str, Any]) -> Any:
        """Server-side apply of one object; ``path`` is the object's own."""
        return self.call("PATCH", path, manifest, {"fieldManager": "test", "force": "true"}, patch="apply")

    def exists(self, path: str) -> bool:
        """Whether there is such an object."""
        try:
            self.call("GET", path)
        except Answer as error:
            if error.status == 404:
                return False
            raise
        return True

    def until(self, ask: Callable[[], T], seconds: float = 60) -> T:
        """The first answer that counts as true; AssertionError when none comes."""
        deadline = time.monotonic() + seconds
        while not (answer := ask()):
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s"
            time.sleep(0.02)
        return answer

    def gone_after(self, path: str) -> None:
        """Delete the object at ``path`` after the test, or whatever made it."""
        self._made.append(path)

    @contextmanager
    def swept(self) -> Iterator[None]:
        """Delete at the end what was made meanwhile."""
        mark = len(self._made)
        yield
        made, self._made[mark:] = self._made[mark:], []
        for path in reversed(made):
            try:
                self.call("DELETE", path, {"gracePeriodSeconds": 0})
            except Answer as error:
                if error.status not in {404, 409}:
                    raise

    def kill(self, name: str) -> None:
        """Kill one part ("kube-apiserver", …) with SIGKILL."""
        processes.end(self.place, [name])

    def pause(self, name: str) -> None:
        """Stop one part's process (SIGSTOP): connections stay, answers do not come. `resume` undoes it."""
        self._signal(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """Undo `pause`."""
        self._signal(name, signal.SIGCONT)

    def restore(self) -> None:
        """Start again what was killed, and wait until all is ready."""
        lifecycle.up(self.place, self.tier)

    def grow(self) -> None:
        """Add the real node, `tests.cluster.node.NAME`, unless it is there."""
        self.tier = "node"
        lifecycle.up(self.place, self.tier)

    def import_image(self, file: Path) -> None:
        """Give the real node an image, so that it need not fetch one."""
        images.import_file(self.place, file)

    def inside(self, argv: Sequence[str]) -> list[str]:
        """The command that runs ``argv`` in the cluster's network, from anywhere."""
        return network.inside(self.place, argv)

    def kubectl(self, *arguments: str) -> list[str]:
        """The command line of kubectl, for subprocess.run."""
        return self.inside([*lifecycle.kubectl(self.place, build.programs("control")), *arguments])

    def _create_namespace(self, name: str, labels: dict[str, str], annotations: dict[str, str]) -> str:
        while True:
            made = f"{name}-{next(self._numbers)}"
            metadata = {"name": made, "labels": labels, "annotations": annotations}
            try:
                self.call("POST", "/api/v1/namespaces", {"metadata": metadata})
            except Answer as error:
                if error.status != 409:  # of a session before, in a cluster that is kept
                    raise
            else:
                return made

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = processes.find(self.place, name)
        assert process is not None, f"{name} does not run"
        process.send_signal(number)

    def _certificate(self, user: str, groups: Sequence[str]) -> str:
        name = re.sub(
            r"[^A-Za-z0-9]", lambda match: f"-{ord(match[0]):x}", "_".join(["user", user, *sorted(groups)])
        )
        certificates.signed(self.place.certificates, name, user, groups)
        return name
