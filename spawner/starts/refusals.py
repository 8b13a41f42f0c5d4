"""What the API server's refusal to make an object means for the one who asked."""

from __future__ import annotations

import re
from typing import Final

from spawner.api import ApiError
from spawner.starts.reasons import Reason, clip
from spawner.starts.scheduling import amount, amounts

_QUOTA: Final = re.compile(
    r"exceeded quota: ([^,]{1,253}), requested: (.*?), used: (.*?), limited: (.*?)(?:$|\n)", re.DOTALL
)
_MUST: Final = re.compile(r"failed quota: ([^:]{1,253}): must specify (.{1,500})", re.DOTALL)
_RANGE: Final = re.compile(
    r"((?:maximum|minimum) \S+ usage per \S+ is \S+, but \S+ is \S+|no \S+ is specified)"
)
_SECURITY: Final = re.compile(r'violates PodSecurity "([^"]{1,80})": (.{1,600})', re.DOTALL)
_WEBHOOK: Final = re.compile(
    r'admission webhook "([^"]{1,253})" denied the request:?\s*(.{0,2000})', re.DOTALL
)
_UNREACHED: Final = re.compile(r'failed calling webhook "([^"]{1,253})"')
_PODDEFAULT: Final = re.compile(r"poddefaults?: *([a-z0-9.,\- ]{1,300}?) on pod", re.IGNORECASE)
_NO_ACCOUNT: Final = re.compile(
    r'error looking up service account|serviceaccount "[^"]*" not found', re.IGNORECASE
)
_NO_PRIORITY: Final = re.compile(r"no PriorityClass with name (\S{1,253}) was found")


def refusal(error: ApiError) -> Reason:
    """The reason behind an `ApiError` of a creation; always hopeless, except where `is_passing` says wait."""
    text = error.message
    for look in (_quota, _ranges, _policy, _namespace):
        found = look(error, text)
        if found is not None:
            return found
    if error.status in {0, 429} or error.status >= 500:
        return Reason(
            "api",
            "The cluster does not answer now.",
            clip(text, 300),
            "Try again in a minute; if this lasts, tell the administrator.",
            is_hopeless=True,
            status=503,
        )
    if error.status == 403:
        return Reason(
            "forbidden",
            "The Hub may not start servers in this profile.",
            clip(text, 300),
            "Ask the administrator: the Hub's role in the profile's namespace is missing.",
            is_hopeless=True,
            status=500,
        )
    return Reason(
        "refused", "The cluster refused the server.", clip(text, 400), "", is_hopeless=True, status=500
    )


def is_passing(error: ApiError) -> bool:
    """Whether the same request may well succeed in a second: a busy server, an account not made yet."""
    if error.status in {0, 429, 500, 502, 503, 504}:
        return not _UNREACHED.search(error.message)
    if error.status == 409:  # two creations counted against one quota in the same instant
        return error.reason == "Conflict"
    return error.status == 403 and bool(_NO_ACCOUNT.search(error.message))


def _quota(_error: ApiError, text: str) -> Reason | None:
    found = _QUOTA.search(text)
    if found:
        asked, used, limited = (_pairs(part) for part in found.groups()[1:])
        parts = []
        for key in asked:
            words = resource_words(key)
            parts.append(
                f"{words}: {_amount(key, asked[key])} asked for, {_amount(key, used.get(key, '0'))} of "
                f"{_amount(key, limited.get(key, '0'))} in use"
            )
        return Reason(
            "quota",
            "The quota of your profile does not have enough left.",
            clip("; ".join(parts) + ".", 400),
            "Stop one of your servers or jobs, choose a smaller size, or ask for a larger quota.",
            is_hopeless=True,
        )
    must = _MUST.search(text)
    if must:
        return Reason(
            "quota-unset",
            f"The quota {clip(must[1], 80)} wants every server to say what it needs.",
            f"Not said: {clip(must[2], 300)}.",
            "Choose a size that sets it, or ask the administrator.",
            is_hopeless=True,
        )
    return None


