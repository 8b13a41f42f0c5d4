"""Who is missing when the processes of a job wait for each other, and why: from facts, not from a timeout's text.

First all processes have to start their user code. Then, in it, the ranks meet in a call of their framework. Both
can wait for ever for one that does not come.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from jupyter_ext.training import stacks
from jupyter_ext.training.launch import Launch
from jupyter_ext.training.stacks import Frame

_MEETINGS: Final = {
    ("torch/distributed/distributed_c10d.py", "init_process_group"): "init_process_group",
    ("torch/distributed/rendezvous.py", "_create_c10d_store"): "init_process_group",
    (
        "tensorflow/python/distribute/collective_all_reduce_strategy.py",
        "__init__",
    ): "MultiWorkerMirroredStrategy",
    ("tensorflow/python/eager/context.py", "ensure_initialized"): "the start of its cluster",
    ("xgboost/collective.py", "init"): "xgboost.collective.init",
    ("jax/_src/distributed.py", "initialize"): "jax.distributed.initialize",
}
"""The calls in which ranks meet: where each framework waits for the others."""
_ASK_SECONDS: Final = 15.0
"""How often ranks are asked where they are; ever more seldom while none waits for another."""
_ASK_SELDOM: Final = 600.0


class Rendezvous:
    """Watches one attempt from its start. Cheap to ask again and again."""

    def __init__(
        self,
        folder: Path,
        launches: Sequence[Launch],
        nodes_min: int | None = None,
        *,
        every: float = _ASK_SECONDS,
    ) -> None:
        self._folder = folder / "ranks"
        self._launches = launches
        self._elastic = nodes_min is not None and nodes_min < len({each.node for each in launches})
        self._began = time.time()
        self._asked = 0.0
        self._every = every
        self._said: str | None = None

    def missing(self, after: float, pid_of: Callable[[str], int | None]) -> str | None:
        """Why the job does not go on, ``after`` seconds from its start; None if it does, or if nobody knows.

        ``pid_of`` gives the process number of a part that runs.
        """
        waited = time.time() - self._began
        if waited < after:
            return None
        ranks = self._ranks()
        world = [rank for each in self._launches for rank in each.ranks]
        absent = [rank for rank in world if rank not in ranks]
        if not ranks or (absent and not self._elastic):
            self._said = self._not_started(absent, len(world), ranks, waited, pid_of)
        elif ranks and time.time() - self._asked > self._every:
            self._asked = time.time()
            self._said = self._not_met(ranks, waited)
        return self._said

    def _ranks(self) -> dict[int, dict[str, Any]]:
        """What the ranks that started their user code wrote down."""
        found = {}
        for path in self._folder.glob("*.json"):
            try:
                facts = json.loads(path.read_bytes())
                found[int(facts["rank"])] = facts
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def _not_started(
        self,
        absent: list[int],
        size: int,
        ranks: Mapping[int, Any],
        waited: float,
        pid_of: Callable[[str], int | None],
    ) -> str | None:
        facts = []
        for each in self._launches:
            # Agents wait for each other before they start any rank: it may be any of them.
            if set(each.ranks) & set(absent) or (each.role == "agent" and not ranks):
                state = _state(pid_of(each.part))
                if state:
                    facts.append(f"{each.part} {state}")
        if not facts and not ranks:
            # All look well: the user's own commands, which write nothing down, or a slow start.
            return None
        who = f"{_list('Rank', absent)} of {size} {'has' if len(absent) == 1 else 'have'} not joined"
        why = f" ({'; '.join(facts)})" if facts else ""
        return f"{who} after {waited:.0f} s{why}."

    def _not_met(self, ranks: Mapping[int, Mapping[str, Any]], waited: float) -> str | None:
        """Ask the ranks where they are: which are in the call in which they meet, and which are not."""
        waiting: list[int] = []
        elsewhere: dict[int, str] = {}
        call = ""
        for rank, facts in sorted(ranks.items()):
            if facts.get("state") in {"done", "failed"}:
                elsewhere[rank] = "has ended"
                continue
            state = _state(int(facts["pid"]))
            frames = (
                []
                if state and "stopped" in state
                else stacks.ask(int(facts["pid"]), self._folder / f"{rank}.stack")
            )
            meeting = met_in(frames)
            if meeting:
                waiting.append(rank)
                call = meeting
            else:
                elsewhere[rank] = f"is at {_place(frames)}" if frames else state or "does not answer"
        if not waiting:
            self._every = min(self._every * 1.5, _ASK_SELDOM)
            return None
        size = len(ranks)
        if not elsewhere:
            return f"All {size} ranks wait in {call} since {waited:.0f} s: they do not find each other."
        first, words = next(iter(elsewhere.items()))
        others = f" and {len(elsewhere) - 1} more" if len(elsewhere) > 1 else ""
        verb = "waits" if len(waiting) == 1 else "wait"
        return (
            f"{_list('Rank', waiting)} of {size} {verb} in {call} for rank {first}, which {words}{others}"
            f" ({waited:.0f} s after the start)."
        )


def met_in(frames: Iterable[Frame]) -> str | None:
    """The call in which a process with this stack meets the others, if it is in one."""
    for frame in frames:
        for (file, function), name in _MEETINGS.items():
            if frame.function == function and frame.file.replace("\\", "/").endswith(file):
                return name
    return None


def _place(frames: Sequence[Frame]) -> str:
    """The innermost frame that is no library's."""
    own = [frame for frame in frames if "site-packages" not in frame.file and "/lib/python" not in frame.file]
    frame = (own or list(frames))[0]
    return f"line {frame.line} of {Path(frame.file).name} in {frame.function}"


_STATES: Final = {
    "T": "is stopped (SIGCONT lets it go on)",
    "t": "is stopped by a debugger",
    "D": "waits for the disk",
}


def _state(pid: int | None) -> str:
    """What is the matter with a process; empty when it looks well, which one that waits does."""
    if pid is None:
        return "does not run"
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return "is gone" if Path("/proc/self").exists() else ""
    state = fields[0].decode()
    if state in "ZX":
        return "has died"
    if state == "R":
        import os

        seconds = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return f"is still loading ({seconds:.0f} s of processor time)"
    return _STATES.get(state, "")


def _list(word: str, ranks: Sequence[int]) -> str:
    shown = [str(rank) for rank in ranks[:6]]
    if len(ranks) > 6:
        shown.append(f"{len(ranks) - 6} more")
    if len(shown) == 1:
        return f"{word} {shown[0]}"
    return f"{word}s {', '.join(shown[:-1])} and {shown[-1]}"
