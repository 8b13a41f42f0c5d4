"""What a cluster can do for this user, and why not: found in few requests, sent together, within a bounded time.

Which kinds it has: one request for all. Who one is, and what one may do: one each, by `SelfSubjectReview` and
`SelfSubjectRulesReview`; only where the latter says that it is incomplete, each right is asked for by a
`SelfSubjectAccessReview`. What else there is (quotas, queues, classes of storage, nodes) is told where one may see it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.cluster.answers import Capability
from jupyter_ext.cluster.kube import services
from jupyter_ext.cluster.kube.older import older_training
from jupyter_ext.cluster.resource import KINDS
from jupyter_ext.errors import KubeflowError, Unavailable

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube.cluster import KubeCluster

PATIENCE: Final = 10.0
"""Seconds for all of it."""
FRESH_SECONDS: Final = 300.0
MISSING_SECONDS: Final = 10.0
_AUTHORIZATION: Final = "/apis/authorization.k8s.io/v1"
_WRITE: Final = ("create", "patch", "delete")
_READ: Final = ("get", "list", "watch")


class Need(NamedTuple):
    """What one capability is made of: its kind, those that do it in part, and the kinds of upstream's that it needs."""

    title: str
    kind: str
    instead: tuple[str, ...] = ()
    also: tuple[tuple[str, str], ...] = ()


NEEDS: Final[dict[str, Need]] = {
    "training": Need(
        "Kubeflow Trainer",
        "TrainJob",
        ("PyTorchJob", "TFJob", "XGBoostJob"),
        (("trainer.kubeflow.org", "clustertrainingruntimes"), ("jobset.x-k8s.io", "jobsets")),
    ),
    "tuning": Need("Katib", "Experiment", also=(("kubeflow.org", "trials"),)),
    "spark": Need("The Spark operator", "SparkApplication"),
    "serving": Need("KServe", "InferenceService", also=(("serving.kserve.io", "clusterservingruntimes"),)),
}
OPTIMIZATION_JOBS: Final = ("trainer.kubeflow.org", "optimizationjobs")
UNUSED: Final = "OptimizationJob is defined there and not used: no controller for it is released."
_BY_REST: Final = {
    "schedules": "Schedules are kept, and run, in this container.",
}


class Right(NamedTuple):
    """One thing that one may or may not do in the namespace."""

    verb: str
    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}.{self.group}" if self.group else f"{self.verb} {self.resource}"


