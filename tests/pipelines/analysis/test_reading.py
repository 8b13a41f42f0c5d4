"""Files: both formats of notebooks, percent files, and what is no notebook."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.errors import Invalid, KubeflowError, NotFound
from jupyter_ext.pipelines import graph, percent
from jupyter_ext.pipelines.notebook import read
from tests.pipelines.analysis.building import notebook


def write(folder: Path, name: str, content: object) -> Path:
    path = folder / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_cells_count_from_one_over_all_cells(tmp_path: Path) -> None:
    path = write(tmp_path, "a.ipynb", notebook("md:# Title", "x = 1", ("y = 2", ["skip"])))
    found = read(path)
    assert [(cell.index, cell.cell_type, cell.source, cell.tags) for cell in found.cells] == [
        (1, "markdown", "# Title", ()),
        (2, "code", "x = 1", ()),
        (3, "code", "y = 2", ("skip",)),
    ]
    assert found.path == str(path)
    assert found.stem == "a"
    assert [cell.index for cell in found.code_cells] == [2, 3]


def test_sources_may_be_lists_and_have_any_line_ends() -> None:
    content = notebook("")
    content["cells"][0]["source"] = ["x = 1\r\n", "y = 2"]
    assert read(content).cells[0].source == "x = 1\ny = 2"


def test_ids_are_kept_and_missing_ones_follow_from_the_text() -> None:
    content = notebook("a = 1", "b = 1", "b = 1", "c = 1")
    content["cells"][0]["id"] = "first"
    content["cells"][3]["id"] = "first"
    ids = [cell.id for cell in read(content).cells]
    assert ids[0] == "first"
    assert len(set(ids)) == 4
    assert ids == [cell.id for cell in read(content).cells]
    moved = {**content, "cells": [notebook("new = 1")["cells"][0], *content["cells"]]}
    assert [cell.id for cell in read(moved).cells][1:3] == ids[:2]


def test_format_3_has_worksheets() -> None:
    content = {
        "nbformat": 3,
        "metadata": {"name": "old"},
        "worksheets": [
            {
                "cells": [
                    {"cell_type": "heading", "level": 2, "source": "Load"},
                    {"cell_type": "code", "input": ["x = 1"], "language": "python", "outputs": []},
                    {"cell_type": "markdown", "source": "text"},
                ],
            },
        ],
    }
    found = read(content)
    assert [(cell.cell_type, cell.source) for cell in found.cells] == [
        ("markdown", "## Load"),
        ("code", "x = 1"),
        ("markdown", "text"),
    ]
    assert found.content["nbformat"] == 4
    assert [step.name for step in graph.analyse(found).steps] == ["load"]


BROKEN: list[tuple[str, str, str, type[KubeflowError], str]] = [
    ("a.ipynb", "", "is empty", Invalid, "Save the notebook"),
    ("a.ipynb", "{", "is not valid JSON (line 1, column 2", Invalid, ""),
    ("a.ipynb", '{\n<<<<<<< HEAD\n"cells": []}', "is not valid JSON (line 2", Invalid, "merge conflict"),
    ("a.ipynb", "[]", "is JSON but no notebook", Invalid, "cells"),
    ("a.ipynb", "{}", "has no cells", Invalid, "cells"),
    ("a.ipynb", '{"nbformat": 9, "cells": []}', "has notebook format 9", Invalid, "3 and 4"),
    ("a.ipynb", '{"nbformat": 4, "cells": [1]}', "are not a list of objects", Invalid, ""),
    ("a.ipynb", "[" * 100_000, "nested too deeply", Invalid, ""),
    ("a.txt", "x", "a.txt is not a notebook", Invalid, ".ipynb"),
]


@pytest.mark.parametrize(("name", "content", "what", "kind", "hint"), BROKEN)
def test_what_is_no_notebook(
    tmp_path: Path, name: str, content: str, what: str, kind: type[KubeflowError], hint: str
) -> None:
    with pytest.raises(kind) as caught:
        read(write(tmp_path, name, content))
    assert what in str(caught.value)
    assert hint in str(caught.value)


def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    write(tmp_path, "train.ipynb", "{}")
    with pytest.raises(NotFound, match=r"there is no file .*trian\.ipynb.*Did you mean train\.ipynb\?"):
        read(tmp_path / "trian.ipynb")


def test_folders_and_other_encodings(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="is a folder"):
        read(tmp_path)
    (tmp_path / "a.py").write_bytes(b"x = '\xff'")
    with pytest.raises(Invalid, match=r"not text in UTF-8 \(byte 5\)"):
        read(tmp_path / "a.py")
    (tmp_path / "b.py").write_bytes(b"\xef\xbb\xbfx = 1")
    assert read(tmp_path / "b.py").cells[0].source == "x = 1"


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        ({"kernelspec": {"name": "ir", "language": "R"}}, "R"),
        ({"language_info": {"name": "julia"}}, "julia"),
        ({"kernelspec": {"name": "julia-1.10"}}, "Julia"),
        ({"kernelspec": {"name": "bash"}}, "Bash"),
    ],
)
def test_other_languages_are_refused_by_name(metadata: dict[str, Any], language: str) -> None:
    with pytest.raises(Invalid, match=f"is written in {language}.*choose a Python kernel"):
        read(notebook("x", **metadata))


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"kernelspec": {"name": "python3", "language": "python"}},
        {"kernelspec": {"name": "conda-env-r-base-py"}},
        {"kernelspec": {"name": "ir-is-my-env"}, "language_info": {"name": "python"}},
        {"language_info": {"name": "ipython"}},
        {"kernelspec": None},
    ],
)
def test_python_kernels_of_any_name(metadata: dict[str, Any]) -> None:
    assert read(notebook("x = 1", **metadata)).cells


def test_tags_must_be_texts() -> None:
    content = notebook("x = 1")
    content["cells"][0]["metadata"] = {"tags": [1]}
    with pytest.raises(Invalid, match="the tags of a cell"):
        read(content)


PERCENT = '''#!/usr/bin/env python
# ---
# jupyter:
#   jupytext:
#     text_representation: {extension: .py}
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Flights
# text

# %% tags=["imports"]
import os
# !pip install x
# an ordinary comment

# %% Load the data {"tags": ["step:load"]}
# %time x = 1
text = """
# %% not a cell
"""

# %% [raw]
# raw

# %%
# %%step train --after load
y = x

# %% [md]
"""
## In quotes
"""
# %% tags=["a b", "c"] editable=false
z = 1
'''


def test_percent_cells() -> None:
    content = percent.parse(PERCENT)
    cells = [(cell["cell_type"], cell["source"], cell["metadata"]) for cell in content["cells"]]
    assert cells == [
        ("markdown", "# Flights\ntext", {}),
        ("code", "import os\n!pip install x\n# an ordinary comment", {"tags": ["imports"]}),
        ("code", '%time x = 1\ntext = """\n# %% not a cell\n"""', {"tags": ["step:load"]}),
        ("raw", "raw", {}),
        ("code", "%%step train --after load\ny = x", {}),
        ("markdown", "## In quotes", {}),
        ("code", "z = 1", {"tags": ["a b", "c"], "editable": False}),
    ]
    assert content["metadata"]["language_info"] == {"name": "python"}


