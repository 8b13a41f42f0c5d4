"""One real node: containerd, kubelet, kube-proxy and the cluster's names, for pods that really run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tests.cluster import beside, certificates, control, groups, network, nodes, processes
from tests.cluster.answers import Answer, Caller
from tests.cluster.place import NODE_ADDRESS, PODS, Place, Refused

NAME: Final = "real"
ORDER: Final = ("containerd", "kubelet", "kube-proxy", "coredns")
PAUSE: Final = "registry.k8s.io/pause:3.10"
_PROGRAMS: Final = ("containerd", "containerd-shim-runc-v2", "ctr", "runc", "nft", "conntrack")
_PACKAGES: Final = "containerd runc containernetworking-plugins nftables conntrack"
_PLUGINS: Final = Path("/usr/lib/cni")
_WISHES: Final = {  # of the kubelet for its kernel; it finds them fulfilled, and this machine's stay as they are
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}


def forbidden(*, installable: bool = False) -> str:
    """Why this machine cannot have a real node, in one line; empty when it can, or could after `install`."""
    if reason := network.forbidden() or groups.forbidden():
        return reason
    if installable and shutil.which("apt-get"):
        return ""
    lacking = [name for name in _PROGRAMS if not network.program(name)]
    lacking += [] if (_PLUGINS / "ptp").exists() else ["the CNI plugins"]
    return f"a real node needs {', '.join(lacking)} (Debian: {_PACKAGES})" if lacking else ""


def install() -> None:
    """Take what lacks from Debian, when this is one and we are root."""
    if forbidden() and not forbidden(installable=True):
        from_debian(_PACKAGES.split())


def from_debian(packages: Sequence[str]) -> None:
    """Install packages. Raises Refused."""
    if shutil.which("apt-get") is None:
        raise Refused(f"not to be had without apt-get: {', '.join(packages)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update"], ["install", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *command], env=quiet, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refused(f"apt-get {command[0]}: {done.stderr.strip()[-500:]}")


def prepare(place: Place) -> None:
    """Certificates, settings and control groups, unless they are there."""
    pki = place.certificates
    certificates.signed(pki, "kubelet", f"system:node:{NAME}", ["system:nodes"], [NAME, NODE_ADDRESS])
    certificates.signed(pki, "kube-proxy", "system:kube-proxy")
    certificates.signed(pki, "coredns", "test-coredns", ["system:masters"])
    for name in ("kubelet", "kube-proxy", "coredns"):
        control.write_kubeconfig(place, name)
    for name, content in _settings(place).items():
        (place.folder / name).parent.mkdir(mode=0o700, exist_ok=True)
        (place.folder / name).write_text(content)
    groups.make(place)


def mounts(place: Place) -> str:
    """Shell: the mounts and settings that a node needs, which end with the namespaces."""
    wishes = place.folder / "wishes"
    lines = [
        "mount --make-rshared /",
        *(f"mount -t tmpfs tmpfs {folder}" for folder in ("/run", "/var/lib", "/var/log")),
        "echo 1 > /proc/sys/net/ipv4/ip_forward",
        f"mkdir -p {wishes}",
    ]
    for number, (name, value) in enumerate(_WISHES.items()):
        lines.append(f"echo {value} > {wishes}/{number}")
        lines.append(f"if [ -e /proc/sys/{name} ]; then mount --bind {wishes}/{number} /proc/sys/{name}; fi")
    return " && ".join(lines)


def start(place: Place, programs: Mapping[str, Path], name: str) -> None:
    """Start one part, unless it runs."""
    if processes.find(place, name) is None:
        processes.start(place, name, network.inside(place, _FLAGS[name](place, programs)))


def wait_for_containerd(place: Place, seconds: float = 60) -> None:
    """Return when it answers; raises Refused."""
    deadline = time.monotonic() + seconds
    command = network.inside(place, [*ctr(place), "version"])
    while subprocess.run(command, capture_output=True, check=False).returncode:
        if processes.find(place, "containerd") is None or time.monotonic() > deadline:
            raise Refused(f"containerd is not ready:\n{processes.last_lines(place.logs / 'containerd.log')}")
        time.sleep(0.1)


def wait(place: Place, seconds: float = 180) -> None:
    """Return when the node says it is ready; raises Refused."""
    caller = Caller(place.certificates, "admin")
    deadline = time.monotonic() + seconds
    with network.entered(place):
        while not _is_ready(caller):
            for name in ORDER:
                if processes.find(place, name) is None:
                    raise Refused(
                        f"{name} ended at its start:\n{processes.last_lines(place.logs / f'{name}.log')}"
                    )
            if time.monotonic() > deadline:
                raise Refused(f"the node is not ready:\n{processes.last_lines(place.logs / 'kubelet.log')}")
            time.sleep(0.1)


def _is_ready(caller: Caller) -> bool:
    try:
        return nodes.is_ready(caller("GET", f"/api/v1/nodes/{NAME}"))
    except Answer:
        return False


def ctr(place: Place) -> list[str]:
    """The command line of containerd's client, for use inside the network."""
    return ["ctr", "--address", str(place.folder / "containerd.sock"), "--namespace", "k8s.io"]


