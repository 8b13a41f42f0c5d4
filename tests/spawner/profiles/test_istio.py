"""Istio's policies, accepted by a real API server with Istio's own definition; there is no mesh behind it."""

from __future__ import annotations

import json

import pytest
import yaml

from spawner.profiles.declared import check
from spawner.profiles.objects import KINDS
from spawner.profiles.policy import Platform
from spawner.profiles.provision import apply, plan
from tests.cluster import build, network
from tests.spawner.profiles.controller import DEFINITIONS, asked

pytestmark = pytest.mark.cluster

NAME = "authorizationpolicies.security.istio.io"
PLATFORM = Platform(hub_principals=("cluster.local/ns/jupyterhub/sa/hub",))


@pytest.fixture(scope="module")
def definition_of_istio():
    """Out of the Go module that KServe is built from."""
    with network.outside():
        folder = build.module("kserve", "istio.io/api")
    with (folder / "kubernetes/customresourcedefinitions.gen.yaml").open() as file:
        for part in file.read().split("\n---\n"):
            if f"name: {NAME}" in part:
                return yaml.safe_load(part)
    raise AssertionError(NAME)


@pytest.fixture
def mesh(plain, definition_of_istio):
    """A cluster without Profiles and with AuthorizationPolicies."""
    plain.call("POST", DEFINITIONS, definition_of_istio)

    def served():
        try:
            return "items" in plain.call("GET", KINDS["AuthorizationPolicy"].everywhere)
        except Exception:
            return False

    plain.until(served)
    yield plain
    plain.call("DELETE", f"{DEFINITIONS}/{NAME}")
    plain.until(lambda: not plain.exists(f"{DEFINITIONS}/{NAME}"))


def test_policies_are_taken_and_then_rest(mesh, fresh):
    name = fresh("team")
    mesh.gone_after(f"/api/v1/namespaces/{name}")
    people = [{"user": "bob@x.org"}, {"user": "eve@x.org", "role": "view"}, {"group": "guests"}]
    declared = check({"profiles": [{"name": name, "owner": "ann@x.org", "contributors": people}]}).profiles

    async def work(api):
        outcomes = await apply(api, await plan(api, declared, PLATFORM))
        return [outcome.reason for outcome in outcomes if not outcome.is_done], await plan(
            api, declared, PLATFORM
        )

    failed, after = asked(mesh, work)
    assert failed == []
    assert {change.action for change in after} == {"keep"}
    policies = {
        thing["metadata"]["name"]: thing["spec"]
        for thing in mesh.call("GET", KINDS["AuthorizationPolicy"].within(name))["items"]
    }
    assert {"ns-owner-access-istio", "jupyterhub-access"} <= set(policies)
    words = json.dumps(policies)
    assert "ann@x.org" in words
    assert "bob@x.org" in words
    assert "eve@x.org" not in words, "who may only look never reaches a page, which is a kernel"
    assert "guests" not in words
    path = f"{KINDS['AuthorizationPolicy'].within(name)}/ns-owner-access-istio"
    mesh.call("PATCH", path, {"spec": {"rules": [{}]}})
    assert asked(mesh, work)[0] == []
    assert mesh.call("GET", path)["spec"] == policies["ns-owner-access-istio"], (
        "a rule for everybody does not last"
    )
