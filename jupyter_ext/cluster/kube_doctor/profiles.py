"""Profiles and their namespaces: whose they are, what has to be in them, and what would be refused there."""

from __future__ import annotations

import asyncio
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from jupyter_ext.cluster.kube_doctor.findings import Finding, grouped, named
from jupyter_ext.cluster.kube_doctor.look import Look, labels_of, name_of, namespace_of, notes_of, place_of
from jupyter_ext.cluster.kube_doctor.reading import Json, Unseen

if TYPE_CHECKING:
    from spawner.profiles.membership import Place

CHECK: Final = "profiles"
BINDINGS: Final = "contributors"
_PART_OF: Final = "app.kubernetes.io/part-of"
_ENFORCE: Final = "pod-security.kubernetes.io/enforce"
_SAMPLE: Final = ("kubeflow-user-example-com", "user@example.com")


async def check(look: Look) -> list[Finding]:
    """Each Profile with its namespace and the accounts in it."""
    profiles, namespaces, accounts = await asyncio.gather(
        look.profiles(), look.namespaces(), look.within("/api/v1", "serviceaccounts")
    )
    places = profile_namespaces(profiles, namespaces)
    of_places: dict[str, set[str]] = {}
    for account in accounts:
        of_places.setdefault(namespace_of(account), set()).add(name_of(account))
    findings = judge(profiles, namespaces)
    for place in places:
        findings += judge_accounts(place, of_places.get(name_of(place), set()))
        findings += judge_security(place)
    if findings:
        return grouped(findings)
    count = f"{len(places):,} profile{'' if len(places) == 1 else 's'}"
    return [
        Finding(
            CHECK, "ok", f"{count}, with all that belongs to them" if places else "There are no profiles yet"
        )
    ]


def profile_namespaces(profiles: Iterable[Json], namespaces: Iterable[Json]) -> list[Json]:
    """The namespaces of Profiles, and those that are marked as a profile's, unless they are being deleted."""
    from spawner.profiles import membership

    titles = {name_of(each) for each in profiles}
    found = []
    for namespace in namespaces:
        place = membership.place_of(namespace)
        is_profile = place.name in titles or place.is_ours or place.labels.get(_PART_OF) == "kubeflow-profile"
        if is_profile and not place.is_going:
            found.append(namespace)
    return found


def judge(profiles: Sequence[Json], namespaces: Sequence[Json]) -> list[Finding]:
    """Whether each Profile has its namespace, and that says the same owner."""
    by_name = {name_of(each): each for each in namespaces}
    findings = []
    for namespace in namespaces:
        findings += _going(namespace)
    for profile in profiles:
        findings += _of_profile(profile, by_name.get(name_of(profile)))
    return findings


def _of_profile(profile: Json, namespace: Json | None) -> list[Finding]:
    from spawner.names import is_system
    from spawner.profiles import membership

    name, title = name_of(profile), membership.title_of(profile)
    if title is None:
        why = "Nobody can be let in: spec.owner needs a kind (User or Group) and a name."
        return [
            Finding(
                CHECK,
                "problem",
                "A Profile has no owner that can be read",
                name,
                why,
                f"kubectl edit profile {name}",
            )
        ]
    if is_system(name):
        why = "Servers never start in a namespace of the cluster's own."
        return [
            Finding(
                CHECK,
                "problem",
                "A Profile is called as the cluster's own namespace",
                name,
                why,
                f"kubectl get profile {name} -o yaml  # make it again under another name",
            )
        ]
    findings = []
    if name == _SAMPLE[0] and title.owner == _SAMPLE[1]:
        why = "Its password, 12341234, is in Kubeflow's manifests: whoever reaches the login page is in."
        fix = (
            "kubectl -n auth edit configmap dex  # remove user@example.com, or give it a password of your own"
        )
        findings.append(
            Finding(CHECK, "warning", "The sample user of Kubeflow's manifests is there", name, why, fix)
        )
    if title.is_going:
        return [*findings, *_stuck("A Profile is being deleted", name, profile, "profile")]
    if namespace is None:
        why = "The Profile controller has not made it: is it running, and does it accept the name?"
        fix = "kubectl -n kubeflow logs deployment/profiles-deployment -c manager --tail=50"
        return [*findings, Finding(CHECK, "problem", "A Profile has no namespace", name, why, fix)]
    return [*findings, *_owners(membership.place_of(namespace), title.owner)]


