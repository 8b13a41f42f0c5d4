"""An image with Spark, as upstream's has it: Java, Python, pyspark, and the program that pods are started with.

Drivers, executors and Spark Connect run in it, and the operator, which submits with the Spark of its own image.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tests.cluster import images, node, notebook
from tests.cluster.place import Refused, cache

_NAME: Final = "docker.io/library/spark"
PYTHON: Final = "/opt/python"
HOME: Final = f"{PYTHON}/pyspark"
_SUITE: Final = "trixie"
_DEBIAN: Final = ("ca-certificates", "openjdk-21-jre-headless", "procps", "python3", "tini")
_PYTHON_VERSION: Final = "3.13"  # of the suite
_LIBRARIES: Final = ("pyspark", "pyarrow", "pandas")
"""In the versions of these tests, so that frames and functions travel."""
_DAY: Final = 24 * 3600
SETTINGS: Final = {
    "Env": [
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "JAVA_HOME=/usr/lib/jvm/java-21-openjdk-amd64",
        f"SPARK_HOME={HOME}",
        f"PYTHONPATH={PYTHON}",
        "PYSPARK_PYTHON=python3",
        "PYSPARK_DRIVER_PYTHON=python3",
    ],
    "User": "185",
    "WorkingDir": "/opt/work",
    "Entrypoint": ["/opt/entrypoint.sh"],
}
# What Spark asks of an image: `driver …` and `executor` (org.apache.spark.deploy.k8s, Constants.ENTRYPOINT).
_ENTRYPOINT: Final = """#!/bin/bash
set -e
what="$1"
case "$what" in
driver)
  shift
  set -- "$SPARK_HOME/bin/spark-submit" --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" \\
    --conf "spark.executorEnv.SPARK_DRIVER_POD_IP=$SPARK_DRIVER_BIND_ADDRESS" --deploy-mode client "$@"
  ;;
executor)
  readarray -t options < <(env | grep '^SPARK_JAVA_OPT_' | sort -t_ -k4 -n | sed 's/[^=]*=//')
  set -- "$JAVA_HOME/bin/java" "${options[@]}" "-Xms$SPARK_EXECUTOR_MEMORY" "-Xmx$SPARK_EXECUTOR_MEMORY" \\
    -cp "$SPARK_CLASSPATH:$SPARK_HOME/jars/*" org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \\
    --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \\
    --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" \\
    --podName "$SPARK_EXECUTOR_POD_NAME"
  ;;
esac
exec tini -s -- "$@"
"""


def layer() -> Path:
    """All of it as one layer, built when what it is made of has changed."""
    chosen = [f"{library}=={version(library)}" for library in _LIBRARIES]
    key = hashlib.sha256(repr((_SUITE, _DEBIAN, _PYTHON_VERSION, chosen, _ENTRYPOINT)).encode()).hexdigest()[
        :12
    ]
    place = cache() / "image"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    target = place / f"spark-{key}.layer"
    with (place / ".spark.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            target.touch()
            return target
        if shutil.which("mmdebstrap") is None:
            node.from_debian(["mmdebstrap"])
        for old in place.glob("spark-*.layer"):
            if time.time() - old.stat().st_mtime > _DAY:
                old.unlink(missing_ok=True)
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=place) as folder:
            root = Path(folder) / "root"
            _fill(root, chosen)
            fresh = Path(folder) / "layer"
            with tarfile.open(fresh, "w") as archive:
                for member in sorted(root.iterdir()):
                    archive.add(member, member.name)
            fresh.rename(target)
        print(f"image: {target.name} in {time.monotonic() - began:.0f} s", file=sys.stderr)
    return target


def images_of_pods() -> list[images.Image]:
    """The image of drivers, executors and sessions."""
    return [images.Image(name(), [layer()], SETTINGS)]


def name() -> str:
    """What pods call it by: another content has another name."""
    return f"{_NAME}:{layer().stem}"


def _fill(root: Path, libraries: list[str]) -> None:
    notebook.debian(root, _SUITE, _DEBIAN)
    uv = [notebook.uv(), "pip", "install", "--quiet", "--target", str(root / PYTHON[1:])]
    platform = ["--python-version", _PYTHON_VERSION, "--python-platform", "x86_64-manylinux_2_28"]
    done = subprocess.run([*uv, *platform, *libraries], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"Spark's image: {done.stderr.strip()[-2000:]}")
    with (root / "etc/passwd").open("a") as users:
        users.write("spark:x:185:0::/opt/work:/bin/bash\n")
    (root / "opt/entrypoint.sh").write_text(_ENTRYPOINT)
    (root / "opt/entrypoint.sh").chmod(0o755)
    work = root / "opt/work"
    work.mkdir()
    os.chown(work, 185, 0)
