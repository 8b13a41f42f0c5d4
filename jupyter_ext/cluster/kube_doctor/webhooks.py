"""Webhooks: who is asked before a write, whether anybody answers there, and whose word the API server takes for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from jupyter_ext.cluster.kube_doctor.certificates import authorities
from jupyter_ext.cluster.kube_doctor.definitions import COMPONENTS, DEFINITIONS
from jupyter_ext.cluster.kube_doctor.findings import Finding, named
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of, notes_of, selects
from jupyter_ext.cluster.kube_doctor.reading import Json, Unseen

CHECK: Final = "webhooks"
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_SOON: Final = timedelta(days=14)
_INJECT: Final = "cert-manager.io/inject-ca-from"


@dataclass(frozen=True)
class Hook:
    """One webhook. ``effect`` says what is asked of it; ``is_strict``: without its answer that is refused."""

    kind: str
    configuration: str
    name: str
    is_strict: bool
    effect: str
    client: Mapping[str, Any]
    namespaces: Json | None = field(default_factory=dict, hash=False)
    is_injected: bool = False

    @property
    def service(self) -> tuple[str, str] | None:
        """Namespace and name of the Service that answers; None for an address outside."""
        found = self.client.get("service") or {}
        return (str(found["namespace"]), str(found["name"])) if found.get("name") else None

    @property
    def where(self) -> str:
        """The object to look at."""
        return f"{self.kind}/{self.configuration}" + (f", {self.name}" if self.name else "")


async def check(look: Look) -> list[Finding]:
    """Every webhook of the cluster, those that convert our kinds too."""
    lists = [
        look.reader.items(f"{_ADMISSION}/{kind}webhookconfigurations") for kind in ("mutating", "validating")
    ]
    mutating, validating = await asyncio.gather(*lists)
    hooks = [
        *hooks_of("mutatingwebhookconfiguration", mutating),
        *hooks_of("validatingwebhookconfiguration", validating),
        *await _conversions(look),
    ]
    places = sorted({hook.service for hook in hooks if hook.service})
    answers = await asyncio.gather(*(_ready(look, *place) for place in places))
    try:
        namespaces = await look.reader.items("/api/v1/namespaces")
    except Unseen:
        namespaces = []
    ready = dict(zip(places, answers, strict=True))
    now = look.time or datetime.now(UTC)
    found = [each for hook in hooks for each in judge(hook, ready, namespaces, now)]
    hidden = {str(each.right): each for each in answers if isinstance(each, Unseen)}
    found += [each.finding(CHECK, look.who) for each in hidden.values()]
    return found or [Finding(CHECK, "ok", f"All {len(hooks)} webhooks have somebody who answers")]


async def _conversions(look: Look) -> list[Hook]:
    found = []
    for kind in (kind for component in COMPONENTS for kind in component.kinds):
        try:
            definition = await look.reader.get(f"{DEFINITIONS}/{kind.name}")
        except Unseen:
            continue  # the check of definitions says so
        conversion = ((definition or {}).get("spec") or {}).get("conversion") or {}
        if definition and conversion.get("strategy") == "Webhook":
            client = (conversion.get("webhook") or {}).get("clientConfig") or {}
            effect = f"reading and writing {kind.plural} in another version than they are stored in"
            is_injected = _INJECT in notes_of(definition)
            found.append(Hook("crd", kind.name, "", True, effect, client, {}, is_injected))
    return found


async def _ready(look: Look, namespace: str, service: str) -> int | Unseen | None:
    """How many addresses answer for a Service; None where there is no such Service."""
    try:
        if await look.reader.get(f"/api/v1/namespaces/{namespace}/services/{service}") is None:
            return None
        slices = await look.reader.items(f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices")
    except Unseen as unseen:
        return unseen
    return sum(
        (each.get("conditions") or {}).get("ready") is not False
        for one in slices
        if labels_of(one).get("kubernetes.io/service-name") == service
        for each in one.get("endpoints") or ()
    )


def hooks_of(kind: str, configurations: Iterable[Json]) -> list[Hook]:
    """The webhooks of some configurations."""
    return [
        Hook(
            kind,
            name_of(each),
            str(hook.get("name") or ""),
            hook.get("failurePolicy", "Fail") == "Fail",
            effect_of(hook.get("rules") or ()),
            hook.get("clientConfig") or {},
            hook.get("namespaceSelector") or {},
            _INJECT in notes_of(each),
        )
        for each in configurations
        for hook in each.get("webhooks") or ()
    ]


def effect_of(rules: Iterable[Json]) -> str:
    """What a webhook is asked about: ``CREATE, UPDATE of pods``."""
    parts = []
    for rule in rules:
        verbs = ", ".join(
            "every write" if verb == "*" else str(verb) for verb in rule.get("operations") or ()
        )
        things = ", ".join("everything" if each == "*" else str(each) for each in rule.get("resources") or ())
        parts.append(f"{verbs} of {things}")
    return "; ".join(dict.fromkeys(parts)) or "nothing"


def judge(
    hook: Hook, ready: Mapping[tuple[str, str], Any], namespaces: Sequence[Json], now: datetime
) -> list[Finding]:
    """Whether somebody answers, and whether the API server can believe it."""
    if hook.service is None:
        return []  # an address outside: whoever set it up knows it
    answering = ready.get(hook.service)
    findings = []
    if answering is None:
        findings.append(_fault(hook, "A webhook's Service does not exist", _gone(hook), namespaces))
    elif isinstance(answering, int) and answering == 0:
        findings.append(_fault(hook, "A webhook has nobody who answers", _nobody(hook), namespaces))
    authority = _authority(hook, namespaces, now)
    return [*findings, authority] if authority else findings


def _fault(hook: Hook, what: str, fix: str, namespaces: Sequence[Json]) -> Finding:
    service = "/".join(hook.service or ())
    if hook.is_strict:
        why = f"Its failurePolicy is Fail: {hook.effect} is refused{caught(hook, namespaces)}."
        return Finding(CHECK, "problem", what, f"{hook.where}, service {service}", why, fix)
    why = f"Its failurePolicy is Ignore: {hook.effect} goes on without it, after a wait{caught(hook, namespaces)}."
    return Finding(CHECK, "warning", what, f"{hook.where}, service {service}", why, fix)


def _gone(hook: Hook) -> str:
    return f"kubectl delete {hook.kind} {hook.configuration}  # what is left of something uninstalled; or install that again"


def _nobody(hook: Hook) -> str:
    namespace, service = hook.service or ("", "")
    return (
        f"kubectl -n {namespace} get pods  # why those of service {service} are not ready; and if it is uninstalled:"
        f"\nkubectl delete {hook.kind} {hook.configuration}"
    )


def caught(hook: Hook, namespaces: Sequence[Json]) -> str:
    """In which namespaces, as words."""
    if not namespaces or hook.kind == "crd":
        return ""
    hit = [name_of(each) for each in namespaces if selects(hook.namespaces or {}, _named_labels(each))]
    if len(hit) == len(namespaces):
        return " in every namespace"
    return f" in {named(sorted(hit))}" if hit else " in no namespace that there is now"


def _named_labels(namespace: Json) -> dict[str, str]:
    return {"kubernetes.io/metadata.name": name_of(namespace), **labels_of(namespace)}


def _authority(hook: Hook, namespaces: Sequence[Json], now: datetime) -> Finding | None:
    bundle = str(hook.client.get("caBundle") or "")
    if not bundle:
        return _fault(hook, "A webhook has no CA bundle", _renewal(hook), namespaces)
    try:
        found = authorities(bundle)
    except ValueError as error:
        what = f"A webhook's CA bundle cannot be read ({str(error).partition(' See ')[0][:80].rstrip('.')})"
        return _fault(hook, what, _renewal(hook), namespaces)
    last = max(found, key=lambda each: each.ends)
    if last.ends <= now:
        what = f"A webhook's CA bundle has expired, on {last.ends:%Y-%m-%d}"
        return _fault(hook, what, _renewal(hook), namespaces)
    if all(each.begins > now for each in found):
        what = f"A webhook's CA bundle is not good before {last.begins:%Y-%m-%d %H:%M} UTC"
        return _fault(hook, what, "timedatectl  # on the control plane: is its clock right?", namespaces)
    if last.ends - now < _SOON:
        why = f"From {last.ends:%Y-%m-%d %H:%M} UTC on {hook.effect} fails, unless it is renewed by itself."
        return Finding(CHECK, "warning", "A webhook's CA bundle ends soon", hook.where, why, _renewal(hook))
    return None


def _renewal(hook: Hook) -> str:
    if hook.is_injected:
        return (
            "kubectl -n cert-manager rollout restart deployment cert-manager-cainjector  # writes it; and look at:"
            "\nkubectl get certificates -A"
        )
    namespace = (hook.service or ("NAMESPACE",))[0]
    return (
        f"kubectl -n {namespace} rollout restart deployment  # controllers that make their own certificate make it anew"
        "; with cert-manager instead:"
        f"\nkubectl annotate {hook.kind} {hook.configuration} {_INJECT}={namespace}/CERTIFICATE"
    )
