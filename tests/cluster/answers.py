"""The smallest client of a Kubernetes API: one call, JSON in and out, an exception for what was refused."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.cluster.place import NODE_ADDRESS

PORT = 6443
_PATCH = {
    "apply": "application/apply-patch+yaml",
    "merge": "application/merge-patch+json",
    "strategic": "application/strategic-merge-patch+json",
}


class Answer(Exception):
    """What the API server said instead of yes."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:1000]}")
        self.status = status
        self.body = body


class Caller:
    """One user's calls, from inside the cluster's network; ``name`` is of the certificate in ``folder``."""

    def __init__(self, folder: Path, name: str) -> None:
        self._context = ssl.create_default_context(cafile=str(folder / "ca.crt"))
        self._context.load_cert_chain(folder / f"{name}.crt", folder / f"{name}.key")

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        query: Mapping[str, str] | None = None,
        *,
        patch: str = "merge",
    ) -> Any:
        """Ask, and give the JSON (or the text) that is answered; raises Answer, or OSError without one."""
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = _PATCH[patch] if method == "PATCH" else "application/json"
        connection = http.client.HTTPSConnection(NODE_ADDRESS, PORT, timeout=30, context=self._context)
        try:
            asked = f"{path}?{urlencode(query)}" if query else path
            connection.request(method, asked, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            text = response.read().decode()
        except http.client.HTTPException as error:
            raise ConnectionError(str(error)) from error
        finally:
            connection.close()
        if response.status >= 300:
            raise Answer(response.status, text)
        return json.loads(text) if response.headers.get_content_type() == "application/json" else text


def kubeconfig(folder: Path, name: str) -> str:
    """What any Kubernetes client reads (JSON is YAML), with the certificates inside."""
    data = {
        key: base64.b64encode((folder / file).read_bytes()).decode()
        for key, file in (("ca", "ca.crt"), ("certificate", f"{name}.crt"), ("key", f"{name}.key"))
    }
    server = {"server": f"https://{NODE_ADDRESS}:{PORT}", "certificate-authority-data": data["ca"]}
    user = {"client-certificate-data": data["certificate"], "client-key-data": data["key"]}
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": name}}],
            "current-context": "test",
        }
    )
