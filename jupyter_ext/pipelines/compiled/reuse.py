"""Results of earlier runs: when one may stand for a task of a compiled pipeline, by the cache options of its task."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from jupyter_ext.pipelines.compiled import results
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.scopes import Node
from jupyter_ext.pipelines.compiled.spec import Container

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.store import Store

ENTRIES: Final = "compiled-cache"


class Hit(NamedTuple):
    """A result that may be taken, and the run that made it."""

    run: str
    results: Results


def key(node: Node, container: Container, inputs: Mapping[str, Any], given: Sequence[Any] = ()) -> str:
    """What a result depends on: the command, its image and environment, the inputs by content, and what else was ``given``.

    A cache key of one's own replaces them.
    """
    if node.task.cache_key:
        facts: list[Any] = ["own", node.task.component, node.task.cache_key]
    else:
        artifacts = {
            name: [(one.get("digest") or one["uri"], one.get("metadata"), one.get("type")) for one in listed]
            for name, listed in node.inputs.artifacts.items()
        }
        facts = [container.image, container.command, container.args, dict(container.env), inputs, artifacts]
        facts += given
    ports = node.component.outputs
    facts += [sorted(ports.parameters), sorted(ports.artifacts), sys.version]
    return hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=20).hexdigest()


def look_up(store: Store, found: str) -> Hit | None:
    """The result under a key, if all of its files are still what they were."""
    entry = store.fetch(ENTRIES, found)
    if entry is None:
        return None
    made = Results.from_dict(entry["results"])
    for listed in made.artifacts.values():
        if any(one.get("digest") and results.content(one["uri"]) != one["digest"] for one in listed):
            return None
    return Hit(entry["run"], made)


def remember(store: Store, found: str, run: str, made: Results) -> None:
    """Keep a result."""
    store.put(ENTRIES, found, {"run": run, "results": made.to_dict()})
