"""The image's recipe agrees with the repository. There is no container engine in these tests."""

from __future__ import annotations

import re
import shlex
import tomllib

import pytest


@pytest.fixture(scope="module")
def recipe(repository) -> list[tuple[str, list[str]]]:
    """The instructions of the Dockerfile in order, with their words."""
    text = (repository / "binder/Dockerfile").read_text()
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    return [(name, shlex.split(rest)) for name, rest in lines]


@pytest.fixture(scope="module")
def project(repository) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text())["project"]


def words(recipe, instruction):
    return [rest for name, rest in recipe if name == instruction]


def test_what_is_copied_exists(recipe, repository):
    for rest in words(recipe, "COPY"):
        if not any(word.startswith("--from") for word in rest):
            *sources, _ = [word for word in rest if not word.startswith("--")]
            assert [name for name in sources if not (repository / name).exists()] == []


def test_the_wheel_is_built_from_all_it_needs(recipe, project, repository):
    copied = {name for rest in words(recipe, "COPY") for name in rest}
    build = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    needed = {
        *build["targets"]["wheel"]["packages"],
        build["hooks"]["jupyter-builder"]["build-kwargs"]["path"],
    }
    needed |= {project["readme"], *project["license-files"], "pyproject.toml", "jupyter-config"}
    assert needed <= copied


def test_stages_exist(recipe):
    stages = {rest[-1] for rest in words(recipe, "FROM") if "AS" in rest}
    used = {re.split("[:=]", w)[1] for rest in words(recipe, "COPY") for w in rest if w.startswith("--from")}
    assert used <= stages
    assert {rest[0] for rest in words(recipe, "FROM")} <= {*stages, "debian:13-slim"}


def test_versions_are_those_of_the_project(recipe, project):
    install = next(rest for rest in words(recipe, "RUN") if "pip" in rest and "install" in rest)
    (ours,) = [word for word in install if word.startswith(project["name"])]
    extras = re.search(r"\[([\w,]+)\]", ours).group(1).split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert "hub" in extras  # a server of another JupyterHub than its Hub's may not start


def test_binders_contract(recipe):
    """https://repo2docker.readthedocs.io, "Dockerfile": user by argument, home owned by it, not root."""
    arguments = [rest[0].partition("=")[0] for rest in words(recipe, "ARG")]
    assert arguments == ["NB_USER", "NB_UID"]
    assert words(recipe, "USER") == [["${NB_UID}"]]
    assert words(recipe, "WORKDIR")[-1] == ["${HOME}"]


def test_it_opens_the_tour(recipe, repository):
    command = " ".join(words(recipe, "CMD")[0])
    assert (repository / re.search(r"examples/[\w.]+", command).group()).is_file()


def test_a_work_tree_does_not_leak_into_the_image(repository):
    ignored = (repository / ".dockerignore").read_text().split()
    assert {".git", ".venv", "**/node_modules", "jupyter_ext/labextension"} <= set(ignored)
