"""Why a pod is not running, in words, and whether waiting helps.

Each cause is one function of the facts; the first that has something to say is the reason, so the order below is
from what is certain (the container ended) to what is guessed (the last warning).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

from spawner.starts import scheduling
from spawner.starts.reasons import Facts, Json, Reason, clip
from spawner.starts.stages import MAIN, container_status, event_time, is_ready, statuses

_NOT_FOUND: Final = re.compile(r"not ?found|manifest unknown|name unknown|no such image|404", re.IGNORECASE)
_DENIED: Final = re.compile(
    r"unauthorized|authentication required|denied|forbidden|no basic auth|40[13]", re.IGNORECASE
)
_BUSY: Final = re.compile(r"toomanyrequests|rate limit|429", re.IGNORECASE)
_MOUNTS: Final = frozenset({"FailedMount", "FailedAttachVolume", "FailedMapVolume"})
_ZONE: Final = re.compile(r"volume node affinity conflict|no available volume zone", re.IGNORECASE)
_UNBOUND: Final = re.compile(r"unbound immediate PersistentVolumeClaims", re.IGNORECASE)
_NO_CLAIM: Final = re.compile(r'persistentvolumeclaim "([^"]{1,253})" not found', re.IGNORECASE)
_CLAIM_GOING: Final = re.compile(r'persistentvolumeclaim "([^"]{1,253})" is being deleted', re.IGNORECASE)


def explain(facts: Facts) -> Reason | None:
    """Why the pod of ``facts`` does not run; None if nothing is wrong (yet)."""
    if is_ready(facts.pod):
        return None
    for cause in _CAUSES:
        found = cause(facts)
        if found is not None:
            return found
    return None


def _gone(facts: Facts) -> Reason | None:
    """Evicted, preempted, deleted, refused by the node."""
    about, status = facts.pod.get("metadata") or {}, facts.pod.get("status") or {}
    target = _condition(facts.pod, "DisruptionTarget")
    why = clip(status.get("message") or (target or {}).get("message") or "")
    if (target or {}).get("reason") == "PreemptionByScheduler" or status.get("reason") == "Preempting":
        return Reason(
            "preempted",
            "A server or job with a higher priority took this one's place.",
            why,
            "Start it again: it then waits until there is room.",
            is_hopeless=True,
        )
    if status.get("reason") == "Evicted" or (target is not None and status.get("phase") == "Failed"):
        return Reason(
            "evicted",
            "The node had to end it.",
            why,
            "Start it again; if the node ran out of memory or disk, choose a larger size.",
            is_hopeless=True,
        )
    if about.get("deletionTimestamp"):
        return Reason(
            "deleted", "The pod is being deleted.", why, "Start the server again.", is_hopeless=True
        )
    if status.get("phase") == "Failed" and not list(statuses(facts.pod)):
        return Reason(
            "node-refused",
            f"The node refused it ({clip(status.get('reason') or 'no reason given', 80)}).",
            why,
            "Start it again: another node is looked for.",
            is_hopeless=True,
        )
    return None


def _image(facts: Facts) -> Reason | None:
    for each in statuses(facts.pod):
        waiting = (each.get("state") or {}).get("waiting") or {}
        reason = str(waiting.get("reason") or "")
        image = clip(each.get("image") or _spec_image(facts.pod, str(each.get("name"))), 200)
        said = _pull_words(facts, str(waiting.get("message") or ""))
        if reason == "InvalidImageName":
            return Reason(
                "image-name",
                f"“{image}” is not the name of an image.",
                "",
                "Correct the image's name on the start page.",
                is_hopeless=True,
            )
        if reason == "ErrImageNeverPull":
            return Reason(
                "image-absent",
                f"The image {image} is not on the node, and must not be pulled.",
                "",
                "Ask the administrator to load it, or choose another image.",
                is_hopeless=True,
            )
        if reason in {"ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable"}:
            return _pull(image, said)
    return None


def _pull(image: str, said: str) -> Reason:
    """What a failed pull means. Docker Hub says the same of a private image and of one that is not there."""
    shown = clip(said, 300)
    if re.search(r"may require authorization|may require 'docker login'", said):
        return Reason(
            "image-not-found",
            f"The image {image} does not exist, or is private.",
            shown,
            "Check its name and tag; for a private one, the registry's secret must be in your profile.",
            is_hopeless=True,
        )
    if _BUSY.search(said):
        return Reason(
            "image-busy",
            f"The registry of {image} asks to wait.",
            shown,
            "It is tried again on its own; an image from another registry starts sooner.",
        )
    if _DENIED.search(said):
        return Reason(
            "image-unauthorized",
            f"The registry does not let this profile pull {image}.",
            shown,
            "The registry's secret must be in your profile: ask its owner or the administrator.",
            is_hopeless=True,
        )
    if _NOT_FOUND.search(said):
        return Reason(
            "image-not-found",
            f"The image {image} does not exist.",
            shown,
            "Check its name and tag on the start page.",
            is_hopeless=True,
        )
    return Reason(
        "image-pull",
        f"The image {image} cannot be pulled yet.",
        shown,
        "It is tried again on its own; if this lasts, the registry cannot be reached from the node.",
    )


def _pull_words(facts: Facts, message: str) -> str:
    """The registry's answer: while the kubelet backs off, only an event still has it."""
    if message and not re.fullmatch(r'Back-off pulling image "[^"]*"', message):
        return message
    told = [
        str(each.get("message") or "") for each in _newest(facts.events) if each.get("reason") == "Failed"
    ]
    return next((text for text in told if "pull" in text and not text.startswith("Error: ")), message)


