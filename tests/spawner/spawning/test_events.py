from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from spawner.api import Api, ApiError
from spawner.starts.events import MOST, PodEvents
from spawner.starts.pods import Pods


class FakeApiServer:
    """Answers watches over a real socket as a badly behaved API server does: ``script`` is a list of answers."""

    def __init__(self, script):
        self.script = list(script)
        self.asked = []
        self.served = asyncio.Event()

    async def watch(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.query))
        if not self.script:
            self.served.set()
            await asyncio.sleep(60)
        step = self.script.pop(0)
        if isinstance(step, int):
            headers = {"Retry-After": "1"} if step == 429 else {}
            status = {"kind": "Status", "code": step, "reason": "x", "message": "no"}
            return web.json_response(status, status=step, headers=headers)
        response = web.StreamResponse()
        await response.prepare(request)
        for line in step:
            await response.write(line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n")
        return response

    @asynccontextmanager
    async def running(self):
        from kubernetes_asyncio.client import ApiClient, Configuration

        application = web.Application()
        application.router.add_get("/{path:.*}", self.watch)
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        api = Api(ApiClient(Configuration(host=f"http://127.0.0.1:{port}")), timeout=5)
        try:
            yield api
        finally:
            await api.close()
            await runner.cleanup()


def told(number, reason="Pulling"):
    about = {"uid": f"u{number}", "name": f"e{number}", "resourceVersion": str(100 + number)}
    return {
        "type": "ADDED",
        "object": {"metadata": about, "reason": reason, "message": "x" * 5000, "lastTimestamp": None},
    }


GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}


def run(work):
    return asyncio.run(asyncio.wait_for(work, 120))


def seen(script, version="5"):
    """The events that came through, and what was asked."""

    async def story():
        server = FakeApiServer(script)
        async with server.running() as api:
            events = PodEvents(api, "ada", "uid-1", version)
            events.start()
            await server.served.wait()
            await events.stop()
            return events.all(), server.asked

    return run(story())


def test_it_asks_for_one_pod_from_its_own_beginning():
    events, asked = seen([[told(1)]])
    assert [each["metadata"]["uid"] for each in events] == ["u1"]
    assert asked[0]["fieldSelector"] == "involvedObject.uid=uid-1"
    assert [each["resourceVersion"] for each in asked] == ["5", "101"]


@pytest.mark.parametrize(
    ("script", "versions"),
    [
        ([[told(1)], [told(2)]], ["5", "101", "102"]),
        ([[told(1), GONE], [told(1), told(2)]], ["5", None, "102"]),
        ([410, [told(1), told(2)]], ["5", None, "102"]),
        ([429, [told(1), told(2)]], ["5", "5", "102"]),
        ([500, [told(1), told(2)]], ["5", "5", "102"]),
        ([[told(1), b'{"type":"ADDED","obj'], [told(2)]], ["5", "101", "102"]),
        ([[told(1), b"not json\n"], [told(2)]], ["5", "101", "102"]),
    ],
)
def test_a_watch_that_breaks_goes_on_where_it_was(script, versions):
    events, asked = seen(script)
    assert [each["metadata"]["uid"] for each in events] == ["u1", "u2"]
    assert [each.get("resourceVersion") for each in asked] == versions


def test_memory_is_bounded():
    events, _ = seen([[told(n) for n in range(5000)]])
    assert len(events) == MOST
    assert max(len(each["message"]) for each in events) == 1024
    assert events[-1]["metadata"]["uid"] == "u4999"


def test_without_the_right_it_gives_up_quietly():
    async def story():
        server = FakeApiServer([403])
        async with server.running() as api:
            events = PodEvents(api, "ada", "uid-1")
            events.start()
            assert events._task is not None
            await events._task
            await events.stop()
            return len(server.asked)

    assert run(story()) == 1


def test_an_answer_that_never_comes_is_an_error():
    async def story():
        server = FakeApiServer([])
        async with server.running() as api:
            api.timeout = 0.2
            with pytest.raises(ApiError) as caught:
                await api.get("/api/v1/pods")
            return caught.value.status

    assert run(story()) == 0


def pod(number, uid="a", kind="ADDED", phase="Pending"):
    about = {"namespace": "ada", "name": f"p{number}", "uid": uid, "resourceVersion": "9"}
    return {
        "type": kind,
        "object": {"metadata": about, "spec": {"containers": []}, "status": {"phase": phase}},
    }


def test_who_waits_for_a_pod_is_woken_by_it_alone():
    listed = {"metadata": {"resourceVersion": "1"}, "items": [pod(1)["object"], pod(2)["object"]]}

    async def story():
        server = FakeApiServer([[listed], [pod(3), pod(1, phase="Running")]])
        async with server.running() as api:
            pods = Pods(api, "component=x")
            with pods.following(("ada", "p1")) as one, pods.following(("ada", "p2")) as two:
                await pods.fresh()
                assert await two.change(5)  # it is there now
                while one.pod is None or one.pod["status"]["phase"] != "Running":
                    await one.change(5)
                assert not await two.change(0.01)  # and nothing of the others wakes it
            await pods.stop()
            return pods._followers

    assert run(story()) == {}
