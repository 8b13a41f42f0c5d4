"""The state that a step leaves for later ones: one folder, the artifact ``state`` of its task.

It holds ``manifest.json``, the values that later steps want, the hidden state that the notebook set so far,
files that steps wrote, and the zip with this code.
"""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from . import values
from .cells import StepFailed
from .hidden import Hidden

Placed = dict[str, tuple[list[int], bytes]]
"""Hidden state by kind, each with the place of the step that set it."""
Entry = dict[str, Any]


class States:
    """What the steps before this one left.

    Every name has a version: the place of the step that last changed it. Several states may hold a name, together
    with what shares an object with it; the latest version counts, and of equal ones that of the latest step.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        read = [(json.loads((folder / "manifest.json").read_text("utf-8")), folder) for folder in folders]
        self.listed: list[tuple[Entry, Path]] = sorted(read, key=lambda state: state[0]["order"])
        self.versions: dict[str, list[int]] = {}
        self._where: dict[str, tuple[int, Path, Entry]] = {}
        self._lost: dict[str, str] = {}
        for number, (manifest, folder) in enumerate(self.listed):
            for name, version in manifest["deleted"].items():
                if self._newer(name, version):
                    self._where.pop(name, None)
                    self._lost[name] = manifest["unpassable"].get(name, "")
            for entry in manifest["values"]:
                for name, version in entry["versions"].items():
                    if self._newer(name, version):
                        self._where[name] = (number, folder, entry)
                        self._lost.pop(name, None)

    def _newer(self, name: str, version: list[int]) -> bool:
        if name in self.versions and version < self.versions[name]:
            return False
        self.versions[name] = version
        return True

    @property
    def names(self) -> set[str]:
        """Every name that there is."""
        return set(self._where)

    def load(self, wanted: Iterable[str], namespace: dict[str, Any]) -> dict[str, Any]:
        """The wanted names, those that share objects with them, and the globals that their functions use."""
        todo, found = list(wanted), dict[tuple[int, int], tuple[Path, Entry]]()
        while todo:
            name = todo.pop()
            if self._lost.get(name):
                raise StepFailed(self._lost[name])
            if name in self._where:
                number, folder, entry = self._where[name]
                if (number, entry["number"]) not in found:
                    found[number, entry["number"]] = (folder, entry)
                    todo += [*entry["needs"], *entry["versions"]]
        loaded: dict[str, Any] = {}
        # In order, because a class is one object: what a later step set in it counts.
        for (number, _), (folder, entry) in sorted(found.items(), key=lambda item: item[0]):
            read = values.read(folder, entry, namespace)
            loaded |= {
                name: value
                for name, value in read.items()
                if self._where.get(name) == (number, folder, entry)
            }
        return loaded

    def hidden(self) -> Placed:
        """The hidden state as the latest step left each kind of it."""
        merged: Placed = {}
        for _, folder in self.listed:
            for kind, (order, state) in pickle.loads((folder / "hidden.pickle").read_bytes()).items():
                if kind not in merged or merged[kind][0] <= order:
                    merged[kind] = (order, state)
        return merged

    def files(self) -> dict[str, tuple[dict[str, Any], Path]]:
        """The files that earlier steps wrote, by path, each with its entry and the state that holds it."""
        merged: dict[str, tuple[dict[str, Any], Path]] = {}
        for manifest, folder in self.listed:
            for item in manifest["files"]:
                if item["path"] not in merged or merged[item["path"]][0]["order"] <= item["order"]:
                    merged[item["path"]] = (item, folder)
        return merged


class Leaving:
    """What the step will leave: remembers what it starts from, and writes what became of it."""

    def __init__(
        self,
        step: Mapping[str, Any],
        namespace: dict[str, Any],
        loaded: Iterable[str],
        states: States,
        hidden: Hidden,
    ) -> None:
        self._namespace, self._hidden = namespace, hidden
        self._loaded = {name: states.versions[name] for name in loaded}
        compared = set(step["compare"])
        compared = set(loaded) if values.ANY in compared else compared.intersection(loaded)
        self._before = {name: values.digest(name, namespace) for name in compared}

    def write(self, state: Path, step: Mapping[str, Any], order: list[int], new: Iterable[str]) -> Entry:
        """Write the values; gives the manifest. ``new`` are the names that the notebook has bound."""
        namespace = self._namespace
        changed = self._changed(step)
        gone = self._loaded.keys() - namespace.keys()
        manifest: Entry = {"step": step["name"], "order": order, "values": [], "unpassable": {}}
        manifest["changed"] = sorted(changed & self._loaded.keys() | gone)
        manifest["deleted"] = dict.fromkeys(sorted(gone), order)
        versions = {name: order if name in changed else self._loaded.get(name, order) for name in namespace}
        others = self._loaded.keys() & namespace.keys()
        groups, shared = values.grouped(self._wanted(step, new), others, namespace)
        for group in groups:
            self._write_group(state, group, shared, versions, manifest)
        return manifest

    def finish(self, state: Path, manifest: dict[str, Any], placed: Placed) -> None:
        """Write the hidden state and the manifest."""
        changes = self._hidden.changes()
        manifest["hidden"] = sorted(changes)
        placed = placed | {kind: (manifest["order"], content) for kind, content in changes.items()}
        (state / "hidden.pickle").write_bytes(pickle.dumps(placed, protocol=5))
        (state / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")

    def _wanted(self, step: Mapping[str, Any], new: Iterable[str]) -> set[str]:
        """What later steps want of this one, as far as it is there."""
        wanted = set(step["exports"])
        if values.ANY in wanted:
            touched = {*step["writes"], *step["mayWrite"]}
            wanted |= touched | set(new) | (self._loaded.keys() if values.ANY in touched else set())
        return wanted & self._namespace.keys()

    def _changed(self, step: Mapping[str, Any]) -> set[str]:
        """The names that have another value than before, as far as it can be told; the others are not compared."""
        may = set(step["mayWrite"])
        touched = {*step["writes"], *(self._loaded if values.ANY in may else may)}
        return {name for name in touched if name not in self._before or not self._same(name)}

    def _same(self, name: str) -> bool:
        before = self._before[name]
        return (
            name in self._namespace and before is not None and values.digest(name, self._namespace) == before
        )

    def _write_group(
        self,
        state: Path,
        group: list[str],
        shared: Mapping[Any, Any],
        versions: Mapping[str, list[int]],
        manifest: Entry,
    ) -> None:
        number = len(manifest["values"])
        try:
            entry = values.write(state, number, group, self._namespace, shared)
        except Exception as error:
            if len(group) > 1:
                # One that cannot be passed does not take the others with it.
                for name in group:
                    self._write_group(state, [name], shared, versions, manifest)
                return
            (name,) = group
            kind = type(self._namespace[name]).__name__
            manifest["deleted"][name] = versions[name]
            manifest["unpassable"][name] = (
                f"{name!r} ({kind}) of step {manifest['step']} cannot be passed to another container: {error}. "
                "Make it in the step that uses it"
            )
        else:
            manifest["values"].append(entry | {"versions": {name: versions[name] for name in group}})


def begin(state: Path, bundle: Path) -> None:
    """An empty folder for the state, with the code that runs a step, which later steps take from here."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(parents=True)
    shutil.copyfile(bundle, state / "kf_step.zip")
