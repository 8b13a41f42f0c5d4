"""Graphs of endpoints: what is refused when they are given, and what they answer."""

from __future__ import annotations

import pytest

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Conflict, Invalid, NotFound
from jupyter_ext.serving import graph as graphs
from tests.waiting import until

PREDICT = {"instances": [[1]]}


@pytest.fixture(scope="module", autouse=True)
def servers(world):
    for name in ("one", "two"):
        world.server(name)
        world.route(name, {"v1": {"percent": 100, "servers": [name]}})


@pytest.fixture
def here(world, monkeypatch):
    """The cluster of these tests is the one that the library finds."""
    monkeypatch.setattr(discover, "current", lambda: world.cluster)
    return world


def resource(name: str, nodes: dict, **spec) -> Resource:
    return Resource.new("InferenceGraph", name, {"nodes": nodes, **spec})


def made(world, name: str, nodes: dict, **spec) -> str:
    graphs.submit_graph(resource(name, nodes, **spec))
    until(lambda: world.ask(f"/{name}").status == 200)
    return f"/{name}"


def steps(*given, kind: str = "Sequence") -> dict:
    return {"root": {"routerType": kind, "steps": list(given)}}


def test_a_sequence_gives_each_the_answer_of_the_one_before(here):
    path = made(
        here,
        "chain",
        steps(
            {"serviceName": "one"},
            {"serviceName": "two", "data": "$response", "mapPredictionsToInstances": True},
        ),
    )
    said = here.ask(path, PREDICT)
    assert (said.status, said.json["who"]) == (200, "two")
    sent = b'{"instances":["one"]'
    assert said.json["size"] > len(sent)
    assert said.headers["x-request-id"]
    assert here.ask(f"{path}/v1/models/chain:predict", PREDICT).status == 200
    plain = made(here, "plain", steps({"serviceName": "one"}, {"serviceName": "two"}))
    assert here.ask(plain, b'{"instances": [[1]]}', method="POST").json["size"] == 20


def test_newer_requests_go_the_newer_way(here):
    path = made(here, "newer", steps({"serviceName": "one"}))
    assert here.ask(path, {"inputs": []}).json["target"] == "/v2/models/one/infer"
    assert here.ask(path, PREDICT).json["target"] == "/v1/models/one:predict"


def test_an_ensemble_puts_answers_side_by_side(here):
    path = made(
        here, "all", steps({"serviceName": "one", "name": "first"}, {"serviceName": "two"}, kind="Ensemble")
    )
    said = here.ask(path, PREDICT).json
    assert {name: each["who"] for name, each in said.items()} == {"first": "one", "1": "two"}


def test_a_switch_takes_the_first_that_fits(here):
    path = made(
        here,
        "which",
        steps(
            {"serviceName": "one", "condition": 'kinds.#(=="a")'},
            {"serviceName": "two", "condition": "kinds"},
            kind="Switch",
        ),
    )
    assert here.ask(path, {"kinds": ["b", "a"]}).json["who"] == "one"
    assert here.ask(path, {"kinds": ["b"]}).json["who"] == "two"
    said = here.ask(path, {"other": 1})
    assert (said.status, "'root'" in said.json["error"]) == (404, True)


def test_a_splitter_shares_out(here):
    path = made(
        here,
        "shared",
        steps({"serviceName": "one", "weight": 50}, {"serviceName": "two", "weight": 50}, kind="Splitter"),
    )
    connection = here.connect()
    found = {here.ask(path, PREDICT, connection=connection).json["who"] for _ in range(40)}
    connection.close()
    assert found == {"one", "two"}


def test_nodes_lie_in_nodes(here):
    nodes = {
        "root": {"routerType": "Sequence", "steps": [{"nodeName": "both"}, {"serviceName": "two"}]},
        "both": {"routerType": "Ensemble", "steps": [{"serviceName": "one"}, {"serviceName": "two"}]},
    }
    assert here.ask(made(here, "nested", nodes), PREDICT).json["who"] == "two"


def test_a_hard_step_that_fails_ends_it_and_a_soft_one_does_not(here):
    hard = made(here, "hard", steps({"serviceName": "one", "dependency": "Hard"}, {"serviceName": "two"}))
    soft = made(here, "soft", steps({"serviceName": "one"}, {"serviceName": "two"}))
    body = {"status": 500}
    assert here.ask(hard, body).json["who"] == "one"
    assert here.ask(soft, body).json["who"] == "two"
    both = made(
        here,
        "both",
        steps({"serviceName": "one"}, {"serviceName": "two", "dependency": "Hard"}, kind="Ensemble"),
    )
    said = here.ask(both, body)
    assert (said.status, said.json["who"]) == (500, "two")