def _ended(facts: Facts) -> Reason | None:
    """Out of memory, ending again and again, ended at once."""
    for each in statuses(facts.pod):
        name = str(each.get("name"))
        state = each.get("state") or {}
        waiting = state.get("waiting") or {}
        last = state.get("terminated") or (each.get("lastState") or {}).get("terminated") or {}
        server = "The server" if name == MAIN else f"The container {clip(name, 60)}"
        if last.get("reason") == "OOMKilled":
            limit = _memory_limit(facts.pod, name)
            return Reason(
                "out-of-memory",
                f"{server} needed more memory than it has{f' ({limit})' if limit else ''}.",
                "",
                "Choose a larger size, or an image that needs less when it starts.",
                is_hopeless=True,
            )
        reason = waiting.get("reason")
        if reason in {"RunContainerError", "CreateContainerError"}:
            return Reason(
                "container-error",
                f"{server} cannot be started from its image.",
                clip(waiting.get("message") or "", 300),
                "The image must have the command that starts a server (jupyterhub-singleuser).",
                is_hopeless=bool(
                    re.search(r"executable file not found|no such file", str(waiting.get("message")))
                ),
            )
        if reason == "CreateContainerConfigError":
            return Reason(
                "container-config",
                f"{server} lacks something it names.",
                clip(waiting.get("message") or "", 300),
                "A Secret or ConfigMap of a chosen configuration is missing: choose without it, or have it made.",
            )
        failed = last.get("exitCode") not in {None, 0}
        if failed and (reason == "CrashLoopBackOff" or facts.pod.get("status", {}).get("phase") == "Failed"):
            return Reason(
                "crash",
                f"{server} ends as soon as it starts (exit code {last.get('exitCode')}).",
                clip(last.get("message") or "", 300),
                "The end of its log says why; most often the image lacks JupyterHub or its version does not fit.",
                is_hopeless=True,
            )
    return None


def _held(facts: Facts) -> Reason | None:
    """Not yet shown to the scheduler: a queue holds it."""
    gates = (facts.pod.get("spec") or {}).get("schedulingGates") or []
    if not gates:
        return None
    labels = (facts.pod.get("metadata") or {}).get("labels") or {}
    queue = labels.get("kueue.x-k8s.io/queue-name")
    return Reason(
        "queue",
        f"It waits in the queue {clip(queue, 80)}." if queue else "It is held back until it is admitted.",
        "",
        "It starts when its turn comes; stop servers you do not need to be admitted sooner.",
    )


def _volumes(facts: Facts) -> Reason | None:
    """A claim that is not there, not bound, in another zone, or on another node."""
    said = _unschedulable_words(facts)
    if said:
        missing = _NO_CLAIM.search(said)
        going = _CLAIM_GOING.search(said)
        if missing or going:
            name = (missing or going)[1]  # type: ignore[index]
            return Reason(
                "claim-missing" if missing else "claim-deleted",
                f"The volume “{clip(name, 80)}” {'does not exist' if missing else 'is being deleted'}.",
                "",
                "Choose another volume, or have it made again.",
                is_hopeless=True,
            )
        if _UNBOUND.search(said):
            return _unbound(facts)
        if _ZONE.search(said):
            return Reason(
                "volume-zone",
                "Its volume is in another zone than the nodes it could run on.",
                "",
                "Choose an accelerator or size of the volume's zone, or another volume.",
                is_hopeless=not facts.scales_up,
            )
    if (facts.pod.get("status") or {}).get("phase") == "Pending":
        for event in _newest(facts.events)[:3]:
            if event.get("reason") in _MOUNTS:
                return _mount(str(event.get("message") or ""))
    return None


