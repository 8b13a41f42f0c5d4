"""What may go: blobs nobody refers to, and the files of resources that are deleted."""

from __future__ import annotations

import re
import shutil
import time
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.local import locks
from jupyter_ext.cluster.local.blobs import GcReport
from jupyter_ext.errors import NotFound

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_DIGEST: Final = re.compile(r"b3:[0-9a-f]{64}")
_DOCUMENT_LIMIT: Final = 1 << 20


def references(cluster: LocalCluster) -> set[str]:
    """Every digest that a resource or a collection mentions, and those that such JSON blobs mention."""
    found: set[str] = set()
    with cluster.store.reading() as connection:
        for query in ("SELECT spec || status || annotations FROM resources", "SELECT value FROM entries"):
            for (text,) in connection.execute(query):
                found.update(_DIGEST.findall(text))
    pending = list(found)
    while pending:
        deeper = _mentioned(cluster, pending.pop()) - found
        found |= deeper
        pending += deeper
    return found


def _mentioned(cluster: LocalCluster, digest: str) -> set[str]:
    try:
        path = cluster.blobs.path(digest)
        if path.stat().st_size > _DOCUMENT_LIMIT:
            return set()
        with path.open("rb") as file:
            if file.read(1) not in {b"{", b"["}:
                return set()
            text = file.read().decode(errors="replace")
    except (OSError, NotFound):
        return set()
    return set(_DIGEST.findall(text))


def collect(cluster: LocalCluster, dry_run: bool, grace_seconds: float) -> GcReport:
    """Remove unreferenced blobs, and the folders of resources that no longer exist."""
    report = cluster.blobs.gc(references(cluster), grace_seconds, dry_run)
    if not dry_run:
        forget(cluster, *_orphans(cluster, grace_seconds))
    return report


def _orphans(cluster: LocalCluster, grace_seconds: float) -> set[str]:
    limit = time.time() - grace_seconds
    with_points = cluster.metrics.uids()
    with cluster.store.reading() as connection:
        known = {uid for (uid,) in connection.execute("SELECT uid FROM resources")}
    found = with_points - known
    for folder in (cluster.home / "logs", cluster.home / "work", cluster.locks):
        for path in folder.glob("*"):
            uid = path.name.removesuffix(".lock")
            if uid not in known and path.stat().st_mtime < limit:
                found.add(uid)
    return {uid for uid in found if locks.holder(cluster.lock_path(uid)) is None}


def forget(cluster: LocalCluster, *uids: str) -> None:
    """Remove the logs, the working folders, the curves and the lock files of deleted resources."""
    wanted = set(uids)
    for folder in (cluster.home / "logs", cluster.home / "work"):
        # One look at the folder instead of one for each of thousands.
        found = wanted & {path.name for path in folder.glob("*")} if len(wanted) > 1 else wanted
        for uid in found:
            shutil.rmtree(folder / uid, ignore_errors=True)
    cluster.metrics.forget(*uids)
    for uid in wanted:
        cluster.lock_path(uid).unlink(missing_ok=True)