def test_a_condition_in_a_sequence_ends_it(here):
    path = made(
        here, "early", steps({"serviceName": "one"}, {"serviceName": "two", "condition": 'who.#(=="x")'})
    )
    said = here.ask(path, PREDICT)
    assert (said.status, said.json["who"]) == (200, "one")


def test_an_address_may_be_asked(here):
    url = here.address.url.replace("127.0.0.1", "localhost") + "/healthz"
    said = here.ask(made(here, "outside", steps({"serviceUrl": url})), PREDICT)
    assert said.status == 405  # it is the gateway's own page, and takes no POST
    gone = made(here, "gone", steps({"serviceUrl": "http://127.0.0.1:9/x"}))
    said = here.ask(gone, PREDICT)
    assert (said.status, "127.0.0.1:9" in said.json["error"]) == (502, True)


def test_a_graph_takes_no_longer_than_it_says(here):
    path = made(here, "hasty", steps({"serviceName": "one"}), timeout=1)
    said = here.ask(path, {"sleep": 8})
    assert (said.status, "1 s" in said.json["error"]) == (504, True)
    assert here.ask(path, b"no json", method="POST").status == 400


def test_the_handle_asks_changes_and_deletes(here):
    made(here, "handled", steps({"serviceName": "one"}))
    handle = graphs.graph("handled")
    assert handle.phase == "RUNNING"
    assert handle.predict([[1, 2]]) == ["one"]
    assert [each.name for each in graphs.graphs()].count("handled") == 1
    graphs.update_graph(resource("handled", steps({"serviceName": "two"})))
    until(lambda: handle.predict([[1, 2]]) == ["two"])
    handle.delete()
    with pytest.raises(NotFound):
        graphs.graph("handled")
    until(lambda: here.ask("/handled", PREDICT).status == 404)


@pytest.mark.parametrize(
    ("nodes", "what"),
    [
        ({}, "has nodes"),
        (
            {"start": {"routerType": "Sequence", "steps": [{"serviceName": "one"}]}},
            "'root', which is missing",
        ),
        ({"root": {"routerType": "Loop", "steps": [{"serviceName": "one"}]}}, "'Loop' is no type"),
        (steps(), "1 to 50 steps"),
        (steps({"serviceName": "one", "nodeName": "root"}), "serviceName and nodeName"),
        (steps({}), "none of them"),
        (steps({"nodeName": "rout"}), "There is no node 'rout'.*root"),
        (steps({"nodeName": "root"}), "root → root"),
        (steps({"serviceName": "onne"}), "There is no endpoint 'onne'.*one"),
        (
            steps(
                {"serviceName": "one", "weight": 60}, {"serviceName": "two", "weight": 30}, kind="Splitter"
            ),
            "90",
        ),
        (steps({"serviceName": "one"}, kind="Splitter"), "has a weight"),
        (steps({"serviceName": "one", "weight": 100}), "Only steps of a Splitter"),
        (steps({"serviceName": "one"}, kind="Switch"), "has a condition"),
        (steps({"serviceName": "one", "condition": "a.@reverse"}, kind="Switch"), "@reverse"),
        (steps({"serviceName": "one", "data": "$answer"}), r"\$request or \$response"),
        (steps({"serviceName": "one", "dependency": "Firm"}), "Soft or Hard"),
        (steps({"serviceName": "one", "sevrice": 1}), "sevrice is not a field"),
        (steps({"serviceUrl": "https://example.org/"}), "no address that the gateway can ask"),
        (steps({"serviceUrl": "http://a b/"}), "no address"),
        (steps({"serviceName": "one", "mapPredictionsToInstances": "yes"}), "true or false"),
        (
            steps({"serviceName": "one", "name": "a"}, {"serviceName": "two", "name": "a"}, kind="Ensemble"),
            "named 'a'",
        ),
        (steps({"serviceName": ["one"]}), "is a text"),
    ],
)
def test_what_cannot_work_is_refused(here, nodes, what):
    with pytest.raises(Invalid, match=what):
        graphs.check_graph(resource("refused", nodes))


def test_circles_over_several_nodes_are_found(here):
    nodes = {
        name: {"routerType": "Sequence", "steps": [{"nodeName": other}]}
        for name, other in (("root", "a"), ("a", "b"), ("b", "a"))
    }
    with pytest.raises(Invalid, match="a → b → a"):
        graphs.check_graph(resource("round", nodes))


def test_a_graph_has_a_name_of_its_own(here):
    with pytest.raises(Conflict, match="another name"):
        graphs.check_graph(resource("one", steps({"serviceName": "one"})))
    with pytest.raises(Invalid, match="timeout"):
        graphs.check_graph(resource("late", steps({"serviceName": "one"}), timeout="soon"))
