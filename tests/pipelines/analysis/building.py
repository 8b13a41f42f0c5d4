"""Notebooks for the tests, written as their cells."""

from __future__ import annotations

from typing import Any

from jupyter_ext.pipelines import graph
from jupyter_ext.pipelines.model import Pipeline, Problem

Source = str | tuple[str, list[str]]


def notebook(*cells: Source, **metadata: Any) -> dict[str, Any]:
    """nbformat content; a cell is its source, or source and tags; ``md:`` starts a markdown cell."""
    found = []
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        markdown = source.startswith("md:")
        entry: dict[str, Any] = {
            "cell_type": "markdown" if markdown else "code",
            "source": source.removeprefix("md:"),
            "metadata": {"tags": list(tags)} if tags else {},
        }
        if not markdown:
            entry |= {"outputs": [], "execution_count": None}
        found.append(entry)
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": metadata, "cells": found}


def check(*cells: Source, **metadata: Any) -> Pipeline:
    """The pipeline of a notebook of these cells."""
    return graph.check(notebook(*cells, **metadata))


def edges(pipeline: Pipeline, kind: str | None = None) -> set[str]:
    """The edges as ``a>b``."""
    return {f"{edge.source}>{edge.target}" for edge in pipeline.edges if kind in {None, edge.kind}}


def problem(pipeline: Pipeline, code: str) -> Problem:
    """The one problem of that code."""
    found = [item for item in pipeline.problems if item.code == code]
    assert len(found) == 1, [str(item) for item in pipeline.problems]
    return found[0]


def effects(pipeline: Pipeline, step: str) -> set[str]:
    """A step's effects as ``kind:mode:detail``."""
    return {f"{effect.kind}:{effect.mode}:{effect.detail}" for effect in pipeline.step(step).effects}