def _owners(place: Place, named_owner: str) -> list[Finding]:
    """Whether the namespace says the owner that the Profile says."""
    if place.is_going or place.owner == named_owner:
        return []
    fix = f"kubectl annotate namespace {place.name} owner={shlex.quote(named_owner)} --overwrite"
    if not place.owner:
        what = "A Profile's namespace has no owner annotation"
        why = "Nobody's servers start there, and the Profile controller leaves it alone: it may be somebody else's."
        return [Finding(CHECK, "problem", what, place.name, why, fix)]
    why = f"The Profile says {named_owner}, the namespace {place.owner}: nobody's servers start there."
    what = "A Profile and its namespace have different owners"
    return [Finding(CHECK, "problem", what, place.name, why, fix + "  # if the Profile is right")]


def _going(namespace: Json) -> list[Finding]:
    if (namespace.get("status") or {}).get("phase") != "Terminating":
        return []
    return _stuck("A namespace is being deleted", name_of(namespace), namespace, "namespace")


def _stuck(what: str, name: str, thing: Json, kind: str) -> list[Finding]:
    """What a deletion waits for, as its conditions say."""
    rows = (thing.get("status") or {}).get("conditions") or ()
    said = [
        str(row.get("message") or row.get("reason"))
        for row in rows
        if row.get("status") == "True" and str(row.get("type", "")).startswith("Namespace")
    ]
    finalizers = (thing.get("metadata") or {}).get("finalizers") or ()
    if said:
        why = "It waits: " + " ".join(said)[:400].rstrip(".") + ". Nothing new starts in it."
    elif finalizers:
        why = f"It waits for {', '.join(map(str, finalizers))}: the controller that has to remove this may be away."
    else:
        why = "Nothing new starts in it."
    fix = f"kubectl describe {kind} {name}"
    if kind == "namespace":
        fix += (
            "\nkubectl api-resources --verbs=list --namespaced -o name | xargs -n1 kubectl get -n "
            + name
            + " --ignore-not-found"
        )
    return [Finding(CHECK, "warning", what, name, why, fix)]


def judge_accounts(namespace: Json, accounts: Collection[str]) -> list[Finding]:
    """Without ``default`` no pod that names none is accepted; without ``default-editor`` no step of a pipeline."""
    name, findings = name_of(namespace), []
    if "default" not in accounts:
        why = "Every pod that names no account is refused: steps of jobs, volumes' helpers."
        fix = f"kubectl -n {name} create serviceaccount default"
        findings.append(Finding(CHECK, "problem", "The service account default is missing", name, why, fix))
    if "default-editor" not in accounts:
        why = "Runs of Kubeflow Pipelines and Notebooks use it, and are refused or never start."
        fix = (
            f"kubectl -n {name} create serviceaccount default-editor && kubectl -n {name} create rolebinding"
            f" default-editor --clusterrole=kubeflow-edit --serviceaccount={name}:default-editor"
        )
        findings.append(
            Finding(CHECK, "warning", "The service account default-editor is missing", name, why, fix)
        )
    return findings


