"""What a mirror does when watches are cut, answers are refused and objects are strange.

The API server's rarer answers cannot be had on demand, so a fake gives them, in the forms of the Kubernetes API
concepts page; the ordinary course is tested with a real server in `test_entering`.
"""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from spawner.api import ApiError
from spawner.mirror import Mirror
from spawner.refused import Refused


def thing(name, version, kind="pod"):
    return {"metadata": {"namespace": "n", "name": name, "resourceVersion": str(version)}, "kind": kind}


def listed(*things, version=1, token=""):
    return {"items": list(things), "metadata": {"resourceVersion": str(version), "continue": token}}


class FakeApi:
    """Answers lists and watches from a script; a watch after the last one stays open. Notes what was asked."""

    def __init__(self, lists, watches=()):
        self.lists, self.watches = list(lists), list(watches)
        self.asked = []
        self.rested = asyncio.Event()

    async def get(self, path, query=None):  # noqa: ARG002
        self.asked.append(("list", dict(query or {})))
        answer = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, path, query, seconds=300):  # noqa: ARG002
        self.asked.append(("watch", query["resourceVersion"]))
        if not self.watches:
            self.rested.set()
            await asyncio.Event().wait()
        for change in self.watches.pop(0):
            if isinstance(change, Exception):
                raise change
            yield change


def rows(lists, watches=(), keys=lambda row: [row], trim=lambda thing: thing["metadata"]["name"]):
    """The rows once the script has run out, what was asked, and the mirror."""

    async def run():
        api = FakeApi(lists, watches)
        mirror = Mirror(api, "/api/v1/pods", trim, keys)
        mirror.start()
        await asyncio.wait_for(api.rested.wait(), 30)
        await mirror.fresh()
        found = sorted(mirror.rows.values())
        await mirror.stop()
        return found, api.asked, mirror

    return asyncio.run(run())


def test_pages_and_changes():
    lists = [listed(thing("a", 1), token="next"), listed(thing("b", 2), version=7)]
    watches = [
        [
            ("ADDED", thing("c", 8)),
            ("DELETED", thing("a", 9)),
            ("BOOKMARK", {"metadata": {"resourceVersion": "20"}}),
        ]
    ]
    found, asked, mirror = rows(lists, watches)
    assert found == ["b", "c"]
    assert asked[1][1]["continue"] == "next"
    assert [version for verb, version in asked if verb == "watch"] == ["7", "20"], "goes on where it was"
    assert mirror.having("c") == ["c"]
    assert mirror.having("a") == []
    assert mirror.lists == 1


@pytest.mark.parametrize("where", ["in the stream", "at once"])
def test_gone_lists_again(where):
    gone = ApiError(410, "Expired", "too old resource version")
    first = [("ADDED", thing("b", 2)), gone] if where == "in the stream" else [gone]
    found, asked, mirror = rows([listed(thing("a", 1)), listed(thing("c", 9), version=9)], [first])
    assert found == ["c"], "nothing of the old list is left"
    assert mirror.lists == 2
    assert asked[-1] == ("watch", "9")


def test_gone_while_paging_begins_anew():
    gone = ApiError(410, "Expired", "the continue token is too old")
    lists = [listed(thing("a", 1), token="next"), gone, listed(thing("b", 2))]
    assert rows(lists)[0] == ["b"]


def test_watches_that_close_early_do_not_list_again():
    _, asked, mirror = rows([listed(version=3)], [[], [], [], []])
    assert [asked for verb, asked in asked if verb == "watch"] == ["3"] * 5
    assert mirror.lists == 1


@pytest.mark.parametrize(
    "fault",
    [
        ApiError(429, "TooManyRequests", "", {"retryAfterSeconds": 1}),
        ApiError(500, "", ""),
        ApiError(0, "NoAnswer", ""),
    ],
)
def test_what_is_refused_is_tried_again(fault):
    found, _, _ = rows([fault, listed(thing("a", 1))], [[fault], [("ADDED", thing("b", 2)), fault]])
    assert found == ["a", "b"]


def test_a_watch_that_keeps_failing_is_replaced_by_a_list():
    broken = [[ApiError(500, "", "")]] * 3
    lists = [listed(thing("a", 1)), listed(), listed(), listed(thing("b", 2))]
    found, _, mirror = rows(lists, broken)
    assert found == ["b"]
    assert mirror.lists == 2


def test_a_kind_that_is_not_installed_has_no_rows():
    async def run():
        mirror = Mirror(FakeApi([ApiError(404, "", "404 page not found")]), "/apis/x", lambda thing: thing)
        await mirror.fresh()
        found = mirror.absent, mirror.rows
        await mirror.stop()
        return found

    assert asyncio.run(run()) == (True, {})


def test_a_kind_that_comes_and_goes():
    missing = ApiError(404, "", "404 page not found")
    found, _, mirror = rows([missing, listed(thing("a", 1)), missing, listed(thing("b", 2))], [[missing]])
    assert found == ["b"]
    assert not mirror.absent


def test_a_strange_object_does_not_end_it():
    def trim(thing):
        return thing["metadata"]["labels"]["name"]

    async def run():
        api = FakeApi([listed(thing("a", 1))])
        mirror = Mirror(api, "/api/v1/pods", trim)
        with pytest.raises(Refused, match="did not answer") as refused:
            await mirror.fresh(patience=0.2)
        await mirror.stop()
        return refused.value.status

    assert asyncio.run(run()) == 503


def test_no_right_to_list_is_said_at_once():
    async def run():
        mirror = Mirror(
            FakeApi([ApiError(403, "Forbidden", "pods is forbidden")]), "/api/v1/pods", lambda thing: thing
        )
        with pytest.raises(Refused, match="not permitted"):
            await mirror.fresh(patience=60)
        await mirror.stop()

    asyncio.run(run())


def test_too_many_objects_are_refused(monkeypatch):
    monkeypatch.setattr("spawner.mirror._MOST", 2)

    async def run():
        api = FakeApi([listed(thing("a", 1), thing("b", 1), thing("c", 1))])
        mirror = Mirror(api, "/api/v1/pods", lambda thing: thing)
        with contextlib.suppress(Refused):
            await mirror.fresh(patience=0.2)
        await mirror.stop()
        return mirror.rows

    assert asyncio.run(run()) == {}
