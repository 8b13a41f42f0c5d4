"""What an application or a session of ours is on a Kubernetes cluster: the resource as the operator takes it, and its box.

The code lies in a ConfigMap, the box, that the driver's pod, and each executor's, has as a folder. No shell sees any of it.
The operator's webhook changes no pod that has a template, so what it would add (the environment) is in the template.
"""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from jupyter_ext.cluster.kube.handle import refused
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, Unfit, Where
from jupyter_ext.spark import outside
from jupyter_ext.spark import spec as names
from jupyter_ext.spark.spec import memory, with_overhead
from jupyter_ext.training.containers import mapping, sequence
from jupyter_ext.training.loading import MODULES

IMAGE: Final = "JUPYTER_KUBEFLOW_SPARK_IMAGE"
"""The image of drivers, executors and sessions; without it upstream's of the Spark that is installed here."""
UPSTREAM: Final = "docker.io/apache/spark"
FOLDER: Final = "/opt/jupyter-kubeflow"
MAIN: Final = "main.py"
PAYLOAD: Final = "code.zip"
LIBRARIES: Final = "modules.zip"
DRIVER: Final = "spark-kubernetes-driver"
EXECUTOR: Final = "spark-kubernetes-executor"
PORT: Final = 15002
TOKEN: Final = "SPARK_CONNECT_AUTHENTICATE_TOKEN"  # noqa: S105 - the name of a variable
LIMIT: Final = 500_000
"""Bytes of code; a ConfigMap holds 1 MiB of everything, and what is returned comes there too."""
_VOLUME: Final = "jupyter-kubeflow"
_TRAVELS: Final = ("spark/__init__.py", "spark/driver.py", "spark/outside.py")
_BOOTSTRAP: Final = """\
import os, sys, tempfile, zipfile
folder = tempfile.mkdtemp(prefix="jupyter-kubeflow-")
zipfile.ZipFile(os.path.join(os.path.dirname(os.path.abspath(__file__)), "code.zip")).extractall(folder)
sys.path.insert(0, os.path.join(folder, "boot"))
from jupyter_ext.spark import outside
outside.main(folder, sys.argv[1:])
"""
_WAITS: Final = "250m"
"""Of a core, for a driver that asked for no more than one: it waits while executors work."""
_IMAGE: Final = re.compile(r"[a-zA-Z0-9][\w./:@-]{0,254}", re.ASCII)
_OURS: Final = (
    "spark.master",
    "spark.submit.deployMode",
    "spark.app.name",
    "spark.kubernetes.namespace",
    "spark.kubernetes.driver.pod.name",
    "spark.kubernetes.driver.podTemplateFile",
    "spark.kubernetes.executor.podTemplateFile",
    "spark.connect.authenticate.token",
    "spark.connect.grpc.binding.port",
)
_AMOUNTS: Final = (
    "spark.driver.memory",
    "spark.driver.cores",
    "spark.executor.memory",
    "spark.executor.cores",
)
DEFAULTS: Final = {"spark.authenticate": "true", "spark.ui.killEnabled": "false"}
SERVER: Final = {"spark.kubernetes.executor.useDriverPodIP": "false"}
"""The operator has a server listen on 0.0.0.0, and Spark 4.3 would tell executors to find it there."""
_NO_MESH: Final = {"sidecar.istio.io/inject": "false"}
"""Executors talk to their driver by addresses of pods, which a mesh's sidecar does not let through."""


class Asked(NamedTuple):
    """The resource to create, and what is in its box; ``box`` is empty without code of ours."""

    resource: Resource
    box: dict[str, bytes]


def application(resource: Resource, code: bytes | None, account: str, version: str) -> Asked:
    """A batch there. Raises Unfit for what is on this machine only, Invalid for what no Spark takes."""
    spec: dict[str, Any] = json.loads(json.dumps(resource.spec))
    spec["image"] = _image(spec.get("image"), version)
    _settings(spec)
    driver, executor = (_part(spec, role) for role in ("driver", "executor"))
    if account:
        driver.setdefault("serviceAccount", account)
    if driver.get("cores", 1) == 1:
        driver.setdefault("coreRequest", _WAITS)
    box: dict[str, bytes] = {}
    if code is None:
        _require_elsewhere(str(spec.get("mainApplicationFile") or ""), "spec.mainApplicationFile")
    else:
        spec |= {"type": "Python", "mainApplicationFile": f"local://{FOLDER}/{MAIN}"}
        box = _box(resource, code)
    box |= _dependencies(spec, code)
    if box:
        spec.pop("mainClass", None)
        _carry(resource.name, driver, DRIVER, {outside.BOX: box_name(resource.name)})
        _carry(resource.name, executor, EXECUTOR, {})
        _require_small(box)
    return Asked(resource.with_(spec=spec, annotations=_noted(resource)), box)


