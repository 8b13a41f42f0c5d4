"""Run in an environment of an upstream client: ask a server, print what it answered as JSON.

python with_clients.py kserve|kserve-grpc|triton-http|triton-grpc ADDRESS
"""

from __future__ import annotations

import asyncio
import json
import sys

ROWS = [[1.0, 2.0, 3.0, 4.0], [2.0, 2.0, 3.0, 4.0]]


def kserve(address: str) -> dict:
    sys.argv = sys.argv[:1]
    import numpy as np
    from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

    async def ask() -> dict:
        one = InferenceRESTClient(RESTConfig(protocol="v1"))
        two = InferenceRESTClient(RESTConfig(protocol="v2"))
        plain = InferInput("input-0", [2, 4], "FP64", data=ROWS)
        binary = InferInput("input-0", [2, 4], "FP32")
        binary.set_data_from_numpy(np.array(ROWS, np.float32), binary_data=True)
        found = {
            "v1": await one.infer(address, {"instances": ROWS}, model_name="m"),
            "ready": [await one.is_model_ready(address, "m"), await two.is_model_ready(address, "m")],
            "server": [await two.is_server_live(address), await two.is_server_ready(address)],
        }
        for name, tensor in (("v2", plain), ("binary", binary)):
            answer = await two.infer(address, InferRequest("m", [tensor], request_id="r1"), model_name="m")
            found[name] = [answer.id, answer.model_name, answer.outputs[0].as_numpy().tolist()]
        return found

    return asyncio.run(ask())


def kserve_grpc(address: str) -> dict:
    sys.argv = sys.argv[:1]
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    async def ask() -> dict:
        client = InferenceGRPCClient(address)
        tensor = InferInput("input-0", [2, 4], "FP64", data=[value for row in ROWS for value in row])
        answer = await client.infer(InferRequest("m", [tensor], request_id="r1"))
        found = {
            "infer": [answer.id, answer.outputs[0].as_numpy().tolist()],
            "ready": [await client.is_server_live(), await client.is_server_ready()],
            "model": await client.is_model_ready("m"),
        }
        await client.close()
        return found

    return asyncio.run(ask())


def _triton(client: object, module: object) -> dict:
    import numpy as np

    found: dict = {}
    for name, options in {"binary": {"binary_data": True}, "json": {"binary_data": False}}.items():
        grpc = module.__name__.endswith("grpc")
        tensor = module.InferInput("input-0", [2, 4], "FP64")
        output = module.InferRequestedOutput("output-0", **({} if grpc else options))
        data = np.array(ROWS)
        if grpc:
            tensor.set_data_from_numpy(data)
        else:
            tensor.set_data_from_numpy(data, **options)
        answer = client.infer("m", [tensor], outputs=[output], request_id="7")
        found[name] = answer.as_numpy("output-0").tolist()
    without = client.infer("m", [tensor])
    found["without"] = without.as_numpy("output-0").tolist()
    found["ready"] = [client.is_server_live(), client.is_server_ready(), client.is_model_ready("m", "1")]
    client.unload_model("m")
    found["unloaded"] = client.is_model_ready("m")
    client.load_model("m")
    found["loaded"] = client.is_model_ready("m")
    try:
        client.infer("none", [tensor])
    except Exception as error:
        found["error"] = str(error)
    return found


def triton_http(address: str) -> dict:
    import tritonclient.http as module

    client = module.InferenceServerClient(address.removeprefix("http://"))
    about = client.get_model_metadata("m")
    index = client.get_model_repository_index()
    return {
        **_triton(client, module),
        "inputs": about["inputs"],
        "index": index,
        "server": client.get_server_metadata()["name"],
    }


def triton_grpc(address: str) -> dict:
    import tritonclient.grpc as module

    client = module.InferenceServerClient(address)
    about = client.get_model_metadata("m", as_json=True)
    index = client.get_model_repository_index(as_json=True)
    server = client.get_server_metadata(as_json=True)
    return {
        **_triton(client, module),
        "inputs": about["inputs"],
        "index": index["models"],
        "server": server["name"],
    }


if __name__ == "__main__":
    ask = {
        "kserve": kserve,
        "kserve-grpc": kserve_grpc,
        "triton-http": triton_http,
        "triton-grpc": triton_grpc,
    }
    print(json.dumps(ask[sys.argv[1]](sys.argv[2])))
