from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner.api import ApiError
from spawner.starts.explain import explain
from spawner.starts.reasons import Facts, Reason, clip
from spawner.starts.refusals import is_passing, refusal
from tests.spawner.spawning.objects_seen import GPU, condition, event, node, pod, unschedulable

NOT_FOUND = (
    'Failed to pull image "ghcr.io/x/lab:1": rpc error: code = NotFound desc = failed to pull and unpack image '
    '"ghcr.io/x/lab:1": failed to resolve reference "ghcr.io/x/lab:1": ghcr.io/x/lab:1: not found'
)
DENIED = (
    'Failed to pull image "ghcr.io/x/lab:1": failed to authorize: failed to fetch anonymous token: unexpected '
    "status from GET request to https://ghcr.io/token: 401 Unauthorized"
)
HUB = (
    "pull access denied, repository does not exist or may require authorization: server message: "
    "insufficient_scope: authorization failed"
)
BUSY = "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit"
BACKOFF = 'Back-off pulling image "ghcr.io/x/lab:1"'
GPU_WORDS = unschedulable("0/5 nodes are available: 5 Insufficient nvidia.com/gpu.")


def waiting(reason: str, message: str = "") -> dict[str, object]:
    return pod(node="n", waiting={"reason": reason, "message": message})


@pytest.mark.parametrize(
    ("seen", "events", "code", "hopeless"),
    [
        (waiting("ErrImagePull", NOT_FOUND), [], "image-not-found", True),
        (waiting("ErrImagePull", DENIED), [], "image-unauthorized", True),
        (waiting("ErrImagePull", HUB), [], "image-not-found", True),
        (waiting("ErrImagePull", BUSY), [], "image-busy", False),
        (waiting("ErrImagePull", "dial tcp: lookup ghcr.io: no such host"), [], "image-pull", False),
        (waiting("ImagePullBackOff", BACKOFF), [event("Failed", NOT_FOUND)], "image-not-found", True),
        (waiting("ImagePullBackOff", BACKOFF), [], "image-pull", False),
        (waiting("InvalidImageName", "couldn't parse image name"), [], "image-name", True),
        (waiting("ErrImageNeverPull"), [], "image-absent", True),
        (waiting("ContainerCreating"), [], None, False),
        (waiting("CreateContainerConfigError", 'secret "x" not found'), [], "container-config", False),
        (
            waiting("RunContainerError", 'exec: "jupyterhub-singleuser": executable file not found in $PATH'),
            [],
            "container-error",
            True,
        ),
        (
            pod(
                node="n",
                phase="Running",
                waiting={"reason": "CrashLoopBackOff"},
                last={"exitCode": 1, "reason": "Error", "message": "no jupyterhub"},
            ),
            [],
            "crash",
            True,
        ),
        (
            pod(node="n", phase="Running", last={"exitCode": 137, "reason": "OOMKilled"}),
            [],
            "out-of-memory",
            True,
        ),
        (
            pod(
                phase="Failed",
                node="n",
                status={"reason": "Evicted", "message": "The node was low on memory"},
            ),
            [],
            "evicted",
            True,
        ),
        (
            pod(
                node="n",
                conditions=[
                    {
                        **condition("DisruptionTarget", "2026-11-22T10:00:05Z"),
                        "reason": "PreemptionByScheduler",
                    }
                ],
            ),
            [],
            "preempted",
            True,
        ),
        (
            pod(
                phase="Failed",
                node="n",
                status={"reason": "UnexpectedAdmissionError", "message": "no device"},
            ),
            [],
            "node-refused",
            True,
        ),
        (pod(meta={"deletionTimestamp": "2026-11-22T10:00:05Z"}), [], "deleted", True),
        (
            pod(conditions=[unschedulable("pod has unbound immediate PersistentVolumeClaims")]),
            [],
            "claim-unbound",
            False,
        ),
        (
            pod(conditions=[unschedulable('persistentvolumeclaim "claim-ada" not found')]),
            [],
            "claim-missing",
            True,
        ),
        (
            pod(
                conditions=[
                    unschedulable("0/2 nodes are available: 2 node(s) had volume node affinity conflict")
                ]
            ),
            [],
            "volume-zone",
            True,
        ),
        (
            pod(node="n"),
            [event("FailedAttachVolume", "Multi-Attach error for volume", kind="Warning")],
            "volume-elsewhere",
            False,
        ),
        (pod(node="n"), [event("FailedMount", "MountVolume.SetUp failed", kind="Warning")], "mount", False),
        (pod(conditions=[GPU_WORDS]), [], "capacity", False),
        (
            pod(
                conditions=[unschedulable("0/1 nodes are available: 1 node(s) had untolerated taint {x: y}")]
            ),
            [],
            "taint",
            False,
        ),
        (pod(node="n"), [event("FailedCreatePodSandBox", "plugin", kind="Warning")], "network", False),
        (
            pod(node="n"),
            [event("FailedCreatePodSandBox", kind="Warning"), event("Pulling", at="2026-11-22T10:00:06Z")],
            None,
            False,
        ),
        (pod(phase="Running", node="n", ready=True), [event("Killing", kind="Warning")], None, False),
    ],
)
def test_the_reason_of_a_pod(seen, events, code, hopeless):
    found = explain(Facts(seen, events))
    if code is None:
        assert found is None
        return
    assert found is not None
    assert (found.code, found.is_hopeless) == (code, hopeless)
    assert found.what.endswith((".", "…"))


