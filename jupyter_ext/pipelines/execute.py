"""One step in this process: inputs in, cells executed as a notebook would, values and outputs out."""

from __future__ import annotations

import asyncio
import contextvars
import json
import os
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.errors import KubeflowError
from jupyter_ext.pipelines import imports
from jupyter_ext.pipelines.display import MIME, collected
from jupyter_ext.pipelines.exchange import CellSource, Loop, StepError, StepRequest, StepResult
from jupyter_ext.pipelines.failure import Places, failure
from jupyter_ext.pipelines.hidden import HiddenState
from jupyter_ext.pipelines.observe import Observer
from jupyter_ext.pipelines.outputs import CellOutputs, Recorder
from jupyter_ext.pipelines.preview import short_repr
from jupyter_ext.pipelines.shell import StepShell, prepared, user_names
from jupyter_ext.pipelines.storing import Saved, Saving
from jupyter_ext.pipelines.values import Values

_ITEM = "_kubeflow_item"
_LABEL = 60


class _Failed(Exception):
    """A cell or an expression failed; carries the description."""

    def __init__(self, error: StepError, *, canceled: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.canceled = canceled


class Execution:
    """The process of a step. One process executes several requests only to keep values that cannot be stored.

    ``started`` is called just before the first line of the user's code; ``at_cell`` before each cell.
    """

    def __init__(self, home: Path, shell: StepShell, notebook: Sequence[CellSource] = ()) -> None:
        self.blobs = Blobs(home / "blobs")
        self.shell = shell
        self.values = Values(self.blobs, shell.user_ns)
        self.hidden = HiddenState(self.blobs, shell)
        self.started: Callable[[], None] = lambda: None
        self.at_cell: Callable[[int], None] = lambda _: None
        self.interrupted = False
        shell.is_stopped = lambda: self.interrupted
        self.home = home
        self._notebook = list(notebook)
        self._submodules: dict[str, set[str]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = contextvars.copy_context()
        """Where cells execute: what one sets in a context variable (numpy's print options) holds in the next."""
        self._live: set[str] = set()

    def run(self, request: StepRequest) -> StepResult:
        """Execute the request. Whatever the user's code does, this returns a result."""
        began = time.time()
        usage = resource.getrusage(resource.RUSAGE_SELF)
        step = _Step(self, request)
        try:
            result = step.run()
        except _Failed as failed:
            result = StepResult("CANCELED" if failed.canceled else "FAILED", error=failed.error)
        except KeyboardInterrupt:
            result = StepResult("CANCELED", reason="Stopped.")
        except KubeflowError as error:
            result = StepResult("FAILED", error=_described(error))
        finally:
            step.finish()
        spent = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        return replace(
            result,
            outputs_digest=step.outputs_digest(),
            observed=step.observed,
            artifacts=tuple(step.artifacts),
            metrics=step.metrics,
            started=began,
            finished=time.time(),
            cpu_seconds=spent.ru_utime + spent.ru_stime - usage.ru_utime - usage.ru_stime
            + children.ru_utime + children.ru_stime,
            max_rss=max(spent.ru_maxrss, children.ru_maxrss) * 1024,
            execution_count=self.shell.execution_count,
            pid=os.getpid(),
        )  # fmt: skip

    def prepare(self, request: StepRequest) -> None:
        """Environment, inputs and hidden state. Raises KubeflowError for a value that cannot be loaded."""
        for name, value in request.env.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        namespace = self.shell.user_ns
        given = {ref.bind.get(name, name) for ref in request.inputs for name in ref.names}
        for name in user_names(self.shell):
            if name not in self._live and name not in given:
                del namespace[name]
        self.values.bound = {}
        self.within(self.hidden.apply, request.hidden)
        self.values.load(request.inputs)
        self.within(self.hidden.begin)

    def store(self, request: StepRequest) -> Saved:
        """Store what the step leaves."""
        special = set(request.wanted)
        names = user_names(self.shell, special.__contains__)
        saving = Saving(self.values, request.step, self._submodules, request.spare_bytes)
        saved = saving.with_previews(saving.save(names, request.wanted, request.may_change))
        self._live = set(saved.live)
        return saved

    def notice_imports(self, source: str) -> None:
        """Remember the submodules that a cell imports through a top-level name."""
        for top, dotted in imports.submodules(source):
            self._submodules.setdefault(top, set()).add(dotted)

    def places(self, request: StepRequest) -> Places:
        """Cells of the notebook; the request's own come last and win."""
        return Places([*self._notebook, *request.cells])

    def within(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function where the cells execute."""
        return self._context.run(function, *arguments)

    def complete(self, coroutine: Any) -> Any:
        """Run a coroutine in the process's event loop, and let its other tasks go on for a moment."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        try:
            return self._loop.run_until_complete(self._loop.create_task(coroutine, context=self._context))
        finally:
            self._loop.run_until_complete(asyncio.sleep(0))


class _Step:
    """The state of one request while it is executed."""

    def __init__(self, process: Execution, request: StepRequest) -> None:
        self._process, self._request = process, request
        self._shell = process.shell
        self._recorder = Recorder(request.log_path)
        self._places = process.places(request)
        self._observer = Observer(ignored=(str(process.home),))
        self._cells: list[tuple[dict[str, Any], CellOutputs]] = []
        self._recording = self._observing = False
        self.observed: dict[str, Any] = {}
        self.artifacts: list[Any] = []
        self.metrics: dict[str, float] = {}

    def run(self) -> StepResult:
        """Everything between the request and the result, apart from measuring."""
        process, request = self._process, self._request
        self._shell.begin(self._recorder)
        self._shell.execution_count = max(1, request.execution_count)
        self._shell.place({cell.id: cell.index for cell in request.cells})
        self._recorder.start()
        self._recording = True
        process.prepare(request)
        self._observer.start()
        self._observing = True
        process.started()
        if request.when is not None and not self._evaluate(request.when, "its condition"):
            return StepResult("SKIPPED", reason="Its condition was false.")
        loop = request.foreach
        if loop is not None and loop.items:
            items = list(self._evaluate(loop.expr, "what it loops over"))
            return StepResult("SUCCEEDED", items=tuple(short_repr(item, _LABEL) for item in items))
        if loop is None:
            self._execute(None)
        else:
            self._iterate(loop)
        self._stop_observing()
        saved = process.store(request)
        return StepResult(
            "SUCCEEDED",
            values=tuple(saved.values),
            deleted=tuple(saved.deleted),
            live={name: replace(live, cell=self._binding(name)) for name, live in saved.live.items()},
            hidden=process.within(process.hidden.changes),
        )

    def finish(self) -> None:
        """Give the standard streams back."""
        self._stop_observing()
        if self._recording:
            self._recording = False
            self._recorder.stop()

    def outputs_digest(self) -> str | None:
        """Store the cells' outputs."""
        if not self._cells:
            return None
        # Only now: a display may have been updated by a later cell.
        cells = [entry | {"outputs": outputs.finished()} for entry, outputs in self._cells]
        text = json.dumps(cells, ensure_ascii=False, separators=(",", ":"))
        return self._process.blobs.put_bytes(text.encode(errors="surrogatepass"))

    def _stop_observing(self) -> None:
        if self._observing:
            self._observing = False
            self.observed = self._observer.finish()

    # Cells

    def _iterate(self, loop: Loop) -> None:
        items = list(self._evaluate(loop.expr, "what it loops over"))
        chosen: Iterable[int] = range(len(items)) if loop.index is None else [loop.index]
        namespace = self._shell.user_ns
        collected_values: dict[str, list[Any]] = {name: [] for name in self._request.collect}
        for index in chosen:
            namespace[_ITEM] = items[index]
            try:
                exec(f"{loop.var} = {_ITEM}", namespace)  # noqa: S102 - the loop's target may be any target
            except Exception as error:
                raise self._failed_expression(error, f"the target {loop.var} of its loop") from error
            finally:
                del namespace[_ITEM]
            self._execute(index)
            for name, values in collected_values.items():
                if name in namespace:
                    values.append(namespace[name])
        if loop.index is None:
            namespace.update(collected_values)

    def _execute(self, iteration: int | None) -> None:
        for cell in self._request.cells:
            self._cell(cell, iteration)

    def _cell(self, cell: CellSource, iteration: int | None) -> None:
        process = self._process
        process.at_cell(cell.index)
        process.notice_imports(cell.source)
        outputs = self._recorder.next_cell()
        source, _ = prepared(cell.source)
        entry: dict[str, Any] = {"index": cell.index, "id": cell.id}
        entry |= {"execution_count": self._shell.execution_count if source.strip() else None}
        began = time.perf_counter()
        error: BaseException | None = None
        try:
            done = process.complete(self._shell.execute(source, cell.id))
            error = done.error_before_exec or done.error_in_exec
        finally:
            self._recorder.drain()
            entry["seconds"] = round(time.perf_counter() - began, 6)
            if iteration is not None:
                entry["iteration"] = iteration
            self._cells.append((entry, outputs))
            shown = outputs.finished()
            self._collect(cell, shown)
        if error is not None:
            self._raise(error, cell, entry, shown)

    def _raise(
        self, error: BaseException, cell: CellSource, entry: dict[str, Any], outputs: list[dict[str, Any]]
    ) -> None:
        shown = [item for item in outputs if item["output_type"] == "error"]
        described = failure(error, shown[-1]["traceback"] if shown else [], self._places, cell)
        entry["error"] = {"type": described.type, "message": described.message, "line": described.line}
        canceled = isinstance(error, KeyboardInterrupt) and self._process.interrupted
        raise _Failed(described, canceled=canceled)

    def _collect(self, cell: CellSource, outputs: list[dict[str, Any]]) -> None:
        for item in outputs:
            if MIME in item.get("data", {}):
                metrics, artifact = collected(item["data"], self._process.blobs, cell.index)
                self.metrics |= metrics
                if artifact is not None:
                    self.artifacts.append(artifact)

    def _evaluate(self, expression: str, what: str) -> Any:
        try:
            code = compile(expression.strip(), "<step>", "eval")
            return self._process.within(eval, code, self._shell.user_ns)
        except Exception as error:
            raise self._failed_expression(error, what) from error

    def _failed_expression(self, error: Exception, what: str) -> _Failed:
        first = self._request.cells[0] if self._request.cells else None
        described = failure(error, [f"{type(error).__name__}: {error}"], self._places, first)
        message = f"{described.message} (in {what})"
        return _Failed(replace(described, message=message, line=1 if first else None, locals={}))

    def _binding(self, name: str) -> int | None:
        """The last cell of the step that assigns the name."""
        return next(
            (cell.index for cell in reversed(self._request.cells) if imports.binds(cell.source, name)), None
        )


def _described(error: KubeflowError) -> StepError:
    return StepError(type(error).__name__, str(error))


def live(
    shell: Any, cell: str, *, when: str | None = None, foreach: Any = None, collect: Sequence[str] = ()
) -> str:
    """Execute a step's cell in a live notebook, with its condition and loop; returns the state.

    ``foreach`` has ``var`` and ``expr``. Errors are shown by the shell as for any cell, and raised no further.
    """
    namespace = shell.user_ns
    if when is not None and not eval(when, namespace):  # noqa: S307 - the user's own expression
        return "SKIPPED"
    if foreach is None:
        return "SUCCEEDED" if shell.run_cell(cell, store_history=False).success else "FAILED"
    gathered: dict[str, list[Any]] = {name: [] for name in collect}
    for item in list(eval(foreach.expr, namespace)):  # noqa: S307 - as above
        namespace[_ITEM] = item
        exec(f"{foreach.var} = {_ITEM}; del {_ITEM}", namespace)  # noqa: S102 - as above
        if not shell.run_cell(cell, store_history=False).success:
            return "FAILED"
        for name, values in gathered.items():
            values.append(namespace[name])
    namespace.update(gathered)
    return "SUCCEEDED"
