"""Who has a part in a profile: the RoleBindings of its namespace, as Kubeflow's own page of contributors reads them.

    from jupyter_ext import home
    home.contributors()
    home.add_contributor("bob@example.com", "view", dry_run=True)
    home.remove_contributor("bob@example.com")

Whoever asks needs the right himself: the API server decides, and it also looks at each right that is given on.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import quote

from jupyter_ext.cluster.kube.listing import pages
from jupyter_ext.errors import Conflict, Forbidden, Invalid, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.home import gateway

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster

Json = dict[str, Any]
Role = Literal["edit", "view"]

ROLES: Final = ("edit", "view")
KINDS: Final = ("User", "Group")
_RBAC: Final = "rbac.authorization.k8s.io"
_KNOWN: Final = {"admin": "admin", "edit": "edit", "view": "view"}
_PREFIX: Final = "kubeflow-"


def of(cluster: Any) -> list[Json] | None:
    """Each person or group: ``name``, ``kind``, ``role``, ``isOwner``, ``binding``; the owners first.

    None on this machine, and where one may not see them.
    """
    if cluster.kind == "local":
        return None
    try:
        return _read(_bindings(cluster))
    except Forbidden:
        return None


def contributors(cluster: KubeCluster | None = None) -> list[Json]:
    """As ``of``, of the cluster that is used. Raises Unavailable on this machine, Forbidden where one may not see them."""
    return _read(_bindings(_used(cluster)))


def add_contributor(
    name: str,
    role: Role = "edit",
    *,
    kind: str = "User",
    dry_run: bool = False,
    cluster: KubeCluster | None = None,
) -> Json:
    """Let somebody work in the profile (``edit``) or look at it (``view``); gives the row and the ``object``.

    Where the cluster has Istio's policies, a user gets the one that the gateway asks for, too: ``policy``. With ``dry_run``
    the API server checks all of it and stores nothing. Raises Invalid, Conflict (has a part already), Forbidden.
    """
    used = _used(cluster)
    subject = _checked(name, kind, role)
    there = _bindings(used)
    people = _read(there)
    known = next((row for row in people if (row["kind"], row["name"]) == (kind, name)), None)
    doors = gateway.of(used) if kind == "User" else None
    thing = _binding(used.namespace, subject, role, _role_name(there, role))
    about, policy = thing["metadata"], None
    # What lacks the policy alone (it was made before Istio, or by kubectl) is made whole.
    if doors is not None and (
        known is None or (known["role"] == role and known["binding"] not in doors.names)
    ):
        taken = {each["metadata"]["name"] for each in there} | _of_others(doors, name)
        found = known["binding"] if known else gateway.shared_name(name, role, taken)
        asked = doors.policy(found, name, role, [each["name"] for each in people if each["isOwner"]])
        if doors.takes(asked):
            policy, about["name"] = asked, found
    if known and policy is None:
        hint = "Remove it first to give another role." if known["role"] != role else "There is nothing to do."
        raise Conflict(f"{name} has a part in {used.namespace} already: {known['role']}", hint=hint)
    made = None if known else _write(used, thing, dry_run=dry_run)
    if doors is not None and policy is not None and not dry_run:
        _complete(used, doors, policy, made)
    row = {**_row(subject, role, about["name"]), "dryRun": dry_run, "object": thing}
    return {**row, "policy": policy} if policy is not None else row


def _write(used: KubeCluster, thing: Json, *, dry_run: bool) -> Json:
    query = {"fieldManager": used.manager} | ({"dryRun": "All"} if dry_run else {})
    made: Json = used.transport.ask("POST", _path(used), thing, query=query)
    return made


def _of_others(doors: gateway.Gateway, name: str) -> set[str]:
    """The names of policies that are not this user's."""
    return {
        each["metadata"]["name"]
        for each in doors.known
        if (each["metadata"].get("annotations") or {}).get("user") != name
    }


def _complete(used: KubeCluster, doors: gateway.Gateway, policy: Json, made: Json | None) -> None:
    """Write the policy of a binding; where that fails, a binding that was made for it goes again, and the reason is raised."""
    try:
        doors.write(policy, dry_run=False)
    except KubeflowError:
        if made is not None:
            # What cannot be taken back either is listed, and the next attempt makes it whole.
            with suppress(KubeflowError):
                doors.look().remove({made["metadata"]["name"]}, dry_run=False)
            with suppress(KubeflowError):
                _remove(used, made, dry_run=False)
        raise


def _remove(used: KubeCluster, thing: Json, *, dry_run: bool) -> None:
    about = thing["metadata"]
    body: Json = {"preconditions": {"uid": about["uid"]}, **({"dryRun": ["All"]} if dry_run else {})}
    used.transport.ask("DELETE", f"{_path(used)}/{quote(about['name'], safe='')}", body)


