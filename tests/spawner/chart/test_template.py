"""What Helm makes of values: accepted by a real API server, object by object; and what the Hub may then do."""

from __future__ import annotations

import json
import re
import secrets
from typing import Any

import pytest
import yaml

from jupyter_ext.serving import kube_runtime
from spawner.names import namespace_name
from spawner.profiles.policy import Platform
from spawner.profiles.provision import first_login
from spawner.refused import Refused
from tests.cluster import build, network
from tests.cluster.answers import Answer
from tests.cluster.place import REPOSITORY
from tests.spawner.chart.helm import CHART, KUBEFLOW, LEAST
from tests.spawner.profiles.controller import DEFINITIONS, asked

pytestmark = pytest.mark.cluster
NAMESPACE = "jh"
PLURALS = {
    "NetworkPolicy": "networkpolicies",
    "Ingress": "ingresses",
    "PeerAuthentication": "peerauthentications",
}
WIDE = {
    **LEAST,
    "imagePullSecrets": ["pull"],
    "authentication": {"class": "generic-oauth", "allowed": ["ada"], "admins": ["eve"]},
    "hub": {
        "baseUrl": "/jupyter",
        "publicUrl": "https://hub.example.org",
        "config": {"GenericOAuthenticator": {"client_id": "hub", "scope": ["openid", "{{ .Values }}"]}},
        "secrets": [
            {"setting": "GenericOAuthenticator.client_secret", "name": "oauth", "key": "client-secret"}
        ],
        "extraConfig": {"10-more": 'c.JupyterHub.log_level = "DEBUG"\nx = "{{ 1 }}"'},
        "database": {"urlSecret": {"name": "database", "key": "url"}},
        "existingSecret": "mine",
        "annotations": {"example.org/a": "b"},
        "accountAnnotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/hub"},
        "environment": {"SSL_CERT_FILE": "/etc/ca/ca.crt"},
        "volumes": [{"name": "ca", "configMap": {"name": "ca"}}],
        "volumeMounts": [{"name": "ca", "mountPath": "/etc/ca"}],
    },
    "servers": {
        "images": [{"key": "lab", "reference": "example.org/lab:1", "title": "Ünï \"quoted\" 'text'"}],
        "sizes": [{"key": "small", "cpu": "1", "memory": "2Gi", "idle_minutes": 30}],
        "home": {"size": "10Gi", "storage_class": "fast"},
    },
    "profiles": {"make": True, "defaults": {"quota": {"cpu": 8, "requests.nvidia.com/gpu": 1}}},
    "idle": {"gpuMinutes": 20, "dcgmUrl": "http://dcgm.monitoring:9400/metrics"},
    "proxy": {
        "image": "quay.io/jupyterhub/configurable-http-proxy:5.3.0",
        "service": {"type": "NodePort", "nodePort": 30080, "annotations": {"a": "b"}},
    },
    "ingress": {"enabled": True, "className": "nginx", "host": "hub.example.org", "tlsSecret": "tls"},
    "httpRoute": {"enabled": True, "parentRefs": [{"name": "public"}], "hostnames": ["hub.example.org"]},
    "rbac": {"services": True, "namespaces": ["default"]},
    "networkPolicy": {"from": [{"podSelector": {"matchLabels": {"app": "ingress"}}}], "metadata": True},
    "pods": {
        "nodeSelector": {"pool": "system"},
        "tolerations": [{"key": "system", "operator": "Exists"}],
        "affinity": {"nodeAffinity": {}},
        "labels": {"team": "ml"},
    },
}
OPENSHIFT = {**LEAST, "security": {"fixedIds": False}}


@pytest.fixture
def place(cluster) -> str:
    """The namespace of the release."""
    return str(cluster.namespace(NAMESPACE))


@pytest.fixture(scope="module")
def mesh(cluster):
    """Istio's and the Gateway API's definitions, out of the Go modules that KServe is built from."""
    with network.outside():
        istio = build.module("kserve", "istio.io/api") / "kubernetes/customresourcedefinitions.gen.yaml"
        routes = build.module("kserve", "sigs.k8s.io/gateway-api") / "config/crd/standard"
    wanted = r"(virtualservices\.networking|authorizationpolicies\.security|peerauthentications\.security)\."
    found = [
        thing
        for text in (istio.read_text(), (routes / "gateway.networking.k8s.io_httproutes.yaml").read_text())
        for thing in yaml.safe_load_all(text)
        if thing and re.match(f"{wanted}|httproutes", thing["metadata"]["name"])
    ]
    assert len(found) == 4
    made = []
    for thing in found:
        path = f"{DEFINITIONS}/{thing['metadata']['name']}"
        if not cluster.exists(path):
            cluster.call("POST", DEFINITIONS, thing)
            made.append(path)
        version = next(each["name"] for each in thing["spec"]["versions"] if each["storage"])
        group, plural = thing["spec"]["group"], thing["spec"]["names"]["plural"]
        cluster.until(lambda path=f"/apis/{group}/{version}/{plural}": served(cluster, path))
    yield
    for path in made:
        cluster.call("DELETE", path)
        cluster.until(lambda path=path: not cluster.exists(path))


