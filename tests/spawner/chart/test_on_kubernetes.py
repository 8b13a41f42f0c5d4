"""The Hub's configuration from mounted files, as JupyterHub itself reads it."""

from __future__ import annotations

import json

import pytest
from traitlets.config import Config

from spawner.hub.on_kubernetes import VARIABLE, configure, load, secrets
from spawner.refused import Refused

LEAST = {
    "hub_url": "http://hub-hub.jh.svc:8081",
    "proxy_api_url": "http://hub-proxy-api.jh.svc:8001",
    "authentication": {"class": "dummy"},
}


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Writes the files as the kubelet mounts them: `mounted(values, secrets, extra)`."""

    def write(values, secret=None, extra=None):
        for folder, files in (("secrets", secret or {}), ("extra", extra or {})):
            (tmp_path / folder).mkdir()
            for name, text in files.items():
                (tmp_path / folder / name).write_text(text)
        (tmp_path / "hub.json").write_text(json.dumps(values))
        monkeypatch.setenv(VARIABLE, str(tmp_path))
        return tmp_path

    return write


def test_a_secret_is_a_file_and_extra_code_is_last(mounted):
    values = {**LEAST, "config": {"GenericOAuthenticator": {"client_id": "hub", "client_secret": "no"}}}
    mounted(
        values,
        {"GenericOAuthenticator.client_secret": "s3cret\n", "JupyterHub.db_url": "postgresql://db"},
        {"b.py": "c.JupyterHub.port = seen", "a.py": "c.JupyterHub.port = 1; c.JupyterHub.db_url += '/hub'"},
    )
    c = Config()
    with pytest.raises(NameError):  # files do not see each other's names
        load(c)
    assert c.GenericOAuthenticator.client_id == "hub"
    assert c.GenericOAuthenticator.client_secret == "s3cret"
    assert c.JupyterHub.db_url == "postgresql://db/hub"


@pytest.mark.parametrize(
    "name", ["password", "a.b", "JupyterHub", "JupyterHub.db.url", "JupyterHub.__class__"]
)
def test_a_secret_that_is_no_setting_is_refused_with_its_name(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(Refused, match="names no setting"):
        secrets(tmp_path)


def test_what_the_kubelet_keeps_beside_is_no_secret(tmp_path):
    """https://kubernetes.io/docs/concepts/storage/projected-volumes: ..data is a link to the files of now."""
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "A.b").write_text("1")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "A.b").symlink_to("..data/A.b")
    assert secrets(tmp_path) == {"A.b": "1"}


@pytest.mark.parametrize("text", ["", "[1]", "{"])
def test_values_that_cannot_be_read_are_named(mounted, text):
    place = mounted(LEAST)
    (place / "hub.json").write_text(text)
    with pytest.raises(Refused, match=r"hub\.json"):
        load(Config())


def test_config_is_laid_over_what_the_chart_says():
    c = Config()
    configure(c, {**LEAST, "config": {"Spawner": {"default_url": "/tree"}}}, {})
    assert c.Spawner.default_url == "/tree"
    assert c.Spawner.consecutive_failure_limit == 0
    assert "services" not in c.JupyterHub
    assert not [scope for scope in c.Spawner.server_token_scopes if scope.startswith("access:servers")]
