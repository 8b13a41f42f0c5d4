"""Which kinds an API server has: asked for once, and again when one that was there is not found."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.cluster.kube.refusals import Away
from jupyter_ext.cluster.resource import KINDS
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.transport import Transport

FRESH_SECONDS: Final = 600.0
STALE_SECONDS: Final = 2.0
"""After which a kind that was not there is looked for again."""
_PAUSE: Final = 0.5
AGGREGATED: Final = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
"""All groups in one answer, from Kubernetes 1.27 on; older servers give the names of the groups."""


class Served(NamedTuple):
    """One kind in one version, as the API server has it."""

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool
    verbs: frozenset[str]
    subresources: frozenset[str]

    def path(self, namespace: str, name: str = "") -> str:
        """Where its objects are."""
        from urllib.parse import quote

        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(namespace, safe='')}" if self.is_namespaced else ""
        path = f"{root}{place}/{self.plural}"
        return f"{path}/{quote(name, safe='')}" if name else path


class Kinds:
    """The kinds of one API server. Any number of threads may ask."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._guard = threading.Lock()
        self._until = self._asked = 0.0
        self._is_whole = False
        """Whether it was asked of a server that had been ready before."""
        self._found: dict[tuple[str, str], list[Served]] = {}

    def forget(self) -> None:
        """Ask anew at the next question: a definition may have come or gone."""
        self._until = 0.0

    def all(self) -> dict[tuple[str, str], list[Served]]:
        """By group and plural, every version that is served, the preferred one first."""
        with self._guard:
            if time.monotonic() >= self._until:
                self._found = _discovered(self._transport)
                self._asked, self._is_whole = time.monotonic(), False
                self._until = self._asked + FRESH_SECONDS
            return self._found

    def versions(self, group: str, plural: str) -> list[Served]:
        """The versions of one kind. What is not there may have come meanwhile: then it is asked for again.

        Raises Away for a server that is being started: it answers before it knows what is defined.
        """
        found = self.all().get((group, plural), [])
        if not found and not (self._is_whole and time.monotonic() - self._asked <= STALE_SECONDS):
            self._await_ready()
            self.forget()
            found = self.all().get((group, plural), [])
            self._is_whole = True
        return found

    def _await_ready(self) -> None:
        late = time.monotonic() + self._transport.patience
        while True:
            try:
                self._transport.ask("GET", "/readyz", accept="text/plain, */*")
            except Unavailable as error:
                if time.monotonic() + _PAUSE > late:
                    what = (
                        f"{self._transport.access.name} is being started: it does not know all its kinds yet"
                    )
                    raise Away(what) from error
                time.sleep(_PAUSE)
            except KubeflowError:
                return  # one may not ask
            else:
                return

    def served(self, kind: str) -> Served:
        """One of our kinds in the version that we speak.

        Raises Invalid for a kind that there is not, Unavailable where the cluster does not have it.
        """
        if kind not in KINDS:
            hint = f"Known: {', '.join(KINDS)}."
            raise Invalid(f"There is no kind {kind!r}", where=Where(field="kind"), hint=hint)
        group, _, version = KINDS[kind].api_version.rpartition("/")
        versions = self.versions(group, KINDS[kind].plural)
        for found in versions:
            if found.version == version:
                return found
        cluster = self._transport.access.name
        name = f"{KINDS[kind].plural}.{group}"
        if versions:
            there = ", ".join(each.version for each in versions)
            what = f"{cluster} has {name} as {there}, and we speak {version}"
            raise Unavailable(what, hint="Ask its administrator for a version that has both.")
        what = f"{cluster} has no {kind}: {name} is not installed there"
        raise Unavailable(what, hint="See what it lacks: jupyter kf doctor --cluster")


def _discovered(transport: Transport) -> dict[tuple[str, str], list[Served]]:
    answer = transport.ask("GET", "/apis", accept=AGGREGATED)
    if answer.get("kind") == "APIGroupDiscoveryList":
        listed = [
            served
            for group in answer.get("items") or ()
            for version in group.get("versions") or ()
            for served in _of_version(str((group.get("metadata") or {}).get("name") or ""), version)
        ]
    else:
        listed = [served for group in answer.get("groups") or () for served in _asked(transport, group)]
    found: dict[tuple[str, str], list[Served]] = {}
    for served in listed:
        found.setdefault((served.group, served.plural), []).append(served)
    return found


def _of_version(group: str, version: dict[str, Any]) -> list[Served]:
    """As `apidiscovery.k8s.io/v2` says it."""
    return [
        Served(
            group,
            str(version["version"]),
            str((each.get("responseKind") or {}).get("kind") or ""),
            str(each["resource"]),
            each.get("scope") == "Namespaced",
            frozenset(each.get("verbs") or ()),
            frozenset(str(inner["subresource"]) for inner in each.get("subresources") or ()),
        )
        for each in version.get("resources") or ()
    ]


def _asked(transport: Transport, group: dict[str, Any]) -> list[Served]:
    """As `APIResourceList (meta/v1)` says it; only of the groups that we know, each by itself."""
    name = str(group["name"])
    if name not in {kind.api_version.rpartition("/")[0] for kind in KINDS.values()}:
        return []
    found = []
    for each in group.get("versions") or ():
        version = str(each["version"])
        try:
            listed = transport.ask("GET", f"/apis/{name}/{version}").get("resources") or ()
        except NotFound:
            continue  # it went meanwhile
        below: dict[str, set[str]] = {}
        for one in listed:
            plural, _, sub = str(one["name"]).partition("/")
            below.setdefault(plural, set()).add(sub)
        found += [
            Served(
                name, version, str(one["kind"]), str(one["name"]), bool(one["namespaced"]),
                frozenset(one.get("verbs") or ()), frozenset(below[str(one["name"])] - {""}),
            )
            for one in listed
            if "/" not in str(one["name"])
        ]  # fmt: skip
    return found