def judge_security(namespace: Json) -> list[Finding]:
    """Pod security levels that pods of Kubeflow do not meet, and labels that webhooks look for."""
    name, labels, findings = name_of(namespace), labels_of(namespace), []
    if labels.get(_ENFORCE) == "restricted":
        why = (
            "The Hub's servers meet it; steps, jobs and model servers that do not say runAsNonRoot, as most of Kubeflow's,"
            " are refused."
        )
        fix = f"kubectl label namespace {name} {_ENFORCE}=baseline --overwrite"
        findings.append(Finding(CHECK, "warning", "The pod security level is restricted", name, why, fix))
    if labels.get(_PART_OF) != "kubeflow-profile":
        why = (
            "Webhooks of Kubeflow pass it by, and the Hub of our chart is not let in: no server starts there."
        )
        fix = f"kubectl label namespace {name} {_PART_OF}=kubeflow-profile --overwrite"
        findings.append(
            Finding(CHECK, "warning", "A profile's namespace is not labelled as one", name, why, fix)
        )
    return findings


async def contributors(look: Look) -> list[Finding]:
    """RoleBindings as Kubeflow's access management (kfam) reads them."""
    profiles, bindings = await asyncio.gather(
        look.profiles(), look.within("/apis/rbac.authorization.k8s.io/v1", "rolebindings")
    )
    owners = [str(((each.get("spec") or {}).get("owner") or {}).get("name") or "") for each in profiles]
    return judge_bindings(bindings, owners)


def kfam_name(kind: str, user: str, role: str) -> str:
    """The name that kfam gives a contributor's binding: many letters become the same ``-``."""
    return re.sub(r"[^a-z0-9]+", "-", f"{kind}-{user}-clusterrole-{role}".lower())


def judge_bindings(bindings: Iterable[Json], owners: Iterable[str]) -> list[Finding]:
    """People whom kfam takes for one, and bindings that show somebody other than they let in."""
    people = {owner for owner in owners if owner}
    findings: list[Finding] = []
    for binding in bindings:
        shown = notes_of(binding).get("user")
        named_ = {
            str(each.get("name")) for each in binding.get("subjects") or () if each.get("kind") == "User"
        }
        people |= named_ if shown else set()
        if shown and named_ and shown not in named_:
            why = f"The dashboard shows {shown}; {', '.join(sorted(named_))} is let in."
            fix = f"kubectl -n {namespace_of(binding)} delete rolebinding {name_of(binding)}  # and add the right one again"
            findings.append(
                Finding(
                    BINDINGS,
                    "problem",
                    "A binding shows somebody else than it lets in",
                    place_of(binding),
                    why,
                    fix,
                )
            )
    findings += [_same(group) for group in collisions(people)]
    return findings or [
        Finding(BINDINGS, "ok", f"The bindings of {len(people):,} people have names of their own")
    ]


def collisions(people: Iterable[str]) -> list[list[str]]:
    """Groups of people whose bindings would have one name."""
    groups: dict[str, list[str]] = {}
    for person in sorted(set(people)):
        groups.setdefault(kfam_name("User", person, "edit"), []).append(person)
    return [group for group in groups.values() if len(group) > 1]


def _same(group: Sequence[str]) -> Finding:
    why = (
        f"Their bindings have the same name ({kfam_name('User', group[0], 'edit')}): in one profile the second is refused,"
        " and removing either removes the other's."
    )
    fix = (
        "jupyter kf profiles apply FILE.yaml  # contributors declared there have bindings of their own names"
    )
    return Finding(
        BINDINGS,
        "warning",
        "Kubeflow's access management takes different people for one",
        named(group),
        why,
        fix,
    )


async def seen(look: Look) -> tuple[list[Json], list[Json]]:
    """Profile namespaces, and all that are meant; for the checks of what is in them; raises `Unseen`."""
    namespaces = await look.namespaces()
    try:
        profiles = await look.profiles()
    except Unseen:
        profiles = []
    return profile_namespaces(profiles, namespaces), namespaces


def by_namespace(things: Iterable[Json]) -> Mapping[str, list[Json]]:
    """Things by the namespace that they are in."""
    found: dict[str, list[Json]] = {}
    for thing in things:
        found.setdefault(namespace_of(thing), []).append(thing)
    return found
