"""The same endpoint in Python, as a magic, on the command line, and as code of a client: every form shows these lines.

Functions of values. What a form holds goes in, under the names of the REST interface: ``model`` and the keywords of
``serving.serve``. Text comes out. A token is read from its file by whatever is shown, and never stands in it.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.serving import options

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

Spec = Mapping[str, Any]

KEYWORDS: Final = (
    "endpoint", "variant", "percent", "replicas", "resources", "env", "timeout", "batch", "idle", "sticky", "log",
    "rules", "grpc", "explain", "trust",
)  # fmt: skip
DEFAULTS: Final[Mapping[str, Any]] = {"replicas": 1, "timeout": 60}
OWN: Final = "jupyter-kubeflow.org/"


def snippets(spec: Spec) -> dict[str, str]:
    """Give the call of ``serve`` as ``{"python", "magic", "cli"}``."""
    return {"python": python(spec), "magic": magic(spec), "cli": cli(spec)}


def said(spec: Spec) -> dict[str, Any]:
    """Give the keywords that are not what is so anyway."""
    empty: tuple[object, ...] = (None, {}, [], "")
    found = {
        name: spec[name]
        for name in KEYWORDS
        if name in spec
        and not any(spec[name] is item or spec[name] == item for item in empty)
        and spec[name] is not False
        and spec[name] != DEFAULTS.get(name)
    }
    if found.get("endpoint") == named(str(spec.get("model") or "")):
        del found["endpoint"]
    return found


def named(model: str) -> str:
    """Give the name that an endpoint has by default: the model's."""
    name = model.partition("@")[0]
    return name.rpartition(":")[0] or name if "@" not in model else name


def python(spec: Spec) -> str:
    """A few lines of Python."""
    words = [repr(spec.get("model") or "MODEL"), *(f"{name}={value!r}" for name, value in said(spec).items())]
    return f"import jupyter_ext as kf\nendpoint = kf.serving.serve({', '.join(words)})"


def magic(spec: Spec) -> str:
    """One line of a notebook."""
    return shlex.join(["%serve", str(spec.get("model") or "MODEL"), *flags(spec)])


def cli(spec: Spec) -> str:
    """One line for a shell."""
    return shlex.join(["jupyter", "kf", "serve", str(spec.get("model") or "MODEL"), *flags(spec)])


def flags(spec: Spec) -> list[str]:
    """Give the options that say what the keywords say."""
    found: list[str] = []
    for name, value in said(spec).items():
        if name == "resources":
            found += [f"--{key}={item}" for key, item in value.items()]
        elif name == "env":
            found += [f"--env={key}={item}" for key, item in value.items()]
        elif name == "rules":
            found += [f"--rule={text}" for text in value]
        elif name == "batch":
            wait = f":{value['wait_ms']}" if value.get("wait_ms") else ""
            found.append(f"--batch={value.get('size', 32)}{wait}")
        elif name == "log" and value is not True:
            given = value if isinstance(value, Mapping) else {}
            found.append(f"--log={given.get('sample', 1):g}")
            found += [f"--redact={item}" for item in given.get("redact") or ()]
        elif value is True:
            found.append(f"--{name}")
        else:
            found.append(f"--{name}={value}")
    return found


def traffic(endpoint: str, split: Mapping[str, float], sticky: str | None = None) -> dict[str, str]:
    """Give a split of the traffic as ``{"python", "magic", "cli"}``."""
    words = [endpoint, *options.words_of(split)]
    flag = [] if sticky is None else [f"--sticky={sticky}"]
    more = "" if sticky is None else f", sticky={sticky!r}"
    shares = dict(split)
    return {
        "python": f"import jupyter_ext as kf\nkf.serving.get({endpoint!r}).traffic({shares!r}{more})",
        "magic": shlex.join(["%traffic", *words, *flag]),
        "cli": shlex.join(["jupyter", "kf", "traffic", *words, *flag]),
    }


def of(resource: Resource, variant: str | None = None, data: Any = None) -> dict[str, str]:
    """Give an endpoint that there is: how it came to be, its YAML, and the code of clients.

    ``data`` is what the clients send, the recorded example without it. ``refused`` says why a cluster cannot take the
    YAML.
    """
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.serving.export import export

    found = {**applied(resource), "yaml": export(resource, strict=False), "refused": ""}
    try:
        export(resource)
    except KubeflowError as error:
        found["refused"] = str(error)
    return found | clients(resource, variant, data)


def applied(resource: Resource) -> dict[str, str]:
    """Give the calls that make an endpoint with the same variants and shares."""
    calls = asked(resource)
    if not calls:
        file = f"{resource.name}.yaml"
        return {
            "python": f"from jupyter_ext import resources\nresources.apply({file!r})",
            "magic": shlex.join(["%kf", "apply", file]),
            "cli": shlex.join(["jupyter", "kf", "apply", "-f", file]),
        }
    lines = [python(calls[0])]
    lines += [python(call).split("\n")[-1] for call in calls[1:]]
    return {
        "python": "\n".join(lines),
        "magic": "\n".join(magic(call) for call in calls),
        "cli": "\n".join(cli(call) for call in calls),
    }


