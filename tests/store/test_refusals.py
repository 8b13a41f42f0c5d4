"""What goes wrong is said in one sentence: whose credentials, which bucket, full, or no answer; and what to do."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from jupyter_ext import secrets, store
from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.errors import Forbidden, Invalid, KubeflowError, NotFound, Unavailable, Unfit
from jupyter_ext.store.refusals import refusal
from tests.store.server import KEYS, free_port, serve

SECRET = "correct-horse-battery"


def test_a_bucket_that_is_not_there_is_named(bucket):
    lost = store.at("s3://no-such-bucket-here/team")
    for call in (lambda: lost.put_bytes(b"a"), lost.names, lambda: list(lost.digests())):
        with pytest.raises(NotFound, match="no such bucket") as caught:
            call()
        assert "s3://no-such-bucket-here/team" in str(caught.value)
    assert not lost.exists("a")


@contextmanager
def guarded() -> Iterator[tuple[str, dict[str, str]]]:
    """A bucket that only one person's keys open; the server checks every signature."""
    import boto3

    with serve() as server:
        url = server.bucket("guarded")
        keys = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
        iam = boto3.client("iam", endpoint_url=server.endpoint, **keys)
        iam.create_user(UserName="ada")
        said = iam.create_access_key(UserName="ada")["AccessKey"]
        allowed = {
            "Effect": "Allow",
            "Action": "s3:*",
            "Resource": ["arn:aws:s3:::guarded", "arn:aws:s3:::guarded/*"],
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        iam.put_user_policy(UserName="ada", PolicyName="own", PolicyDocument=policy)
        iam.close()
        made = {**server.environment, "AWS_ACCESS_KEY_ID": said["AccessKeyId"]}
        server.ask("/moto-api/reset-auth", "0")
        yield url, {**made, "AWS_SECRET_ACCESS_KEY": said["SecretAccessKey"]}


def test_wrong_credentials_say_whose_they_are_and_are_looked_for_anew(monkeypatch, caplog):
    with guarded() as (url, keys):
        monkeypatch.setenv("AWS_ENDPOINT_URL", keys["AWS_ENDPOINT_URL"])
        place = store.at(url)
        with pytest.raises(Forbidden, match="no credentials"):
            place.put_bytes(b"a")
        secrets.set("artifact-store", "AWS_ACCESS_KEY_ID", "nobody")
        secrets.set("artifact-store", "AWS_SECRET_ACCESS_KEY", SECRET)
        secrets.set("artifact-store", "AWS_ENDPOINT_URL", keys["AWS_ENDPOINT_URL"])
        with pytest.raises(
            Forbidden, match="does not accept the credentials of the Secret artifact-store"
        ) as caught:
            place.put_bytes(b"a")
        assert "jupyter kf secret set artifact-store" in str(caught.value)
        secrets.set("artifact-store", "AWS_ACCESS_KEY_ID", keys["AWS_ACCESS_KEY_ID"])
        with pytest.raises(Forbidden, match="does not accept"):
            place.put_bytes(b"a")
        secrets.set("artifact-store", "AWS_SECRET_ACCESS_KEY", keys["AWS_SECRET_ACCESS_KEY"])
        digest = place.put_bytes(b"a")
        assert place.read(digest) == b"a", "the same object, with the Secret as it is now"
        with pytest.raises(Forbidden, match="no right"):
            store.at("s3://guarded-by-others").put_bytes(b"a")
        assert SECRET not in str(caught.value) + repr(caught.value.__cause__) + repr(place) + caplog.text


def test_no_answer_is_bounded_and_named(monkeypatch):
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unavailable, match="does not answer") as caught:
        store.at("s3://bucket/team").put_bytes(b"a")
    assert "AWS_ENDPOINT_URL" in str(caught.value)


@contextmanager
def cutting(port: int, after: int) -> Iterator[tuple[int, list[int]]]:
    """A way to a server that breaks off once, when so many bytes came back; and how many connections there were."""
    made: list[int] = []
    sockets: list[socket.socket] = []

    def forward(source: socket.socket, target: socket.socket, limit: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                passed += len(data)
                if limit is not None and passed >= limit and not cut:
                    cut.append(passed)
                    break
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                behind = socket.create_connection(("127.0.0.1", port))
                made.append(1)
                sockets.extend((client, behind))
                threading.Thread(target=forward, args=(client, behind, None), daemon=True).start()
                threading.Thread(target=forward, args=(behind, client, after), daemon=True).start()

    cut: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1], cut
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for each in sockets:
            each.close()


def test_a_connection_that_breaks_off_costs_nothing(bucket, server, monkeypatch, tmp_path):
    content = os.urandom(6 << 20)
    digest = store.at(bucket).put_bytes(content)
    with cutting(int(server.endpoint.rpartition(":")[2]), 1 << 20) as (port, cut):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        store.at(bucket).fetch(digest, tmp_path / "copy")
        assert cut, "it did break off"
    assert (tmp_path / "copy").read_bytes() == content