def session(resource: Resource, account: str, version: str) -> Resource:
    """A session's server there. The token is in a Secret, and the server's alone. Raises Invalid."""
    spec: dict[str, Any] = json.loads(json.dumps(resource.spec))
    spec["image"] = _image(spec.get("image"), version)
    _settings(spec)
    spec["sparkConf"] = {**SERVER, **spec["sparkConf"]}
    # The operator joins all of it to one line for a shell.
    for field in ("sparkConf", "hadoopConf"):
        given = mapping(spec.get(field), f"spec.{field}")
        if given:
            spec[field] = {shlex.quote(key): shlex.quote(str(value)) for key, value in given.items()}
    server = _part(spec, "server")
    heap = memory(server.get("memory", "1g"), "spec.server.memory")
    size = with_overhead(heap) >> 20
    container = {
        "name": DRIVER,
        "env": [
            {
                "name": TOKEN,
                "valueFrom": {"secretKeyRef": {"name": secret_name(resource.name), "key": "token"}},
            },
            {"name": "SPARK_LOG_DIR", "value": "/tmp"},  # noqa: S108 - of the server's pod
        ],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 2},
        "resources": {
            "requests": {
                "cpu": _WAITS if server.get("cores", 1) == 1 else str(server["cores"]),
                "memory": f"{size}Mi",
            },
            # Frames on their way to and from clients are outside of the heap, where a JVM takes as much again.
            "limits": {"memory": f"{size + (heap >> 20)}Mi"},
        },
    }
    about = {"labels": dict(_NO_MESH)}
    # Another server would know nothing of what was named in this one: who asks for it is told so.
    pod: dict[str, Any] = {
        "containers": [container],
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": 5,
    }
    if account:
        pod["serviceAccountName"] = account
    server.setdefault("template", {"metadata": about, "spec": pod})
    executor = _part(spec, "executor")
    executor.setdefault(
        "template", {"metadata": {"labels": dict(_NO_MESH)}, "spec": {"containers": [{"name": EXECUTOR}]}}
    )
    return resource.with_(spec=spec, annotations=_noted(resource))


def _image(asked: Any, version: str) -> str:
    """The image: the one that is named, or the usual one. Raises Invalid."""
    name = str(asked or os.environ.get(IMAGE) or f"{UPSTREAM}:{version}")
    if not _IMAGE.fullmatch(name):
        raise Invalid(
            f"{name!r} cannot be the name of an image", where=Where(field="spec.image" if asked else IMAGE)
        )
    return name


def box_name(name: str) -> str:
    """The ConfigMap of an application."""
    return f"{name}-code"


def secret_name(name: str) -> str:
    """The Secret of a session."""
    return f"{name}-token"


def _noted(resource: Resource) -> dict[str, str]:
    """Without what says where things are on this machine. The digest stays: which code it is, wherever it is."""
    gone = {names.ARGS, names.CREATOR, names.FOLDER, names.IDLE, names.ORIGIN}
    return {key: text for key, text in resource.annotations.items() if key not in gone}


def _part(spec: dict[str, Any], role: str) -> dict[str, Any]:
    field = f"spec.{role}"
    found: dict[str, Any] = dict(mapping(spec.get(role), field))
    if "memory" in found:
        memory(found["memory"], f"{field}.memory")
    spec[role] = found
    return found


