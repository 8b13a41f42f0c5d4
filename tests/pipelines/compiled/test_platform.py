"""Settings for Kubernetes: what each means on this machine, and what is refused by name before anything starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import jupyter_ext as kf
from jupyter_ext import pipelines
from jupyter_ext.cluster.local import LocalCluster, locks
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unfit
from jupyter_ext.pipelines.compiled import mounts
from jupyter_ext.pipelines.compiled.volumes import Request, Volumes, request
from jupyter_ext.pipelines.handle import Run, run, runs
from tests.pipelines.compiled.conftest import FOLDER, SECONDS, outputs, succeeded
from tests.waiting import processes_of, until

PLATFORM = FOLDER.parent / "platform"
VALUE = "correct horse battery staple"


def _ran(name: str, **options: Any) -> Run:
    return run(PLATFORM / f"{name}.yaml", **options).wait(SECONDS)


def _said(done: Run) -> Any:
    return json.loads(succeeded(done).resource.status["outputs"]["Output"])


def _store() -> None:
    kf.secrets.set("database", "password", VALUE)
    kf.secrets.set("settings", "mode", "fast", kind="ConfigMap")


def _written_down(home: Path) -> str:
    """The files below the profile's home that have the value in plain; read by another process, as SQLite wants it."""
    done = subprocess.run(["grep", "-rlaF", VALUE, home], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_secrets_and_config_maps_as_environment_and_files(cluster: LocalCluster, kubeflow_home: Path) -> None:
    _store()
    done = _ran("secrets")
    assert _said(done) == {
        "password": len(VALUE),
        "token": len(VALUE),
        "missing": None,
        "mode": "fast",
        "plain": "fast",
        "files": ["password"],
        "optional": [],
        "pod": f"default/blue/{socket.gethostname()}",
        "marker": "x",
        "writable": "OSError" if os.getuid() == 0 else "PermissionError",
    }
    assert not _written_down(kubeflow_home)
    assert not Path("/etc/credentials").exists()
    # A changed value makes the earlier result another one's.
    assert _ran("secrets").step("look")["cached"]
    kf.secrets.set("database", "password", "short")
    assert _said(_ran("secrets"))["password"] == 5


def test_a_secret_that_is_not_there_is_named_with_its_remedy(cluster: LocalCluster) -> None:
    with pytest.raises(Unfit, match="password of the Secret database as PASSWORD") as caught:
        run(PLATFORM / "secrets.yaml")
    assert "jupyter kf secret set database password" in str(caught.value)
    _store()
    with pytest.raises(Unfit, match=r"(the|of the) Secret other"):
        run(PLATFORM / "secrets.yaml", secret="other")
    assert not runs()


def test_a_value_that_no_variable_can_be_and_a_run_that_goes_on_with_another(cluster: LocalCluster) -> None:
    _store()
    kf.secrets.set("database", "password", b"a\0b")
    done = _ran("secrets", cache=False)
    assert (done.state, "Take it as a file" in done.resource.reason) == ("FAILED", True)
    kf.secrets.set("database", "password", VALUE)
    assert _said(done.resume().wait(SECONDS))["password"] == len(VALUE)


def test_volumes_are_made_mounted_and_deleted(cluster: LocalCluster) -> None:
    done = succeeded(_ran("volumes", text="held"))
    assert done.resource.status["outputs"] == {"Output": "held"}
    name = outputs(done, "createpvc")["name"]
    assert name.endswith("-of-run")
    assert not Volumes(cluster.home).exists(name)
    assert not (cluster.home / "volumes" / name).exists()
    assert not Path("/data").exists()


def test_a_volume_of_the_profile_keeps_what_runs_write(cluster: LocalCluster, tmp_path: Path) -> None:
    with pytest.raises(Unfit, match="wants the volume shared") as caught:
        run(PLATFORM / "existing.yaml")
    place = cluster.home / "volumes" / "shared"
    assert str(place) in str(caught.value)
    place.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "data").mkdir()
    place.symlink_to(tmp_path / "data")
    assert succeeded(_ran("existing", cache=False)).resource.status["outputs"] == {"Output": 1}
    assert succeeded(_ran("existing")).resource.status["outputs"] == {"Output": 2}
    assert succeeded(_ran("existing")).step("tally")["cached"]
    assert (tmp_path / "data" / "tally").read_text() == ".."
    # Another volume of the same name is another volume.
    place.unlink()
    place.mkdir()
    assert succeeded(_ran("existing")).resource.status["outputs"] == {"Output": 1}


@pytest.mark.parametrize(("name", "step"), [("deadline", "linger"), ("whole", None)])
def test_limits_of_time_end_a_step_and_a_run(cluster: LocalCluster, name: str, step: str | None) -> None:
    done = _ran(name)
    assert done.state == "FAILED"
    assert done.resource.status["error"]["type"] == "DeadlineExceeded"
    assert "longer than the 1 s" in done.resource.status["error"]["message"]
    if step:
        assert "longer than the 1 s" in done.step(step)["reason"]


