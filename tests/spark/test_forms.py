"""Forms, options and code of batches, schedules and sessions: what is said one way is said the same another way."""

from __future__ import annotations

import argparse
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jupyter_ext as kf
from jupyter_ext.errors import Invalid
from jupyter_ext.spark import forms, options, snippets

WORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="=,"), min_size=1, max_size=8
)
KEYWORDS = st.fixed_dictionaries(
    {},
    optional={
        "cores": st.integers(2, 9),
        "memory": st.sampled_from(["2g", "512m"]),
        "conf": st.dictionaries(WORDS, WORDS, min_size=1, max_size=2),
        "packages": st.lists(WORDS, min_size=1, max_size=2),
        "retries": st.integers(1, 5),
        "main_class": WORDS,
    },
)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    for option in (*options.BATCH, *options.CLOCK, options.IDLE):
        made.add_argument(*option.words, **option.settings)
    return made


@given(KEYWORDS)
def test_the_options_say_what_the_keywords_say(words):
    assert options.given(parser().parse_args(options.flags(words))) == words


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("12h", 43200), ("90", 90), (90, 90), ("1.5h", 5400), ("never", 0), (0, 0), (None, 0)],
)
def test_a_time_without_use(said, seconds):
    assert options.idle(said) == seconds


@pytest.mark.parametrize("said", ["soon", "-1", "1w", "", True, "99999999999d", "0.1"])
def test_what_is_no_time_is_refused(said):
    with pytest.raises(Invalid, match="not a time without use"):
        options.idle(said)


def test_the_same_as_code():
    spec = {"path": "etl.py", "function": "main", "cores": 2, "memory": "1g", "arguments": ["--day", "7 8"]}
    found = snippets.batch(spec)
    assert "kf.spark.submit(Path('etl.py'), function='main', cores=2" in found["python"]
    assert found["cli"] == "jupyter kf spark submit etl.py --function main --cores=2 -- --day '7 8'"
    assert found["magic"].startswith("%kf spark submit etl.py")
    clock = snippets.batch({**spec, "cron": "@daily", "timezone": "UTC"})
    assert "kf.spark.schedule(Path('etl.py'), '@daily', function='main'" in clock["python"]
    assert "--cron=@daily" in clock["cli"]
    for code in (
        found,
        clock,
        snippets.session({"name": "other", "idle": "1h"}),
        snippets.batch({"source": "x = 1"}),
    ):
        compile(code["python"], "snippet", "exec")
    assert snippets.session({})["python"].endswith("kf.spark.session()")


def rows(n: int, what: str = "a"):
    return [what] * n


def test_a_form_knows_what_is_wrong_and_says_the_code(cluster):
    model = forms.FormModel(rows, values={"n": "3", "memory": "100m"})
    assert list(model.problems()) == ["memory"]
    model.values["memory"] = ""
    assert not model.problems()
    assert model.code().endswith("app = kf.spark.submit(rows, args={'n': 3})")
    model.values["cron"] = "sometimes"
    assert list(model.problems()) == ["cron"]
    model.values["cron"] = "@daily"
    assert "kf.spark.schedule(rows, '@daily', args={'n': 3})" in model.code()
    session = forms.FormModel(values={"idle": "soon"})
    assert list(session.problems()) == ["idle"]
    session.values |= {"idle": "1h", "conf": "spark.sql.ansi.enabled=false"}
    assert not session.problems()
    assert session.code().endswith("kf.spark.session(conf={'spark.sql.ansi.enabled': 'false'}, idle='1h')")
    assert not cluster.list("SparkApplication")


def test_a_draft_names_the_field(cluster, folder):
    (folder / "etl.py").touch()
    file = {"what": folder / "etl.py", "function": None}
    assert forms.draft(file, {"driver_memory": "7"})["problems"][0]["field"] == "driver_memory"
    assert forms.draft(file, {})["problems"] == []
    assert forms.draft({"what": None, "function": None}, {})["problems"][0]["field"] == "what"
    assert forms.draft(file, {"cron": "@often"})["problems"][0]["field"] == "cron"
    assert forms.draft({}, {"name": "A B"})["problems"][0]["field"] == "name"


def test_what_there_is_as_code(cluster, folder):
    made = kf.spark.schedule(
        "x = spark.range(3)\n", "@yearly", name="cell", suspend=True, memory="512m", driver_memory="512m"
    )
    found = snippets.of(made.resource)
    assert "spark.range(3)" in found["python"]
    assert "'@yearly'" in found["python"]
    assert "on this machine only" in found["refused"]
    made.delete()
    (folder / "etl.py").touch()
    made = kf.spark.schedule("etl.py", "@yearly", name="file", suspend=True, retries=2)
    assert json.dumps(str(folder / "etl.py"))[1:-1] in snippets.of(made.resource)["cli"]
    assert "--retries=2" in snippets.of(made.resource)["cli"]
    made.delete()