@dataclass(frozen=True)
class Survey:
    """What was found. ``None`` means that one may not see it; ``requests`` is what it took."""

    user: str
    version: str
    capabilities: Mapping[str, Capability]
    quotas: Sequence[str] | None = None
    queues: Sequence[str] | None = None
    storage: Sequence[str] | None = None
    runtimes: Sequence[str] | None = None
    accelerators: Mapping[str, int] | None = None
    gateways: bool = False
    requests: int = 0
    seconds: float = 0.0
    unanswered: Sequence[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        found = {**vars(self)}
        found["capabilities"] = {
            name: {**can.to_dict(), "state": can.state} for name, can in self.capabilities.items()
        }
        return found


def capabilities(cluster: KubeCluster) -> Mapping[str, Capability]:
    """By the names of the embedded cluster's; asked for again after some minutes."""
    return survey(cluster).capabilities


def survey(cluster: KubeCluster, patience: float = PATIENCE) -> Survey:
    """Look at the cluster; what was found lately is given again. Raises Unavailable where there is no answer in time."""
    known = cluster.surveyed
    if known is not None and time.monotonic() - known[0] < FRESH_SECONDS:
        return known[1]
    found = _Looking(cluster, patience).found()
    cluster.surveyed = (time.monotonic(), found)
    return found


class _Looking:
    """One look: all requests at once, and what did not come in time is left out."""

    def __init__(self, cluster: KubeCluster, patience: float) -> None:
        self._cluster = cluster
        self._began = time.monotonic()
        self._until = self._began + patience
        self._before = cluster.transport.requests
        self._unanswered: list[str] = []

    def found(self) -> Survey:
        """All of it. Raises Unavailable for no answer at all."""
        transport, namespace = self._cluster.transport, self._cluster.namespace
        threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="kubeflow-survey")
        try:
            wanted: dict[str, tuple[str, Mapping[str, Any] | None]] = {
                "version": ("/version", None),
                "user": ("/apis/authentication.k8s.io/v1/selfsubjectreviews", _review("authentication")),
                "rules": (f"{_AUTHORIZATION}/selfsubjectrulesreviews", _rules(namespace)),
                "quotas": (f"/api/v1/namespaces/{namespace}/resourcequotas", None),
                "storage": ("/apis/storage.k8s.io/v1/storageclasses", None),
                "nodes": ("/api/v1/nodes", None),
            }
            ask: dict[str, Future[Any]] = {
                name: threads.submit(self._ask, path, body) for name, (path, body) in wanted.items()
            }
            ask["kinds"] = threads.submit(self._cluster.kinds.all)
            ask["registry"] = threads.submit(services.registry, self._cluster)
            kinds = self._of(ask, "kinds")
            if kinds is None:
                raise Unavailable(
                    f"{transport.access.name} does not answer",
                    hint="Is the address right, is a VPN or a proxy needed? kubectl version asks the same server.",
                )
            for name, group, plural in (
                ("queues", "kueue.x-k8s.io", "localqueues"),
                ("runtimes", "trainer.kubeflow.org", "clustertrainingruntimes"),
            ):
                if served := kinds.get((group, plural)):
                    ask[name] = threads.submit(self._ask, served[0].path(namespace))
            may = self._rights(self._of(ask, "rules"))
            runtimes = _names(self._of(ask, "runtimes"))
            can = {name: _judged(name, kinds, may, runtimes, self._cluster) for name in NEEDS}
            can |= {name: Capability(False, why) for name, why in _BY_REST.items()}
            can["pipelines"] = _steps(may, self._cluster)
            if not can["tuning"].available and _trains(can["training"], self._cluster):
                can["tuning"] = _trials(can["tuning"], self._cluster)
            if OPTIMIZATION_JOBS in kinds:
                can["tuning"] = can["tuning"]._replace(reason=f"{can['tuning'].reason} {UNUSED}")
            can["registry"] = self._of(ask, "registry") or Capability(
                True, "It was not found out in time whether there is a Model Registry.", degraded=True
            )
            user = ((self._of(ask, "user") or {}).get("status") or {}).get("userInfo") or {}
            return Survey(
                user=str(user.get("username") or ""),
                version=str((self._of(ask, "version") or {}).get("gitVersion") or ""),
                capabilities=can,
                quotas=_said_quotas(self._of(ask, "quotas")),
                queues=_names(self._of(ask, "queues")),
                storage=_names(self._of(ask, "storage")),
                runtimes=runtimes,
                accelerators=_accelerators(self._of(ask, "nodes")),
                gateways=("gateway.networking.k8s.io", "gateways") in kinds,
                requests=transport.requests - self._before,
                seconds=time.monotonic() - self._began,
                unanswered=self._unanswered,
            )
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _left(self) -> float:
        return max(self._until - time.monotonic(), 0.5)

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        method = "GET" if body is None else "POST"
        return self._cluster.transport.ask(method, path, body, repeat=True, patience=self._left())

    def _of(self, asked: Mapping[str, Future[Any]], name: str) -> Any:
        """The answer; None where one may not ask, or none came in time."""
        if name not in asked:
            return None
        try:
            return asked[name].result(timeout=self._left())
        except TimeoutError:
            self._unanswered.append(name)
        except KubeflowError as error:
            if isinstance(error, Unavailable):
                self._unanswered.append(name)
            if name == "kinds" and not isinstance(error, Unavailable):
                raise
        return None

    def _rights(self, rules: Any) -> Callable[[Right], bool]:
        """Whether one has a right, as the rules tell; where they do not tell all, it is asked for."""
        status = (rules or {}).get("status") or {}
        listed = status.get("resourceRules") or ()
        whole = bool(rules) and not status.get("incomplete")
        answered: dict[Right, bool] = {}

        def may(right: Right) -> bool:
            if any(_covers(rule, right) for rule in listed):
                return True
            if whole or time.monotonic() > self._until:
                return not (rules or listed)
            if right not in answered:
                answered[right] = self._access(right)
            return answered[right]

        return may

    def _access(self, right: Right) -> bool:
        attributes = {
            "namespace": self._cluster.namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource.partition("/")[0],
            "subresource": right.resource.partition("/")[2],
        }
        body = {
            **_review("authorization", "SelfSubjectAccessReview"),
            "spec": {"resourceAttributes": attributes},
        }
        try:
            answer = self._ask(f"{_AUTHORIZATION}/selfsubjectaccessreviews", body)
        except KubeflowError:
            return True  # nobody knows; the API server will say
        return bool((answer.get("status") or {}).get("allowed"))


