"""What runs in the pod of a step: ``python3 -m jupyter_ext.pipelines.kube.pod``.

The request, the values and the files come from the store, and so goes what the step leaves. The step itself is
executed as on a machine, in a process of its own: however that ends, this one says so. Who finds a result already
there leaves at once: a pod that was replaced runs nothing twice.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.kube import of_step
from jupyter_ext.cluster.kube.work import STEP
from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.cluster.local.processes import readable
from jupyter_ext.errors import KubeflowError, Unavailable
from jupyter_ext.pipelines.container import files
from jupyter_ext.pipelines.exchange import CellSource, StepError, StepRequest, StepResult, blobs_of
from jupyter_ext.pipelines.kube.manifest import FOLDER
from jupyter_ext.pipelines.kube.place import STORE
from jupyter_ext.pipelines.zygote import Zygote

if TYPE_CHECKING:
    from jupyter_ext.pipelines.zygote import Handle
    from jupyter_ext.store import Store

PROTOCOL: Final = 1
"""Of request and result; another one means another version of jupyter-kubeflow in the image."""
REQUEST, RESULT, LOG = "request.json", "result.json", "log.txt"
LEFT: Final = "The result of this step is in the store."
"""The last line that a pod prints: who follows its log need not wait until its Job has ended, seconds later."""
_TICK: Final = 0.2
_LAST_WORDS: Final = 5.0
"""Seconds that the user's code has to end when the pod is stopped."""
_AWAY: Final = 300.0
"""Seconds for which a store that does not answer is waited for, once the step has done its work."""
_PAUSE: Final = 2.0
_STOPPED: Final = 143


class Stopped(BaseException):
    """The pod was asked to end: stopped, or moved to another node. No result is left, so that it can run again."""