def asked(resource: Resource) -> list[dict[str, Any]]:
    """Give what ``serve`` was asked for, the stable variant first; empty where models are not registered ones."""
    variants = _json(resource, "variants")
    predictor = resource.spec.get("predictor") or {}
    canaries = [item for item in resource.spec.get("canary") or () if isinstance(item, Mapping)]
    parts = [
        (predictor, None),
        *((item.get("predictor") or {}, item.get("trafficPercent", 0)) for item in canaries),
    ]
    found = []
    for part, percent in parts:
        model = _model(variants, str(part.get("name") or ""), stable=percent is None)
        if model is None:
            return []
        found.append({"model": model, "endpoint": resource.name, "percent": percent, **_settings(part)})
    first = found[0]
    first |= {
        name: resource.annotations[OWN + name] for name in ("sticky",) if OWN + name in resource.annotations
    }
    first |= {name: value for name in ("rules", "log") if (value := _json(resource, name))}
    if "log" in first:
        usual = {"sample": 1.0, "bodies": True, "redact": [], "keep": 10_000}
        first["log"] = {
            name: value for name, value in first["log"].items() if value != usual.get(name)
        } or True
    if idle := resource.annotations.get(OWN + "idle"):
        first["idle"] = int(idle) if idle.isdecimal() else idle
    return found


def _model(variants: Any, name: str, *, stable: bool) -> str | None:
    known = variants if isinstance(variants, Mapping) else {}
    one = known.get(name)
    if one is None and stable and len(known) == 1:
        one = next(iter(known.values()))
    if not isinstance(one, Mapping) or not one.get("model"):
        return None
    return f"{one['model']}:{one['version']}" if one.get("version") else str(one["model"])


def _settings(predictor: Mapping[str, Any]) -> dict[str, Any]:
    """Read the keywords of ``serve`` off a predictor."""
    model = predictor.get("model") or {}
    asked = (
        (model.get("resources") or {}).get("requests") or (model.get("resources") or {}).get("limits") or {}
    )
    names = {"cpu": "cpu", "memory": "memory", "nvidia.com/gpu": "gpu"}
    batcher = predictor.get("batcher") or {}
    least, most = predictor.get("minReplicas"), predictor.get("maxReplicas")
    if least is not None or most is not None:
        replicas = least if most in {None, least} else f"{1 if least is None else least}:{most}"
    else:
        replicas = None
    return {
        "replicas": replicas,
        "resources": {names[key]: str(value) for key, value in asked.items() if key in names},
        "env": {item["name"]: item["value"] for item in model.get("env") or () if "value" in item},
        "timeout": predictor.get("timeout"),
        "batch": {"size": batcher["maxBatchSize"]} | ({"wait_ms": batcher["maxLatency"]} if batcher.get("maxLatency") else {})
        if batcher.get("maxBatchSize")
        else None,
    }  # fmt: skip


def _json(resource: Resource, name: str) -> Any:
    try:
        return json.loads(resource.annotations.get(OWN + name) or "null")
    except ValueError:
        return None


# Clients


def clients(resource: Resource, variant: str | None = None, data: Any = None) -> dict[str, str]:
    """Give the code of clients, with the address and where the token is; empty texts where there is no address yet."""
    from jupyter_ext.cluster import discover

    url = str((resource.status.get("address") or {}).get("url") or resource.status.get("url") or "")
    grpc = str(((resource.status.get("components") or {}).get("predictor") or {}).get("grpcUrl") or "")
    token = str(discover.current().home / "gateway.token")
    example = _example(resource, variant) if data is None else _body(data)
    return {
        "url": url,
        "curl": curl(url, resource.name, token, example, variant),
        "client": client(url, resource.name, token, example, variant),
        "ours": ours(resource.name, variant),
        "kserve": kserve(url, resource.name, token, example, variant),
        "tritonclient": tritonclient(url, resource.name, token, example, variant),
        "grpc": grpc,
    }


ROWS: Final = [[0.0]]


def _example(resource: Resource, variant: str | None) -> dict[str, Any]:
    """Give a V1 body with one row of the example that was recorded."""
    from jupyter_ext import serving
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.serving import tensors

    try:
        found = serving.get(resource.name).example(variant)
        body = tensors.instances_of(found) if found is not None else {"instances": ROWS}
    except (KubeflowError, AttributeError, ImportError):
        body = {"instances": ROWS}
    one = {"instances": body["instances"][:1]}
    return one if len(json.dumps(one, default=str)) < 2000 else {"instances": ROWS}


