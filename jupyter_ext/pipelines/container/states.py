"""The state that a step leaves for later ones: one folder, the artifact ``state`` of its task.

It holds ``manifest.json``, the values that later steps want, the hidden state that the notebook set so far,
files that steps wrote, and this package. A step reads the states of several steps before it and takes
every name from the latest that has it, in the order of the notebook.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import files, hidden, values
from .cells import StepFailed

Placed = dict[str, tuple[list[int], bytes | None]]
"""Hidden state by key, each part with the place of the step that set it."""


class States:
    """What the steps before this one left."""

    def __init__(self, folders: Iterable[Path]) -> None:
        read = [(json.loads((folder / "manifest.json").read_text("utf-8")), folder) for folder in folders]
        self.listed: list[tuple[dict[str, Any], Path]] = sorted(read, key=lambda state: state[0]["order"])
        self._where: dict[str, tuple[Path, dict[str, Any]]] = {}
        self._lost: dict[str, str] = {}
        for manifest, folder in self.listed:
            for name in (*manifest["deleted"], *manifest["unpassable"]):
                self._where.pop(name, None)
            self._lost.update(manifest["unpassable"])
            for entry in manifest["values"]:
                self._where.update(dict.fromkeys(entry["names"], (folder, entry)))
                for name in entry["names"]:
                    self._lost.pop(name, None)

    @property
    def names(self) -> set[str]:
        """Every name that there is."""
        return set(self._where)

    def load(self, wanted: Iterable[str]) -> dict[str, Any]:
        """The wanted names, those that share objects with them, and the globals that their functions use."""
        todo, loaded, done = list(wanted), dict[str, Any](), set[tuple[Path, int]]()
        while todo:
            name = todo.pop()
            if name in self._lost:
                raise StepFailed(self._lost[name])
            if name not in self._where:
                continue
            folder, entry = self._where[name]
            if (folder, entry["number"]) in done:
                continue
            done.add((folder, entry["number"]))
            for key, value in values.read(folder, entry).items():
                if self._where.get(key) == (folder, entry):
                    loaded[key] = value
            todo += entry["needs"]
        return loaded

    def hidden(self) -> Placed:
        """The hidden state as the latest step left each part of it."""
        merged: Placed = {}
        for _, folder in self.listed:
            for key, (order, value) in pickle.loads((folder / "hidden.pickle").read_bytes()).items():
                if key not in merged or merged[key][0] <= order:
                    merged[key] = (order, value)
        return merged

    def files(self) -> dict[str, tuple[dict[str, Any], Path]]:
        """The files that earlier steps wrote, by path, each with its entry and the state that holds it."""
        merged: dict[str, tuple[dict[str, Any], Path]] = {}
        for manifest, folder in self.listed:
            for item in manifest["files"]:
                if item["path"] not in merged or merged[item["path"]][0]["order"] <= item["order"]:
                    merged[item["path"]] = (item, folder)
        return merged


class Exports:
    """What the step will leave: watches what it starts from, and writes what became of it."""

    def __init__(self, step: Mapping[str, Any], namespace: dict[str, Any], loaded: Iterable[str]) -> None:
        self.step, self._namespace, self._loaded = step, namespace, set(loaded)
        may = set(step["mayWrite"])
        watched = self._loaded if values.ANY in may else self._loaded & may
        self._before = {name: values.digest(namespace[name]) for name in watched}
        self._hidden = hidden.capture()

    def changed(self, new: Iterable[str]) -> set[str]:
        """The names whose value is another one now, of those that later steps want."""
        step, namespace = self.step, self._namespace
        certain, may = set(step["writes"]), set(step["mayWrite"])
        every = values.ANY in certain | may
        names = certain | may | (set(new) if every else set())
        found = {name for name in names if name in namespace and name not in self._before}
        for name, digest in self._before.items():
            if name in namespace and (
                name in certain or digest is None or values.digest(namespace[name]) != digest
            ):
                found.add(name)
        wanted = set(step["exports"])
        return found if values.ANY in wanted else found & wanted

    def write(
        self,
        state: Path,
        order: list[int],
        new: Iterable[str],
        placed: Placed,
        own_files: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Write manifest, values and hidden state; gives the manifest."""
        namespace = self._namespace
        names = sorted(self.changed(new))
        others = sorted(name for name in self._loaded if name in namespace and name not in names)
        manifest: dict[str, Any] = {"step": self.step["name"], "order": order, "loaded": sorted(self._loaded)}
        manifest |= {"values": [], "unpassable": {}, "files": own_files}
        manifest["deleted"] = sorted(name for name in self._loaded if name not in namespace)
        for group in values.grouped(names, namespace, others):
            self._write_group(state, group, manifest)
        difference = hidden.changes(self._hidden, hidden.capture())
        manifest["hidden"] = sorted(difference)
        placed = placed | {key: (order, value) for key, value in difference.items()}
        (state / "hidden.pickle").write_bytes(pickle.dumps(placed, protocol=5))
        (state / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")
        return manifest

    def _write_group(self, state: Path, group: list[str], manifest: dict[str, Any]) -> None:
        number = len(list(state.glob("*.pickle")))
        try:
            manifest["values"].append(values.write(state, number, group, self._namespace))
        except Exception as error:
            (state / f"{number}.pickle").unlink(missing_ok=True)
            (state / f"{number}.buffers").unlink(missing_ok=True)
            if len(group) > 1:
                # One that cannot be passed does not take the others with it.
                for name in group:
                    self._write_group(state, [name], manifest)
                return
            kind = type(self._namespace[group[0]]).__name__
            manifest["unpassable"][group[0]] = (
                f"{group[0]!r} ({kind}) of step {self.step['name']} cannot be passed to another container: {error}. "
                "Make it in the step that uses it"
            )


def begin(state: Path, bundle: Path) -> None:
    """An empty folder for the state, with the code that runs a step, which later steps take from here."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    shutil.copyfile(bundle, state / "kf_step.zip")


def carry_files(states: States, own: list[dict[str, Any]], state: Path) -> None:
    """Pass the files of earlier steps on."""
    files.carry(states.files(), own, state)