def _settings(place: Place) -> dict[str, str]:
    folder = place.folder
    ranges = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    # Point to point: with a bridge, answers between pods by way of a Service would need a kernel module more.
    plugin = {"type": "ptp", "ipMasq": False, "ipam": ranges}
    return {
        "containerd.toml": _CONTAINERD.format(folder=folder, pause=PAUSE, plugins=_PLUGINS),
        "container.json": beside.specification(place, network.program("ctr") or "ctr"),
        "kubelet.json": json.dumps(_kubelet_settings(place)),
        "cni/10-test.conflist": json.dumps({"cniVersion": "0.4.0", "name": "test", "plugins": [plugin]}),
        "resolv.conf": f"nameserver {NODE_ADDRESS}\n",
        "Corefile": _COREFILE.format(
            address=NODE_ADDRESS, kubeconfig=place.certificates / "coredns.kubeconfig"
        ),
    }


def _kubelet_settings(place: Place) -> dict[str, Any]:
    pki = place.certificates
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE_ADDRESS,
        "authentication": {"anonymous": {"enabled": False}, "x509": {"clientCAFile": f"{pki}/ca.crt"}},
        "tlsCertFile": f"{pki}/kubelet.crt",
        "tlsPrivateKeyFile": f"{pki}/kubelet.key",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": groups.name(place),
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "localStorageCapacityIsolation": False,
        "evictionHard": {"memory.available": "64Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
        "clusterDNS": [NODE_ADDRESS],
        "clusterDomain": "cluster.local",
        "resolvConf": str(place.folder / "resolv.conf"),
        "containerRuntimeEndpoint": f"unix://{place.folder}/containerd.sock",
        "podLogsDir": str(place.folder / "pods"),
        "volumePluginDir": str(place.folder / "plugins"),
        "makeIPTablesUtilChains": False,
        "syncFrequency": "5s",  # so often mounted secrets are refreshed; a minute is the default
        "shutdownGracePeriod": "0s",
        "serializeImagePulls": False,
        "logging": {"verbosity": 1},
    }


_CONTAINERD: Final = """
version = 2
root = "{folder}/containerd"
state = "/run/containerd"
oom_score = 0
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.internal.v1.opt", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    base_runtime_spec = "{folder}/container.json"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{folder}/cni"
"""

_COREFILE: Final = """
.:53 {{
  bind {address}
  errors
  ready 127.0.0.1:8181
  kubernetes cluster.local in-addr.arpa {{
    kubeconfig {kubeconfig}
    pods insecure
  }}
  cache 5
}}
"""


def _containerd(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return ["containerd", "--config", str(place.folder / "containerd.toml")]


def _kubelet(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return [
        *(str(programs["kubernetes"]), "kubelet", f"--config={place.folder}/kubelet.json"),
        *(f"--kubeconfig={place.certificates}/kubelet.kubeconfig", f"--root-dir={place.folder}/kubelet"),
        *(f"--cert-dir={place.certificates}", f"--hostname-override={NAME}", f"--node-ip={NODE_ADDRESS}"),
    ]


def _proxy(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return [
        *(str(programs["kubernetes"]), "kube-proxy", "--proxy-mode=nftables", f"--hostname-override={NAME}"),
        *(f"--kubeconfig={place.certificates}/kube-proxy.kubeconfig", f"--cluster-cidr={PODS}"),
        *("--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s"),
        *("--conntrack-tcp-timeout-close-wait=0s", "--metrics-bind-address=127.0.0.1:10249"),
        "--healthz-bind-address=127.0.0.1:10256",
    ]


def _coredns(place: Place, programs: Mapping[str, Path]) -> list[str]:
    return [str(programs["coredns"]), "-conf", str(place.folder / "Corefile")]


_FLAGS: Final[Mapping[str, Callable[[Place, Mapping[str, Path]], list[str]]]] = {
    "containerd": _containerd,
    "kubelet": _kubelet,
    "kube-proxy": _proxy,
    "coredns": _coredns,
}