def remove_contributor(
    name: str, *, kind: str = "User", dry_run: bool = False, cluster: KubeCluster | None = None
) -> Json:
    """Take somebody out of the profile, and out of the gateway's policies; what he made stays. Gives the row that was removed.

    Raises NotFound, Conflict (the owner; a binding that names others too), Forbidden.
    """
    used = _used(cluster)
    things = [thing for thing in _bindings(used) if (kind, name) in _subjects(thing)]
    if not things:
        raise NotFound(f"{name} has no part in {used.namespace}", where=Where(field="name"))
    for thing in things:
        if _role(thing) == "admin":
            raise Conflict(
                f"{name} owns {used.namespace}", hint="An administrator gives a profile to somebody else."
            )
        if len(thing.get("subjects") or ()) > 1:
            what = f"the RoleBinding {thing['metadata']['name']} names others beside {name}"
            raise Conflict(what, hint="Change it with kubectl: removing it would take them out as well.")
    doors = gateway.of(used) if kind == "User" else None
    names = {str(thing["metadata"]["name"]) for thing in things}
    for dry in (True, False)[: 1 if dry_run else 2]:  # all of it is allowed, or nothing is removed
        if doors is not None:
            doors.remove(names, dry_run=dry)
        for thing in things:
            _remove(used, thing, dry_run=dry)
    first = things[0]
    row = _row({"kind": kind, "name": name}, _role(first), first["metadata"]["name"])
    if doors is not None:
        row["policies"] = sorted(names & doors.names)
    return {**row, "dryRun": dry_run}


def _used(cluster: KubeCluster | None) -> KubeCluster:
    from jupyter_ext.cluster import discover

    used = cluster or discover.remote()
    if used is None:
        raise Unavailable(
            "A profile of this machine has no contributors", hint="Choose a cluster: kf.cluster.use(CONTEXT)."
        )
    return used


def _path(cluster: KubeCluster) -> str:
    return f"/apis/{_RBAC}/v1/namespaces/{cluster.namespace}/rolebindings"


def _bindings(cluster: KubeCluster) -> list[Json]:
    """Without those of servers' own accounts: there is one for each server."""
    things, _ = pages(cluster.transport, _path(cluster), labels="!jupyter-kubeflow.org/server")
    return things


def _subjects(thing: Json) -> list[tuple[str, str]]:
    rows = thing.get("subjects") or ()
    return [
        (str(row["kind"]), str(row["name"])) for row in rows if row.get("kind") in KINDS and row.get("name")
    ]


def _role(thing: Json) -> str:
    """``admin``, ``edit``, ``view``, or the name of another role."""
    name = str((thing.get("roleRef") or {}).get("name") or "")
    return _KNOWN.get(name.removeprefix(_PREFIX), name)


def _read(things: list[Json]) -> list[Json]:
    rows = [
        _row({"kind": kind, "name": name}, _role(thing), thing["metadata"]["name"])
        for thing in things
        for kind, name in _subjects(thing)
        if not name.startswith("system:")
    ]
    order = {"admin": 0, "edit": 1, "view": 2}
    return sorted(rows, key=lambda row: (order.get(row["role"], 3), row["name"]))


def _row(subject: Json, role: str, binding: str) -> Json:
    return {
        "name": subject["name"], "kind": subject["kind"], "role": role, "isOwner": role == "admin", "binding": binding,
    }  # fmt: skip


def _checked(name: str, kind: str, role: str) -> Json:
    """The subject. Raises Invalid for what cannot be one; the Hub's rules are the same."""
    from spawner.names import check_subject
    from spawner.refused import Refused

    if kind not in KINDS:
        raise Invalid(f"{kind!r} is neither {' nor '.join(KINDS)}", where=Where(field="kind"))
    if role not in ROLES:
        raise Invalid(f"{role!r} is neither {' nor '.join(ROLES)}", where=Where(field="role"))
    try:
        check_subject(name, kind)
    except Refused as error:
        raise Invalid(error.message, where=Where(field="name")) from None
    return {"apiGroup": _RBAC, "kind": kind, "name": name}


def _role_name(things: list[Json], role: str) -> str:
    """Kubeflow's ClusterRole where the profile uses those already, else that of Kubernetes itself."""
    used = {str((thing.get("roleRef") or {}).get("name") or "") for thing in things}
    return f"{_PREFIX}{role}" if any(name.startswith(_PREFIX) for name in used) else role


def _binding(namespace: str, subject: Json, role: str, role_name: str) -> Json:
    from spawner.names import binding_name
    from spawner.profiles.membership import MANAGED_BY, MANAGER

    about: Json = {
        "name": binding_name(subject["kind"], subject["name"], role),
        "namespace": namespace,
        "labels": {MANAGED_BY: MANAGER},
    }
    if subject["kind"] == "User":
        about["annotations"] = {"user": subject["name"], "role": role}  # what Kubeflow's page shows
    return {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": about,
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role_name},
        "subjects": [subject],
    }
