"""The process of a node: run its file where it lies, as Elyra's local runner does, and say what it left.

Arguments: KFP's executor input and what ``translate`` says of the node, both as JSON. A notebook gets a kernel of its own
and is kept as executed beside its results; the file itself is not changed.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def main(told: dict[str, Any], node: dict[str, Any]) -> int:
    """Run the node; its exit status."""
    for name, value in told["inputs"]["parameterValues"].items():
        os.environ[name] = value if isinstance(value, str) else json.dumps(value)
    folder = Path(node["folder"])
    os.chdir(folder)
    place = Path(told["outputs"]["outputFile"]).parent
    if node["kind"] == "notebook":
        from jupyter_ext.pipelines.elyra.runtime import notebook

        target = Path(told["outputs"]["artifacts"]["notebook"]["artifacts"][0]["uri"] + ".ipynb")
        error = notebook.execute(Path(node["file"]), target, node["kernel"], folder)
        if error is not None:
            _write(place / "error.json", error)
            return 1
    else:
        status = _script(node)
        if status:
            return status
    return _outputs(told, node, place)


def _script(node: dict[str, Any]) -> int:
    programs = {"python": [sys.executable], "r": ["Rscript"], "shell": ["bash"]}
    sys.stdout.flush()
    status = subprocess.run(
        [*programs[node["kind"]], node["file"]], stdin=subprocess.DEVNULL, check=False
    ).returncode
    return 128 - status if status < 0 else status


def _outputs(told: dict[str, Any], node: dict[str, Any], place: Path) -> int:
    """Every file that it was to make, as an artifact where it lies."""
    made: dict[str, Any] = {}
    missing = []
    for name, pattern in node["outputs"].items():
        found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - may name a folder above
        if not found:
            missing.append(pattern)
        else:
            made[name] = str(Path(found[0] if len(found) == 1 else pattern).absolute())
    if missing:
        what = ", ".join(missing[:5])
        message = f"It ended without its output {'files' if len(missing) > 1 else 'file'} {what}"
        _write(place / "error.json", {"type": "Invalid", "message": message})
        sys.stderr.write(message + "\n")
        return 1
    if node["kind"] == "notebook":
        made["notebook"] = told["outputs"]["artifacts"]["notebook"]["artifacts"][0]["uri"] + ".ipynb"
    artifacts = {name: {"artifacts": [{"uri": uri}]} for name, uri in made.items()}
    _write(Path(told["outputs"]["outputFile"]), {"artifacts": artifacts})
    return 0


def _write(path: Path, found: dict[str, Any]) -> None:
    path.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1]), json.loads(sys.argv[2])))
