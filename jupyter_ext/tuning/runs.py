"""Trials that are pipelines: each a run of one notebook with other parameters. Steps that do not depend on them are cached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_ext.cluster.resource import KINDS
from jupyter_ext.errors import Unfit, Where
from jupyter_ext.tuning.jobs import Children
from jupyter_ext.tuning.ledger import Ended, Entry
from jupyter_ext.tuning.subject import Subject
from jupyter_ext.tuning.template import CONTAINER, FIELD

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.tuning.space import Space, Value


class Runs(Children):
    """Trials that are runs of a notebook."""

    def adopt(self, entry: Entry) -> Ended | bool:
        """A run goes on by itself; one that was started a moment before the controller died is found by its name."""
        found = self._cluster.store.find("Run", entry.name)
        if found is None:
            return False
        self._own(entry)
        self._running[entry.number] = (entry, "Run", entry.name)
        return True

    def _create(self, entry: Entry) -> tuple[str, str]:
        from jupyter_ext.pipelines.submit import submit

        spec = self._plan.template.manifest["spec"]
        pipeline = spec["pipeline"]
        content = json.loads(self._cluster.blobs.read(pipeline["digest"]))
        options = {"from": None, "only": None, "cache": True, **(spec.get("options") or {})}
        submit(
            self._cluster, pipeline["path"], content, self._values(entry), options,
            trigger="tuning", name=entry.name,
        )  # fmt: skip
        self._own(entry)
        return "Run", entry.name

    def _values(self, entry: Entry) -> dict[str, Value]:
        values = entry.suggestion.values
        return {own: values[name] for own, name in self._plan.template.parameters.items() if name in values}

    def _own(self, entry: Entry) -> None:
        def change(found: Resource) -> Resource:
            return found.with_(
                owner=entry.uid,
                labels={**found.labels, **self.labels()},
                annotations={**found.annotations, **self.noted(entry)},
            )

        self._cluster.store.update("Run", entry.name, change)

    def _ended(self, entry: Entry, child: Resource) -> Ended:
        metrics = {name: float(value) for name, value in (child.status.get("metrics") or {}).items()}
        if child.phase == "SUCCEEDED":
            return Ended(entry.number, "SUCCEEDED", "", metrics)
        if child.phase == "CANCELED":
            return Ended(entry.number, "CANCELED", child.reason)
        error = child.status.get("error")
        return Ended(entry.number, "FAILED", child.reason, {}, {"error": error} if error else {})


def subject_of(cluster: LocalCluster, path: Path, space: Space, resources: Mapping[str, Any]) -> Subject:
    """A notebook as a template of runs. Raises Invalid for parameters it does not have, and for what is wrong with it."""
    from jupyter_ext.pipelines import graph, notebook, parameters

    if resources:
        raise Unfit(
            "The steps of a notebook ask for resources themselves",
            where=Where(field="resources"),
            hint="Write them in the notebook: %%step NAME --cpu 2.",
        )
    full = path.resolve()
    book = notebook.read(full)
    pipeline = graph.analyse(book)
    pipeline.require_valid()
    parameters.bind(pipeline, {name: parameter.at(0.5) for name, parameter in space.items()})
    digest = cluster.blobs.put_bytes(
        json.dumps(book.content, ensure_ascii=False).encode(errors="surrogatepass")
    )
    manifest = {
        "apiVersion": KINDS["Run"].api_version,
        "kind": "Run",
        "spec": {
            "pipeline": {"name": pipeline.name, "path": str(full), "digest": digest},
            "parameters": {name: f"${{trialParameters.{name}}}" for name in space},
        },
    }
    listed = [{"name": name, "reference": name} for name in space]
    template = {"primaryContainerName": CONTAINER, "trialParameters": listed, "trialSpec": manifest}
    return Subject(path.stem, template)


def check_template(cluster: LocalCluster, manifest: Mapping[str, Any]) -> None:
    """Raise Unfit for a run whose notebook is not on this machine."""
    pipeline = (manifest.get("spec") or {}).get("pipeline") or {}
    if not isinstance(pipeline.get("path"), str) or not cluster.blobs.has(str(pipeline.get("digest") or "")):
        raise Unfit(
            "The notebook of the trials is not on this machine",
            where=Where(field=f"{FIELD}.trialSpec.spec.pipeline"),
            hint='Start it here: kf.tuning.tune("NOTEBOOK.ipynb", …).',
        )
