"""gRPC through the gateway: messages as they came, to the variant that the metadata asks for."""

from __future__ import annotations

import contextlib

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.serving import spec as names
from jupyter_ext.serving.gateway import calls
from tests.serving.gateway.test_routing import coming
from tests.waiting import until

INFER = "/inference.GRPCInferenceService/ModelInfer"


def field(number: int, text: bytes) -> bytes:
    assert len(text) < 128
    return bytes([number << 3 | 2, len(text)]) + text


def message(name: str, version: str = "", more: bytes = b"") -> bytes:
    return field(1, name.encode()) + (field(2, version.encode()) if version else b"") + field(3, b"id") + more


@pytest.fixture(scope="module", autouse=True)
def servers(world):
    for name in ("v1", "v2"):
        world.server(name)
        world.server(f"{name}-calls", name, program="stand_in_grpc.py")


@pytest.fixture
def channel(world):
    routed(world, "iris")
    address = until(lambda: world.address.grpc_url)
    with grpc.insecure_channel(address) as opened:
        yield opened


def routed(world, name: str, v1: float = 100, v2: float = 0, **routing):
    variants = {
        "v1": {"percent": v1, "calls": "v1-calls"},
        "v2": {"percent": v2, "calls": "v2-calls"},
    }
    return world.route(name, variants, **routing)


def ask(world, channel, body: bytes, method: str = INFER, token: str | None = "", **metadata: str):
    sent = [(name.replace("_", "-"), value) for name, value in metadata.items()]
    if token is not None:
        sent.append(("authorization", f"Bearer {token or world.address.token}"))
    return channel.unary_unary(method).with_call(body, metadata=sent, timeout=120)


def code_of(world, channel, body: bytes, **more) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as caught:
        ask(world, channel, body, **more)
    return caught.value.code(), caught.value.details()


def test_a_message_goes_through_as_it_is(world, channel):
    body = message("iris", more=b"\x2a\x03\x0a\x01x")
    answer, call = ask(world, channel, body)
    assert answer == b"v1 " + INFER.encode() + b" " + body
    marks = dict(call.initial_metadata())
    assert marks["x-variant"] == "v1"
    assert marks["x-request-id"].endswith("..v1")
    ready = "/inference.GRPCInferenceService/ModelReady"
    assert ask(world, channel, message("iris"), ready)[0].startswith(b"v1 " + ready.encode())


def test_variants_versions_and_senders(world, channel):
    assert ask(world, channel, message("iris"), x_variant="v2")[0].startswith(b"v2 ")
    assert ask(world, channel, message("iris", "2"))[0].startswith(b"v2 ")
    routed(world, "kept", 50, 50, sticky="header:x-user")
    found = {user: ask(world, channel, message("kept"), x_user=user)[0][:2] for user in "abcdefghijklmnop"}
    assert set(found.values()) == {b"v1", b"v2"}
    assert {user: ask(world, channel, message("kept"), x_user=user)[0][:2] for user in found} == found
    by_http = {user: world.predict("kept", x_user=user).headers["x-variant"].encode() for user in found}
    assert by_http == found


def test_what_is_refused(world, channel):
    assert code_of(world, channel, message("iris"), token=None)[0] is grpc.StatusCode.UNAUTHENTICATED
    assert code_of(world, channel, message("iris"), token="x")[0] is grpc.StatusCode.UNAUTHENTICATED
    code, text = code_of(world, channel, message("irris"))
    assert (code, "iris" in text) == (grpc.StatusCode.NOT_FOUND, True)
    assert code_of(world, channel, message("iris", "9"))[0] is grpc.StatusCode.NOT_FOUND
    assert code_of(world, channel, message("iris"), x_variant="v9")[0] is grpc.StatusCode.NOT_FOUND
    assert code_of(world, channel, b"\x0a\xff")[0] is grpc.StatusCode.INVALID_ARGUMENT
    assert code_of(world, channel, message("iris") + b"refuse") == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "It does not fit.",
    )
    other = "/inference.GRPCInferenceService/ModelStreamInfer"
    assert code_of(world, channel, message("iris"), method=other)[0] is grpc.StatusCode.UNIMPLEMENTED
    routed(world, "slow", timeout=0.3)
    assert code_of(world, channel, message("slow") + b"sleep")[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    world.route("plain", {"v1": 100})
    code, text = code_of(world, channel, message("plain"))
    assert (code, "gRPC" in text) == (grpc.StatusCode.UNIMPLEMENTED, True)


def test_a_variant_that_comes_is_waited_for(world, channel):
    routed(world, "early", spec=coming("v3"))
    metadata = [("authorization", f"Bearer {world.address.token}"), ("x-variant", "v3")]
    later = channel.unary_unary(INFER).future(message("early"), metadata=metadata, timeout=120)
    until(lambda: 'variant="v3"} 1' in world.ask("/early/metrics").body.decode())
    third = {"percent": 0, "servers": ["v2"], "calls": "v2-calls"}
    world.route("early", {"v1": {"percent": 100, "calls": "v1-calls"}, "v3": third}, spec=coming("v3"))
    assert later.result().startswith(b"v2 ")
    digest = names.read(routed(world, "early", spec=coming("v4"))).variants[1].digest
    why = {"name": "v4", "state": "failed", "digest": digest, "reason": "It is broken."}
    routed(world, "early", spec=coming("v4"), said=[why])
    code, text = code_of(world, channel, message("early"), x_variant="v4")
    assert (code, "It is broken." in text) == (grpc.StatusCode.UNAVAILABLE, True)


def test_the_server_is_alive(world, channel):
    for method in ("ServerLive", "ServerReady"):
        assert ask(world, channel, b"", f"/inference.GRPCInferenceService/{method}")[0] == b"\x08\x01"


def test_calls_are_counted_and_outlive_a_server(world, channel):
    uid = routed(world, "counted").uid
    ask(world, channel, message("counted"), x_request_id="mine")
    total = until(lambda: (t := world.traffic.total(uid)).requests and t)
    assert (total.requests, total.errors) == (1, 0)
    world.traffic.feedback(uid, "mine", "good", 1)
    world.server("x-calls", "x", program="stand_in_grpc.py")
    world.route("single", {"v1": {"percent": 100, "calls": "x-calls"}})
    assert ask(world, channel, message("single"))[0].startswith(b"x ")
    world.kill("x-calls")
    later = channel.unary_unary(INFER).future(
        message("single"), metadata=[("authorization", f"Bearer {world.address.token}")], timeout=120
    )
    world.server("x-calls", "y", program="stand_in_grpc.py")
    assert later.result().startswith(b"y ")


@given(st.binary(max_size=200))
def test_any_message_is_read_or_refused(data):
    with contextlib.suppress(calls._Failed):
        calls.named(data, 1, 2)


@given(st.text(max_size=20), st.text(max_size=20))
def test_names_are_found(name, version):
    if len(name.encode()) < 128 and len(version.encode()) < 128:
        found = calls.named(message(name, version), 1, 2)
        assert found == (name, version)
