"""A batch in a driver's pod: it loads the code that travels with it, calls it, and leaves what became of that.

A value that is JSON of at most 4 kB, and why it failed, are the container's last words, which Kubernetes keeps with the
pod. A frame, or a longer value, goes into the ConfigMap that the code came in. Standard library only, and Spark.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

BOX: Final = "JUPYTER_KUBEFLOW_BOX"
"""The ConfigMap of the code; what is returned goes there too."""
FRAME: Final = "value.arrow"
VALUE: Final = "value.json"
LARGEST: Final = 500_000
"""Bytes of a value in the ConfigMap, which holds 1 MiB of everything, in base64."""
FAILED: Final = "The driver failed"
LOST: Final = "jupyter-kubeflow/lost "
"""Before why the value could not come back."""
KEPT: Final = "jupyter-kubeflow/kept "
"""Before the ConfigMap's key that has the value, and the value's SHA-256: another run may leave another one there."""
_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_MOST_LINES: Final = 12
_MOST_WORDS: Final = 3900
_PATIENCE: Final = 30


def main(folder: str, arguments: list[str]) -> None:
    """Run the code that was unpacked there; ends the process."""
    import zipfile

    base = Path(folder)
    job: dict[str, Any] = json.loads((base / "job.json").read_text())
    sys.path.append(str(base / "spare"))
    zipfile.ZipFile(base / "code.zip").extractall(base / "code")

    from jupyter_ext.spark import driver
    from jupyter_ext.training import outside, rank
    from jupyter_ext.training.loading import Snapshot

    snapshot = None
    try:
        snapshot = Snapshot(base / "code")
        value = driver.called(snapshot, job["args"], arguments)
        words = kept(value)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if code:
            outside.leave(f"{FAILED}: it left with sys.exit({error.code!r})")
        sys.exit(driver.ended(code))
    except BaseException as error:
        described = rank.described(error, snapshot)
        sys.stderr.write("\n".join([*described["traceback"], ""]))
        sys.stderr.flush()
        outside.leave(failure(described))
        sys.exit(driver.ended(1))
    outside.leave(words)
    sys.exit(driver.ended(0))


def failure(error: Mapping[str, Any]) -> str:
    """One sentence for people, and on the next line what is known of it for programs."""
    name = str(error.get("label") or error.get("file") or "").rpartition("/")[2]
    at = ", ".join(part for part in (name, f"line {error['line']}" if error.get("line") else "") if part)
    said = str(error.get("message") or "").strip().splitlines() or [""]
    # A Java exception begins with what was called; what the API server refused stands below.
    first = next((line.strip() for line in said if "is forbidden:" in line), said[0])[:500]
    sentence = (
        f"{FAILED}{f' at {at}' if at else ''}: {error.get('type', 'Error')}{f': {first}' if first else ''}"
    )
    lines = [str(line)[:300] for line in error.get("traceback") or ()]
    facts = {key: error[key] for key in ("type", "file", "line", "label") if error.get(key)}
    for most in range(_MOST_LINES, -1, -1):
        text = json.dumps({**facts, "message": first, "traceback": lines[-most:] if most else []})
        if len(sentence.encode()) + len(text) < _MOST_WORDS:
            return f"{sentence}\n{text}"
    return sentence


def kept(value: Any) -> str:
    """Bring a value to where the notebook finds it; the last words that say where that is."""
    from jupyter_ext.training import outside

    if value is None:
        return ""
    kind = type(value)
    try:
        if hasattr(value, "toArrow") or kind.__module__.startswith("pyarrow"):
            return _put(FRAME, _arrow(value))
        if short := outside.said(value):
            return short
        return _put(VALUE, json.dumps(value, allow_nan=False).encode())
    except Exception as error:
        return LOST + json.dumps(
            {"type": kind.__qualname__, "why": f"{type(error).__name__}: {error}"[:1000]}
        )


def _arrow(value: Any) -> bytes:
    """A frame as an Arrow stream."""
    import pyarrow as pa

    table = value.toArrow() if hasattr(value, "toArrow") else value
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return bytes(sink.getvalue())


def _put(key: str, content: bytes) -> str:
    """Raises ValueError for what is too large, OSError where the service account may not."""
    if len(content) > LARGEST:
        raise ValueError(
            f"it has {len(content) / 1000:.0f} kB, and {LARGEST / 1000:.0f} kB travel; write it to a bucket"
        )
    import ssl
    import urllib.request

    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    namespace = (_ACCOUNT / "namespace").read_text().strip()
    address = f"[{host}]" if ":" in host else host
    url = f"https://{address}:{port}/api/v1/namespaces/{namespace}/configmaps/{os.environ[BOX]}"
    headers = {
        "Authorization": f"Bearer {(_ACCOUNT / 'token').read_text().strip()}",
        "Content-Type": "application/merge-patch+json",
    }
    body = json.dumps({"binaryData": {key: base64.b64encode(content).decode()}}).encode()
    request = urllib.request.Request(url, body, headers, method="PATCH")
    trusted = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
    trusted.verify_flags &= (
        ~ssl.VERIFY_X509_STRICT
    )  # authorities of clusters leave fields out that Python 3.13 asks for
    with urllib.request.urlopen(request, timeout=_PATIENCE, context=trusted) as answer:  # noqa: S310 - https
        answer.read()
    return f"{KEPT}{key} {hashlib.sha256(content).hexdigest()}"
