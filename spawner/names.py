"""Names: which are fit for a subject, and the one that a namespace or a binding gets for it.

A derived name says nothing about who may enter: that is the owner annotation's. It only has to be valid, to be
distinct for distinct users, and never one that the cluster uses itself.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from base64 import b32encode
from collections.abc import Collection
from typing import Final

from spawner.refused import Refused

LONGEST_LABEL: Final = 63
_SLUG: Final = 28
_DIGEST: Final = 12
"""Characters of base 32: 60 bits, so that nobody finds a second user name of the same namespace by trying."""
_LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_SYSTEM_PREFIXES: Final = ("kube-", "openshift-")
_SYSTEM: Final = frozenset({"default", "kubeflow", "kubeflow-system", "istio-system", "openshift"})
_PLATFORM: Final = frozenset(
    {"auth", "cert-manager", "gatekeeper-system", "istio-ingress", "jupyterhub", "kserve", "kueue-system",
     "jobset-system", "knative-eventing", "knative-serving", "monitoring", "oauth2-proxy", "spark-operator"}
)  # fmt: skip


def is_label(text: object) -> bool:
    """Whether it is a DNS label (RFC 1123), as the name of a namespace must be."""
    return isinstance(text, str) and _LABEL.fullmatch(text) is not None


def is_system(namespace: str) -> bool:
    """Whether the cluster itself lives there: never entered, whatever is written on it."""
    return namespace in _SYSTEM or namespace.startswith(_SYSTEM_PREFIXES)


def is_reserved(namespace: str, also: Collection[str] = ()) -> bool:
    """Whether no profile is made under this name; ``also`` are the Hub's own namespaces."""
    return is_system(namespace) or namespace in _PLATFORM or namespace in also


def check_subject(name: object, kind: str = "User") -> str:
    """The name of a user or group as it is, if it can be one; raises Refused.

    ``system:`` is Kubernetes' own: a Hub user of such a name would be taken for a service account. A ``*`` is a
    pattern in the header rules of Istio: it would stand for other people.
    """
    what = kind.lower()
    hint = "Ask an administrator of the Hub for another name."
    if not isinstance(name, str) or not name:
        raise Refused(400, f"The name of the {what} is empty", hint=hint)
    if len(name) > 255:
        raise Refused(
            400, f"The name of the {what} has {len(name)} characters, 255 at most can be used", hint=hint
        )
    if name != name.strip() or any(unicodedata.category(letter)[0] == "C" for letter in name):
        raise Refused(
            400, f"The name of the {what} has spaces around it or characters that do not print", hint=hint
        )
    if name.startswith("system:"):
        raise Refused(400, f"A {what} cannot be called system:…: such names are Kubernetes' own", hint=hint)
    if "*" in name:
        raise Refused(
            400, f"The name of the {what} has a *, which rules of access read as anybody", hint=hint
        )
    return name


def namespace_name(user: str, prefix: str = "user-", also: Collection[str] = ()) -> str:
    """The namespace that a user's own profile gets where nobody chose a name.

    A name that is fit as it is stays so; any other becomes a readable part, ``---`` and a digest. Names as they are
    never have ``--``, so that the two sorts cannot meet.
    """
    plain = prefix + user
    if (
        len(plain) <= LONGEST_LABEL - 13
        and "--" not in plain
        and is_label(plain)
        and not is_reserved(plain, also)
    ):
        return plain
    name = f"{_slug(plain)}---{_digest('User', user)}"
    return f"x-{name}" if is_system(name) else name


def binding_name(kind: str, name: str, role: str) -> str:
    """The RoleBinding (and AuthorizationPolicy) of one contributor; distinct for distinct ones, other than kfam's."""
    return f"{kind.lower()}-{_slug(name)}---{_digest(kind, name)}-{role}"


def _slug(text: str) -> str:
    """The readable part: begins with a letter, no ``--``, not empty."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    if not slug[:1].isalpha():
        slug = f"x-{slug}".rstrip("-")
    return slug[:_SLUG].rstrip("-")


def _digest(kind: str, name: str) -> str:
    found = hashlib.sha256(b"\xff".join((kind.encode(), name.encode("utf-8", "surrogatepass")))).digest()
    return b32encode(found).decode().lower()[:_DIGEST]
