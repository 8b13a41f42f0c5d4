"""The control plane: etcd, API server, controllers and scheduler, each with the flags it is started with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.cluster import certificates, network, processes
from tests.cluster.answers import PORT, Answer, Caller, kubeconfig
from tests.cluster.place import MADE_UP_PODS, NODE_ADDRESS, PODS, SERVICES, Place, Refused

SERVER: Final = ("etcd", "kube-apiserver")
CLIENTS: Final = ("kube-controller-manager", "kube-scheduler", "kwok")
"""These end when they find no API server: they are started after it answers."""
MADE_BY_CONTROLLERS: Final = ("/api/v1/namespaces/default/serviceaccounts/default",)
_FIRST_SERVICE: Final = "10.214.0.1"
_ETCD: Final = "http://127.0.0.1:2379"
_USERS: Final = {
    "admin": ("test-admin", ("system:masters",)),
    "kube-controller-manager": ("system:kube-controller-manager", ()),
    "kube-scheduler": ("system:kube-scheduler", ()),
    "kwok": ("test-kwok", ("system:masters",)),
    "kubelet-client": ("test-apiserver", ("system:masters",)),
}


def prepare(place: Place) -> None:
    """Keys, certificates and kubeconfigs, unless they are there."""
    pki = place.certificates
    certificates.authority(pki, "ca")
    hosts = ["kubernetes", "kubernetes.default", "kubernetes.default.svc", NODE_ADDRESS, _FIRST_SERVICE]
    certificates.signed(pki, "apiserver", "kube-apiserver", hosts=[*hosts, "localhost", "127.0.0.1"])
    certificates.signing_key(pki, "service-accounts")
    for name, (user, groups) in _USERS.items():
        certificates.signed(pki, name, user, groups)
        write_kubeconfig(place, name)


def write_kubeconfig(place: Place, name: str) -> Path:
    """The kubeconfig of the certificate ``name``."""
    file = place.kubeconfig if name == "admin" else place.certificates / f"{name}.kubeconfig"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(kubeconfig(place.certificates, name))
    return file


def start(place: Place, programs: Mapping[str, Path], name: str) -> None:
    """Start one part, unless it runs."""
    if processes.find(place, name) is None:
        processes.start(place, name, network.inside(place, _FLAGS[name](place, programs)))


def wait(place: Place, names: Sequence[str], paths: Sequence[str], seconds: float = 180) -> None:
    """Return when all ``paths`` of the API answer, as long as the processes ``names`` run; raises Refused."""
    caller = Caller(place.certificates, "admin")
    deadline = time.monotonic() + seconds
    last: Exception | None = None
    with network.entered(place):
        while time.monotonic() < deadline:
            for name in names:
                if processes.find(place, name) is None:
                    raise Refused(
                        f"{name} ended at its start:\n{processes.last_lines(place.logs / f'{name}.log')}"
                    )
            try:
                for path in paths:
                    caller("GET", path)
                return
            except (Answer, OSError) as error:
                last = error
                time.sleep(0.05)
    raise Refused(f"the control plane was not ready within {seconds:.0f} s: {last}")


def _etcd(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return [
        *(str(programs["kubernetes"]), "etcd", f"--data-dir={place.etcd}", "--name=test"),
        *(f"--listen-client-urls={_ETCD}", f"--advertise-client-urls={_ETCD}"),
        *("--listen-peer-urls=http://127.0.0.1:2380", "--initial-advertise-peer-urls=http://127.0.0.1:2380"),
        "--initial-cluster=test=http://127.0.0.1:2380",
        "--unsafe-no-fsync",  # what it remembers need not outlive the machine
        *("--snapshot-count=100000", "--auto-compaction-retention=5m", "--quota-backend-bytes=4294967296"),
        "--log-level=warn",
    ]


def _apiserver(place: Place, programs: Mapping[str, Path]) -> list[str]:
    pki = place.certificates
    return [
        *(str(programs["kubernetes"]), "kube-apiserver", f"--etcd-servers={_ETCD}"),
        *(f"--bind-address={NODE_ADDRESS}", f"--advertise-address={NODE_ADDRESS}", f"--secure-port={PORT}"),
        *(f"--tls-cert-file={pki}/apiserver.crt", f"--tls-private-key-file={pki}/apiserver.key"),
        *(f"--client-ca-file={pki}/ca.crt", "--authorization-mode=Node,RBAC"),
        "--enable-admission-plugins=NodeRestriction",
        *(
            f"--service-cluster-ip-range={SERVICES}",
            "--service-account-issuer=https://kubernetes.default.svc",
        ),
        f"--service-account-key-file={pki}/service-accounts.pub",
        f"--service-account-signing-key-file={pki}/service-accounts.key",
        f"--kubelet-client-certificate={pki}/kubelet-client.crt",
        f"--kubelet-client-key={pki}/kubelet-client.key",
        *(f"--kubelet-certificate-authority={pki}/ca.crt", "--kubelet-preferred-address-types=InternalIP"),
        *("--allow-privileged=true", "--profiling=false"),
    ]


def _controllers(place: Place, programs: Mapping[str, Path]) -> list[str]:
    pki = place.certificates
    return [
        *(str(programs["kubernetes"]), "kube-controller-manager", "--bind-address=127.0.0.1"),
        *_identity(place, "kube-controller-manager"),
        *("--use-service-account-credentials=true", f"--root-ca-file={pki}/ca.crt"),
        f"--service-account-private-key-file={pki}/service-accounts.key",
        *(f"--cluster-signing-cert-file={pki}/ca.crt", f"--cluster-signing-key-file={pki}/ca.key"),
        *("--allocate-node-cidrs=false", f"--cluster-cidr={PODS}", "--leader-elect=false"),
        *("--kube-api-qps=300", "--kube-api-burst=600", "--profiling=false"),
    ]


def _scheduler(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return [
        *(str(programs["kubernetes"]), "kube-scheduler", "--bind-address=127.0.0.1", "--leader-elect=false"),
        *_identity(place, "kube-scheduler"),
        *("--kube-api-qps=300", "--kube-api-burst=600", "--profiling=false"),
    ]


def _kwok(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return [
        *(str(programs["kwok"]), f"--kubeconfig={place.certificates}/kwok.kubeconfig"),
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        *(f"--cidr={MADE_UP_PODS}", f"--node-ip={NODE_ADDRESS}", "--node-lease-duration-seconds=40"),
    ]


def _identity(place: Place, name: str) -> list[str]:
    file = f"{place.certificates}/{name}.kubeconfig"
    return [f"--{what}kubeconfig={file}" for what in ("", "authentication-", "authorization-")]


_FLAGS: Final[Mapping[str, Callable[[Place, Mapping[str, Path]], list[str]]]] = {
    "etcd": _etcd,
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _controllers,
    "kube-scheduler": _scheduler,
    "kwok": _kwok,
}