A100 = {"nvidia.com/gpu.product": "A100"}


def test_gpus_are_counted_and_the_own_named():
    nodes = [node(f"gpu-{n}", {GPU: "8"}, labels=A100) for n in range(3)] + [node("cpu", {})]
    pods = [
        pod(
            f"p{n}-{k}",
            "ada" if n == 0 else "ben",
            phase="Running",
            node=f"gpu-{n}",
            wants={GPU: "4"},
            ready=True,
        )
        for n in range(3)
        for k in range(2)
    ]
    asked = pod(wants={GPU: "1"}, conditions=[GPU_WORDS], selector=A100)
    found = explain(Facts(asked, nodes=nodes, pods=pods))
    assert found is not None
    assert found.why == "3 nodes have this GPU; all 24 GPUs are in use, 8 by your own profile."
    assert not found.is_hopeless
    assert "Stop one of your own" in found.next


def test_free_but_scattered_gpus_are_said_to_be_so():
    nodes = [node(f"gpu-{n}", {GPU: "4"}) for n in range(2)]
    pods = [
        pod(f"p{n}", "ben", phase="Running", node=f"gpu-{n}", wants={GPU: "3"}, ready=True) for n in range(2)
    ]
    found = explain(Facts(pod(wants={GPU: "2"}, conditions=[GPU_WORDS]), nodes=nodes, pods=pods))
    assert found is not None
    assert found.why == (
        "2 nodes have this GPU; 6 of 8 GPUs are in use, and no node has more than 1 GPU free, "
        "none by your own profile."
    )


@pytest.mark.parametrize(
    ("nodes", "code", "scales", "hopeless"),
    [
        ([node("a", {GPU: "2"})], "too-large", False, True),
        ([node("a", {GPU: "2"})], "too-large", True, False),
        ([node("a", {GPU: "8"}, cordoned=True)], "cordoned", False, False),
        (
            [node("a", {GPU: "8"}, taints=[{"key": "team", "value": "x", "effect": "NoSchedule"}])],
            "taint",
            False,
            True,
        ),
        (
            [node("a", {GPU: "8"}, taints=[{"key": "node.kubernetes.io/not-ready", "effect": "NoExecute"}])],
            "taint",
            False,
            False,
        ),
        ([node("a")], "too-large", False, True),
    ],
)
def test_nodes_that_can_never_take_it(nodes, code, scales, hopeless):
    asked = pod(wants={GPU: "4"}, conditions=[unschedulable("0/1 nodes are available: 1 Insufficient x.")])
    found = explain(Facts(asked, nodes=nodes, pods=[], scales_up=scales))
    assert found is not None
    assert (found.code, found.is_hopeless) == (code, hopeless)


def test_a_kind_of_node_that_is_not_there():
    asked = pod(selector={"gpu": "h100"}, conditions=[unschedulable("0/1 nodes are available")])
    found = explain(Facts(asked, nodes=[node("a")], pods=[]))
    assert found is not None
    assert (found.code, found.why, found.is_hopeless) == ("no-such-node", "Looked for: gpu=h100.", True)


