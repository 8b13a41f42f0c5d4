from __future__ import annotations

import pytest

from spawner.form.settings import configure
from spawner.starts import identity
from spawner.starts.pod import Additions, claim_template, dressed, home_claim
from spawner.starts.rules import Own, denied

GPU = {
    "key": "a100",
    "title": "A100",
    "resource": "nvidia.com/gpu",
    "counts": [1, 2],
    "node_selector": {"gpu": "a100"},
    "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
}
SCHEMA = configure(
    images=[{"key": "lab", "reference": "example.org/lab:1", "title": "Lab"}],
    sizes=[{"key": "s", "title": "S", "cpu": "500m", "memory": "1Gi"}],
    accelerators=[GPU],
    home={"size": "5Gi", "sizes": ["5Gi", "20Gi"]},
)


def plain():
    return {
        "metadata": {"name": "jupyter-ada", "annotations": {}},
        "spec": {
            "containers": [
                {
                    "name": "notebook",
                    "image": "old",
                    "env": [{"name": "JUPYTER_IMAGE", "value": "old"}, {"name": "A", "value": "1"}],
                }
            ],
            "serviceAccountName": "default-editor",
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [
                            {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
                        ]
                    }
                }
            },
        },
    }


def made(**answers):
    options = SCHEMA.extended(profiles=["ada"]).check({"namespace": "ada", **answers})
    return dressed(plain(), Additions("jupyter-ada", home_claim="claim-ada"), options), options


def test_choices_are_in_the_pod():
    pod, options = made(accelerator="a100", count="2")
    main = pod["spec"]["containers"][0]
    assert main["image"] == "example.org/lab:1"
    assert {"name": "JUPYTER_IMAGE", "value": "example.org/lab:1"} in main["env"]
    assert main["resources"]["requests"] | {"nvidia.com/gpu": "2"} == options.requests()
    assert main["resources"]["limits"]["nvidia.com/gpu"] == "2"
    assert pod["spec"]["nodeSelector"] == {"gpu": "a100"}
    assert pod["spec"]["tolerations"] == GPU["tolerations"]
    assert {"name": "home", "mountPath": "/home/jovyan"} in main["volumeMounts"]


def test_the_server_is_its_own_account_with_a_token_for_pipelines():
    pod, _ = made()
    assert pod["spec"]["serviceAccountName"] == "jupyter-ada"
    assert identity.pipelines_volume() in pod["spec"]["volumes"]
    found = {each["name"]: each.get("value") for each in pod["spec"]["containers"][0]["env"]}
    assert found["KF_PIPELINES_SA_TOKEN_PATH"] == "/var/run/secrets/kubeflow/pipelines/token"


def test_what_is_built_breaks_no_rule():
    pod, _ = made(accelerator="a100", count="1", home="keep", home_size="20Gi")
    assert denied(pod, Own("jupyter-ada", [identity.PIPELINES_VOLUME])) == []


@pytest.mark.parametrize("level", ["pod", "container"])
def test_it_is_confined(level):
    pod, _ = made()
    if level == "pod":
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    else:
        context = pod["spec"]["containers"][0]["securityContext"]
        assert context == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_the_homes_claim():
    _, options = made(home_size="20Gi")
    claim = home_claim("claim-ada", options, {"a": "b"}, {})
    assert claim is not None
    assert claim["spec"]["resources"]["requests"]["storage"] == "20Gi"
    _, none = made(home="none")
    assert home_claim("claim-ada", none, {}, {}) is None


def test_a_device_of_a_class_is_claimed():
    template = claim_template("jupyter-ada", "ada", {"device_class": "gpu.nvidia.com", "count": 2})
    request = template["spec"]["spec"]["devices"]["requests"][0]
    assert request["exactly"] == {
        "deviceClassName": "gpu.nvidia.com",
        "allocationMode": "ExactCount",
        "count": 2,
    }