def served(cluster, path) -> bool:
    try:
        return "items" in cluster.call("GET", path)
    except Answer:
        return False


def path_of(thing: dict[str, Any]) -> str:
    kind, version = thing["kind"], thing["apiVersion"]
    plural = PLURALS.get(kind) or re.sub("y$", "ie", kind.lower()) + "s"
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    space = thing["metadata"].get("namespace")
    within = f"/namespaces/{space}" if space else ""
    return f"{root}{within}/{plural}/{thing['metadata']['name']}"


def accepted(cluster, things) -> None:
    """Each by server-side apply as a dry run, with every field known to the server."""
    query = {"fieldManager": "test", "dryRun": "All", "fieldValidation": "Strict"}
    for thing in things:
        try:
            cluster.call("PATCH", path_of(thing), thing, query, patch="apply")
        except Answer as error:
            raise AssertionError(f"{thing['kind']} {thing['metadata']['name']}: {error}\n{thing}") from None


def one(things, kind, name):
    (found,) = [each for each in things if each["kind"] == kind and each["metadata"]["name"] == name]
    return found


def hub_json(things) -> dict[str, Any]:
    return json.loads(one(things, "ConfigMap", "hub-hub")["data"]["hub.json"])


def test_lint(helm):
    assert "0 chart(s) failed" in helm.done("lint", "--strict", str(CHART), "--values", helm.values(LEAST))


@pytest.mark.parametrize("values", [LEAST, WIDE, OPENSHIFT], ids=["least", "wide", "openshift"])
def test_the_api_server_accepts_every_object(cluster, helm, place, mesh, values):
    things = helm.template(values, namespace=place)
    accepted(cluster, things)
    for thing in things:
        if thing["kind"] != "Deployment":
            continue
        pod = thing["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert ("runAsUser" in pod["securityContext"]) == (values is not OPENSHIFT)


def test_pods_are_allowed_at_the_restricted_level(cluster, helm, place):
    """Pod security: what the chart makes runs in a namespace that lets nothing pass."""
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.call("PATCH", f"/api/v1/namespaces/{place}", {"metadata": {"labels": label}})
    for thing in helm.template({**LEAST, "idle": {"enabled": True}}, namespace=place):
        if thing["kind"] == "Deployment":
            template = thing["spec"]["template"]
            pod = {"metadata": {"name": "try", **template["metadata"]}, "spec": template["spec"]}
            pod["spec"]["serviceAccountName"] = "default"
            cluster.call("POST", f"/api/v1/namespaces/{place}/pods", pod, {"dryRun": "All"})


def test_what_was_given_reaches_the_hub_unchanged(helm):
    things = helm.template(WIDE)
    found = hub_json(things)
    assert found["base_url"] == "/jupyter/"
    assert found["config"] == WIDE["hub"]["config"]
    assert found["spawner"]["images"] == WIDE["servers"]["images"]
    assert found["spawner"]["profile_defaults"] == WIDE["profiles"]["defaults"]
    assert found["spawner"]["profile_platform"] == {"hub_namespace": "jh"}
    assert (
        one(things, "ConfigMap", "hub-hub")["data"]["extra-10-more.py"]
        == WIDE["hub"]["extraConfig"]["10-more"]
    )
    assert "client-secret" not in json.dumps(found)
    kinds = {thing["kind"] for thing in things}
    assert not kinds & {"Secret", "PersistentVolumeClaim"}  # both are given


def test_a_full_kubeflow_has_one_way_in_for_an_identity(cluster, helm, place, mesh):
    root = f"istio.rootNamespace={place},serving.enabled=false"  # neither istio-system nor KServe is here
    things = helm.template(
        {**LEAST, "authentication": {}}, "--values", str(KUBEFLOW), "--set", root, namespace=place
    )
    accepted(cluster, things)
    found = hub_json(things)
    assert found["authentication"]["class"] == "spawner.hub.gateway.GatewayAuthenticator"
    assert found["config"]["GatewayAuthenticator"]["user_header"] == "kubeflow-userid"
    gateway = "cluster.local/ns/istio-system/sa/istio-ingressgateway-service-account"
    nobody = {"key": "request.headers[kubeflow-userid]", "notValues": ["*"]}
    for part in ("proxy", "hub"):
        policy = one(things, "AuthorizationPolicy", f"hub-{part}")["spec"]
        assert policy["action"] == "ALLOW"
        trusted = {gateway, f"cluster.local/ns/{place}/sa/hub-proxy", f"cluster.local/ns/{place}/sa/hub-hub"}
        for rule in policy["rules"]:
            (source,) = rule["from"]
            assert set(source["source"]["principals"]) <= trusted or rule["when"] == [nobody]
    assert one(things, "PeerAuthentication", "hub-hub")["spec"]["mtls"] == {"mode": "STRICT"}
    service = one(things, "VirtualService", "hub-proxy")["spec"]["http"][-1]
    assert service["match"] == [{"uri": {"prefix": "/jupyterhub/"}}]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "image: name the image"),
        ({"image": "x:1"}, "authentication.class: say who may sign in"),
        (
            {"image": "x:1", "authentication": {"class": "spawner.hub.gateway.GatewayAuthenticator"}},
            "istio.enabled must be true",
        ),
        ({**LEAST, "hub": {"database": {"urlSecret": {"name": "a"}}}}, "hub.database.urlSecret: give both"),
        ({**LEAST, "httpRoute": {"enabled": True}}, "httpRoute.parentRefs: name the Gateway"),
        ({**LEAST, "idle": {"minuts": 5}}, "additional properties 'minuts' not allowed"),
        ({**LEAST, "hub": {"namedServers": "five"}}, "at '/hub/namedServers': got string, want integer"),
    ],
)
def test_values_that_cannot_be_installed_are_refused_in_words(helm, values, words):
    assert words in helm.refusal(values)


