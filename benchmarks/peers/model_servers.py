"""The same linear model behind a peer's server.

python model_servers.py kserve|kserve-quiet|mlserver|fastapi|starlette PORT FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

QUIET = {
    "version": 1,
    "disable_existing_loggers": True,
    "handlers": {"none": {"class": "logging.NullHandler"}},
    "root": {"handlers": ["none"]},
}


def weights() -> Any:
    import numpy as np

    return np.arange(12.0).reshape(4, 3)


def kserve(port: int, folder: Path, quiet: bool) -> None:
    """As its documentation shows a custom model; ``quiet``: without its line for each request."""
    sys.argv = [sys.argv[0], "--http_port", str(port), "--enable_grpc", "false", "--workers", "1"]
    if quiet:
        (folder / "log.json").write_text(json.dumps(QUIET))
        sys.argv += ["--log_config_file", str(folder / "log.json"), "--enable_latency_logging", "false"]
    import numpy as np
    from kserve import InferOutput, InferRequest, InferResponse, Model, ModelServer

    class Linear(Model):
        def load(self) -> bool:
            self.weights = weights()
            self.ready = True
            return True

        def predict(self, payload: Any, headers: Any = None, response_headers: Any = None) -> Any:
            del headers, response_headers
            if not isinstance(payload, InferRequest):
                return {"predictions": (np.asarray(payload["instances"]) @ self.weights).tolist()}
            found = payload.inputs[0].as_numpy() @ self.weights
            output = InferOutput("output-0", list(found.shape), "FP64", data=found.ravel().tolist())
            return InferResponse(payload.id or "1", self.name, [output])

    model = Linear("m")
    model.load()
    ModelServer().start([model])


MLSERVER = """
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse
import numpy as np

class Linear(MLModel):
    async def load(self):
        self.weights = np.arange(12.0).reshape(4, 3)
        return True

    async def predict(self, payload):
        found = NumpyCodec.decode_input(payload.inputs[0]) @ self.weights
        return InferenceResponse(model_name=self.name, outputs=[NumpyCodec.encode_output("output-0", found)])
"""


def mlserver(port: int, folder: Path) -> None:
    """As its documentation shows a custom runtime, in one process."""
    import os

    (folder / "linear.py").write_text(MLSERVER)
    settings = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2, "parallel_workers": 0,
                "host": "127.0.0.1", "debug": False}  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps({"name": "m", "implementation": "linear.Linear"}))
    os.chdir(folder)
    program = str(Path(sys.executable).with_name("mlserver"))
    os.execv(program, [program, "start", "."])


def fastapi(port: int) -> None:
    """With models of pydantic, as one writes it."""
    import numpy as np
    import uvicorn
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Rows(BaseModel):
        instances: list[list[float]]

    class Tensor(BaseModel):
        name: str
        shape: list[int]
        datatype: str
        data: list[float]

    class Inputs(BaseModel):
        id: str | None = None
        inputs: list[Tensor]

    app = FastAPI()
    matrix = weights()
    globals().update(Rows=Rows, Inputs=Inputs)  # annotations are read as text

    @app.post("/v1/models/m:predict")
    async def v1(rows: Rows) -> dict[str, Any]:
        return {"predictions": (np.asarray(rows.instances) @ matrix).tolist()}

    @app.post("/v2/models/m/infer")
    async def v2(asked: Inputs) -> dict[str, Any]:
        first = asked.inputs[0]
        found = np.asarray(first.data).reshape(first.shape) @ matrix
        output = {
            "name": "output-0",
            "shape": found.shape,
            "datatype": "FP64",
            "data": found.ravel().tolist(),
        }
        return {"model_name": "m", "id": asked.id or "1", "outputs": [output]}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


def starlette(port: int) -> None:
    """With orjson and no validation: about the least that one can write."""
    import numpy as np
    import orjson
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import Response
    from starlette.routing import Route

    matrix = weights()

    def answer(value: Any) -> Response:
        return Response(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY), media_type="application/json")

    async def v1(request: Any) -> Response:
        rows = orjson.loads(await request.body())["instances"]
        return answer({"predictions": np.asarray(rows) @ matrix})

    async def v2(request: Any) -> Response:
        asked = orjson.loads(await request.body())
        first = asked["inputs"][0]
        found = np.asarray(first["data"]).reshape(first["shape"]) @ matrix
        output = {"name": "output-0", "shape": found.shape, "datatype": "FP64", "data": found.ravel()}
        return answer({"model_name": "m", "id": asked.get("id") or "1", "outputs": [output]})

    routes = [
        Route("/v1/models/m:predict", v1, methods=["POST"]),
        Route("/v2/models/m/infer", v2, methods=["POST"]),
    ]
    uvicorn.run(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    kind, number, place = sys.argv[1:4]
    match kind:
        case "kserve" | "kserve-quiet":
            kserve(int(number), Path(place), kind == "kserve-quiet")
        case "mlserver":
            mlserver(int(number), Path(place))
        case "fastapi":
            fastapi(int(number))
        case _:
            starlette(int(number))
