"""A run as one file: for a colleague, a report, or the archive."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.errors import Invalid, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.handle import Run


def export(cluster: LocalCluster, run: Run, path: Path) -> Path:
    """Write ``run.json``, both notebooks, the logs and all stored values as a zip file; returns its path.

    The file appears whole or not at all. Raises Invalid if the folder does not exist.
    """
    target = path.expanduser()
    if target.is_dir():
        target = target / f"{run.name}.zip"
    if not target.parent.is_dir():
        raise Invalid(f"There is no folder {target.parent}", where=Where(field="path"), hint="Make it first.")
    from jupyter_ext.pipelines.kube import leaving

    resource = run.resource
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("run.json", json.dumps(resource.to_dict(), indent=1))
            pipeline = resource.spec["pipeline"]
            if "format" in pipeline:
                archive.writestr("pipeline.json", cluster.blobs.read(pipeline["digest"]))
            else:
                archive.writestr("notebook.ipynb", json.dumps(run.notebook(), indent=1))
                archive.writestr("executed.ipynb", json.dumps(run.executed(), indent=1))
            folder = cluster.log(resource.uid).path.parent
            for log in sorted(folder.glob("*.log")) if folder.exists() else ():
                archive.write(log, f"logs/{log.name}")
            digests = sorted(_digests(resource.status))
            leaving.bring(cluster, resource, digests)
            for digest in digests:
                if cluster.blobs.has(digest):
                    archive.write(cluster.blobs.path(digest), f"values/{digest.replace(':', '-')}")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _digests(value: Any) -> set[str]:
    if isinstance(value, str):
        return {value} if value.startswith("b3:") else set()
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return {digest for item in items for digest in _digests(item)}
