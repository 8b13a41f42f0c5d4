from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.registry import profile
from jupyter_ext.serving import drift


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "age": rng.integers(18, 50, 2000),
            "income": rng.lognormal(3, 1, 2000),
            "city": rng.choice(["Paris", "Rome", "Oslo"], 2000, p=[0.3, 0.5, 0.2]),
            "member": rng.random(2000) < 0.3,
            "since": pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, 2000), unit="D"),
            "note": [f"note {i} of somebody" for i in range(2000)],
            "api_token": ["abc"] * 2000,
            "email": ["a@b.c"] * 2000,
            "height": np.where(rng.random(2000) < 0.1, np.nan, rng.normal(170, 8, 2000)),
        }
    )


def kinds(found):
    return {each["name"]: each["kind"] for each in found["features"]}


def test_a_profile_has_the_kinds_and_none_of_the_texts(people):
    found = profile.of(people)
    assert kinds(found) == {
        "age": "number",
        "income": "number",
        "city": "category",
        "member": "number",
        "since": "time",
        "note": "text",
        "api_token": "hidden",
        "email": "hidden",
        "height": "number",
    }
    text = json.dumps(found, allow_nan=False)
    assert "somebody" not in text
    assert "abc" not in text
    assert "a@b.c" not in text
    by_name = {each["name"]: each for each in found["features"]}
    assert by_name["height"]["missing"] == pytest.approx(0.1, abs=0.03)
    assert by_name["city"]["values"]["Rome"] == pytest.approx(0.5, abs=0.05)
    assert sum(by_name["age"]["shares"]) == pytest.approx(1, abs=1e-5)


def test_arrays_sparse_matrices_lists_and_mappings_have_profiles():
    from scipy import sparse

    assert kinds(profile.of(np.arange(40.0).reshape(10, 4))) == dict.fromkeys(
        ["x0", "x1", "x2", "x3"], "number"
    )
    assert list(kinds(profile.of(np.zeros((10, 2)), names=["a", "b"]))) == ["a", "b"]
    assert kinds(profile.of(np.zeros((5, 8, 8)))) == {"values": "number"}
    assert kinds(profile.of({"a": [1, 2], "b": ["u", "u"]})) == {"a": "number", "b": "category"}
    assert kinds(profile.of([1, 2, 3])) == {"x0": "number"}
    assert kinds(profile.of([])) == {"x0": "empty"}
    assert kinds(profile.of(pd.Series([1, 2], name="age"))) == {"age": "number"}
    wide = sparse.random(500, 100_000, density=0.001, format="csr", random_state=1)
    found = profile.of(wide)
    assert found["rows"] == 500
    assert 0 < len(found["features"]) <= 100
    assert len(found["features"]) + found["more"] == 100_000


def test_a_profile_is_small_however_wide_the_data():
    found = profile.of(
        pd.DataFrame(
            {f"a long name of a column {i}": np.random.default_rng(i).random(50) for i in range(300)}
        )
    )
    assert len(json.dumps(found)) <= profile.MAX_BYTES
    assert len(found["features"]) + found["more"] == 300


def test_what_the_model_answers_is_profiled_too(people):
    found = profile.of(people[["age"]], predict=lambda rows: (rows["age"] > 30).to_numpy())
    assert [each["name"] for each in found["outputs"]] == ["y0"]
    assert "outputs" not in profile.of(people, predict=lambda rows: rows["no such"])


@settings(deadline=None)
@given(st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), max_size=60))
def test_any_column_has_a_profile_that_is_json(values):
    found = profile.feature("column", values)
    json.dumps(found, allow_nan=False)
    measured = drift.measure({"features": [found]}, {"column": values})
    json.dumps(measured.to_dict(), allow_nan=False)


def columns(frame):
    return {name: frame[name].tolist() for name in frame.columns}


def test_the_same_data_has_not_moved(people):
    rng = np.random.default_rng(2)
    found = profile.of(people[["age", "income", "city", "member"]])
    alarms = 0
    for _ in range(100):
        for size in (60, 500):
            rows = people.iloc[rng.integers(0, 2000, size)]
            alarms += drift.measure(found, columns(rows[["age", "income", "city", "member"]])).level != "none"
    assert alarms <= 4


def test_what_moved_is_said_in_words(people):
    rng = np.random.default_rng(3)
    live = pd.DataFrame(
        {
            "age": rng.integers(30, 70, 400),
            "income": people["income"].to_numpy()[:400],
            "city": rng.choice(["Paris", "Rome", "Bonn"], 400, p=[0.6, 0.2, 0.2]),
        }
    )
    found = drift.measure(profile.of(people[["age", "income", "city", "note"]]), columns(live))
    by_name = {each.name: each for each in found.features}
    assert by_name["income"].level == "none"
    assert by_name["age"].level == "much"
    assert "`age` has moved: median 3" in by_name["age"].words
    assert "of values above anything seen in training" in by_name["age"].words
    assert "% of values were never seen in training" in by_name["city"].words
    assert by_name["note"].level == "unknown"
    assert found.features[0].level == "much"
    assert found.words.startswith("2 of 3 features have moved.")
    assert found.to_dict()["items"][0]["kind"] == "input"
    assert 'aria-label="Drift"' in found._repr_html_()


def test_missing_values_are_said(people):
    heights = [None] * 60 + [170.0 + (i % 17) - 8 for i in range(60)]
    found = drift.measure(profile.of(people[["height"]]), {"height": heights})
    assert "missing 11 % → 50 %" in found.features[0].words
    assert drift.measure(profile.of(people[["age"]]), {"age": ["old"] * 80}).features[0].level == "much"


def test_few_values_are_not_judged(people):
    found = drift.measure(profile.of(people[["age"]]), {"age": [99] * 49})
    assert found.level == "unknown"
    assert "49 of at least 50 values" in found.words
    assert drift.measure(profile.of(people[["age"]].iloc[:5]), {"age": [99] * 99}).level == "unknown"
    assert "register the model with data" in drift.measure(None, {"age": [1]}).words


def test_logged_requests_are_decoded_with_the_names_of_the_profile(people, logged):
    requests = [
        logged(
            "v1",
            json.dumps({"instances": [[60 + i % 9, 5.0], [70, 6.0]]}).encode(),
            json.dumps({"predictions": [1, 1]}).encode(),
            name=f"r{i}",
        )
        for i in range(40)
    ]
    requests.append(logged("v1", b"no json", name="bad"))
    requests.append(logged("v1", None, name="none"))
    known = profile.of(
        people[["age", "income"]], predict=lambda rows: (rows["age"] > 45).to_numpy().astype(int)
    )
    found = drift.measure(known, requests)
    assert (found.requests, found.unread) == (41, 1)
    assert {each.name: each.level for each in found.features} == {
        "age": "much",
        "income": "much",
        "y0": "much",
    }
    assert (
        "100 % of values above anything seen in training" in found.features[0].words
        or found.features[0].psi > 1
    )


def test_a_broken_profile_is_refused_not_believed():
    from jupyter_ext.errors import Invalid

    with pytest.raises(Invalid, match="cannot be read"):
        drift.measure({"features": [{"name": "a", "kind": "number", "count": 99}]}, {"a": [1] * 99})
