"""What is kept of requests: changed while the endpoint runs, by columns' names; and the drift that it shows."""

from __future__ import annotations

import argparse
import random

import pytest

from jupyter_ext import registry, serving
from jupyter_ext.errors import Invalid, Unavailable
from jupyter_ext.serving import options, presenting, requests
from tests.waiting import PATIENCE, until

from .conftest import routing
from .test_models import Broken

NAMES = ["age", "height", "ssn"]


@pytest.fixture
def people(cluster):
    """A model whose columns have names, and the profile of its training data."""
    import pandas as pd
    from sklearn.linear_model import LinearRegression

    chance = random.Random(7)
    drawn = [[chance.uniform(18, 40), chance.uniform(1.5, 2), 123.0] for _ in range(400)]
    frame = pd.DataFrame(drawn, columns=NAMES)
    model = LinearRegression().fit(frame, frame["height"] * 2)
    registry.register(model, "people", example=frame.head(2), data={"train": frame})
    return cluster


def said(*words: str) -> argparse.Namespace:
    """What ``jupyter kf log people …`` means."""
    command = next(each for each in options.COMMANDS if each.name == "log")
    parser = argparse.ArgumentParser()
    options.add(parser, command.options)
    return parser.parse_args(["people", *words])


def rows(count: int, oldest: float) -> dict:
    chance = random.Random(3)
    return {
        "instances": [[chance.uniform(18, oldest), chance.uniform(1.5, 2), 5551234.0] for _ in range(count)]
    }


def test_a_column_of_rows_without_names_is_left_out_by_its_name(people):
    endpoint = serving.serve("people", log={"sample": 1, "redact": ["ssn"]}).wait(PATIENCE)
    assert routing(endpoint)["log"]["columns"] == NAMES
    endpoint.predict(rows(3, 40))
    kept = until(lambda: endpoint.requests(limit=1))[0]
    found = requests.decode(kept.request, NAMES)
    assert [len(found["age"]), len(found["height"])] == [3, 3]
    assert b"5551234" not in kept.request
    assert kept.response is not None


def test_the_log_is_changed_while_it_runs(people):
    endpoint = serving.serve("people").wait(PATIENCE)
    endpoint.predict(rows(1, 40))
    assert options.apply_log(endpoint, said()) is None
    kept = options.apply_log(endpoint, said("100%", "--redact", "ssn", "--keep", "7"))
    assert kept == {"sample": 1.0, "bodies": True, "redact": ["ssn"], "keep": 7}
    assert options.log_words(kept) == "All requests and answers are kept, without ssn; the newest 7."
    endpoint.predict(rows(1, 40))
    assert len(until(lambda: endpoint.requests(limit=9))) == 1
    assert options.apply_log(endpoint, said("--no-bodies"))["redact"] == ["ssn"]
    assert options.apply_log(endpoint, said("--bodies", "--redact", ""))["redact"] == []
    with pytest.raises(Invalid, match="off"):
        options.apply_log(endpoint, said("off", "--keep", "7"))
    assert options.apply_log(endpoint, said("off")) is None
    until(lambda: not routing(endpoint)["log"])


def test_drift_is_in_the_status_while_something_is_kept(people):
    endpoint = serving.serve("people", log=True).wait(PATIENCE)
    endpoint.predict(rows(200, 90))
    found = until(lambda: endpoint.resource.status.get("drift"))
    assert (found["level"], found["features"][0], found["requests"]) == ("much", "age", 1)
    assert "`age` has moved" in found["words"]
    listed = next(each for each in people.list("InferenceService", summary=True))
    assert listed.status["drift"]["level"] == "much"
    endpoint.log(None)
    until(lambda: endpoint.resource.status.get("drift") is None)


def test_the_example_is_that_of_what_serves(people):
    endpoint = serving.serve("people").wait(PATIENCE)
    registry.register(Broken(), "people", version="broken")
    with pytest.raises(Unavailable):
        serving.serve("people:broken", trust=True)
    assert list(endpoint.example().columns) == NAMES
    assert presenting.example(endpoint)["recorded"] is True
    assert len(endpoint.predict(endpoint.example())) == 2
    assert [each["name"] for each in endpoint.signature()["inputs"]] == NAMES
