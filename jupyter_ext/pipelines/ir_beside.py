"""Files that lie beside a notebook and that its steps need: containers do not see that folder."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from pathlib import Path

from jupyter_ext.pipelines import ir_step
from jupyter_ext.pipelines.model import ANY, Pipeline

IMPORTS = re.compile(r"^[ \t]*(?:import|from)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


def beside(pipeline: Pipeline, folder: Path | None) -> tuple[dict[str, bytes], list[str]]:
    """Files beside the notebook that steps read or import, and notes on those that are too big to go along."""
    return ({}, []) if folder is None else _packed(folder, wanted(pipeline))


def wanted(pipeline: Pipeline) -> dict[str, str]:
    """Paths relative to the notebook that steps read or import, whether they are there or not, each with a step."""
    written: set[str] = set()
    found: dict[str, str] = {}
    for step in pipeline.steps:
        for effect in step.effects:
            if effect.kind != "file" or effect.detail == ANY or effect.detail.startswith(("/", "~", "..")):
                continue
            if effect.mode == "r" and effect.detail not in written:
                found.setdefault(effect.detail, step.name)
            elif effect.mode == "w":
                written.add(effect.detail)
        for name in IMPORTS.findall(step.source):
            for place in (f"{name}.py", name):
                found.setdefault(place, step.name)
    return found


def _packed(folder: Path, names: Mapping[str, str]) -> tuple[dict[str, bytes], list[str]]:
    brought: dict[str, bytes] = {}
    notes: list[str] = []
    room = ir_step.BROUGHT_LIMIT
    for name, step in names.items():
        place = folder / name
        if place.is_dir():
            is_package = (place / "__init__.py").exists()
            files = sorted(place.rglob("*.py")) if is_package else []
        else:
            files = [place] if place.is_file() else []
        for path in files:
            content = path.read_bytes() if path.stat().st_size < 10 * ir_step.BROUGHT_LIMIT else None
            size = len(zlib.compress(content)) if content is not None else room + 1
            if content is None or size > room:
                notes.append(
                    f"Not in here: {path.relative_to(folder)}, which step {step} uses; the image must have it."
                )
                continue
            room -= size
            brought[path.relative_to(folder).as_posix()] = content
    return brought, notes
