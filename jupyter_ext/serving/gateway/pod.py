"""The gateway of one endpoint of a Kubernetes cluster: the process of its pod.

It routes, counts and watches the rules as a profile's gateway and the controllers of its endpoints do on one machine.
What it goes by is in the cluster: the endpoint's record, its InferenceServices, its pods. Predictions are open to the
network, as KServe's are; what was asked, and what came of it, is told to those who show the record's token.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import orjson

from jupyter_ext import store
from jupyter_ext.errors import Forbidden, KubeflowError, NotFound, Unavailable
from jupyter_ext.serving import kube_gateway, traffic
from jupyter_ext.serving.gateway import keeping, pages, telling
from jupyter_ext.serving.gateway.following import Follower
from jupyter_ext.serving.gateway.keeping import Keeper
from jupyter_ext.serving.gateway.recorder import Recorder
from jupyter_ext.serving.gateway.router import Answer, Router
from jupyter_ext.serving.http.loop import run
from jupyter_ext.serving.http.message import Headers, Request, Response, failure
from jupyter_ext.serving.http.server import Limits, Server
from jupyter_ext.serving.server.process import FAILED

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.serving.kube_record import Records
    from jupyter_ext.store import Store

OPEN: Final = frozenset(
    {"endpoint", "alive", "server-live", "server", "models", "index", "about", "healthz", "root"}
)
"""What anybody may ask who reaches the pod: predictions and health, as of KServe's own pods."""
BEHIND_SECONDS: Final = 5.0
"""How long an answer waits for a change that whoever asks has made already."""
_LEAVE_SECONDS: Final = 3.0
"""Between being told to end and taking no more: its Service knows a little later that it is gone."""
_DRAIN_SECONDS: Final = 15.0
_START_SECONDS: Final = 60.0
_STORE_SECONDS: Final = 15.0
_ROOT: Final = telling.ROOT.encode() + b"/"
_LIMITS: Final = Limits(body=64 << 20, connections=2000)


class Gate(Router):
    """A router of one endpoint, that also tells what went through."""

    cluster: LocalCluster
    follower: Follower

    def admit(self, method: str, target: bytes, headers: Headers) -> Response | None:
        """Predictions need no token, all else does."""
        if not target.startswith(_ROOT):
            asked = self._read(target)
            if asked.kind in OPEN and not asked.inner:
                return None
        return super().admit(method, target, headers)

    def handle(self, request: Request) -> Answer:
        """As a router; below ``/_kubeflow/`` is what is told."""
        if request.target.startswith(_ROOT):
            return asyncio.ensure_future(self._told(request))
        return super().handle(request)

    async def _told(self, request: Request) -> Response:
        try:
            what = request.path.removeprefix(f"{telling.ROOT}/")
            if what == "state" and request.method == "GET":
                return await self._state(request)
            route = self.table.routes.get(self.follower.name)
            if route is None:
                raise NotFound(f"There is no endpoint {self.follower.name!r} any more")
            if what == "feedback" and request.method == "POST":
                return await pages.feedback(self, route, request.body)
            if what == "traffic" and request.method == "POST":
                await self.recorder.flush()
                asked = orjson.loads(request.body)
                found = await self.loop.run_in_executor(
                    self.threads, telling.answer, self.cluster, self.traffic, route.uid, asked
                )
                return Response(200, orjson.dumps({"found": found}))
        except ValueError:
            return failure(400, "The body is no JSON.")
        except KubeflowError as error:
            return failure(error.status, str(error))
        return failure(404, "Nothing is told here.")

    async def _state(self, request: Request) -> Response:
        """The endpoint, once all that is known of which ``version`` is the number is in force."""
        wanted = _number(parse_qs(request.query), "version")
        with suppress(TimeoutError):
            await asyncio.wait_for(self.follower.knows(wanted), BEHIND_SECONDS)
        resource = self.follower.resource
        if resource is None:
            raise NotFound(f"There is no endpoint {self.follower.name!r} any more")
        return Response(200, orjson.dumps({"version": self.follower.version, "endpoint": resource.to_dict()}))