class Step:
    """One request from the store to its result there."""

    def __init__(self, store: Store, told: str, folder: Path) -> None:
        self._store, self._told = store, told
        self._blobs = Blobs(folder / "home" / "blobs")
        self._home, self._work = folder / "home", folder / "work"
        self._log = folder / LOG
        self._shown = 0
        self._is_open = False
        """Whether the last line that was shown has no end yet."""
        self._given: dict[str, str] = {}
        self._had: set[str] = set()

    def run(self) -> int:
        """The pod's exit status."""
        for folder in (self._home, self._work):
            folder.mkdir(parents=True, exist_ok=True)
        with closing(Zygote(self._home, cwd=self._work)) as server:
            server.warm()  # it loads IPython while the store's library is loaded here, and asked
            return self._run(server)

    def _run(self, server: Zygote) -> int:
        if self._store.exists(f"{self._told}/{RESULT}"):
            _say(LEFT)
            return 0
        document = json.loads(self._store.get(f"{self._told}/{REQUEST}"))
        try:
            result = self._executed(document, server)
        except KubeflowError as error:
            result = {"result": _failed(type(error).__name__, str(error)).to_dict(), "files": {}}
        finally:
            of_step.end()
        if self._log.exists():
            log = self._log.read_bytes()
            _patiently(lambda: self._store.write(f"{self._told}/{LOG}", log))
        answer = {"protocol": PROTOCOL, "python": "{}.{}.{}".format(*sys.version_info[:3]), **result}
        _patiently(lambda: self._store.create(f"{self._told}/{RESULT}", json.dumps(answer).encode()))
        _say(f"\n{LEFT}" if self._is_open else LEFT)
        return 0 if result["result"]["state"] in {"SUCCEEDED", "SKIPPED"} else 1

    def _executed(self, document: Mapping[str, Any], server: Zygote) -> dict[str, Any]:
        if document.get("protocol") != PROTOCOL:
            from jupyter_ext import __version__

            words = f"The image has jupyter-kubeflow {__version__}, and the run was started by one that speaks otherwise"
            return {"result": _failed("Version", f"{words}: use the same version").to_dict(), "files": {}}
        request = replace(
            StepRequest.from_dict(document["request"]), log_path=str(self._log), result_path=None
        )
        server.start(document["preload"], [CellSource.from_dict(cell) for cell in document["cells"]])
        self._bring(request, document["files"])
        before = files.look(self._work, document["paths"])
        result = self._followed(server.run(request), document.get("timeout"))
        server.close()  # nothing of the step is left that could write
        after = files.look(self._work, document["paths"]) if before is not None else None
        changed = self._changed(before or {}, after) if after is not None else {}
        return self._left(result, changed)

    # In

    def _bring(self, request: StepRequest, given: Mapping[str, str]) -> None:
        """Values, hidden state and files; they are there before the step's process needs them."""
        needed = blobs_of(request.inputs) | set(request.hidden.values()) | set(given.values())
        self._had = needed
        previews = {ref.preview_digest for ref in request.inputs if ref.preview_digest}
        self._store.pull(self._blobs, sorted(needed - previews))
        self._given = dict(given)
        for name, digest in given.items():
            place = self._work / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.write_bytes(self._blobs.read(digest))

    # The step's process

    def _followed(self, handle: Handle, timeout: float | None) -> StepResult:
        deadline = time.monotonic() + timeout if timeout else None
        try:
            while (result := handle.poll()) is None:
                readable([handle], _TICK)
                self._show()
                if deadline is not None and time.monotonic() > deadline:
                    handle.kill()
                    return _failed("Timeout", f"step took longer than its timeout of {timeout:g} s")
        except Stopped:
            handle.interrupt()
            handle.wait(_LAST_WORDS)
            raise
        finally:
            self._show()
        if result.live:
            handle.kill()
        return result

    def _show(self) -> None:
        """Print what the step has printed, for ``kubectl logs`` and whoever follows the pod."""
        if not self._log.exists():
            return
        with self._log.open("rb") as log:
            log.seek(self._shown)
            while block := log.read(1 << 16):
                self._shown += len(block)
                self._is_open = not block.endswith(b"\n")
                sys.stdout.buffer.write(block)
        sys.stdout.flush()

    # Out

    def _changed(
        self, before: Mapping[str, files.Stamp], after: Mapping[str, files.Stamp]
    ) -> dict[str, str | None]:
        """The files that the step wrote, by path, as digests; None for one that it removed."""
        paths = sorted(path for path in {*before, *after} if before.get(path) != after.get(path))
        return {path: self._blobs.put_file(self._work / path) if path in after else None for path in paths}

    def _left(self, result: StepResult, changed: Mapping[str, str | None]) -> dict[str, Any]:
        made = {
            digest: self._blobs.size(digest) for digest in self._blobs.digests() if digest not in self._had
        }
        _patiently(lambda: self._store.push(self._blobs, sorted(made)))
        observed = dict(result.observed)
        why = str(observed.get("why") or "")
        if why.startswith(("writes the file ", "changes the file ")):
            why = ""  # what is written travels on with the step's result, or goes with the pod
        read = self._read(observed.get("files") or ())
        result = replace(result, observed={"files": {}, "packages": {}, "given": read, "why": why})
        return {"result": result.to_dict(), "files": dict(changed), "blobs": made}

    def _read(self, paths: Iterable[str]) -> dict[str, str]:
        """Which of the files that it was given the step has read."""
        root = f"{self._work.resolve()}{os.sep}"
        names = (path.removeprefix(root) for path in paths)
        return {name: self._given[name] for name in sorted(names) if name in self._given}


def _patiently(leave: Callable[[], object]) -> None:
    """Leave something in the store. One that is away for a moment is waited for: the step would have worked in vain."""
    late, said = time.monotonic() + _AWAY, False
    while True:
        try:
            leave()
        except Unavailable as error:
            if time.monotonic() > late:
                raise
            if not said:
                _say(f"The step has ended, and waits: {error}")
            said = True
            time.sleep(_PAUSE)
        else:
            return


def _failed(kind: str, words: str) -> StepResult:
    return StepResult("FAILED", error=StepError(kind, words), finished=time.time())


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def _stop(_number: int, _frame: object) -> None:
    raise Stopped


def main(folder: str = FOLDER) -> int:
    """Execute the step that the environment names; the exit status."""
    from jupyter_ext import store

    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    told, url = os.environ.get(STEP, ""), os.environ.get(STORE, "")
    try:
        return Step(store.at(url), told, Path(folder)).run()
    except KubeflowError as error:
        sys.stderr.write(f"The step could not be executed: {error}\n")
        return 1
    except Stopped:
        return _STOPPED


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
