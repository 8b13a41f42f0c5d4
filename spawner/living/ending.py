"""Why a server ended by itself, in words for the user: read from its pod and its node when the Hub notices it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spawner.starts.explain import explain
from spawner.starts.reasons import Facts, clip
from spawner.starts.stages import container_status

Json = Mapping[str, Any]

_LOST: Final = frozenset({"DeletionByTaintManager", "DeletionByPodGC"})
LOST_NODE: Final = "Your server ended because the machine it ran on was lost. Start it again: it gets another one, and your files are there."


def words(pod: Json | None, node: Json | None, *, is_node_gone: bool) -> str:
    """One or two sentences; empty where nothing is known that a user did not do.

    ``pod`` is the pod as it was last seen, ``node`` its node as it is now.
    """
    if pod is None:
        return ""
    if is_node_gone or _is_lost(node) or _condition(pod, "DisruptionTarget").get("reason") in _LOST:
        return LOST_NODE
    status = container_status(dict(pod), "notebook")
    ended = (status.get("state") or {}).get("terminated") or {}
    if ended.get("exitCode") == 0:
        return ""
    reason = explain(Facts(dict(pod), []))
    if reason is not None and reason.code in {"evicted", "preempted", "out-of-memory", "node-refused"}:
        return f"Your server ended. {reason.text()}"
    if ended:
        more = clip(ended.get("message") or "", 300)
        code = ended.get("exitCode")
        return f"Your server ended by itself (exit code {code}).{f' Its last words: {more}' if more else ''}"
    return ""


def _is_lost(node: Json | None) -> bool:
    """Whether nobody has heard of the node for so long that the cluster gave it up."""
    ready = _condition(node or {}, "Ready")
    return bool(ready) and ready.get("status") == "Unknown"


def _condition(thing: Json, kind: str) -> Json:
    found = (thing.get("status") or {}).get("conditions") or ()
    return next((each for each in found if each.get("type") == kind), {})