def test_scratch_volumes_other_users_and_what_is_let_be(cluster: LocalCluster) -> None:
    for _ in range(2):  # nothing of the first is left for the second
        assert _said(_ran("pods")) == [4242, 4343, [], [], [], 1 << 20]
    assert "inside asks for nodes with certain labels" in str(runs()[0].logs("inside"))
    checked = pipelines.check(PLATFORM / "pods.yaml")
    assert not checked.errors
    (note,) = checked.problems
    assert (note.severity, note.step) == ("warning", "inside")
    assert "nodes with certain labels and an affinity" in note.message
    assert not list(cluster.home.glob("work/*/*/*/volumes"))


def test_configuration_that_is_handed_on(cluster: LocalCluster) -> None:
    _store()
    told = _said(_ran("passed"))
    assert told["env"][0] == {"name": "COLOR", "value": "red"}
    assert told["env"][1]["valueFrom"]["secretKeyRef"]["name"] == "database"
    assert told["resources"]["requests"] == {"cpu": "4000"}
    assert told["volumes"] == [{"name": "far-away", "persistentVolumeClaim": {"claimName": "far-away"}}]
    assert told["mounts"] == [{"name": "far-away", "mountPath": "/far"}]
    assert told["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert told["selector"] == {"disktype": "ssd"}
    assert told["own"] == ["red", False]


def _settings(
    folder: Path, settings: dict[str, Any], name: str = "existing", label: str = "exec-tally"
) -> Path:
    document = next(yaml.safe_load_all((PLATFORM / f"{name}.yaml").read_text()))
    platforms = {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {label: settings}}}}}
    path = folder / "given.yaml"
    path.write_text(yaml.safe_dump_all([document, platforms]))
    return path


