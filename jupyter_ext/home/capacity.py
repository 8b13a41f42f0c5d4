"""What there is to compute with, who has what of it, and what nobody uses."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.cluster.local.devices import Held, Leases

IDLE: Final = 0.05
"""Use of a GPU, 0 to 1, below which it does nothing."""
SAMPLE_SECONDS: Final = 10.0
"""How long one sample of the GPUs holds: nvidia-smi takes up to a second."""


def of(cluster: Any) -> dict[str, Any] | None:
    """CPU, memory and GPUs of the machine with their leases; None for a cluster, whose nodes are not this machine's."""
    leases: Leases | None = getattr(cluster, "leases", None)
    if leases is None:
        return None
    machine = leases.machine()
    free_cpu, free_memory = leases.free()
    held = leases.holders()
    names = {each.uid: _resource(cluster, each) for each in held}
    use = gpu_use() if machine.gpus else {}
    return {
        "cpu": {"total": machine.cpu_milli, "free": free_cpu},
        "memory": {"total": machine.memory_bytes, "free": free_memory},
        "gpus": [_gpu(gpu, held, names, use) for gpu in machine.gpus],
        "holders": [_told(each, names) for each in held if each.granted and not each.nested],
        "waiting": [_told(each, names) for each in held if not each.granted],
    }


def _gpu(gpu: Any, held: list[Held], names: Mapping[str, Any], use: Mapping[str, float]) -> dict[str, Any]:
    """One GPU: whose it is now, and how busy it was at the last look; the innermost of nested leases has it."""
    holders = [each for each in held if each.granted and gpu.uuid in each.gpus]
    holder = next((each for each in holders if each.nested), holders[0] if holders else None)
    used = use.get(gpu.uuid)
    return {
        "uuid": gpu.uuid,
        "index": gpu.index,
        "name": gpu.name,
        "memory": gpu.memory,
        "holder": names[holder.uid] | {"unit": holder.unit} if holder else None,
        "use": used,
        "state": "free" if holder is None else "idle" if used is not None and used < IDLE else "used",
    }


def _resource(cluster: Any, held: Held) -> dict[str, str | None]:
    found = cluster.store.by_uid(held.uid)
    return {"kind": found.kind, "name": found.name} if found else {"kind": None, "name": held.name}


def _told(held: Held, names: Mapping[str, Any]) -> dict[str, Any]:
    asked = held.request
    return {
        **names[held.uid],
        "unit": held.unit,
        "cpu": asked.cpu_milli,
        "memory": asked.memory,
        "gpus": asked.gpus,
    }


_guard = threading.Lock()
_sample: tuple[float, dict[str, float]] = (-SAMPLE_SECONDS, {})


def gpu_use() -> dict[str, float]:
    """How busy each GPU is, 0 to 1, by its UUID: looked at anew after ``SAMPLE_SECONDS``."""
    from spawner.hub.gpu_use import ask_smi

    global _sample  # noqa: PLW0603 - one sample for all who ask in this process
    with _guard:
        if time.monotonic() - _sample[0] >= SAMPLE_SECONDS:
            _sample = (time.monotonic(), ask_smi(5))
        return _sample[1]