def _ranges(_error: ApiError, text: str) -> Reason | None:
    found = _RANGE.findall(text)
    if not found or "is forbidden" not in text:
        return None
    return Reason(
        "limit-range",
        "The size is outside what your profile allows.",
        clip("; ".join(found) + ".", 400),
        "Choose another size.",
        is_hopeless=True,
    )


def _policy(_error: ApiError, text: str) -> Reason | None:
    security = _SECURITY.search(text)
    if security:
        return Reason(
            "pod-security",
            f"The profile's security level ({clip(security[1], 40)}) forbids this server.",
            clip(security[2], 300),
            "Choose another configuration, or ask the administrator.",
            is_hopeless=True,
        )
    priority = _NO_PRIORITY.search(text)
    if priority:
        return Reason(
            "priority",
            f"The priority class {clip(priority[1], 80)} does not exist.",
            "",
            "Tell the administrator.",
            is_hopeless=True,
            status=500,
        )
    unreached = _UNREACHED.search(text)
    if unreached:
        return Reason(
            "webhook-unreachable",
            f"The check {clip(unreached[1], 120)} does not answer, and nothing is made without it.",
            clip(text, 300),
            "Tell the administrator that this webhook is down.",
            is_hopeless=True,
            status=503,
        )
    denied = _WEBHOOK.search(text)
    return _denied(denied[1], denied[2]) if denied else None


def _denied(webhook: str, said: str) -> Reason:
    """A webhook said no; that of PodDefaults does so when two of them want different things."""
    if "poddefault" in said.lower() or webhook.startswith("admission-webhook"):
        names = _PODDEFAULT.search(said)
        return Reason(
            "poddefault-conflict",
            "Two of the chosen configurations contradict each other."
            if names is None
            else f"The chosen configurations contradict each other: {clip(names[1], 120)}.",
            clip(said, 300),
            "Choose only one of them, or have them changed so that they agree.",
            is_hopeless=True,
        )
    return Reason(
        "webhook",
        f"A rule of the cluster forbids this server ({clip(webhook, 120)}).",
        clip(said, 300),
        "Choose something else, or ask the administrator about the rule.",
        is_hopeless=True,
    )


def _namespace(error: ApiError, text: str) -> Reason | None:
    causes = error.details.get("causes")
    codes = (
        {each.get("reason") for each in causes if isinstance(each, dict)}
        if isinstance(causes, list)
        else set()
    )
    if "NamespaceTerminating" in codes or "because it is being terminated" in text:
        return Reason(
            "namespace-terminating",
            "The profile is being deleted.",
            "",
            "Choose another profile.",
            is_hopeless=True,
        )
    if error.status == 404 and error.details.get("kind") in {"namespaces", "Namespace"}:
        return Reason(
            "namespace-gone",
            "The profile's namespace no longer exists.",
            "",
            "Choose another profile.",
            is_hopeless=True,
        )
    return None


def _pairs(text: str) -> dict[str, str]:
    """``a=1,b=2`` as the quota plugin writes it."""
    found = {}
    for part in text.split(","):
        key, _, value = part.strip().partition("=")
        if key and value:
            found[key[:100]] = value[:40]
    return found


def resource_words(key: str) -> str:
    """A quota's key as people say it."""
    from spawner.starts.scheduling import noun

    for prefix in ("requests.", "limits."):
        if key.startswith(prefix):
            kind = " (limit)" if prefix == "limits." else ""
            return f"{noun(key.removeprefix(prefix), 2)}{kind}"
    known = {"pods": "servers and jobs", "persistentvolumeclaims": "volumes", "count/pods": "pods"}
    return known.get(key) or noun(key, 2)


def _amount(key: str, text: str) -> str:
    resource = key.removeprefix("requests.").removeprefix("limits.")
    value = amounts({resource: text}).get(resource)
    if value is None:
        return clip(text, 40)
    known = resource if resource in {"memory", "ephemeral-storage"} else "other"
    words = amount("memory" if resource == "storage" else known, value)
    return words.rpartition(" ")[0]
