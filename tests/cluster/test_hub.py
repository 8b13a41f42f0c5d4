"""The whole: a real Hub spawns a real notebook server, our extension inside, as a pod in its user's profile."""

from __future__ import annotations

import pytest
import requests

from tests.cluster.hub import USER, have_profile, running_hub

pytestmark = [pytest.mark.cluster, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def hub(cluster, notebook_image, tmp_path):
    with running_hub(cluster, notebook_image, tmp_path) as found:
        yield found


def test_a_notebook_server_with_our_extension_runs_in_the_users_profile(cluster, hub, real_node):
    profile = have_profile(cluster)
    inside = hub.started(profile)
    (pod,) = cluster.call("GET", f"/api/v1/namespaces/{profile}/pods")["items"]
    assert pod["spec"]["nodeName"] == real_node
    # The server asks the Hub who this is, and finds that it may.
    assert hub.ask("GET", f"{inside}api/status").json()["kernels"] == 0
    told = hub.ask("GET", f"{inside}kubeflow/v1/status")
    assert told.status_code == 200, told.text
    assert requests.get(f"{inside}api/status", timeout=30).status_code == 403
    assert hub.ask("DELETE", f"/users/{USER}/server").status_code in {202, 204}
    cluster.until(lambda: not cluster.call("GET", f"/api/v1/namespaces/{profile}/pods")["items"])