def _body(data: Any) -> dict[str, Any]:
    """Give the V1 body of what was typed; a V2 body as it is."""
    from jupyter_ext.serving import tensors

    if isinstance(data, Mapping) and isinstance(data.get("inputs"), list):
        return dict(data)
    return tensors.instances_of(data)


def base(url: str) -> str:
    """Give the address that V1 and V2 clients take: they add ``/v1/…`` or ``/v2/…`` to it."""
    return url.rstrip("/") or "http://127.0.0.1:PORT"


def root(url: str) -> str:
    """Give the gateway's own address: the name of the model in the path says which endpoint is meant."""
    scheme, _, rest = base(url).partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"


def _ask(url: str, name: str, body: Mapping[str, Any]) -> str:
    """Give where a body goes: V2 has inputs, V1 instances."""
    return (
        f"{base(url)}/v2/models/{name}/infer" if "inputs" in body else f"{base(url)}/v1/models/{name}:predict"
    )


def curl(url: str, name: str, token: str, body: Mapping[str, Any], variant: str | None = None) -> str:
    """One request by curl, which reads the header with the token from standard input, not from its arguments."""
    data = json.dumps(body, default=str)
    lines = [
        f"printf 'Authorization: Bearer %s' \"$(cat {shlex.quote(token)})\" |",
        "  curl --silent --show-error --header @- \\",
    ]
    if variant:
        lines.append(f"    --header {shlex.quote('X-Variant: ' + variant)} \\")
    lines += [
        "    --header 'Content-Type: application/json' \\",
        f"    --data {shlex.quote(data)} \\",
        f"    {shlex.quote(_ask(url, name, body))}",
    ]
    return "\n".join(lines)


def client(url: str, name: str, token: str, body: Mapping[str, Any], variant: str | None = None) -> str:
    """Python with nothing but its standard library."""
    head = {"Content-Type": "application/json"} | ({"X-Variant": variant} if variant else {})
    return f"""\
import json
import urllib.request
from pathlib import Path

token = Path({token!r}).read_text().strip()
request = urllib.request.Request(
    {_ask(url, name, body)!r},
    json.dumps({dict(body)!r}).encode(),
    {{"Authorization": f"Bearer {{token}}", **{head!r}}},
)
with urllib.request.urlopen(request, timeout=60) as answer:
    print(json.load(answer)[{"outputs" if "inputs" in body else "predictions"!r}])"""


def ours(name: str, variant: str | None = None) -> str:
    """Python in a notebook of this machine."""
    more = f", variant={variant!r}" if variant else ""
    return f"""\
import jupyter_ext as kf

endpoint = kf.serving.get({name!r})
endpoint.predict(rows{more})  # a frame, an array, a tensor, a list or a dict of columns"""


def kserve(url: str, name: str, token: str, body: Mapping[str, Any], variant: str | None = None) -> str:
    """KServe's own client."""
    more = f', "X-Variant": {variant!r}' if variant else ""
    rows = {"instances": body.get("instances") or ROWS}
    return f"""\
import asyncio
from pathlib import Path

from kserve import InferenceRESTClient, RESTConfig

async def main():
    token = Path({token!r}).read_text().strip()
    client = InferenceRESTClient(RESTConfig(protocol="v1"))
    headers = {{"Authorization": f"Bearer {{token}}"{more}}}
    print(await client.infer({root(url)!r}, {rows!r}, model_name={name!r}, headers=headers))

asyncio.run(main())"""


def tritonclient(url: str, name: str, token: str, body: Mapping[str, Any], variant: str | None = None) -> str:
    """Triton's client, which speaks V2 with binary tensors."""
    more = f', "X-Variant": {variant!r}' if variant else ""
    address = root(url).partition("://")[2]
    rows = body.get("instances") or ROWS
    return f"""\
from pathlib import Path

import tritonclient.http as triton

token = Path({token!r}).read_text().strip()
headers = {{"Authorization": f"Bearer {{token}}"{more}}}
client = triton.InferenceServerClient({address!r})
{_triton_inputs(rows)}
answer = client.infer({name!r}, inputs, headers=headers)
for output in answer.get_response()["outputs"]:
    print(output["name"], answer.as_numpy(output["name"]))"""


def _triton_inputs(rows: Any) -> str:
    """Give the lines that make the inputs: one tensor of rows, or one for each column of named rows."""
    if isinstance(rows[0], Mapping):
        return f"""\
import numpy as np

rows = {rows!r}
inputs = []
for name in rows[0]:
    values = [row[name] for row in rows]
    text = isinstance(values[0], str)
    array = np.array(values, dtype=object if text else np.float64)
    inputs.append(triton.InferInput(name, array.shape, "BYTES" if text else "FP64"))
    inputs[-1].set_data_from_numpy(array)"""
    return f"""\
import numpy as np

array = np.array({rows!r}, dtype=np.float64)
inputs = [triton.InferInput("input-0", array.shape, "FP64")]
inputs[0].set_data_from_numpy(array)"""