def test_what_a_lost_server_interrupts_goes_on_when_it_is_back(monkeypatch, tmp_path):
    here = Blobs(tmp_path / "blobs")
    digests = [here.put_bytes(os.urandom(300_000)) for _ in range(12)]
    with serve() as server:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        place = store.at(server.bucket("team"))
        place.push(here, digests[:4])
        port = int(server.endpoint.rpartition(":")[2])
    with pytest.raises(Unavailable, match="does not answer"):
        place.push(here, digests)
    with serve(port=port) as server:
        server.bucket("other")
        with pytest.raises(NotFound, match="no such bucket"):
            place.push(here, digests)
        server.bucket("team")
        assert place.push(here, digests).files == 12


def test_a_full_folder_is_said_and_leaves_what_was_there(tmp_path):
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount")
    try:
        place = store.at((folder / "store").as_uri())
        place.write("runs/a/run.json", b"before")
        for call in (
            lambda: place.put_bytes(bytes(2 << 20)),
            lambda: place.write("runs/a/run.json", bytes(2 << 20)),
            lambda: place.create("runs/b", bytes(2 << 20)),
        ):
            with pytest.raises(KubeflowError, match="The store is full") as caught:
                call()
            assert caught.value.status == 507
        assert place.get("runs/a/run.json") == b"before"
        assert [found.name for found in place.names()] == ["runs/a/run.json"]
        source = store.at((tmp_path / "large").as_uri())
        digest = source.put_bytes(os.urandom(2 << 20))
        with pytest.raises(KubeflowError, match="The disk of this machine is full"):
            source.fetch(digest, folder / "copy")
        assert not (folder / "copy").exists()
        assert not list((folder / "store" / ".tmp").iterdir())
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_claim_that_is_not_mounted_is_no_store(tmp_path):
    place = store.at((tmp_path / "mnt" / "store").as_uri())
    for call in (lambda: place.put_bytes(b"a"), place.names, lambda: place.exists("a")):
        with pytest.raises(Unavailable, match="folder of the store is not there"):
            call()
    assert not (tmp_path / "mnt").exists()


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("s3://key:hunter2@bucket/x", "without credentials"),
        ("s3://bucket/x?AWSAccessKeyId=hunter2", "without credentials"),
        ("s3:///x", "cannot be a bucket"),
        ("s3://bucket/../x", "cannot be a name"),
        ("s3://bu cket", "cannot be a bucket"),
        ("ftp://host/x", "'ftp' is no store"),
        ("/mnt/store", "'/mnt/store' is no store"),
        ("file://host/mnt", "whole path"),
        ("file:///mnt/../etc", "whole path"),
        ("file:///mnt/%2e%2e/etc", "whole path"),
        ("http://[x/", "must be a URL"),
        (7, "must be a URL"),
    ],
)
def test_an_address_that_is_none_is_refused_before_anything(url, what):
    with pytest.raises(Invalid, match=what) as caught:
        store.at(url)
    assert "hunter2" not in str(caught.value)


def test_a_package_that_lacks_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "s3fs", None)
    from fsspec.registry import _registry

    monkeypatch.delitem(_registry, "s3", raising=False)
    with pytest.raises(Unavailable, match="Install fsspec and s3fs"):
        store.at("s3://bucket")
    from jupyter_ext.errors import Where

    with pytest.raises(Unfit, match="s3fs is not installed"):
        store.require("s3://bucket/x", Where(field="artifactUri"))
    with pytest.raises(Unfit, match="gopher:// cannot be fetched from"):
        store.require("gopher://x", Where(field="artifactUri"))
    store.require(str(Path("/tmp/x")), Where())


def _answer(code: str, status: int) -> Exception:
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "PutObject")


@pytest.mark.parametrize(
    ("code", "status", "kind", "http"),
    [
        ("QuotaExceeded", 403, KubeflowError, 507),
        ("XMinioStorageFull", 507, KubeflowError, 507),
        ("507", 507, KubeflowError, 507),
        ("ExpiredToken", 400, Forbidden, 403),
        ("InvalidAccessKeyId", 403, Forbidden, 403),
        ("RequestTimeTooSkewed", 403, Forbidden, 403),
        ("AccessDenied", 403, Forbidden, 403),
        ("403", 403, Forbidden, 403),
        ("NoSuchBucket", 404, NotFound, 404),
        ("404", 404, NotFound, 404),
        ("EntityTooLarge", 400, Invalid, 400),
        ("SlowDown", 503, Unavailable, 503),
        ("InternalError", 500, Unavailable, 503),
        ("Surprise", 418, Unavailable, 503),
    ],
)
def test_what_servers_answer_in_words(code, status, kind, http):
    error = OSError(5, "behind it")
    error.__cause__ = _answer(code, status)
    for each in (_answer(code, status), error):
        made = refusal(each, "s3://bucket/x", "keys")
        assert (type(made), made.status) == (kind, http), made
        assert "s3://bucket/x" in str(made)
    assert type(refusal(OSError("what?"), "s3://b")) is Unavailable
