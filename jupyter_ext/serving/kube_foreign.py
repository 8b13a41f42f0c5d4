"""Endpoints of a Kubernetes cluster that somebody else made: their shares are shown as KServe has them.

In KServe's Knative mode a share is one number, ``canaryTrafficPercent``: that of the newest revision. What was rolled out
before gets the rest. A split that can be said so is; what takes our gateway is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube.handle import refused
from jupyter_ext.errors import Conflict, Invalid, NotFound, Where
from jupyter_ext.serving.fields import nearest, whole
from jupyter_ext.serving.handle import Endpoint
from jupyter_ext.serving.places import KIND
from jupyter_ext.serving.variants import Variant

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.kube_record import Records

_KNATIVE: Final = frozenset({"Knative", "Serverless"})
"""The mode as `InferenceServiceStatus (serving.kserve.io/v1beta1)` has it, from KServe 0.16 on and before."""
_PERCENT: Final = "canaryTrafficPercent"

Json = dict[str, Any]


def is_knative(resource: Resource) -> bool:
    """Whether KServe runs it with Knative."""
    return str(resource.status.get("deploymentMode") or "") in _KNATIVE


def shown(resource: Resource) -> Resource:
    """With ``variants`` in its status: the revisions that get requests, or Standard mode's canaries; else as it is."""
    rows = list(_revisions(resource) if is_knative(resource) else _canaries(resource))
    return resource.with_(status={**resource.status, "variants": rows}) if rows else resource


def _revisions(resource: Resource) -> Iterator[Json]:
    """What was rolled out before first, for it is what one returns to."""
    shares: dict[str, int] = {}
    for row in _component(resource).get("traffic") or ():
        name = str(row.get("revisionName") or _component(resource).get("latestReadyRevision") or "")
        if name:
            shares[name] = shares.get(name, 0) + int(row.get("percent") or 0)
    newest = _newest(resource)
    for name in (newest, _before(resource)):
        if name and shares:
            shares.setdefault(name, 0)
    for name in sorted(shares, key=lambda name: name == newest):
        is_ready = name != newest or newest == _component(resource).get("latestReadyRevision")
        yield _row(name, shares[name], is_ready=is_ready)


def _canaries(resource: Resource) -> Iterator[Json]:
    rows = resource.status.get("canaryStatuses") or ()
    if rows:
        left = 100 - sum(int(row.get("trafficPercent") or 0) for row in rows)
        name = str((resource.spec.get("predictor") or {}).get("name") or "stable")
        yield _row(name, left, is_ready=resource.phase == "RUNNING")
    for row in rows:
        yield _row(str(row["name"]), int(row.get("trafficPercent") or 0), is_ready=bool(row.get("ready")))


def _row(name: str, percent: int, *, is_ready: bool) -> Json:
    state = "ready" if is_ready else "loading"
    return {
        "name": name,
        "digest": "",
        "percent": percent,
        "model": "",
        "version": "",
        "state": state,
        "reason": "",
        "replicas": 0,
    }


def _component(resource: Resource) -> Json:
    found: Json = (resource.status.get("components") or {}).get("predictor") or {}
    return found


def _newest(resource: Resource) -> str:
    return str(_component(resource).get("latestCreatedRevision") or "")


def _before(resource: Resource) -> str:
    """The revision that gets what the newest does not: the last other one that had all; empty for none."""
    found = _component(resource)
    had = (found.get("latestRolledoutRevision"), found.get("previousRolledoutRevision"))
    return next((str(name) for name in had if name and name != _newest(resource)), "")


def percent_of(resource: Resource, split: Mapping[str, Any]) -> int:
    """A split as ``canaryTrafficPercent``. Raises Invalid and Conflict for what that cannot say, NotFound for no revision."""
    shares = {str(name): whole(value, f"split.{name}", 0, 100) for name, value in split.items()}
    known = [row["name"] for row in _revisions(resource)]
    for name in shares:
        if name not in known:
            what = f"{resource.name} has no revision {name!r} that can get requests"
            raise NotFound(what, where=Where(field=f"split.{name}"), hint=nearest(name, known))
    if sum(shares.values()) != 100:
        raise Invalid(
            f"The shares add up to {sum(shares.values())} %, not to 100 %", where=Where(field="split")
        )
    newest = _newest(resource)
    if shares.get(newest, 0) != 100:
        _require_earlier(resource)
    before = _before(resource)
    for name, share in shares.items():
        if share and name not in {newest, before}:
            what = f"KServe splits between its newest revision, {newest}, and the last that got all, {before}"
            raise Conflict(what, where=Where(field=f"split.{name}"))
    return shares.get(newest, 0)


def _require_earlier(resource: Resource) -> None:
    if not _before(resource):
        what = f"{resource.name} has no earlier revision that could get what {_newest(resource) or 'it'} does not"
        raise Conflict(what, hint="Change its predictor: KServe makes a revision of it.")


class Foreign(Endpoint):
    """The verbs of an endpoint without a record, where KServe's Knative mode has a word for them."""

    _records: Records
    _remote: KubeCluster

    def _knative(self) -> Resource | None:
        """The InferenceService, if its shares are Knative's."""
        if self._records.find(self.name) is not None:
            return None
        found = self._remote.get(KIND, self.name)
        return found if is_knative(found) else None

    def _variants(self) -> tuple[list[Variant], list[Variant]]:
        resource = self.resource
        if "revisions" in resource.status or not resource.status.get("variants"):
            return super()._variants()
        return [
            Variant(row["name"], row["percent"], "", "", row["state"], row["reason"], row["replicas"])
            for row in resource.status["variants"]
        ], []

    def traffic(
        self,
        split: Mapping[str, Any],
        sticky: str | bool | None = False,
        *,
        wait: bool = True,
        dry: bool = False,
    ) -> Endpoint:
        """As on this machine; of a Knative revision by ``canaryTrafficPercent``."""
        if (found := self._knative()) is None:
            return super().traffic(split, sticky, wait=wait, dry=dry)
        if sticky and not isinstance(sticky, bool):
            raise refused(
                "sticky", "Knative splits by request: nobody stays with a revision", "Split without it."
            )
        percent = percent_of(found, split)
        return self if dry else self._set(percent, wait=wait)

    def promote(self, variant: str | None = None, *, wait: bool = True) -> Endpoint:
        """As on this machine; a Knative revision that is the newest gets all requests."""
        if (found := self._knative()) is None:
            return super().promote(variant, wait=wait)
        newest = variant or _newest(found)
        percent_of(found, {newest: 100})
        if newest != _newest(found):
            raise Conflict(f"{newest} is not the newest revision", hint="Return to it: endpoint.rollback().")
        return self._set(None, wait=wait)

    def rollback(self, revision: int | None = None, *, wait: bool = True) -> Endpoint:
        """As on this machine; of Knative revisions the last that got all requests gets them again."""
        if (found := self._knative()) is None:
            return super().rollback(revision, wait=wait)
        if revision is not None:
            raise refused("revision", "KServe has no numbered revisions", "Without a number: the one before.")
        _require_earlier(found)
        return self._set(0, wait=wait)

    def _set(self, percent: int | None, *, wait: bool) -> Endpoint:
        change = {"spec": {"predictor": {_PERCENT: percent}}}
        return self._in_force(self._remote.patch(KIND, self.name, change), wait=wait)
