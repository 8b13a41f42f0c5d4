"""One model of the server: loading it, asking it, and what is known of it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from jupyter_ext.errors import Invalid, Unavailable
from jupyter_ext.serving.server import chain as chains
from jupyter_ext.serving.server import loading
from jupyter_ext.serving.server.config import Config, ModelConfig
from jupyter_ext.serving.server.metrics import Metrics
from jupyter_ext.serving.server.running import Runner

if TYPE_CHECKING:
    from jupyter_ext.serving.server.adapters import Predict
    from jupyter_ext.serving.server.batching import Batcher
    from jupyter_ext.serving.server.expected import Arrays, Expected

Word = Literal["UNAVAILABLE", "LOADING", "READY", "UNLOADING"]
"""The states of the repository extension."""
_MOST_THREADS: Final = 8


class Served:
    """A model under its name and version."""

    def __init__(self, config: ModelConfig, server: Config, metrics: Metrics) -> None:
        self.config = config
        self.server = server
        self.metrics = metrics
        self.name, self.version = self.key = (config.name, config.version)
        self.state: Word = "UNAVAILABLE"
        self.reason = "not loaded yet"
        self.error: BaseException | None = None
        self.format = config.format or ""
        self.chain: chains.Chain | None = None
        self.expected: Expected | None = None
        self.runner = Runner(server.concurrency or 1, server.queue, server.timeout)
        self.batcher: Batcher | None = None
        self.model: Any = None
        self.output_names: list[str] = []
        self._predict: Predict | None = None
        self._lock = asyncio.Lock()

    # Loading

    async def load(self) -> None:
        """Read it in a thread; who asks meanwhile is told that it is loading. Raises what reading it raises."""
        async with self._lock:
            if self.state == "READY":
                return
            self.state, self.reason = "LOADING", ""
            try:
                await self._load()
            except Exception as error:
                self.state, self.error = "UNAVAILABLE", error
                self.reason = f"{type(error).__name__}: {error}"[:1000]
                raise
            self.state, self.reason, self.error = "READY", "", None

    async def _load(self) -> None:
        loop = asyncio.get_running_loop()
        if self.server.fetched is not None:
            path = await loop.run_in_executor(None, loading.fetch, *self.server.fetched)
            self.config = replace(self.config, path=str(path))
        self.model, self.format = await loop.run_in_executor(None, loading.load, self.config)
        threads = self.server.concurrency
        if self.format == "python" and chains.is_chain(self.model):
            self.model = chains.made(self.model, self.name)
            self.chain = chains.Chain(self.model, self._forward())
            await self.chain.load()
        else:
            threads = threads or (1 if self.format == "python" else _cores())
            await loop.run_in_executor(None, self._adapt)
        self.runner = Runner(threads or 1, self.server.queue, self.server.timeout)
        batch = self.server.batch
        if batch is not None and self.chain is None and batch.size > 1:
            from jupyter_ext.serving.server.batching import Batcher

            self.batcher = Batcher(
                batch.size,
                batch.wait_ms / 1000,
                self._joined,
                lambda rows: self.metrics.batch(self.key, rows),
            )

    def _forward(self) -> Any:
        """What asks the predictor that this model stands before, if there is one."""
        predictor = self.server.predictor
        if predictor is None:
            return None
        from contextlib import suppress

        from jupyter_ext.serving.server.forwarding import Forward

        with suppress(AttributeError):  # a class with slots, or a property of this name
            self.model.predictor_host = predictor
        return Forward(predictor, self.name, self.server.timeout)

    def _adapt(self) -> None:
        from jupyter_ext.serving.server import adapters

        self.expected = expectation(self.config.signature, self.model)
        columns = self.expected is not None and self.expected.is_columns
        self._predict = adapters.predictor(self.model, self.format, self.config.example, columns)
        found = (self.config.signature or {}).get("outputs") or []
        self.output_names = [str(entry["name"]) for entry in found]

    async def unload(self) -> None:
        """Let it go."""
        async with self._lock:
            self.state, self.reason = "UNAVAILABLE", "unloaded"
            self.runner.close()
            self.model = self.chain = self._predict = self.batcher = self.expected = None
            import gc

            gc.collect()

    @property
    def ready(self) -> bool:
        """Whether it answers."""
        return self.state == "READY"

    def check_ready(self) -> None:
        """Raise Unavailable unless it answers."""
        if self.state != "READY":
            why = "is loading" if self.state == "LOADING" else f"is not ready: {self.reason}"
            raise Unavailable(f"Model with name {self.name} {why}")

    # Asking

    def infer(self, arrays: Arrays, rows: int) -> Arrays | Awaitable[Arrays]:
        """The outputs by name: at once where the model is quick, else something to await."""
        if self.batcher is not None and rows < self.batcher.size:
            return self._timely(self.batcher.add(arrays, rows))
        if self.runner.pace.is_quick(rows):
            return self.runner.now(lambda: self.run(arrays), rows)  # type: ignore[no-any-return]
        return self.runner.later(lambda: self.run(arrays), rows)

    def run(self, arrays: Arrays) -> Arrays:
        """Ask the model, here and now."""
        from jupyter_ext.serving.server.adapters import outputs

        if self._predict is None:
            raise Unavailable(f"Model with name {self.name} is not ready: {self.reason}")
        try:
            return outputs(self._predict(arrays), self.output_names)
        except ValueError as error:
            gap = _gap(arrays)
            if gap is None:
                raise
            raise Invalid(
                f"the model refuses its input, in which {gap} is no number: {error}"[:1000]
            ) from None

    async def _joined(self, arrays: Arrays, rows: int) -> Arrays:
        if self.runner.pace.is_quick(rows):
            found = self.runner.now(lambda: self.run(arrays), rows)
            return found if isinstance(found, dict) else await found
        return await self.runner.later(lambda: self.run(arrays), rows)  # type: ignore[no-any-return]

    async def _timely(self, work: asyncio.Future[Arrays]) -> Arrays:
        from jupyter_ext.serving.server.running import Late

        try:
            async with asyncio.timeout(self.server.timeout):
                return await work
        except TimeoutError:
            raise Late(f"the model has not answered within {self.server.timeout:g} s") from None

    def ask(self, payload: Any, headers: dict[str, str]) -> Any | Awaitable[Any]:
        """A custom class, with a whole payload."""
        chain = self.chain
        if chain is None:
            raise Unavailable(f"Model with name {self.name} is not ready: {self.reason}")
        if chain.is_async:
            return self._asked(chain, payload, headers)
        if self.runner.pace.is_quick(1):
            return self.runner.now(lambda: chain.predict(payload, headers), 1)
        return self.runner.later(lambda: chain.predict(payload, headers), 1)

    async def _asked(self, chain: chains.Chain, payload: Any, headers: dict[str, str]) -> Any:
        from jupyter_ext.serving.server.running import Late

        task = asyncio.ensure_future(chain.apredict(payload, headers))
        done, _ = await asyncio.wait({task}, timeout=self.server.timeout)
        if not done:
            task.cancel()
            raise Late(f"the model has not answered within {self.server.timeout:g} s")
        return task.result()


def expectation(signature: dict[str, Any] | None, model: Any) -> Expected | None:
    """What the signature says, else what the model says of itself."""
    from jupyter_ext.serving.server.expected import Expected

    names = getattr(model, "feature_names_in_", None)
    if signature and signature.get("inputs"):
        # Without outputs no example was seen: the types are only supposed.
        return Expected(signature["inputs"], names, typed=bool(signature.get("outputs")))
    if names is not None:
        return Expected([{"name": str(name), "shape": [-1]} for name in names], typed=False)
    count = getattr(model, "n_features_in_", None)
    if isinstance(count, int):
        return Expected([{"name": "input-0", "shape": [-1, count]}], typed=False)
    return None


def _gap(arrays: Arrays) -> str | None:
    """The first value that is NaN or infinite: what a model says of those is about the caller's data."""
    import numpy as np

    for name, array in arrays.items():
        if array.dtype.kind == "f":
            bad = np.argwhere(~np.isfinite(array))
            if len(bad):
                return name + "".join(f"[{part}]" for part in bad[0])
    return None


def _cores() -> int:
    """Predictions at once: as many as the lease has cores, where the controller says so."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told):
        return min(int(told), _MOST_THREADS)
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MOST_THREADS)


def complain(error: BaseException) -> None:
    """A fault of the model, to the log."""
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error))[-8000:])
    sys.stderr.flush()
