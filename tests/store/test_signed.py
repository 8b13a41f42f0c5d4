"""Requests that are signed by the standard library: the same signature as the real library's, and the same objects."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from jupyter_ext import store
from jupyter_ext.store import address, signed

KEYS = {"AWS_ACCESS_KEY_ID": "ada", "AWS_SECRET_ACCESS_KEY": "hidden/key+"}
MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("token", ["", "a-token"])
@pytest.mark.parametrize("verb", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("url", "more"),
    [
        ("s3://team", {"AWS_REGION": "eu-west-1"}),
        ("s3://team/a b/ü=1", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_REGION": "us-east-1"}),
        ("minio://mlpipeline/v2", {"AWS_ENDPOINT_URL": "https://minio.example"}),
    ],
)
def test_the_signature_is_botocores(monkeypatch, url, more, verb, token):
    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    values = {**KEYS, **more, **({"AWS_SESSION_TOKEN": token} if token else {})}
    found = signed.url_of(address.address(url), "blobs/ab/cd~e.f", values)
    digest = "0" * 64
    asked = AWSRequest(verb, found, headers={"X-Amz-Content-SHA256": digest})

    class Clock(datetime):
        @classmethod
        def now(cls, *_):
            return MOMENT

        @classmethod
        def utcnow(cls):
            return MOMENT.replace(tzinfo=None)

    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: MOMENT, raising=False)
    monkeypatch.setattr(botocore.auth.datetime, "datetime", Clock, raising=False)
    monkeypatch.setattr(botocore.auth.S3SigV4Auth, "payload", lambda *_: digest)
    keys = Credentials(values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], token or None)
    botocore.auth.S3SigV4Auth(keys, "s3", values.get("AWS_REGION") or "us-east-1").add_auth(asked)
    mine = signed.headers(verb, found, values, digest, MOMENT)
    assert mine["Authorization"] == asked.headers["Authorization"]
    assert hidden_in(mine) == []


def hidden_in(headers):
    return [text for text in headers.values() if KEYS["AWS_SECRET_ACCESS_KEY"] in text]


def test_without_keys_or_place_nothing_is_asked():
    place = address.address("s3://team")
    assert signed.url_of(place, "a", KEYS) is None
    assert signed.url_of(place, "a", {"AWS_REGION": "eu-west-1"}) is None


def test_objects_are_the_stores(bucket, server, tmp_path):
    import hashlib

    place = store.at(f"{bucket}/team")
    (tmp_path / "in").write_bytes(b"some content")
    digest = hashlib.sha256(b"some content").hexdigest()
    url = signed.url_of(place.address, "results/a b", server.environment)
    signed.put(url, server.environment, tmp_path / "in", digest)
    assert place.get("results/a b") == b"some content"
    signed.fetch(url, server.environment, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"some content"
    with pytest.raises(OSError, match="404"):
        signed.fetch(f"{url}-not", server.environment, tmp_path / "none")