def test_a_queue_holds_it():
    held = pod(labels={"kueue.x-k8s.io/queue-name": "team-a"})
    held["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    found = explain(Facts(held))
    assert found is not None
    assert found.what == "It waits in the queue team-a."


CONFLICT = (
    'admission webhook "admission-webhook-deployment.kubeflow.org" denied the request: conflict occurred '
    "while applying poddefaults: gcs, s3 on pod: jupyter-ada err: merging env for gcs"
)
FORBIDDEN = 'pods "jupyter-ada" is forbidden: '


@pytest.mark.parametrize(
    ("status", "message", "code", "says"),
    [
        (
            403,
            FORBIDDEN + "exceeded quota: kf-resource-quota, requested: requests.nvidia.com/gpu=1, "
            "used: requests.nvidia.com/gpu=8, limited: requests.nvidia.com/gpu=8",
            "quota",
            "GPUs: 1 asked for, 8 of 8 in use.",
        ),
        (
            403,
            FORBIDDEN
            + "exceeded quota: q, requested: limits.memory=8Gi,pods=1, used: limits.memory=60Gi,pods=3, "
            "limited: limits.memory=64Gi,pods=3",
            "quota",
            "memory (limit): 8.0 GiB asked for, 60.0 GiB of 64.0 GiB in use; servers and jobs: 1 asked for, 3 of 3",
        ),
        (
            403,
            FORBIDDEN + "failed quota: q: must specify limits.cpu for: notebook",
            "quota-unset",
            "limits.cpu",
        ),
        (
            403,
            FORBIDDEN + "maximum cpu usage per Container is 2, but limit is 4",
            "limit-range",
            "maximum cpu usage per Container is 2, but limit is 4",
        ),
        (
            403,
            FORBIDDEN + 'violates PodSecurity "baseline:latest": privileged (container "c" must not set)',
            "pod-security",
            "privileged",
        ),
        (
            400,
            CONFLICT,
            "poddefault-conflict",
            "contradict each other: gcs, s3. ",
        ),
        (
            403,
            'admission webhook "v.policy.io" denied the request: no latest tag',
            "webhook",
            "no latest tag",
        ),
        (
            500,
            'Internal error occurred: failed calling webhook "x.y": failed to call webhook: connection refused',
            "webhook-unreachable",
            "x.y",
        ),
        (
            403,
            FORBIDDEN + "unable to create new content in namespace ada because it is being terminated",
            "namespace-terminating",
            "being deleted",
        ),
        (
            403,
            'pods is forbidden: User "system:serviceaccount:hub:hub" cannot create resource "pods"',
            "forbidden",
            "may not start",
        ),
        (503, "etcd leader changed", "api", "does not answer"),
    ],
)
def test_the_reason_of_a_refused_creation(status, message, code, says):
    found = refusal(ApiError(status, "Forbidden", message))
    assert found.code == code
    assert says in found.text()
    assert found.is_hopeless


@pytest.mark.parametrize(
    ("status", "reason", "message", "passing"),
    [
        (
            403,
            "Forbidden",
            FORBIDDEN + 'error looking up service account ada/default: serviceaccount "default" not',
            True,
        ),
        (
            403,
            "Forbidden",
            FORBIDDEN + "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1",
            False,
        ),
        (
            409,
            "Conflict",
            'Operation cannot be fulfilled on resourcequotas "q": the object has been modified',
            True,
        ),
        (409, "AlreadyExists", 'pods "jupyter-ada" already exists', False),
        (429, "TooManyRequests", "", True),
        (0, "NoAnswer", "", True),
        (422, "Invalid", "", False),
    ],
)
def test_what_is_tried_again(status, reason, message, passing):
    assert is_passing(ApiError(status, reason, message)) is passing


def test_nothing_foreign_becomes_html():
    told = event("Failed", "<img src=x onerror=alert(1)>\x1b[31m pull failed", kind="Warning")
    found = explain(Facts(waiting("ErrImagePull", "<script>alert(1)</script> not found"), [told]))
    assert found is not None
    assert "<script" not in found.html()
    assert "&lt;script&gt;" in found.html()


@given(st.text(), st.integers(1, 50))
def test_a_clipped_text_is_one_printable_line(text, most):
    found = clip(text, most)
    assert len(found) <= most
    assert found == "" or (found.isprintable() and found == found.strip())


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(max_size=300), st.sampled_from([0, 400, 403, 404, 409, 422, 500]), json)
def test_any_refusal_has_a_reason(message, status, details):
    found = refusal(ApiError(status, "x", message, details if isinstance(details, dict) else {}))
    assert isinstance(found, Reason)
    assert len(found.text()) < 3000
