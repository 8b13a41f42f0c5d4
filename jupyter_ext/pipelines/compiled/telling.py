"""What becomes of a node of the tree, told of the steps that stand in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jupyter_ext.pipelines.compiled import outline
from jupyter_ext.pipelines.compiled.plan import Leaf, Plan
from jupyter_ext.pipelines.compiled.progress import Progress
from jupyter_ext.pipelines.compiled.scopes import Node


class Telling:
    """Tells the run's account of nodes, which may be DAGs and loops, in terms of steps and their iterations."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan, self.progress = plan, progress

    def waiting(self, node: Node, names: list[str]) -> None:
        """It waits for these tasks."""
        leaf = self.plan.leaves.get(node.path)
        if leaf is not None:
            self.progress.update((leaf.name, node.index), reason=f"Waiting for {', '.join(names[:3])}.")

    def after(self, node: Node, bad: Node) -> None:
        """It is not done, because one before it was not."""
        failed = bad.blocked or bad.state in ("FAILED", "CANCELED")
        if failed:
            reason = f"Not run because step {bad.task.name} did not succeed."
        else:
            reason = f"Skipped because {bad.task.name} was skipped."
        self.skipped(node, reason, blocked=failed)

    def skipped(self, node: Node, reason: str, *, blocked: bool = False) -> None:
        """It is not done, and all in it neither."""
        node.end("SKIPPED", reason, blocked=blocked)
        for leaf in self._below(node):
            if len(leaf.loops) == len(node.index):
                self.progress.finish((leaf.name, node.index), "SKIPPED", reason, blocked=blocked)
            elif not node.index:
                self.progress.finish((leaf.name, ()), "SKIPPED", reason, blocked=blocked)

    def failed(self, node: Node, error: dict[str, Any], reason: str) -> None:
        """It could not begin; the first step in it has the error."""
        node.end("FAILED", reason)
        leaf = next(self._below(node), None)
        if leaf is not None:
            index = node.index if len(leaf.loops) == len(node.index) else ()
            self.progress.finish((leaf.name, index), "FAILED", error=error)

    def expected(self, node: Node) -> None:
        """Which iterations there will be, of the steps that stand in this loop and in none further in."""
        indexes = [one.index for one in node.iterations or ()]
        items = [outline.item_text(one.item[0]) for one in node.iterations or () if one.item]
        for leaf in self._below(node):
            if indexes and len(leaf.loops) == len(node.index) + 1:
                self.progress.expect(leaf.name, indexes, items)

    def empty(self, node: Node) -> None:
        """It is a loop over nothing."""
        for leaf in self._below(node):
            if not node.index:
                self.progress.finish(
                    (leaf.name, ()), "SKIPPED", "Skipped because the loop has nothing to go over."
                )

    def _below(self, node: Node) -> Iterator[Leaf]:
        """The steps that are this node, or in it."""
        for path, leaf in self.plan.leaves.items():
            if path[: len(node.path)] == node.path:
                yield leaf