SECRET_FILES = {"secretName": "s", "mountPath": "/x"}
REFUSED: list[tuple[dict[str, Any], type[KubeflowError], str]] = [
    ({"initContainers": [{"name": "x"}]}, Unfit, "containers that run before it"),
    ({"podResourceClaims": [{"x": "y"}]}, Unfit, "a device that a cluster's driver gives out"),
    ({"somethingNew": {"a": "b"}}, Unfit, "the setting somethingNew"),
    ({"secretAsEnv": [{"secretName": "s", "newField": 1}]}, Invalid, "newField is not known"),
    ({"secretAsEnv": [{"keyToEnv": []}]}, Invalid, "secretNameParameter is missing"),
    (
        {"secretAsEnv": [{"secretName": "../s", "keyToEnv": [{"secretKey": "k", "envVar": "K"}]}]},
        Invalid,
        "not the name of a Secret",
    ),
    (
        {"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "../k", "envVar": "K"}]}]},
        Invalid,
        "not a key",
    ),
    (
        {"secretAsEnv": [{"secretName": "s", "keyToEnv": [{"secretKey": "k", "envVar": "K=1"}]}]},
        Invalid,
        "not the name of an environment variable",
    ),
    ({"secretAsVolume": [SECRET_FILES]}, Unfit, "the Secret s, and the profile has none"),
    (
        {"fieldPathAsEnv": [{"name": "X", "fieldPath": "spec.serviceAccountName"}]},
        Unfit,
        "serviceAccountName",
    ),
    ({"pvcMount": [{"constant": "gone", "mountPath": "/data"}]}, Unfit, "the volume gone"),
    ({"emptyDirMounts": [{"mountPath": "data"}]}, Invalid, "not a path where a volume"),
    ({"emptyDirMounts": [{"mountPath": "/a/../../etc"}]}, Invalid, "not a path where a volume"),
    ({"emptyDirMounts": [{"mountPath": "/"}]}, Unfit, "would hide"),
    ({"emptyDirMounts": [{"mountPath": "/usr"}]}, Unfit, "would hide /usr"),
    ({"emptyDirMounts": [{"mountPath": "/x"}, {"mountPath": "/x"}]}, Invalid, "at the same path"),
    ({"emptyDirMounts": [{"mountPath": "/x", "sizeLimit": "much"}]}, Invalid, "not a quantity"),
    ({"nodeSelector": {"labels": {"kubernetes.io/os": "windows"}}}, Unfit, "kubernetes.io/os=windows"),
    ({"securityContext": {"runAsUser": -1}}, Invalid, "not a number that one may have"),
    ({"securityContext": {"runAsUser": "0", "runAsNonRoot": True}}, Unfit, "not to run as root"),
    ({"activeDeadlineSeconds": "-5"}, Invalid, "must be a number"),
]


@pytest.mark.parametrize(("settings", "kind", "words"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_there_is_not_on_one_machine_is_refused_by_name(
    cluster: LocalCluster, tmp_path: Path, settings: dict[str, Any], kind: type[KubeflowError], words: str
) -> None:
    with pytest.raises(kind) as caught:
        run(_settings(tmp_path, settings))
    assert words in str(caught.value)
    assert not runs()


def test_settings_of_other_platforms_are_refused(cluster: LocalCluster, tmp_path: Path) -> None:
    path = _settings(tmp_path, {})
    path.write_text(path.read_text() + "\n  vertex: {deploymentSpec: {executors: {exec-tally: {a: 1}}}}\n")
    with pytest.raises(Invalid, match="settings for 'vertex'"):
        run(path)


def test_a_machine_that_lets_nobody_mount_says_so(
    cluster: LocalCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tried with a program that fails as the kernel would make it fail."""
    refusing = tmp_path / "refusing.py"
    refusing.write_text("import sys; print('Operation not permitted', file=sys.stderr); sys.exit(125)")
    monkeypatch.setattr(mounts, "PROGRAM", refusing)
    mounts.impossible.cache_clear()
    try:
        with pytest.raises(
            Unfit, match=r"a volume at /data, and this machine does not let you.*not permitted"
        ):
            run(_settings(tmp_path, {"emptyDirMounts": [{"mountPath": "/data"}]}))
    finally:
        mounts.impossible.cache_clear()


def test_killed_and_stopped_nothing_of_a_step_with_volumes_is_left(
    cluster: LocalCluster, tmp_path: Path
) -> None:
    settings = {
        "emptyDirMounts": [{"mountPath": "/scratch"}, {"mountPath": "/fast", "medium": "Memory"}],
        "securityContext": {"runAsUser": "4242"},
    }
    started = run(_settings(tmp_path, settings, "whole", "exec-linger"))
    uid = started.resource.uid
    until(lambda: "lingering" in str(started.logs()))
    holder = until(lambda: locks.holder(cluster.lock_path(uid)))
    os.kill(holder, signal.SIGKILL)
    until(lambda: started.step("linger")["attempt"] == 2 and "lingering" in str(started.logs()))
    assert len(list(cluster.home.glob(f"work/{uid}/*/*/volumes"))) <= 2
    started.stop()
    assert started.wait(SECONDS).state == "CANCELED"
    assert until(lambda: not processes_of(uid))
    assert not Path("/scratch").exists()


def test_what_a_process_sees_and_leaves(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    (kept / "below").mkdir(parents=True)
    attempt = tmp_path / "attempt"
    attempt.mkdir()
    here = tmp_path / "here"
    here.mkdir()
    view = mounts.View(
        (
            mounts.Mount("/made/of/nothing", "folder", str(kept)),
            mounts.Mount("/made/of/nothing/below/more", "memory"),
            mounts.Mount(str(here), "memory"),
        )
    )
    shell = shutil.which("sh") or "/bin/sh"
    script = f"echo x > /made/of/nothing/x; echo y > {here}/y; pwd; id -u; ls /made; exit 3"
    program, words = view.command(["sh", "-c", script], shell, attempt)
    done = subprocess.run([program, *words], cwd=attempt, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (3, "")
    assert done.stdout.split() == [str(attempt), str(os.getuid()), "of"]
    assert sorted(path.name for path in kept.iterdir()) == ["below", "x"]
    assert not list(here.iterdir())
    assert not Path("/made").exists()


def test_a_volume_is_made_once_by_its_maker(tmp_path: Path) -> None:
    volumes = Volumes(tmp_path)
    name = volumes.make(Request("", "-x"), "run/step")
    (volumes.path(name) / "file").write_text("1")
    assert volumes.make(Request("", "-x"), "run/step") == name  # as after a kill
    assert (volumes.path(name) / "file").exists()
    copy = volumes.make(Request("copy", source=name), "run/copy")
    assert (volumes.path(copy) / "file").read_text() == "1"
    with pytest.raises(KubeflowError, match="a volume copy already"):
        volumes.make(Request("copy"), "other/step")
    first = volumes.identity(copy)
    volumes.delete(copy, "run/delete")
    volumes.delete(copy, "run/delete")  # as after a kill
    with pytest.raises(NotFound):
        volumes.delete(copy, "other/delete")
    assert volumes.identity(volumes.make(Request("copy"), "other/step")) != first
    for wrong in ("../x", "a/b", "A"):
        with pytest.raises(Invalid):
            volumes.path(wrong)
    with pytest.raises(Invalid, match="not in the volume"):
        volumes.inside("copy", "../..")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"access_modes": ["X"], "size": "1Gi"}, "access_modes must be"),
        ({"access_modes": ["ReadWriteOnce"], "size": "big"}, "not a quantity"),
        (
            {"access_modes": ["ReadWriteOnce"], "size": "1Gi", "pvc_name": "a", "pvc_name_suffix": "b"},
            "either",
        ),
        ({"access_modes": ["ReadWriteOnce"], "size": "1Gi", "volume_name": "pv"}, "one of the cluster's"),
        (
            {
                "access_modes": ["ReadWriteOnce"],
                "size": "1Gi",
                "data_source": {"kind": "VolumeSnapshot", "name": "s"},
            },
            "not of a snapshot",
        ),
    ],
)
def test_volumes_that_cannot_be_made(values: dict[str, Any], words: str) -> None:
    with pytest.raises(KubeflowError) as caught:
        request(values)
    assert words in str(caught.value)
