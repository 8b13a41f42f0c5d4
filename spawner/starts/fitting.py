"""The sentence for a pod that fits on no node: how many there are, how many are taken, and by whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final

from spawner.quantities import NANO
from spawner.starts.reasons import Facts, Json, Reason, clip
from spawner.starts.scheduling import Look, amount, look, noun, requests, room, taken

_ASK: Final = "Choose another accelerator or size, or ask the administrator."


def counted(facts: Facts) -> Reason | None:
    """Why none of the nodes takes the pod; None when by our count one should."""
    nodes = {str((each.get("metadata") or {}).get("name")): each for each in facts.nodes or ()}
    used = taken(facts.pods or ())
    looks = [look(facts.pod, node, used.get(name, {})) for name, node in nodes.items()]
    if any(each.verdict == "fits" for each in looks) and facts.pods is not None:
        return None
    right = [each for each in looks if each.verdict != "elsewhere"]
    if not right:
        return _no_such(facts)
    can = [each for each in right if each.verdict in {"full", "small", "fits"}]
    if not can:
        return _kept_away(facts, right)
    if all(each.verdict == "small" for each in can):
        return _too_large(facts, can, nodes)
    return _all_taken(facts, can, nodes)


def _no_such(facts: Facts) -> Reason:
    chosen = (facts.pod.get("spec") or {}).get("nodeSelector") or {}
    labels = ", ".join(f"{key}={value}" for key, value in sorted(chosen.items())[:4])
    return Reason(
        "no-such-node",
        "No node of the cluster is of the kind that was chosen.",
        f"Looked for: {clip(labels, 200)}." if labels else "",
        "A node of this kind may be started for it." if facts.scales_up else _ASK,
        is_hopeless=not facts.scales_up,
    )


def _kept_away(facts: Facts, right: list[Look]) -> Reason:
    cordoned = [each for each in right if each.verdict == "cordoned"]
    if cordoned:
        return Reason(
            "cordoned",
            f"{_nodes(len(cordoned))} it could run on {_is(len(cordoned))} closed for maintenance.",
            "",
            f"It starts once maintenance is over. {_ASK}",
        )
    taint, _ = Counter(each.about for each in right).most_common(1)[0]
    passing = taint.startswith("node.kubernetes.io/")
    return Reason(
        "taint",
        f"{_nodes(len(right))} it could run on {_keeps(len(right))} it away.",
        f"Taint {clip(taint, 200)}.",
        "The node is not well; it is waited for." if passing else _ASK,
        is_hopeless=not passing and not facts.scales_up,
    )


def _too_large(facts: Facts, can: list[Look], nodes: Mapping[str, Json]) -> Reason:
    resource = Counter(each.about for each in can).most_common(1)[0][0]
    here = room(resource, [nodes[each.node] for each in can], facts.pods or (), facts.namespace)
    wanted = requests(facts.pod).get(resource, 0)
    has = f"the largest has {amount(resource, here.largest)}" if here.largest else "none has any"
    return Reason(
        "too-large",
        f"No single node has {amount(resource, wanted)}: {has}.",
        "",
        "A larger node may be started for it." if facts.scales_up else "Choose a smaller size.",
        is_hopeless=not facts.scales_up,
    )


def _all_taken(facts: Facts, can: list[Look], nodes: Mapping[str, Json]) -> Reason:
    full = [each for each in can if each.verdict != "small"]
    resource = Counter(each.about for each in full if each.about).most_common(1)
    key = resource[0][0] if resource else "cpu"
    here = room(key, [nodes[each.node] for each in can], facts.pods or (), facts.namespace)
    wanted = requests(facts.pod).get(key, 0)
    kind = noun(key)
    counts = f"{_nodes(here.nodes)} {_has(here.nodes)} {'this ' if '/' in key else ''}{kind}"
    if facts.pods is None:
        why = f"{counts}, {amount(key, here.total)} in all."
    elif here.used >= here.total:
        why = f"{counts}; {_all(key, here.total)} in use"
    else:
        free = amount(key, here.largest_free)
        why = f"{counts}; {_of(key, here.used, here.total)} in use, and no node has more than {free} free"
    if facts.pods is not None:
        why += f", {_own(key, here.own)} by your own profile." if here.own else ", none by your own profile."
    return Reason(
        "capacity",
        f"No node has {amount(key, wanted)} free now.",
        why,
        "Stop one of your own servers, or wait: it starts by itself once there is room."
        if here.own
        else "It starts by itself once there is room; another accelerator or a smaller size may start at once.",
    )


def _of(key: str, part: int, whole: int) -> str:
    if "/" in key:
        return f"{amount(key, part).split(' ')[0]} of {amount(key, whole)} are"
    return f"{amount(key, part)} of {amount(key, whole)} is"


def _all(key: str, total: int) -> str:
    if "/" not in key:
        return f"all {amount(key, total)} is"
    return "it is" if total == NANO else f"all {amount(key, total)} are"


def _own(key: str, billionths: int) -> str:
    return amount(key, billionths).split(" ")[0] if "/" in key else amount(key, billionths)


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"


def _keeps(count: int) -> str:
    return "keeps" if count == 1 else "keep"
