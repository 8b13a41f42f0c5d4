"""Builds the programs of the cluster from pinned Go modules, once for each state of their go.sum."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.cluster.place import Refused, cache

_SOURCES: Final = Path(__file__).parent / "go"
KUBERNETES: Final = "v1.34.4"
_VERSION: Final = "k8s.io/component-base/version"
_HELM: Final = "helm.sh/helm/v3"


@dataclass(frozen=True)
class Program:
    """One folder below go/, and what is built in it."""

    name: str
    folder: str
    package: str
    flags: str = "-s -w"


PROGRAMS: Final = {
    program.name: program
    for program in (
        Program(
            "kubernetes",
            "kubernetes",
            ".",
            # Without a version of its own the server says v0.0.0, and clients misjudge what it can.
            f"-s -w -X {_VERSION}.gitVersion={KUBERNETES} -X {_VERSION}.gitMajor=1 -X {_VERSION}.gitMinor=34",
        ),
        Program("kwok", "kwok", "sigs.k8s.io/kwok/cmd/kwok"),
        Program("coredns", "coredns", "."),
        Program("pause", "pause", "."),
        Program("jobset", "jobset", "sigs.k8s.io/jobset"),
        Program("trainer", "trainer", "github.com/kubeflow/trainer/v2/cmd/trainer-controller-manager"),
        Program("training", "training", "github.com/kubeflow/training-operator/cmd/training-operator.v1"),
        Program("kserve", "kserve", "github.com/kserve/kserve/cmd/manager"),
        Program("router", "router", "github.com/kserve/kserve/cmd/router"),
        Program("spark", "spark", "github.com/kubeflow/spark-operator/v2/cmd/operator"),
        Program("versitygw", "versitygw", "github.com/versity/versitygw/cmd/versitygw"),
        Program(
            "helm",
            "helm",
            "helm.sh/helm/v3/cmd/helm",
            # As its own Makefile: `template`, which asks no server, takes this for the cluster's version.
            f"-s -w -X {_HELM}/pkg/chartutil.k8sVersionMajor=1 -X {_HELM}/pkg/chartutil.k8sVersionMinor=34",
        ),
    )
}
OF_TIER: Final = {"control": ("kubernetes", "kwok"), "node": ("kubernetes", "kwok", "coredns", "pause")}


def programs(tier: str) -> dict[str, Path]:
    """The built programs of ``tier`` by name; those that lack are built."""
    return {name: built(PROGRAMS[name]) for name in OF_TIER[tier]}


def is_built(tier: str) -> bool:
    """Whether `programs` would only look them up."""
    return all(_target(PROGRAMS[name]).exists() for name in OF_TIER[tier])


def built(program: Program) -> Path:
    """The program's file, built when it is not there yet."""
    target = _target(program)
    if target.exists():
        target.touch()  # for `forget`
        return target
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (target.parent / f".{program.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            _build(program, target)
    return target


def module(program: str, name: str) -> Path:
    """The folder with the source of the module ``name``, in the version that ``program`` is built from."""
    command = [_go(), "mod", "download", "-json", name]
    done = subprocess.run(
        command, cwd=_SOURCES / PROGRAMS[program].folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise Refused(f"{name} cannot be had: {done.stderr.strip()[-1000:]}")
    return Path(json.loads(done.stdout)["Dir"])


def _build(program: Program, target: Path) -> None:
    print(f"building {program.name} (once) …", file=sys.stderr)
    started = time.monotonic()
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    command = [_go(), "build", "-mod=readonly", "-trimpath", "-buildvcs=false"]
    command += ["-ldflags", program.flags, "-o", str(fresh), program.package]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("GOFLAGS", "CGO_"))}
    try:
        done = subprocess.run(
            command,
            cwd=_SOURCES / program.folder,
            env=environment | {"CGO_ENABLED": "0", "GOWORK": "off"},
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(f"{program.name} could not be built:\n{done.stderr[-4000:]}")
        fresh.rename(target)
    finally:
        fresh.unlink(missing_ok=True)
    forget(target.parent)
    print(f"built {program.name} in {time.monotonic() - started:.0f} s", file=sys.stderr)


def forget(folder: Path, seconds: float = 7 * 24 * 3600) -> None:
    """Remove what nobody used for so long: another checkout may use what this one does not."""
    for entry in folder.iterdir():
        if entry.stat().st_mtime < time.time() - seconds:
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()


def _target(program: Program) -> Path:
    digest = hashlib.sha256(f"{platform.machine()} {program}".encode())
    folder = _SOURCES / program.folder
    for file in sorted(file for file in folder.iterdir() if file.suffix in {".go", ".mod", ".sum"}):
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return cache() / "bin" / f"{program.name}-{digest.hexdigest()[:16]}"


def _go() -> str:
    path = os.environ.get("PATH", "") + ":/usr/local/go/bin:/usr/lib/go/bin"
    found = shutil.which("go", path=path)
    if found is None:
        raise Refused("the test cluster is built with Go 1.24 or newer: https://go.dev/doc/install")
    return found