def _settings(spec: dict[str, Any]) -> None:
    """Refuse what is not the user's to say, and have driver and executors authenticate each other."""
    given = {str(key): str(value) for key, value in mapping(spec.get("sparkConf"), "spec.sparkConf").items()}
    for key, value in given.items():
        where = Where(field=f"spec.sparkConf[{key}]")
        if not key.startswith("spark."):
            raise Invalid(
                f"{key!r} is no setting of Spark", where=where, hint="Its settings begin with 'spark.'."
            )
        if key in _OURS:
            raise Unfit(f"{key} is set by what runs it", where=where, hint="Leave it out.")
        if key in _AMOUNTS:
            what = f"{key} is said in {key.replace('spark', 'spec', 1)}"
            raise Invalid(what, where=where, hint="Write it there.")
        if any(letter in key + value for letter in "\n\r\0") or "=" in key or " " in key:
            raise Invalid(f"{key!r} is not on one line", where=where)
    spec["sparkConf"] = {**DEFAULTS, **given}


def _require_elsewhere(place: str, field: str) -> None:
    """Refuse a path of this machine; ``local://`` is a path in the image, as upstream means it."""
    if "://" in place and not place.startswith("file://"):
        return
    what = f"{place or 'Nothing'} is on this machine only" if place else "It has no file to run"
    hint = "Put it where the cluster can read it, and name that: s3a://…, https://…, or local://… for one in the image."
    raise refused(field, what, hint)


def _box(resource: Resource, code: bytes) -> dict[str, bytes]:
    from jupyter_ext.training import exporting

    payload = exporting.payload(code, resource.annotations, _TRAVELS)
    return {MAIN: _BOOTSTRAP.encode(), PAYLOAD: payload}


def _dependencies(spec: dict[str, Any], code: bytes | None) -> dict[str, bytes]:
    """What functions import in executors: the user's own modules, and ``py_files``. Other files are to be elsewhere."""
    deps = {
        key: list(sequence(value, f"spec.deps.{key}"))
        for key, value in mapping(spec.get("deps"), "spec.deps").items()
    }
    for key in ("jars", "files", "archives"):
        for place in deps.get(key, ()):
            _require_elsewhere(str(place), f"spec.deps.{key}")
    box: dict[str, bytes] = {}
    modules = _modules(code) if code is not None else {}
    places: list[str] = []
    for place in deps.get("pyFiles", ()):
        path = Path(str(place).removeprefix("file://"))
        if "://" in str(path):
            places.append(str(place))
        elif not path.is_file():
            raise Invalid(f"There is no file {path}", where=Where(field="spec.deps.pyFiles"))
        elif path.suffix == ".py":
            modules[path.name] = path.read_bytes()
        else:
            box[path.name] = path.read_bytes()
            places.append(f"local://{FOLDER}/{path.name}")
    if modules:
        box[LIBRARIES] = _zipped(modules)
        places.append(f"local://{FOLDER}/{LIBRARIES}")
    if places:
        deps["pyFiles"] = places
    if deps:
        spec["deps"] = deps
    return box


def _modules(code: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(code)) as archive:
        start = f"{MODULES}/"
        inside = [name for name in archive.namelist() if name.startswith(start) and not name.endswith("/")]
        return {name.removeprefix(start): archive.read(name) for name in inside}


def _zipped(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _carry(name: str, part: dict[str, Any], container: str, env: Mapping[str, str]) -> None:
    """A pod template with the box, and the environment that the webhook would have added."""
    given = [dict(item) for item in part.pop("env", ())]
    given += [{"name": key, "value": value} for key, value in env.items()]
    about = {"labels": dict(_NO_MESH)}
    inner: dict[str, Any] = {
        "name": container,
        "volumeMounts": [{"name": _VOLUME, "mountPath": FOLDER, "readOnly": True}],
    }
    if given:
        inner["env"] = given
    volume = {"name": _VOLUME, "configMap": {"name": box_name(name)}}
    part["template"] = {"metadata": about, "spec": {"containers": [inner], "volumes": [volume]}}


def _require_small(box: Mapping[str, bytes]) -> None:
    size = sum(map(len, box.values()))
    if size <= LIMIT:
        return
    largest = sorted(box.items(), key=lambda item: -len(item[1]))[:3]
    told = ", ".join(f"{name} {len(content) / 1000:.0f} kB" for name, content in largest)
    what = f"The code has {size / 1000:.0f} kB, and {LIMIT / 1000:.0f} kB travel in a ConfigMap"
    raise refused("what", what, f"The largest: {told}. Put data into files that the cluster can read.")
