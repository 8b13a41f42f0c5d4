from __future__ import annotations

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


async def test_bytes_come_as_they_are_and_nothing_in_them_can_run(jp_fetch, api, cluster):
    digest = cluster.blobs.put_bytes(SVG)
    answer = await jp_fetch("kubeflow", "v1", "blobs", digest, params={"mime": "image/svg+xml"})
    assert answer.body == SVG
    assert answer.headers["Content-Type"] == "image/svg+xml"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert "sandbox" in policy
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy


async def test_without_a_type_they_are_a_download(jp_fetch, api, cluster):
    digest = cluster.blobs.put_bytes(b"\x80\x05model")
    answer = await jp_fetch("kubeflow", "v1", "blobs", digest, params={"name": 'mo"del\r\nX: y.pkl'})
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert "X" not in answer.headers


async def test_other_types_are_refused(api, cluster):
    digest = cluster.blobs.put_bytes(b"<script>alert(1)</script>")
    for mime in ("text/html", "application/javascript", "image/svg", "text/plain\r\nX: y"):
        status, found = await api("blobs", digest, params={"mime": mime})
        assert (status, found["where"]["field"]) == (400, "mime")


async def test_a_blob_never_changes(jp_fetch, api, cluster):
    digest = cluster.blobs.put_bytes(b"x" * 3_000_000)
    answer = await jp_fetch("kubeflow", "v1", "blobs", digest, params={"mime": "text/plain"})
    assert len(answer.body) == 3_000_000
    assert "immutable" in answer.headers["Cache-Control"]
    again = await jp_fetch(
        "kubeflow",
        "v1",
        "blobs",
        digest,
        headers={"If-None-Match": answer.headers["Etag"]},
        raise_error=False,
    )
    assert (again.code, again.body) == (304, b"")


async def test_only_digests_name_blobs(api, cluster):
    for name in ("..", "b3:xyz", "b3:" + "G" * 64, "b3:" + "0" * 63, "store.sqlite"):
        assert (await api("blobs", name))[0] == 404