def test_the_hub_makes_pods_in_profiles_and_nowhere_else(cluster, helm, place):
    values = {**LEAST, "profiles": {"make": True}}
    for thing in helm.template(values, namespace=place):
        if thing["kind"].startswith(("ClusterRole", "ValidatingAdmission")):
            cluster.apply(path_of(thing), thing)
            cluster.gone_after(path_of(thing))
    hub = cluster.caller(f"system:serviceaccount:{place}:hub-hub")
    profile = cluster.namespace("team", {"app.kubernetes.io/part-of": "kubeflow-profile"})
    account = {"metadata": {"name": "server"}}
    dry = {"dryRun": "All"}

    def answered(method: str, path: str, body: dict) -> str:
        try:
            hub(method, path, body, dry)
        except Answer as error:
            return str(error)
        return ""

    def refused(space: str = "kube-system") -> str:
        return answered("POST", f"/api/v1/namespaces/{space}/serviceaccounts", account)

    # The API server takes up rights and policies one after the other.
    cluster.until(lambda: "namespaces of profiles only" in refused())
    cluster.until(lambda: not refused(profile))
    assert "namespaces of profiles only" in refused(place)
    made = {"metadata": {"name": "made", "labels": {"app.kubernetes.io/managed-by": "jupyter-kubeflow"}}}
    cluster.until(lambda: not answered("POST", "/api/v1/namespaces", made))
    for method, path, body in (
        ("POST", "/api/v1/namespaces", {"metadata": {"name": "mine"}}),
        (
            "PATCH",
            "/api/v1/namespaces/kube-system",
            {"metadata": {"labels": {"app.kubernetes.io/part-of": "kubeflow-profile"}}},
        ),
    ):
        cluster.until(lambda asked=(method, path, body): "changes no others" in answered(*asked))
    for path in ("secrets", "configmaps", "pods/server/exec"):
        with pytest.raises(Answer) as forbidden:
            hub("GET", f"/api/v1/namespaces/{profile}/{path}")
        assert forbidden.value.status == 403


@pytest.mark.parametrize("make", [True, False])
def test_the_rights_of_the_chart_are_those_that_making_a_profile_takes(plain, helm, place, make):
    for thing in helm.template({**LEAST, "profiles": {"make": make}}, namespace=place):
        if thing["kind"].startswith(("ClusterRole", "ValidatingAdmission")):
            plain.apply(path_of(thing), thing)
            plain.gone_after(path_of(thing))
    user = f"{secrets.token_hex(6)}@example.org"
    plain.gone_after(f"/api/v1/namespaces/{namespace_name(user, 'user-')}")

    async def first(api):
        return await first_login(api, user, platform=Platform(hub_namespace=place))

    hub = f"system:serviceaccount:{place}:hub-hub"
    if make:
        assert asked(plain, first, hub).role == "owner"
    else:
        with pytest.raises(Refused):
            asked(plain, first, hub)


def test_the_values_of_the_page_are_values(helm):
    page = (REPOSITORY / "docs/install.md").read_text()
    (values,) = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert {"Ingress", "Deployment", "Secret"} <= {thing["kind"] for thing in helm.template(values)}


def test_tokens_are_drawn_anew_for_each_release(helm):
    drawn = [one(helm.template(LEAST), "Secret", "hub-hub")["data"] for _ in range(2)]
    assert not set(drawn[0].values()) & set(drawn[1].values())
    assert len(set(drawn[0].values())) == 4


def test_the_model_servers_runtime_is_what_the_library_makes_where_it_is_hidden(helm):
    """Who has rights in one profile alone cannot see a runtime of the whole cluster."""
    (runtime,) = helm.template(
        {**LEAST, "serving": {"enabled": True}}, "--show-only", "templates/serving.yaml"
    )
    built = kube_runtime.built_in(str(LEAST["image"]))
    assert runtime["metadata"]["name"] == built["metadata"]["name"]
    assert runtime["metadata"]["labels"][kube_runtime.SERVER] == "true"
    assert {name: runtime["spec"][name] for name in built["spec"]} == built["spec"]