def test_percent_files_as_pipelines(tmp_path: Path) -> None:
    pipeline = graph.check(write(tmp_path, "flights.py", PERCENT))
    assert pipeline.grammar == "magic"
    assert [step.name for step in pipeline.steps] == ["setup", "load", "train"]
    assert pipeline.name == "flights"
    assert pipeline.step("train").reads == ("x",)


def test_magics_stay_comments_where_jupytext_did_not_write_the_file() -> None:
    content = percent.parse("# %%\n# !important: a comment\nx = 1\n# %matplotlib\n")
    assert content["cells"][0]["source"] == "# !important: a comment\nx = 1\n# %matplotlib"


def test_a_file_without_marks_is_one_cell() -> None:
    assert [cell["source"] for cell in percent.parse("x = 1\n\ny = 2\n")["cells"]] == ["x = 1\n\ny = 2"]
    assert [cell["source"] for cell in percent.parse("x = 1\n# %%\ny = 2\n")["cells"]] == ["x = 1", "y = 2"]
    assert percent.parse("")["cells"] == []


def test_the_kernel_of_a_percent_file_counts(tmp_path: Path) -> None:
    text = "# ---\n# jupyter:\n#   kernelspec:\n#     language: julia\n#     name: julia-1.9\n# ---\n# %%\nx = 1\n"
    with pytest.raises(Invalid, match="is written in julia"):
        read(write(tmp_path, "a.py", text))
