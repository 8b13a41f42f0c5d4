"""Bring an artifact to this machine: ``python -P fetch_artifact.py EXECUTOR_INPUT``, with ``KUBEFLOW_FETCH`` in the environment.

That is JSON: the address as fsspec has it, the metadata of the artifact. It is an environment variable because an address may
be signed, and arguments are everybody's to read.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any


def main(told: str) -> int:
    """Returns the exit status."""
    outputs = json.loads(told)["outputs"]
    request = json.loads(os.environ.pop("KUBEFLOW_FETCH"))
    made: dict[str, Any] = {}
    for name, listed in outputs["artifacts"].items():
        one = listed["artifacts"][0]
        try:
            path = fetch(request["uri"], one["uri"])
        except Exception as error:
            shown = request["uri"].partition("?")[0]
            print(f"{shown} could not be fetched: {type(error).__name__}: {error}"[:500], file=sys.stderr)
            return 1
        made[name] = {"artifacts": [{"name": name, "uri": path, "metadata": request["metadata"]}]}
        print(f"Fetched to {path}")
    with open(outputs["outputFile"], "w", encoding="utf-8") as file:
        json.dump({"artifacts": made}, file)
    return 0


def fetch(uri: str, folder: str) -> str:
    """A file or folder, under its own name in ``folder``: programs look at endings."""
    system, base = import_module("fsspec.core").url_to_fs(uri)
    name = base.partition("?")[0].rstrip("/").rpartition("/")[2]
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name if name not in ("", ".", "..") else "artifact")
    if uri.startswith(("http://", "https://")) or system.isfile(base):
        system.get_file(base, path)
    elif system.isdir(base):
        system.get(base.rstrip("/") + "/", path, recursive=True)
    else:
        raise FileNotFoundError(base)
    return path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
