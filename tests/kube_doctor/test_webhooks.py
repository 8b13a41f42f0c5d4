"""Webhooks against a real API server: what is refused because of them, and what the doctor says."""

from __future__ import annotations

import base64
import datetime as dt

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupyter_ext.cluster.kube_doctor import webhooks
from tests.cluster.answers import Answer
from tests.kube_doctor.conftest import about

HOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
NOW = dt.datetime(2026, 11, 22, tzinfo=dt.UTC)


def authority(begins: dt.datetime, ends: dt.datetime) -> str:
    """A caBundle."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks")])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begins, ends).sign(key, hashes.SHA256())
    return base64.b64encode(made.public_bytes(serialization.Encoding.PEM)).decode()


def good() -> str:
    now = dt.datetime.now(dt.UTC)
    return authority(now - dt.timedelta(days=1), now + dt.timedelta(days=365))


@pytest.fixture
def hook(cluster):
    """A webhook that is asked before a ConfigMap is made in one namespace, with a Service, answered by nobody."""

    def make(
        namespace: str, *, policy: str = "Fail", bundle: str | None = None, answers: bool = False
    ) -> str:
        service = {"metadata": {"name": "asked"}, "spec": {"ports": [{"port": 443}]}}
        cluster.call("POST", f"/api/v1/namespaces/{namespace}/services", service)
        if answers:
            cluster.call(
                "POST",
                f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
                {
                    "metadata": {"name": "asked", "labels": {"kubernetes.io/service-name": "asked"}},
                    "addressType": "IPv4",
                    "endpoints": [{"addresses": ["10.216.0.9"], "conditions": {"ready": True}}],
                    "ports": [{"name": "", "port": 443}],
                },
            )
        client = {"service": {"namespace": namespace, "name": "asked"}}
        if bundle is not None:
            client["caBundle"] = bundle
        one = {
            "name": "config.example.org",
            "clientConfig": client,
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["configmaps"],
                }
            ],
            "failurePolicy": policy,
            "timeoutSeconds": 2,
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
        }
        cluster.gone_after(f"{HOOKS}/of-{namespace}")
        cluster.call("POST", HOOKS, {"metadata": {"name": f"of-{namespace}"}, "webhooks": [one]})
        return f"of-{namespace}"

    return make


@pytest.mark.cluster
def test_nobody_answers_and_its_policy_is_fail(cluster, doctor, mended, hook, tmp_path):
    namespace = cluster.namespace("asking")
    name = hook(namespace, bundle=good())
    path = f"/api/v1/namespaces/{namespace}/configmaps"

    def is_refused() -> bool:  # the API server learns of a webhook a moment later
        try:
            cluster.call("POST", path, {"metadata": {"generateName": "a-"}})
        except Answer as refused:
            return "config.example.org" in refused.body
        return False

    cluster.until(is_refused)
    (found,) = about(doctor(), name)
    assert (found.check, found.severity) == ("webhooks", "problem")
    assert found.what == "A webhook has nobody who answers"
    assert f"service {namespace}/asked" in found.where
    assert found.why == f"Its failurePolicy is Fail: CREATE of configmaps is refused in {namespace}."
    fix = found.fix.splitlines()[-1]
    assert fix == f"kubectl delete validatingwebhookconfiguration {name}"
    mended(fix, tmp_path)
    cluster.until(lambda: not is_refused())
    assert not about(doctor(), name)


@pytest.mark.cluster
def test_a_policy_of_ignore_is_a_warning_and_one_that_is_answered_is_well(cluster, doctor, hook):
    ignored, well = cluster.namespace("ignored"), cluster.namespace("answered")
    names = hook(ignored, policy="Ignore", bundle=good()), hook(well, bundle=good(), answers=True)
    report = doctor()
    (found,) = about(report, names[0])
    assert found.severity == "warning"
    assert "goes on without it" in found.why
    assert not about(report, names[1])


@pytest.mark.cluster
@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        (authority(NOW - dt.timedelta(days=400), NOW - dt.timedelta(days=300)), "has expired, on 2026-01-26"),
        (None, "A webhook has no CA bundle"),
    ],
    ids=["expired", "none"],
)
def test_an_authority_that_is_not_believed(cluster, doctor, hook, bundle, words):
    namespace = cluster.namespace("believed")
    name = hook(namespace, bundle=bundle, answers=True)
    (found,) = about(doctor(), name)
    assert found.severity == "problem"
    assert words in found.what
    assert f"kubectl -n {namespace} rollout restart deployment" in found.fix


def judged(bundle: str, ready: object = 1, policy: str = "Fail", namespaces: tuple = ()) -> list:
    configuration = {
        "metadata": {"name": "c", "annotations": {"cert-manager.io/inject-ca-from": "kserve/serving"}},
        "webhooks": [
            {
                "name": "w",
                "failurePolicy": policy,
                "clientConfig": {"caBundle": bundle, "service": {"namespace": "kserve", "name": "s"}},
                "rules": [{"operations": ["*"], "resources": ["*"]}],
                "namespaceSelector": {"matchExpressions": [{"key": "team", "operator": "Exists"}]},
            }
        ],
    }
    (one,) = webhooks.hooks_of("mutatingwebhookconfiguration", [configuration])
    return webhooks.judge(one, {("kserve", "s"): ready}, namespaces, NOW)


@pytest.mark.parametrize(
    ("bundle", "words"),
    [
        ("", "has no CA bundle"),
        ("???", "cannot be read (it is not base64)"),
        (base64.b64encode(b"no certificate").decode(), "cannot be read"),
        (authority(NOW + dt.timedelta(days=1), NOW + dt.timedelta(days=30)), "is not good before 2026-11-23"),
        (authority(NOW - dt.timedelta(days=1), NOW + dt.timedelta(days=3)), "ends soon"),
        (authority(NOW - dt.timedelta(days=1), NOW), "has expired"),
    ],
)
def test_bundles(bundle, words):
    (found,) = judged(bundle)
    assert words in found.what
    if "not good" not in words:
        assert "cert-manager-cainjector" in found.fix


def test_one_certificate_of_several_that_is_good_is_enough():
    day = dt.timedelta(days=1)
    both = b"".join(
        base64.b64decode(authority(NOW - 90 * day, end)) for end in (NOW - 30 * day, NOW + 90 * day)
    )
    assert judged(base64.b64encode(both).decode()) == []


def test_what_it_is_asked_about_and_where():
    bundle = authority(NOW - dt.timedelta(days=9), NOW + dt.timedelta(days=900))
    spaces = tuple({"metadata": {"name": f"n{i}", "labels": {"team": "a"} if i else {}}} for i in range(6))
    (found,) = judged(bundle, ready=0, namespaces=spaces)
    assert found.why.endswith("every write of everything is refused in n1, n2, n3 and 2 more.")
    (found,) = judged(bundle, ready=None, namespaces=spaces[:1])
    assert found.what == "A webhook's Service does not exist"
    assert found.why.endswith("in no namespace that there is now.")
    assert judged(bundle, ready=0, policy="Ignore")[0].severity == "warning"
