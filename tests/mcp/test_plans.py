"""A plan is carried out once, soon, and as it was told."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_ext.errors import Conflict
from jupyter_ext.mcp import plans
from jupyter_ext.mcp.plans import Plan, Plans

PLAN = Plan("Stop it.", "stop()", state=["uid", 1])
ARGUMENTS: dict[str, Any] = {"name": "a", "options": {"cache": True, "only": None}}


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_word_is_good_once():
    kept = Plans()
    word = kept.tell("run_stop", ARGUMENTS, PLAN)
    kept.confirm(word, "run_stop", dict(reversed(ARGUMENTS.items())), PLAN)
    with pytest.raises(Conflict, match="used already"):
        kept.confirm(word, "run_stop", ARGUMENTS, PLAN)


@pytest.mark.parametrize(
    ("tool", "arguments", "plan", "what"),
    [
        ("run_stop", {**ARGUMENTS, "name": "b"}, PLAN, "other arguments"),
        ("run_stop", {**ARGUMENTS, "options": {"cache": 1, "only": None}}, PLAN, "other arguments"),
        ("resource_delete", ARGUMENTS, PLAN, "other arguments"),
        ("run_stop", ARGUMENTS, Plan("Stop it.", "stop()", state=["uid", 2]), "changed since"),
    ],
)
def test_a_word_is_for_these_arguments_and_this_state_only(tool, arguments, plan, what):
    kept = Plans()
    word = kept.tell("run_stop", ARGUMENTS, PLAN)
    with pytest.raises(Conflict, match=what):
        kept.confirm(word, tool, arguments, plan)
    with pytest.raises(Conflict, match="used already"):
        kept.confirm(word, "run_stop", ARGUMENTS, PLAN)


def test_a_word_is_good_for_a_while():
    clock = Clock()
    kept = Plans(60, clock)
    word = kept.tell("run_stop", ARGUMENTS, PLAN)
    clock.now += 60
    with pytest.raises(Conflict, match="older than 60 s"):
        kept.confirm(word, "run_stop", ARGUMENTS, PLAN)


def test_only_so_many_plans_wait():
    kept = Plans()
    words = [kept.tell("run_stop", {"name": str(number)}, PLAN) for number in range(plans.MOST + 1)]
    with pytest.raises(Conflict, match="not known"):
        kept.confirm(words[0], "run_stop", {"name": "0"}, PLAN)
    kept.confirm(words[1], "run_stop", {"name": "1"}, PLAN)
    assert len(set(words)) == len(words)