def _review(group: str, kind: str = "SelfSubjectReview") -> dict[str, Any]:
    return {"apiVersion": f"{group}.k8s.io/v1", "kind": kind}


def _rules(namespace: str) -> dict[str, Any]:
    return {**_review("authorization", "SelfSubjectRulesReview"), "spec": {"namespace": namespace}}


def _covers(rule: Mapping[str, Any], right: Right) -> bool:
    def has(key: str, *wanted: str) -> bool:
        return bool({"*", *wanted} & set(rule.get(key) or ()))

    below = f"*/{right.resource.partition('/')[2]}" if "/" in right.resource else right.resource
    return (
        not rule.get("resourceNames")
        and has("verbs", right.verb)
        and has("apiGroups", right.group)
        and has("resources", right.resource, below)
    )


def _judged(
    name: str, kinds: Mapping[tuple[str, str], Any], may: Callable[[Right], bool],
    runtimes: Sequence[str] | None, cluster: KubeCluster,
) -> Capability:  # fmt: skip
    need = NEEDS[name]
    group, _, version = KINDS[need.kind].api_version.rpartition("/")
    plural = KINDS[need.kind].plural
    place = cluster.access.name
    versions = [served.version for served in kinds.get((group, plural), ())]
    other = [kind for kind in need.instead if _is_served(kinds, kind)]
    if other and older_training(lambda _: version in versions):
        return _older(other, need, may, cluster)
    if version not in versions:
        if versions:
            return Capability(
                False, f"{place} has {plural}.{group} as {', '.join(versions)}, and we speak {version}."
            )
        return Capability(False, f"{need.title} is not installed in {place}.")
    lacking = [Right(verb, group, plural) for verb in (*_READ, *_WRITE)]
    lacking = [right for right in lacking if not may(right)]
    if lacking and lacking[0].verb in _READ:
        return Capability(False, f"You may not {lacking[0]} in {cluster.namespace}.")
    missing = [f"{also}.{of}" for of, also in need.also if (of, also) not in kinds]
    if missing:
        return Capability(False, f"{need.title} is installed in part: {missing[0]} is missing.")
    if lacking:
        said = ", ".join(right.verb for right in lacking)
        return Capability(
            True, f"You may see, but not {said} {plural}.{group} in {cluster.namespace}.", degraded=True
        )
    if name == "training" and runtimes is not None and not runtimes:
        return Capability(
            True, "There is no training runtime yet: an administrator installs them.", degraded=True
        )
    if unseen := _unseen(may, cluster):
        return Capability(True, unseen, degraded=True)
    return Capability(True, f"Runs in {place}, namespace {cluster.namespace}, by {need.title}.")


