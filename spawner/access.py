"""What somebody may do, by the only one who knows: the API server (SubjectAccessReview)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from spawner.api import ApiError
from spawner.names import check_subject
from spawner.refused import Refused

if TYPE_CHECKING:
    from spawner.api import Asking

_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


async def allowed(
    api: Asking,
    user: str,
    groups: Iterable[str],
    verb: str,
    resource: str,
    namespace: str,
    *,
    group: str = "",
    subresource: str = "",
) -> bool:
    """Whether the user may; ``group`` is the API group of the resource.

    Groups called ``system:…`` are left out: an identity provider has no say over Kubernetes' own. Raises Refused
    503 where the API server cannot be asked: no answer is never a yes.
    """
    asked = {
        "namespace": namespace,
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
    }
    spec = {
        "user": check_subject(user),
        "groups": sorted({name for name in groups if name and not name.startswith("system:")}),
        "resourceAttributes": {name: value for name, value in asked.items() if value},
    }
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    try:
        found = await api.post(_REVIEWS, body)
    except ApiError as error:
        raise unanswered("who may do what", error) from error
    status = found.get("status") or {}
    return status.get("allowed") is True and status.get("denied") is not True


def unanswered(what: str, error: ApiError) -> Refused:
    """The refusal for a question that the API server did not answer; its own words stay in the log."""
    if error.status == 403:
        return Refused(
            503,
            f"The Hub is not permitted to ask the cluster {what}",
            hint="An administrator finds the missing right with: jupyter kf doctor --cluster.",
        )
    return Refused(503, f"The cluster did not answer {what}", hint="Try again in a minute.")
