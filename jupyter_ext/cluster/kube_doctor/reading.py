"""Reading a cluster: never writing, few requests at a time, each once, and a refusal is an answer."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube_doctor.findings import Finding

if TYPE_CHECKING:
    from spawner.api import Asking

Json = dict[str, Any]
Slim = Callable[[Json], Json]

AT_ONCE: Final = 8
PAGE: Final = 500
MOST_PAGES: Final = 200
"""Of one list: 100,000 objects. What is beyond is said not to have been looked at."""
_TRIES: Final = 4
_LONGEST_WAIT: Final = 5.0
"""Seconds, whatever the server asks for: a doctor is waited for."""
_REVIEWS: Final = frozenset(
    f"/apis/{kind}"
    for kind in (
        "authentication.k8s.io/v1/selfsubjectreviews",
        "authorization.k8s.io/v1/selfsubjectrulesreviews",
        "authorization.k8s.io/v1/selfsubjectaccessreviews",
        "authorization.k8s.io/v1/subjectaccessreviews",
    )
)
"""Questions that Kubernetes has one ask with POST; it keeps nothing of them."""
_PASSING: Final = frozenset({0, 408, 429, 500, 502, 503, 504})
_PATH: Final = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[^/?]+)(?:/(?P<name>[^/?]+))?"
)


@dataclass(frozen=True)
class Right:
    """What one has to be allowed to look at something."""

    verb: str
    resource: str
    group: str = ""
    namespace: str = ""

    @property
    def plural(self) -> str:
        """The resource as RBAC's tools write it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource

    def __str__(self) -> str:
        place = f" in {self.namespace}" if self.namespace else ""
        return f"{self.verb} {self.plural}{place}"


class Unseen(Exception):
    """Something could not be looked at; ``status`` is that of the refusal, 0 for no answer."""

    def __init__(self, right: Right, status: int, words: str) -> None:
        super().__init__(words)
        self.right = right
        self.status = status
        self.words = words

    def finding(self, check: str, who: str = "") -> Finding:
        """What the report says of it."""
        what = f"The {self.right.plural} could not be looked at"
        if self.status in {401, 403}:
            why = f"You may not {self.right}."
            return Finding(check, "unknown", what, self.right.namespace, why, grant(self.right, who))
        again = "jupyter kf doctor --cluster"
        why = f"The API server did not give them: {self.words.rstrip('.')}."
        return Finding(check, "unknown", what, self.right.namespace, why, f"Try again: {again}")


class Reader:
    """The cluster as the checks see it. The same path is asked for once, whoever wants it."""

    def __init__(self, api: Asking) -> None:
        self._api = api
        self._limit = asyncio.Semaphore(AT_ONCE)
        self._known: dict[str, asyncio.Task[Any]] = {}
        self.requests = 0

    async def get(self, path: str) -> Json | None:
        """One object, or None where it or its kind is not there; raises `Unseen`."""
        found: Json | None = await self._once(path, lambda: self._get(path))
        return found

    async def items(self, path: str, slim: Slim | None = None) -> list[Json]:
        """All objects of a list, page by page, each as ``slim`` leaves it; none where there is no such kind.

        Raises `Unseen`.
        """
        found: list[Json] = await self._once(f"{path}?", lambda: self._items(path, slim))
        return found

    async def ask(self, path: str, body: Mapping[str, Any]) -> Json:
        """The answer to a question that has to be sent with POST; raises `Unseen`, ValueError for what writes."""
        if path not in _REVIEWS:
            raise ValueError(f"the doctor writes nothing, so not {path} either")
        return await self._tried(path, lambda: self._api.post(path, body))

    async def close(self) -> None:
        """Wait for nobody that is still being asked."""
        for task in self._known.values():
            task.cancel()
        await asyncio.gather(*self._known.values(), return_exceptions=True)

    async def _once(self, key: str, begin: Callable[[], Any]) -> Any:
        if key not in self._known:
            self._known[key] = asyncio.ensure_future(begin())
        return await asyncio.shield(self._known[key])

    async def _get(self, path: str) -> Json | None:
        try:
            return await self._tried(path, lambda: self._api.get(path))
        except Unseen as unseen:
            if unseen.status == 404:
                return None
            raise

    async def _items(self, path: str, slim: Slim | None) -> list[Json]:
        try:
            return await self._pages(path, slim)
        except Unseen as unseen:
            if unseen.status == 404:
                return []
            if unseen.status == 410:  # the list grew too old between two pages
                return await self._pages(path, slim)
            raise

    async def _pages(self, path: str, slim: Slim | None) -> list[Json]:
        found: list[Json] = []
        query = {"limit": str(PAGE)}
        for _ in range(MOST_PAGES):
            page = await self._tried(path, partial(self._api.get, path, dict(query)))
            found += [(slim or slimmed)(item) for item in page.get("items") or ()]
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return found
            query["continue"] = str(token)
        raise Unseen(right_for(path), 413, f"there are more than {len(found):,} of them")

    async def _tried(self, path: str, call: Callable[[], Any]) -> Json:
        """Ask until there is an answer that does not pass by itself."""
        from spawner.api import ApiError

        for attempt in range(1, _TRIES + 1):
            try:
                async with self._limit:
                    self.requests += 1
                    found: Json = await call()
                return found
            except ApiError as error:
                if error.status not in _PASSING or attempt == _TRIES:
                    raise Unseen(right_for(path), error.status, error.message or error.reason) from error
                wait = error.retry_after or 0.25 * 2**attempt
            await asyncio.sleep(min(wait, _LONGEST_WAIT))
        raise AssertionError("unreachable")


def slimmed(thing: Json) -> Json:
    """Without what is large and says nothing: a cluster has thousands of objects."""
    about = thing.get("metadata")
    if isinstance(about, dict):
        about.pop("managedFields", None)
        notes = about.get("annotations")
        if isinstance(notes, dict):
            notes.pop("kubectl.kubernetes.io/last-applied-configuration", None)
    return thing


def right_for(path: str) -> Right:
    """Which right a GET of this path needs."""
    match = _PATH.match(path)
    if match is None:
        return Right("get", path)
    if path in _REVIEWS:
        return Right("create", match["resource"], match["group"])
    return Right(
        "get" if match["name"] else "list", match["resource"], match["group"] or "", match["namespace"] or ""
    )


def grant(right: Right, who: str) -> str:
    """The commands with which an administrator gives the right."""
    subject = subject_option(who)
    name = f"read-{right.resource}"
    verbs = "get,list" if right.verb in {"get", "list"} else right.verb
    if right.namespace:
        place = f" -n {shlex.quote(right.namespace)}"
        kinds = ("role", "rolebinding")
    else:
        place, kinds = "", ("clusterrole", "clusterrolebinding")
    return (
        f"Ask an administrator for: kubectl create {kinds[0]} {name} --verb={verbs} --resource={right.plural}{place}"
        f" && kubectl create {kinds[1]} {name} --{kinds[0]}={name} {subject}{place}"
    )


def subject_option(who: str) -> str:
    """Who gets a right, as kubectl's option."""
    parts = who.split(":")
    if len(parts) == 4 and parts[:2] == ["system", "serviceaccount"]:
        return f"--serviceaccount={parts[2]}:{parts[3]}"
    return f"--user={shlex.quote(who)}" if who else "--user=YOU"
