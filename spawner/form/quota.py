"""What is left of a profile's quotas, and what a server would be refused for, before anything is asked of the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from spawner.form.options import Options
from spawner.quantities import stored, words

Json = Mapping[str, Any]

# A notebook server has no deadline and asks for something, so quotas of the other scopes do not count it.
_OTHERS: Final = frozenset({"Terminating", "BestEffort", "CrossNamespacePodAffinity", "PriorityClass"})


@dataclass(frozen=True)
class Left:
    """One line of a quota: what is left of it can be less than nothing when the quota was lowered."""

    quota: str
    key: str
    hard: Decimal
    used: Decimal

    @property
    def left(self) -> Decimal:
        """Never below zero."""
        return max(Decimal(0), self.hard - self.used)


def lines(quotas: Iterable[Json]) -> list[Left]:
    """Every line that counts a notebook server: ``status.hard`` less ``status.used``."""
    found = []
    for quota in quotas:
        spec, status = quota.get("spec") or {}, quota.get("status") or {}
        scopes = set(spec.get("scopes") or ())
        scopes |= {
            str(each.get("scopeName"))
            for each in (spec.get("scopeSelector") or {}).get("matchExpressions") or ()
        }
        if scopes & _OTHERS:
            continue
        name, used = str((quota.get("metadata") or {}).get("name", "")), status.get("used") or {}
        for key, hard in (status.get("hard") or spec.get("hard") or {}).items():
            try:
                found.append(Left(name, key, stored(str(hard)), stored(str(used.get(key, "0")))))
            except ValueError:
                continue
    return found


def asked(options: Options, *, new_home: bool) -> dict[str, Decimal | None]:
    """What a server counts for, by the keys of quotas. None: the quota wants it said, and it is not."""
    requests, limits = options.requests(), options.limits()
    found: dict[str, Decimal | None] = {"pods": Decimal(1), "count/pods": Decimal(1)}
    for name, text in requests.items():
        found[f"requests.{name}"] = stored(text)
        if "/" not in name:
            found[name] = stored(text)
    for name in ("cpu", "memory"):
        found[f"limits.{name}"] = stored(limits[name]) if name in limits else None
    if options.claim:
        found[f"{options.claim['device_class']}.deviceclass.resource.k8s.io/devices"] = Decimal(options.count)
    if options.home and options.home.growth:
        found["requests.storage"] = options.home.growth
    if new_home and options.home:
        size, kind = stored(options.home.size), options.home.storage_class
        found |= {
            "requests.storage": size,
            "persistentvolumeclaims": Decimal(1),
            "count/persistentvolumeclaims": Decimal(1),
        }
        if kind:
            found[f"{kind}.storageclass.storage.k8s.io/requests.storage"] = size
            found[f"{kind}.storageclass.storage.k8s.io/persistentvolumeclaims"] = Decimal(1)
    return found


def shortage(quotas: Iterable[Left], options: Options, *, new_home: bool = False) -> str:
    """The sentence for the first line that refuses this server; empty when all allow it."""
    wanted = asked(options, new_home=new_home)
    for line in quotas:
        amount = wanted.get(line.key, Decimal(0))
        if amount is None:
            return f"The quota {line.quota} wants {line.key} said, and this size has no such limit."
        if amount and amount > line.left:
            return f"It needs {_words(line.key, amount)}; {_rest(line)}."
    return ""


def left_of(quotas: Iterable[Left], resource: str) -> Decimal | None:
    """The least that any quota leaves of an extended resource; None where none counts it."""
    amounts = [line.left for line in quotas if line.key == f"requests.{resource}"]
    return min(amounts) if amounts else None


def ranges(limit_ranges: Iterable[Json], options: Options) -> str:
    """The sentence for a LimitRange that refuses this server's container or pod; empty when all allow it."""
    requests, limits = options.requests(), options.limits()
    for resource in limit_ranges:
        name = str((resource.get("metadata") or {}).get("name", ""))
        for rule in (resource.get("spec") or {}).get("limits") or ():
            if rule.get("type") not in {"Container", "Pod"}:
                continue
            for key, text in (rule.get("max") or {}).items():
                amount = limits.get(key) or requests.get(key)
                if amount and stored(amount) > stored(str(text)):
                    return f"The limit range {name} allows at most {words(key, stored(str(text)))} in one server."
            for key, text in (rule.get("min") or {}).items():
                if key in requests and stored(requests[key]) < stored(str(text)):
                    return f"The limit range {name} wants at least {words(key, stored(str(text)))} in one server."
    return ""


def bars(quotas: Iterable[Left]) -> list[dict[str, str]]:
    """What is left, for people: the lines that a server draws on."""
    found = []
    for line in quotas:
        name = line.key.removeprefix("requests.")
        if line.key in {"cpu", "memory", "requests.cpu", "requests.memory", "pods"} or "/" in name:
            found.append({
                "name": _NAMES.get(name, name), "left": _bare(name, line.left), "hard": _bare(name, line.hard),
                "share": str(int(min(Decimal(100), 100 * line.used / line.hard)) if line.hard else 100),
            })  # fmt: skip
    return found


_NAMES: Final = {
    "cpu": "CPU",
    "memory": "Memory",
    "pods": "Pods",
    "nvidia.com/gpu": "GPUs",
    "amd.com/gpu": "AMD GPUs",
}


def _bare(name: str, amount: Decimal) -> str:
    return words(name, amount).removesuffix(" CPU")


def _words(key: str, amount: Decimal) -> str:
    name = key.removeprefix("requests.").removeprefix("limits.")
    if name in {"pods", "count/pods"}:
        return "a pod"
    if "persistentvolumeclaims" in name:
        return "a volume"
    shown = words(name, amount)
    kind = " as limit" if key.startswith("limits.") else ""
    return (
        f"{shown} of {name}{kind}"
        if "/" in name or "storage" in name
        else f"{shown}{' of memory' if 'memory' in name else ''}{kind}"
    )


def _rest(line: Left) -> str:
    name = line.key.removeprefix("requests.").removeprefix("limits.")
    return f"the quota {line.quota} of this profile has {words(name, line.left)} of {words(name, line.hard)} left"