def _number(query: Mapping[str, Sequence[str]], name: str) -> int:
    text = (query.get(name) or ["0"])[0]
    return int(text) if text.isdecimal() and len(text) < 20 else 0


def salt_of(token: str) -> bytes:
    """What makes senders' digests this endpoint's own: of a pod that starts again the same, so that they stay where they were."""
    return blake2b(token.encode(), digest_size=16, person=b"senders").digest()


def _opened(records: Records, name: str) -> str:
    """The token, once it is sure that this pod may do all that it has to. Raises Forbidden."""
    kube_gateway.require_rights(records.remote)
    return records.open(name)


async def serve(records: Records, name: str, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    token = await asyncio.to_thread(_opened, records, name)
    recorder = Recorder(records.here, traffic.of(records.here))
    gate = Gate(recorder.traffic, token, salt_of(token), recorder)
    gate.cluster = records.here
    gate.follower = follower = Follower(records, name, gate, recorder.traffic)
    recorder.begin()
    server = Server(gate.handle, _LIMITS, gate.admit)
    keeper = Keeper(recorder.traffic, _store())
    try:
        await asyncio.to_thread(follower.look)
        if follower.resource is not None:
            with suppress(TimeoutError):  # a store that does not answer delays nobody
                begun = asyncio.to_thread(keeper.begin, follower.resource.uid)
                await asyncio.wait_for(begun, _STORE_SECONDS)
            follower.since = await asyncio.to_thread(_missing, keeper, follower)
        await server.listen_tcp(host, port)
        follower.start()
        print(f"The gateway of {name} listens at port {port}.", flush=True)  # noqa: T201
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 100)
        while not stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), keeping.EVERY)
            with suppress(TimeoutError):
                await recorder.flush()
                kept = asyncio.to_thread(_kept, keeper, follower)
                follower.since = await asyncio.wait_for(kept, _STORE_SECONDS)
        await asyncio.sleep(_LEAVE_SECONDS)
    finally:
        follower.end()
        await server.drain(_DRAIN_SECONDS)
        recorder.end()
        gate.threads.shutdown(wait=False)
        _last(keeper, follower)


def _store() -> Store | None:
    """Where the profile keeps its artifacts, as the pod was told."""
    try:
        return store.default()
    except KubeflowError as error:
        print(f"What is counted is kept by this pod alone: {_words(error)}", flush=True)  # noqa: T201
        return None


def _kept(keeper: Keeper, follower: Follower) -> str:
    keeper.save()
    return _missing(keeper, follower)


def _missing(keeper: Keeper, follower: Follower) -> str:
    """Since when all is counted, where a gateway before this one counted as well; empty where nothing is missing."""
    try:
        first = follower.records.began(follower.name, keeper.since)
    except KubeflowError:
        return follower.since  # as far as is known
    moment = datetime.fromtimestamp(keeper.since, UTC)
    return moment.isoformat(timespec="seconds") if keeper.since > first + 1 else ""


def _last(keeper: Keeper, follower: Follower) -> None:
    """Keep what there is for the next pod; of an endpoint that was deleted nothing is left."""
    try:
        gone = follower.records.find(follower.name) is None
    except KubeflowError:
        gone = False
    if gone:
        keeper.forget()
    else:
        keeper.save()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command of the pod's container."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.cluster.kube.access import of_pod
    from jupyter_ext.serving.kube_record import Records

    parser = argparse.ArgumentParser(prog="python -m jupyter_ext.serving.gateway.pod")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--host", default="0.0.0.0")  # noqa: S104 - of a pod
    parser.add_argument("--port", type=int, default=8080)
    said = parser.parse_args(arguments)
    remote = KubeCluster(of_pod(), patience=_START_SECONDS)
    try:
        run(serve(Records(remote, discover.current()), said.endpoint, said.host, said.port))
    except (Forbidden, NotFound, Unavailable) as error:
        print(_words(error), file=sys.stderr, flush=True)  # noqa: T201
        return FAILED if isinstance(error, Forbidden) else 1
    return 0


def _words(error: KubeflowError) -> str:
    """In one line: it is what the endpoint says of its gateway."""
    return " ".join(str(error).split())


def _run() -> Any:
    sys.exit(main())


if __name__ == "__main__":
    _run()