def _unseen(may: Callable[[Right], bool], cluster: KubeCluster) -> str:
    """What is not told of work that runs there, and why; empty where all is."""
    rights = [Right("list", "", "pods"), Right("get", "", "pods/log"), Right("list", "", "events")]
    lacking = next((right for right in rights if not may(right)), None)
    return f"Logs and reasons are not told: you may not {lacking} in {cluster.namespace}." if lacking else ""


def _older(
    served: Sequence[str], need: Need, may: Callable[[Right], bool], cluster: KubeCluster
) -> Capability:
    """Training by the operator that was before Kubeflow Trainer, as far as one may use its kinds."""
    lacking = {kind: _lacking(kind, may) for kind in served}
    usable = [kind for kind in served if lacking[kind] is None]
    if not usable:
        return Capability(False, f"You may not {lacking[served[0]]} in {cluster.namespace}.")
    said = [f"Jobs are the training operator's {', '.join(usable)} in {cluster.access.name}."]
    if absent := [kind for kind in need.instead if kind not in usable]:
        said.append(f"{', '.join(absent)} cannot be made there.")
    said.append("JAX, DeepSpeed, runtimes and progress need Kubeflow Trainer.")
    if unseen := _unseen(may, cluster):
        said.append(unseen)
    return Capability(True, " ".join(said), degraded=True)


def _lacking(kind: str, may: Callable[[Right], bool]) -> Right | None:
    """The first right that is missing to work with a kind."""
    group, plural = KINDS[kind].api_version.rpartition("/")[0], KINDS[kind].plural
    rights = (Right(verb, group, plural) for verb in (*_READ, *_WRITE))
    return next((right for right in rights if not may(right)), None)


def _steps(may: Callable[[Right], bool], cluster: KubeCluster) -> Capability:
    """Notebook pipelines, whose steps are Jobs."""
    right = Right("create", "batch", "jobs")
    if not may(right):
        return Capability(False, f"You may not {right} in {cluster.namespace}.")
    where = f"in {cluster.access.name}, namespace {cluster.namespace}"
    return Capability(
        True, f"Steps run as Jobs {where}; they need a store that pods reach: JUPYTER_KUBEFLOW_STORE."
    )


def _trains(training: Capability, cluster: KubeCluster) -> bool:
    """Whether trials can be training jobs there: TrainJobs as they should be, or the older kinds."""
    return training.available and (not training.degraded or older_training(cluster.has))


def _trials(lacking: Capability, cluster: KubeCluster) -> Capability:
    """Tuning without Katib: each trial is a training job."""
    how = f"Trials run in {cluster.access.name} as training jobs, steered from this container."
    return Capability(True, f"{lacking.reason} {how}", degraded=True)


def _is_served(kinds: Mapping[tuple[str, str], Any], kind: str) -> bool:
    return (KINDS[kind].api_version.rpartition("/")[0], KINDS[kind].plural) in kinds


def _names(listed: Any) -> list[str] | None:
    if listed is None:
        return None
    return [str((each.get("metadata") or {}).get("name")) for each in listed.get("items") or ()]


def _said_quotas(listed: Any) -> list[str] | None:
    """``team: requests.cpu 3 of 4, …``."""
    if listed is None:
        return None
    found = []
    for each in listed.get("items") or ():
        status = each.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        amounts = ", ".join(f"{key} {used.get(key, '0')} of {value}" for key, value in hard.items())
        found.append(f"{each['metadata']['name']}: {amounts}")
    return found


def _accelerators(nodes: Any) -> dict[str, int] | None:
    """What nodes have beside CPU and memory, by the name under which pods ask for it."""
    if nodes is None:
        return None
    found: dict[str, int] = {}
    for node in nodes.get("items") or ():
        for key, value in ((node.get("status") or {}).get("allocatable") or {}).items():
            domain = key.partition("/")[0]
            if "/" in key and not domain.endswith("kubernetes.io") and str(value).isdecimal():
                found[key] = found.get(key, 0) + int(value)
    return found