def _mount(said: str) -> Reason:
    if "Multi-Attach" in said:
        return Reason(
            "volume-elsewhere",
            "Its volume is still attached to another node.",
            clip(said, 300),
            "It goes on by itself once the other server has stopped; stop it if it is yours.",
        )
    return Reason(
        "mount",
        "A volume cannot be attached yet.",
        clip(said, 300),
        "It is tried again; if this lasts, choose without that volume or ask the administrator.",
    )


def _unbound(facts: Facts) -> Reason:
    pending = [each for each in facts.claims if (each.get("status") or {}).get("phase") == "Pending"]
    names = ", ".join(clip((each.get("metadata") or {}).get("name"), 60) for each in pending[:3])
    none = [each for each in pending if not (each.get("spec") or {}).get("storageClassName")]
    why = (
        "The cluster has no default storage class that would make it."
        if none
        else "No disk was made for it yet."
    )
    return Reason(
        "claim-unbound",
        f"The volume {names} has no disk yet." if names else "A volume has no disk yet.",
        why,
        "Ask the administrator for a storage class, or start without this volume."
        if none
        else "It is waited for; if this lasts, the storage class cannot make disks of this size or kind.",
    )


def _nodes(facts: Facts) -> Reason | None:
    """No node takes it: counted if the nodes may be seen, else in the scheduler's words."""
    said = _unschedulable_words(facts)
    if not said:
        return None
    if facts.nodes:
        from spawner.starts.fitting import counted

        found = counted(facts)
        if found is not None:
            return found
    short = re.search(r"Insufficient ([\w./-]{1,100})", said)
    if short:
        word = scheduling.noun(short[1], 2)
        return Reason("capacity", f"No node has enough {word} free.", clip(said, 300), WAIT)
    if "untolerated taint" in said:
        return Reason("taint", "The nodes with room keep other work away.", clip(said, 300), OTHER_NODE)
    if "node affinity/selector" in said:
        return Reason("no-such-node", "No node is of the kind that was chosen.", clip(said, 300), OTHER_NODE)
    return Reason("unschedulable", "No node can take it now.", clip(said, 300), WAIT)


def _warned(facts: Facts) -> Reason | None:
    """The last warning, if it came after everything that went well."""
    newest = _newest(facts.events)
    if not newest or newest[0].get("type") != "Warning":
        return None
    event = newest[0]
    network = event.get("reason") == "FailedCreatePodSandBox"
    return Reason(
        "network" if network else "warning",
        "The node cannot set up its network yet."
        if network
        else f"The cluster warns: {clip(event.get('reason'), 80)}.",
        clip(event.get("message") or "", 300),
        "It is tried again on its own.",
    )


WAIT: Final = "It starts by itself once there is room; a smaller size may start at once."
OTHER_NODE: Final = "Choose another accelerator or size, or ask the administrator."

_CAUSES: Final[tuple[Callable[[Facts], Reason | None], ...]] = (
    _gone,
    _image,
    _ended,
    _held,
    _volumes,
    _nodes,
    _warned,
)


def _newest(events: Iterable[Json]) -> list[Json]:
    return sorted(events, key=event_time, reverse=True)


def _condition(pod: Json, kind: str) -> Json | None:
    found = (pod.get("status") or {}).get("conditions") or []
    return next((each for each in found if each.get("type") == kind and each.get("status") == "True"), None)


def _unschedulable_words(facts: Facts) -> str:
    """What the scheduler says, from the pod's own condition; nothing once a node has it."""
    if (facts.pod.get("spec") or {}).get("nodeName"):
        return ""
    for each in (facts.pod.get("status") or {}).get("conditions") or []:
        if each.get("type") == "PodScheduled" and each.get("status") == "False":
            if each.get("reason") == "SchedulingGated":
                return ""
            return str(each.get("message") or each.get("reason") or "")[:4000]
    return ""


def _spec_image(pod: Json, name: str) -> str:
    spec = pod.get("spec") or {}
    found: list[dict[str, Any]] = [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]
    return next((str(each.get("image")) for each in found if each.get("name") == name), "")


def _memory_limit(pod: Json, name: str) -> str:
    containers = (pod.get("spec") or {}).get("containers") or []
    found: Json = next((each for each in containers if each.get("name") == name), {})
    text = ((found.get("resources") or {}).get("limits") or {}).get("memory")
    return "" if text is None else scheduling.amount("memory", scheduling.amounts({"m": text}).get("m", 0))


def restarts(pod: Json) -> int:
    """How often the server's container was started again."""
    return int(container_status(pod, MAIN).get("restartCount") or 0)
