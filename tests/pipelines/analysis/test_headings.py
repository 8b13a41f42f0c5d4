"""Headings, names made of them, and notebooks cut by them."""

from __future__ import annotations

import pytest

from jupyter_ext.pipelines import headings
from tests.pipelines.analysis.building import check


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# A", [(1, "A")]),
        ("###### A ##", [(6, "A")]),
        ("####### A", []),
        ("#A", []),
        ("   ## A", [(2, "A")]),
        ("    ## A", []),
        ("text # A", []),
        ("Title\n===", [(1, "Title")]),
        ("Title\n---", [(2, "Title")]),
        ("Two\nlines\n---", [(2, "Two lines")]),
        ("text\n\n---\n", []),
        ("- item\n---", []),
        ("---\ntitle: x\n---\n# A", [(1, "A")]),
        ("```\n# A\n```\n# B", [(1, "B")]),
        ("~~~~\n# A\n~~~\n# B\n~~~~\n# C", [(1, "C")]),
        ("```python\n# A", []),
        ("<!-- \n# A\n-->\n# B", [(1, "B")]),
        ("<h2 id='x'>A <b>b</b></h2>", [(2, "A b")]),
        ("# **Bold** and *it* `code` [link](x) ![i](y) \\*", [(1, "Bold and it code link i *")]),
        ("# snake_case_name", [(1, "snake_case_name")]),
        ("# A\ntext\n## B", [(1, "A"), (2, "B")]),
        ("#", []),
        ("a = b - c", []),
    ],
)
def test_find(text: str, expected: list[tuple[int, str]]) -> None:
    assert [(heading.level, heading.title) for heading in headings.find(text)] == expected


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Load data", "load-data"),
        ("1. Load", "load"),
        ("2.1 Load the data!", "load-the-data"),
        ("3 models", "3-models"),
        ("Données & Modèle", "donnees-modele"),
        ("Größe ändern", "grosse-andern"),
        ("Обучение модели", "obuchenie-modeli"),
        ("Εκπαίδευση", "ekpaideysi"),
        ("훈련", "hunryeon"),
        ("Łódź — Ærø", "lodz-aero"),
        ("数据", ""),
        ("it's", "its"),
        ("🚀 Go", "go"),
        ("x" * 90, "x" * 50),
        ("word " * 20, "word-word-word-word-word-word-word-word-word-word"),
    ],
)
def test_slug(title: str, expected: str) -> None:
    assert headings.slug(title) == expected


def names(*cells: str) -> str:
    return " ".join(
        f"{step.name}:{','.join(str(cell.index) for cell in step.cells)}" for step in check(*cells).steps
    )


def test_a_heading_starts_a_step() -> None:
    assert names("md:# Load", "a = 1", "b = 2", "md:# Train", "text = 1", "c = a") == "load:2,3 train:5,6"


def test_a_section_without_code_is_no_step() -> None:
    assert (
        names("md:# Intro", "md:text", "md:# Load", "a = 1", "md:# Notes", "md:# Empty", "# comment")
        == "load:4"
    )


def test_code_before_the_first_heading_is_setup() -> None:
    pipeline = check("import os", "md:# Load", "a = os.sep")
    assert [(step.name, step.kind) for step in pipeline.steps] == [("setup", "setup"), ("load", "step")]


def test_the_last_heading_of_a_cell_names_the_step() -> None:
    assert names("md:# Part\n## Load", "a = 1") == "load:2"


def test_equal_headings_get_numbers() -> None:
    assert names("md:# A", "a = 1", "md:# A", "b = 1", "md:# 数", "c = 1") == "a:2 a-2:4 step-3:6"


def test_preparations_under_the_title_are_setup() -> None:
    cells = ("md:# Flights", "import pandas as pd\nSEED = 1\ndef f(): pass", "md:## Load", "a = f()")
    assert names(*cells) == "setup:2 load:4"
    assert check(*cells).title == "Flights"


def test_work_under_the_title_is_a_step() -> None:
    assert names("md:# Load", "a = open('f')", "md:## Clean", "b = a") == "load:2 clean:4"
    assert names("md:# Load", "import os", "md:# Clean", "b = os") == "load:2 clean:4"


def test_a_heading_called_setup_beside_an_implicit_one() -> None:
    pipeline = check("import os", "md:# Setup", "a = 1", "md:# B", "b = a")
    assert [(step.name, step.kind) for step in pipeline.steps] == [
        ("setup", "setup"),
        ("setup-2", "step"),
        ("b", "step"),
    ]


def test_skipped_cells_are_left_out() -> None:
    assert names("md:# A", "a = 1", ("b = 1", ["skip"]), "md:# B", ("c = 1", ["skip"])) == "a:2"


def test_settings_on_any_cell_of_a_section() -> None:
    pipeline = check("md:# A", "a = 1", ("b = 1", ["limit:cpu:2", "retry:3"]))
    assert pipeline.step("a").cpu == "2"
    assert pipeline.step("a").retry == 3


def test_parameters_under_a_heading() -> None:
    pipeline = check("md:# Parameters", "lr = 0.1", "md:# Train", "x = lr")
    assert [parameter.name for parameter in pipeline.parameters] == ["lr"]
    assert [(step.name, step.kind) for step in pipeline.steps] == [("setup", "setup"), ("train", "step")]


def test_without_headings_each_cell_is_a_step() -> None:
    pipeline = check("md:text", "a = 1", "", "# nothing", "b = a")
    assert pipeline.grammar == "cells"
    assert [step.name for step in pipeline.steps] == ["cell-2", "cell-5"]


def test_papermills_parameters_come_first() -> None:
    pipeline = check(("lr = 0.1", ["parameters"]), "x = lr", ("k = 2", ["parameters"]))
    assert [(step.name, step.kind) for step in pipeline.steps] == [
        ("setup", "setup"),
        ("cell-2", "step"),
        ("cell-3", "step"),
    ]
    assert [parameter.name for parameter in pipeline.parameters] == ["lr", "k"]


def test_nothing_at_all() -> None:
    assert check().steps == ()
    assert check("md:# A").steps == ()
