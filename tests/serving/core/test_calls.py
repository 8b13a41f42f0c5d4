"""gRPC through a real gateway to real model servers: logged, mirrored, and through a transformer."""

from __future__ import annotations

import json
import random

import grpc
import pytest

from jupyter_ext import registry, serving
from jupyter_ext.serving import requests, traffic
from jupyter_ext.serving.server import protocol
from tests.waiting import PATIENCE, until

INFER = "/inference.GRPCInferenceService/ModelInfer"
NAMES = ["age", "height", "ssn"]
ROWS = [[30.0, 1.7, 11.0], [60.0, 1.6, 22.0]]


class Metres:
    """A transformer: heights in centimetres become metres, and answers become words."""

    def preprocess(self, payload):
        if isinstance(payload, dict):
            rows = [[row[0], row[1] / 100, row[2]] for row in payload["instances"]]
            return {"instances": rows}
        for tensor in payload.inputs:
            if tensor.name == "height":
                tensor.set_data_from_numpy(tensor.as_numpy() / 100, binary_data=False)
        return payload

    def postprocess(self, payload):
        if "predictions" in payload:
            return {"predictions": [f"class {each}" for each in payload["predictions"]]}
        for output in payload["outputs"]:
            output.update(datatype="BYTES", data=[f"class {each}" for each in output["data"]])
        return payload


@pytest.fixture
def people(cluster):
    """A model with columns that have names, in two versions that answer differently."""
    import pandas as pd
    from sklearn.tree import DecisionTreeClassifier

    chance = random.Random(7)
    drawn = [[chance.uniform(18, 80), chance.uniform(1.5, 2), 0.0] for _ in range(60)]
    frame = pd.DataFrame(drawn, columns=NAMES)
    for sign in (1, -1):
        tall = (frame["height"] * sign > 1.65 * sign).astype(int)
        model = DecisionTreeClassifier(max_depth=2).fit(frame, tall)
        registry.register(model, "people", example=frame.head(2), data={"train": frame})
    return cluster


def message(rows, *, raw: bool = False) -> bytes:
    import struct

    made = protocol.message("ModelInferRequest")(model_name="people")
    for at, name in enumerate(NAMES):
        values = [row[at] for row in rows]
        tensor = made.inputs.add(name=name, datatype="FP64", shape=[len(rows)])
        if raw:
            made.raw_input_contents.append(struct.pack(f"<{len(values)}d", *values))
        else:
            tensor.contents.fp64_contents.extend(values)
    return made.SerializeToString()


def call(endpoint, body: bytes, **metadata: str):
    """The answer, and the variant that gave it."""
    token = ("authorization", f"Bearer {endpoint.token}")
    told = [(name.replace("_", "-"), value) for name, value in metadata.items()]
    with grpc.insecure_channel(until(lambda: endpoint.grpc_url)) as channel:
        answer, done = channel.unary_unary(INFER).with_call(body, metadata=[token, *told], timeout=PATIENCE)
    found = protocol.message("ModelInferResponse").FromString(answer)
    return found, dict(done.initial_metadata())["x-variant"]


def values_of(answer) -> list:
    contents = answer.outputs[0].contents
    return [value for _, values in contents.ListFields() for value in values]


def test_calls_are_logged_without_what_is_redacted_mirrored_and_replayed(people):
    endpoint = serving.serve("people:1", grpc=True, log={"sample": 1, "redact": ["ssn"]}).wait(PATIENCE)
    serving.serve("people:2", percent=0).wait(PATIENCE)
    endpoint.mirror("v2", 100)
    for raw in (False, True):
        answer, variant = call(endpoint, message(ROWS, raw=raw))
        assert variant == "v1"
        assert raw or values_of(answer) == [1, 0]
    endpoint.predict([[30.0, 1.7, 11.0]])
    logged = until(lambda: (found := endpoint.requests(limit=9)) and len(found) == 3 and found)
    by_call = [each for each in logged if each.path == INFER]
    assert len(by_call) == 2
    for each in by_call:
        columns = requests.decode(each.request)
        assert (columns["age"], columns["height"]) == ([30.0, 60.0], [1.7, 1.6])
        assert set(columns.get("ssn", [])) <= {requests.REDACTED}
        assert next(iter(requests.decode(each.response, side="outputs").values())) == [1, 0]
        assert each.status == 200
    store, uid = traffic.of(people), endpoint.resource.uid
    shadow = until(lambda: (t := store.total(uid, "v2")).requests >= 3 and t)
    assert (shadow.errors, shadow.same, shadow.different) == (0, 0, 3)
    assert b"22.0" not in store.path.read_bytes()


def test_what_was_called_is_replayed_over_http_and_counts_for_drift(people):
    endpoint = serving.serve("people:1", grpc=True, log={"sample": 1}).wait(PATIENCE)
    serving.serve("people:2", percent=0).wait(PATIENCE)
    for raw in (False, True):
        call(endpoint, message(ROWS * 20, raw=raw))
    until(lambda: len(endpoint.requests(limit=9)) == 2)
    found = endpoint.replay("v2")
    assert [row.result for row in found.rows] == ["different", "different"], str(found)
    drift = {each.name: each for each in endpoint.drift().features}
    assert drift["age"].count == 80


def test_a_transformer_that_is_a_class_answers_over_http_and_grpc(people):
    endpoint = serving.serve("people:1", grpc=True, transformer=Metres).wait(PATIENCE)
    serving.serve("people:2", percent=0).wait(PATIENCE)
    tall = [[30.0, 170.0, 0.0], [60.0, 160.0, 0.0]]
    answer = endpoint.predict({"instances": tall}, raw=True)
    assert answer.body["predictions"] == ["class 1", "class 0"]
    assert answer.variant == "v1"
    said, variant = call(endpoint, message(tall))
    assert (values_of(said), variant) == ([b"class 1", b"class 0"], "v1")
    said, variant = call(endpoint, message(tall), x_variant="v2")
    assert (values_of(said), variant) == ([b"class 0", b"class 1"], "v2")
    assert endpoint.predict({"instances": tall}, "v2", raw=True).body["predictions"] == ["class 0", "class 1"]
    store, uid = traffic.of(people), endpoint.resource.uid
    until(lambda: store.total(uid, "v1").requests == 2 and store.total(uid, "v2").requests == 2)
    notes = json.loads(endpoint.resource.annotations["jupyter-kubeflow.org/transformer"])
    assert notes["model"] == "people-transformer"
