"""Why a resource waits or failed, as its pods and their controllers' events tell it: image, room, quota, exit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from jupyter_ext.cluster.kube.pods import Pod

Json = dict[str, Any]

_LONGEST: Final = 300
_PULL: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIG: Final = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError"})
_QUOTA: Final = re.compile(r"exceeded quota: ([^,]+), requested: (.+?), used: (.+?), limited: (.+)$")
_PROGRAM: Final = re.compile(r'exec: "([^"]{1,100})": (?:executable file not found|stat [^:]+: no such file)')
"""How runc says that an image has no such program."""
_OURS: Final = ("Rank ", "The driver failed")
"""How our own last words begin; after their first line, they are for programs."""
_SIGNALS: Final = {
    137: "it was killed, likely out of memory",
    139: "it crashed in native code",
    143: "it was asked to end",
}


def reason(pods: Sequence[Pod], events: Iterable[Mapping[str, Any]]) -> str:
    """One sentence, or nothing where nothing is wrong. The first pod that has something to say says it."""
    for pod in pods:
        if said := _of_pod(pod):
            others = sum(1 for other in pods if other is not pod and _of_pod(other))
            return f"{pod.part}{f' and {others} more' if others else ''}: {said}"
    warnings = [event for event in events if event.get("type") == "Warning"]
    for event in reversed(warnings):
        if said := _of_event(event):
            return said
    return ""


def _of_pod(pod: Pod) -> str:
    status = pod.thing.get("status") or {}
    rows = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    for row in rows:
        waiting = (row.get("state") or {}).get("waiting") or {}
        word, words = str(waiting.get("reason") or ""), _clip(waiting.get("message"))
        if word in _PULL:
            return f"its image {row.get('image')} cannot be had ({words or word}). Check its name, and the registry's secret."
        if word in _CONFIG:
            return f"{_lacking(words) or f'its container cannot be made: {words or word}'}."
        if word == "CrashLoopBackOff":
            return f"it ends again and again: {_ended((row.get('lastState') or {}).get('terminated') or {})}."
    if status.get("reason") == "Evicted":
        return f"its node had to end it: {_clip(status.get('message'))}"
    for row in rows:
        ended = (row.get("state") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            return f"{_ended(ended)}."
    for row in status.get("conditions") or ():
        if row.get("type") == "PodScheduled" and row.get("status") == "False":
            if row.get("reason") == "SchedulingGated":
                return "it waits for its turn in the queue."
            return f"no node has room for it: {_clip(row.get('message'))}"
    return ""


def _ended(ended: Mapping[str, Any]) -> str:
    code = int(ended.get("exitCode") or 0)
    if ended.get("reason") == "OOMKilled":
        return "it needed more memory than it may have. Ask for more"
    words = str(ended.get("message") or "")
    if lacking := _lacking(words):
        return lacking
    if words.startswith(_OURS):
        return _clip(words.partition("\n")[0]).rstrip(".")
    more = _clip(words)
    known = _SIGNALS.get(code, f"it ended with exit code {code}")
    return f"{known}: {more}" if more else known


def _lacking(words: str) -> str:
    found = _PROGRAM.search(words)
    return f"its image has no program {found[1]}. Use one that has it" if found else ""


def _of_event(event: Mapping[str, Any]) -> str:
    words = str(event.get("message") or "")
    if match := _QUOTA.search(words):
        return (
            f"The quota {match[1]} does not allow it: asked for {match[2]}, used {match[3]}, allowed {match[4]}."
            " Delete what is no longer needed, or ask for less."
        )
    return _clip(words)


def _clip(text: object) -> str:
    line = " ".join(str(text or "").split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
