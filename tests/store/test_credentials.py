"""Whose keys open a store, and what of an environment or of a Secret is for which kind."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext import secrets, store
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unfit
from jupyter_ext.store import credentials, launcher
from jupyter_ext.store.address import address, checked_name


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s", "OTHER": "x"},
            {"key": "a", "secret": "s"},
        ),
        ({"accesskey": "a", "secretkey": "s"}, {"key": "a", "secret": "s"}),
        ({"awsAccessKeyID": "a", "awsSecretAccessKey": "s"}, {"key": "a", "secret": "s"}),
        ({"AWS_ENDPOINT_URL": "http://m:9000"}, {"endpoint_url": "http://m:9000"}),
        ({"S3_ENDPOINT": "m:9000", "S3_USE_HTTPS": "0"}, {"endpoint_url": "http://m:9000"}),
        ({"S3_ENDPOINT": "m"}, {"endpoint_url": "https://m"}),
        ({"AWS_DEFAULT_REGION": "eu-west-1"}, {"client_kwargs": {"region_name": "eu-west-1"}}),
        ({}, {"key": None, "endpoint_url": None, "client_kwargs": None}),
    ],
)
def test_keys_of_s3(given, wanted):
    made = credentials.options("minio", credentials.known("s3", given).values)
    assert {name: made.get(name) for name in wanted} == wanted
    assert made["config_kwargs"]["connect_timeout"] == 10
    assert made["use_listings_cache"] is False


def test_keys_of_google_and_azure():
    token = {"type": "service_account", "private_key": "hidden"}
    known = credentials.known("gs", {"gcloud-application-credentials.json": json.dumps(token)})
    assert credentials.options("gs", known.values)["token"] == token
    assert known.keys == {"JUPYTER_KUBEFLOW_GCS_CREDENTIALS": "gcloud-application-credentials.json"}
    assert "token" not in credentials.options("gs", {}), "the service account's"
    with pytest.raises(Invalid, match="not its JSON file") as caught:
        credentials.options("gs", {"JUPYTER_KUBEFLOW_GCS_CREDENTIALS": "{hidden"})
    assert "hidden" not in str(caught.value)
    azure = credentials.known(
        "abfs", {"AZURE_STORAGE_ACCOUNT_NAME": "team", "AZURE_STORAGE_ACCOUNT_KEY": "k"}
    )
    made = credentials.options("abfs", azure.values)
    assert (made["account_name"], made["account_key"], made.get("default_credential")) == ("team", "k", None)
    assert credentials.options("az", {"AZURE_STORAGE_ACCOUNT_NAME": "team"})["default_credential"] is True


@pytest.mark.parametrize("bad", ["ftp://m", "http://me:pw@m", "http://m 1"])
def test_an_endpoint_that_is_none_is_not_repeated(bad):
    with pytest.raises(Invalid, match="AWS_ENDPOINT_URL is no address") as caught:
        credentials.endpoint({"AWS_ENDPOINT_URL": bad})
    assert "pw" not in str(caught.value)


def test_the_profile_says_which_store(monkeypatch, tmp_path):
    assert store.default() is None
    secrets.set("artifact-store", "url", "s3://team/flights", kind="ConfigMap")
    secrets.set("artifact-store", "secret", "team-keys", kind="ConfigMap")
    found = store.default()
    assert (found.url, found.secret) == ("s3://team/flights", "team-keys")
    with pytest.raises(NotFound, match="no Secret team-keys") as caught:
        found.put_bytes(b"a")
    assert "jupyter kf secret set team-keys" in str(caught.value)
    secrets.set("team-keys", "AWS_SECRET_ACCESS_KEY", "hidden")
    with pytest.raises(Unfit, match="of this machine alone") as caught:
        found.pod_environment()
    assert "kubectl create secret generic team-keys" in str(caught.value)
    assert "hidden" not in str(caught.value)
    monkeypatch.setenv("JUPYTER_KUBEFLOW_STORE", tmp_path.as_uri())
    assert store.default().url == tmp_path.as_uri()
    assert store.default().pod_environment() == {"env": []}
    with pytest.raises(Invalid):
        store.at("s3://team", secret="../other")


def test_a_pod_speaks_as_its_service_account_where_nobody_has_keys(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://minio:9000")
    assert store.at("s3://team").pod_environment() == {
        "env": [{"name": "AWS_ENDPOINT_URL", "value": "http://minio:9000"}]
    }


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (
            {},
            (
                "minio://mlpipeline/v2/artifacts",
                None,
                {"AWS_ENDPOINT_URL": "http://minio-service.kubeflow:9000"},
            ),
        ),
        ({"defaultPipelineRoot": "s3://team/runs"}, ("s3://team/runs", None, {})),
        (
            {
                "defaultPipelineRoot": "s3://team/runs?region=x",
                "providers": "s3: {default: {endpoint: 's3.example', region: eu, credentials: {fromEnv: false, "
                "secretRef: {secretName: keys}}}}",
            },
            ("s3://team/runs", "keys", {"AWS_ENDPOINT_URL": "https://s3.example", "AWS_REGION": "eu"}),
        ),
        (
            {
                "defaultPipelineRoot": "s3://team/runs/a",
                "providers": "s3: {default: {region: eu}, overrides: [{bucketName: team, keyPrefix: runs/, "
                "region: us, credentials: {fromEnv: true, secretRef: {secretName: keys}}}]}",
            },
            ("s3://team/runs/a", None, {"AWS_REGION": "us"}),
        ),
        ({"defaultPipelineRoot": "gs://team", "providers": "[not: {a: mapping"}, ("gs://team", None, {})),
        ({"defaultPipelineRoot": "gs://team", "providers": "[1, 2]"}, ("gs://team", None, {})),
    ],
)
def test_what_a_namespace_tells_kubeflow_pipelines_is_read(data, wanted):
    assert launcher.said(data) == wanted


@given(st.text(max_size=60))
def test_no_name_leads_out(name):
    try:
        parts = checked_name(name).split("/")
    except Invalid:
        return
    assert parts
    assert all(part not in {"", ".", ".."} and "\\" not in part for part in parts)


@given(st.text(max_size=60).map("s3://b".__add__) | st.text(max_size=60).map("file:///m".__add__) | st.text())
def test_an_address_is_one_or_refused(url):
    try:
        found = address(url)
    except KubeflowError:
        return
    assert address(found.url) == found
    assert ".." not in found.prefix.split("/")
