"""One attempt at a job: its processes are started together, followed, and ended together."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local import processes
from jupyter_ext.training import launch as launching
from jupyter_ext.training.launch import Launch
from jupyter_ext.training.news import News
from jupyter_ext.training.parts import Parts
from jupyter_ext.training.reporting import REPORTS
from jupyter_ext.training.status import error_sentence, running_reason

if TYPE_CHECKING:
    from jupyter_ext.training.local import Controller

_TICK: Final = 0.1
_IDLE_TICK: Final = 0.25
_SAMPLE_SECONDS: Final = 2.0
_MISSING_SECONDS: Final = 60.0
_LAST_WORDS: Final = 1.0
"""After a failure the others get so long to say what happened to them: the first failure is the cause."""
_AGENT_SAYS: Final = re.compile(r"failed \(exitcode: (-?\d+)\) local_rank: \d+ \(pid: (\d+)\)")


@dataclass(frozen=True)
class Outcome:
    """How an attempt ended."""

    ok: bool
    reason: str
    error: dict[str, Any] | None = None


class Attempt:
    """Processes and news of one attempt."""

    def __init__(
        self, controller: Controller, launches: Sequence[Launch], environment: Mapping[str, str]
    ) -> None:
        self._controller, self._launches = controller, list(launches)
        self._job, self._ledger = controller.job, controller.ledger
        self._clear()
        logs = controller.cluster.log_folder(self._job.uid)
        self._news = News(self._job.folder, logs, controller.cluster.metrics.marks(self._job.uid))
        self._parts = Parts(self._job.uid, environment, str(self._job.cwd), self._log)
        self._began = time.time()
        self._sampler: Any = None
        self._sampled = time.monotonic()
        self._rendezvous: Any = None
        self._missing: str | None = None

    def _clear(self) -> None:
        """Remove what an earlier attempt left: every attempt meets anew."""
        folder = self._job.folder
        shutil.rmtree(folder / "ranks", ignore_errors=True)
        (folder / "ranks").mkdir()
        for path in (*folder.glob("rendezvous*"), *folder.glob("error-*.pkl"), folder / "tracker.json"):
            path.unlink(missing_ok=True)

    def start(self) -> None:
        """Start every process."""
        for each in self._launches:
            self._parts.start(self._told(each))
        self._ledger.ranks = self._ranks()
        self._ledger.save("RUNNING", reason=running_reason(self._ledger.ranks, None))

    def run(self, checked: Callable[[], None]) -> Outcome:
        """Follow them to their end. Raises what ``checked`` raises, after they were asked to end."""
        try:
            while True:
                verdict = self._exits()
                if verdict is not None:
                    return self._outcome(verdict)
                checked()
                self._follow()
                self._parts.wait(_TICK if time.time() - self._began < 5 else _IDLE_TICK)
        except Exception:
            self._parts.end()
            self._hear(final=True)
            raise

    def close(self) -> None:
        """Leave no process."""
        self._parts.close()
        if self._sampler is not None:
            self._sampler.close()

    def _told(self, each: Launch) -> Launch:
        """A launch of a foreign command gets a file for its reports; our own ranks choose theirs."""
        if self._job.program or len(each.ranks) != 1:
            return each
        from dataclasses import replace

        path = self._job.folder / "reports" / f"{each.ranks[0]}.1.jsonl"
        return replace(each, env={REPORTS: str(path), **each.env})

    def _log(self, each: Launch) -> int:
        """Where the output of a part goes. Our own ranks take their log themselves."""
        cluster, uid = self._controller.cluster, self._job.uid
        if self._job.program and each.role in {"worker", "chief", "evaluator", "ps", "master"}:
            return os.dup(2)
        own = len(each.ranks) == 1 and not self._job.program
        part = f"rank-{each.ranks[0]}" if own else each.part
        attempt = 1
        while cluster.log(uid, part, attempt).path.exists():
            attempt += 1
        return cluster.log(uid, part, attempt).open()

    # Following

    def _exits(self) -> launching.Verdict | None:
        ended = self._parts.collect()
        for part in ended:
            code = self._parts.exits[part]
            count = self._parts.started[part] - 1
            repeated = launching.again(self._job, self._launches, part, count, code)
            if repeated is not None:
                words = f"{part} {launching.ended(code)} and was started again."
                self._controller.cluster.store.record(
                    self._job.kind, self._job.name, "Warning", "Rejoined", words
                )
                self._parts.start(self._told(repeated))
        return launching.verdict(self._job, self._launches, self._parts.exits) if ended else None

    def _follow(self) -> None:
        self._hear()
        self._sample()
        self._ask_who_is_missing()
        self._ledger.ranks = self._ranks()
        self._ledger.save("RUNNING", reason=running_reason(self._ledger.ranks, self._missing))

    def _hear(self, *, final: bool = False) -> None:
        self._news.look()
        points = self._news.points(final=final)
        if self._news.progress is not None:
            self._ledger.progress = self._news.progress
        self._ledger.points(points, self._news.marks())

    def _sample(self) -> None:
        moment = time.monotonic()
        if self._sampler is None and time.time() - self._began < 0.5:
            return
        if self._sampler is None:
            from jupyter_ext.training.utilisation import Sampler

            lease = self._controller.lease
            self._sampler = Sampler(self._parts.pids, lease.gpus if lease else ())
        elif moment - self._sampled < _SAMPLE_SECONDS:
            return
        self._sampled = moment
        self._ledger.points(self._sampler.sample(time.time()))

    def _ask_who_is_missing(self) -> None:
        if self._rendezvous is None:
            if time.time() - self._began < 2:
                return
            from jupyter_ext.training.rendezvous import Rendezvous

            self._rendezvous = Rendezvous(self._job.folder, self._launches, self._job.nodes_min)
            self._asked = 0.0
        if time.monotonic() - self._asked > 2 and self._job.size > 1:
            self._asked = time.monotonic()
            self._missing = self._rendezvous.missing(_MISSING_SECONDS, self._parts.pid)

    def _ranks(self) -> list[dict[str, Any]]:
        """The state of each rank: what it says itself, else that of its process."""
        found = []
        for each in self._launches:
            for rank in each.ranks:
                said = self._news.ranks.get(rank)
                row = {"rank": rank, "part": each.part, "node": each.node, "role": each.role}
                found.append(row | (_own_words(said) if said else self._process(each)))
        return sorted(found, key=lambda row: row["rank"])

    def _process(self, each: Launch) -> dict[str, Any]:
        code = self._parts.exits.get(each.part)
        base = {"attempt": self._parts.started.get(each.part, 1), "startedAt": _text(self._began)}
        if code is None:
            ours = self._job.program is not None
            state = "PENDING" if ours else "RUNNING"
            return {**base, "state": state, "pid": None if ours else self._parts.pid(each.part), "reason": ""}
        state = "SUCCEEDED" if code == 0 else "FAILED"
        return {
            **base,
            "state": state,
            "pid": None,
            "reason": "" if code == 0 else f"It {launching.ended(code)}.",
        }

    # The end

    def _outcome(self, verdict: launching.Verdict) -> Outcome:
        if verdict.ok:
            self._parts.end()
            self._hear(final=True)
            self._ledger.ranks = self._ranks()
            self._ledger.value = next(
                (said["value"] for rank, said in self._news.ranks.items() if rank == 0 and "value" in said),
                {},
            )
            return Outcome(True, "")
        deadline = time.monotonic() + _LAST_WORDS
        while self._parts.pids() and not self._failed() and time.monotonic() < deadline:
            self._parts.wait(0.05)
            self._parts.collect()
            self._news.look()
        self._hear()
        error = self._error(verdict)
        failed = {row["rank"] for row in self._ranks() if row["state"] == "FAILED"}
        self._parts.end()
        self._hear(final=True)
        self._ledger.ranks = self._marked(self._ranks(), error, failed)
        return Outcome(
            False, f"{error_sentence(error)}." if error.get("traceback") else error["message"], error
        )

    def _failed(self) -> list[dict[str, Any]]:
        return [said for said in self._news.ranks.values() if said["state"] == "failed"]

    def _error(self, verdict: launching.Verdict) -> dict[str, Any]:
        """The first failure that a rank told of, else the first death, else what the verdict says."""
        failed = sorted(self._failed(), key=lambda said: said["time"])
        killed = self._killed()
        if killed and (not failed or killed["time"] < failed[0]["time"]):
            return killed
        if failed:
            return dict(failed[0]["error"])
        reason = verdict.reason
        if verdict.part and self._parts.exits.get(verdict.part) == -9:
            reason = f"{reason.rstrip('.')} (likely out of memory)."
        ranks = next((each.ranks for each in self._launches if each.part == verdict.part), ())
        return {
            "type": "Ended",
            "message": reason,
            "rank": ranks[0] if len(ranks) == 1 else None,
            "traceback": [],
        }

    def _killed(self) -> dict[str, Any] | None:
        """A rank that an agent saw die of a signal."""
        pids = {said["pid"]: rank for rank, said in self._news.ranks.items() if said["state"] != "done"}
        for each in self._launches:
            if each.role != "agent":
                continue
            log = self._controller.cluster.log(self._job.uid, each.part, self._parts.started[each.part])
            for code, pid in _AGENT_SAYS.findall(log.tail(200)):
                if int(code) < 0 and int(pid) in pids and int(code) != -15:
                    rank = pids[int(pid)]
                    words = f"Rank {rank} {launching.ended(int(code))}{' (likely out of memory)' if code == '-9' else ''}."
                    return {"type": "Killed", "message": words, "rank": rank, "traceback": [], "time": 0.0}
        return None

    def _marked(
        self, rows: list[dict[str, Any]], error: Mapping[str, Any], failed: set[int]
    ) -> list[dict[str, Any]]:
        """The ranks as they are after the failure of one: those that had not ``failed`` by then were ended."""
        cause = error.get("rank")
        for row in rows:
            if row["state"] == "SUCCEEDED" or (row["state"] == "FAILED" and row["rank"] in failed):
                continue
            row["state"] = "FAILED" if row["rank"] == cause else "CANCELED"
            row["reason"] = (
                error["message"] if row["rank"] == cause else f"Ended because rank {cause} failed."
            )
            row["finishedAt"] = _text(time.time())
        return rows


def _own_words(said: Mapping[str, Any]) -> dict[str, Any]:
    state = {"done": "SUCCEEDED", "failed": "FAILED"}.get(said["state"], "RUNNING")
    found: dict[str, Any] = {
        "state": state,
        "pid": said["pid"],
        "attempt": said["attempt"],
        "startedAt": _text(said["began"]),
        "reason": "Pruned." if said.get("pruned") else "",
    }
    if state != "RUNNING":
        found |= {
            "finishedAt": _text(said["time"]),
            "seconds": round(said["time"] - said["began"], 3),
            "pid": None,
        }
    elif not processes.identity(said["pid"]):
        found["reason"] = "Its process is gone."
    if state == "FAILED":
        found["reason"] = error_sentence(said["error"])
    return found


def _text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
