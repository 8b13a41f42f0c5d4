"""How busy GPUs are: by ``nvidia-smi`` on this machine, or by the text that NVIDIA's DCGM exporter gives to Prometheus."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

SAMPLES: Final = 10
"""How many of the last samples count: a training that loads data for a minute is not idle."""
_METRIC: Final = re.compile(r"DCGM_FI_DEV_GPU_UTIL\{([^}]{0,2000})\}\s+([0-9.]{1,12})(?:\s|$)")
_LABEL: Final = re.compile(r'([A-Za-z_]{1,60})="((?:[^"\\]|\\.){0,300})"')


class Use:
    """The greatest use of each GPU within the last samples. Keys: UUIDs, or ``namespace/pod``."""

    def __init__(self) -> None:
        self._samples: dict[str, deque[float]] = {}

    def add(self, sample: Mapping[str, float]) -> None:
        """Take one sample of all; what is no longer there is forgotten."""
        for key, value in sample.items():
            self.note(key, value)
        self.keep(sample)

    def note(self, key: str, value: float) -> None:
        """Take a sample of one alone; the others stay."""
        self._samples.setdefault(key, deque(maxlen=SAMPLES)).append(value)

    def keep(self, keys: Iterable[str]) -> None:
        """Forget all but these."""
        for key in self._samples.keys() - set(keys):
            del self._samples[key]

    def of(self, keys: Iterable[str]) -> float | None:
        """The greatest of these, 0 to 1; None when nothing is known of any."""
        known = [max(self._samples[key]) for key in keys if key in self._samples]
        return max(known) if known else None


def ask_smi(seconds: float = 20) -> dict[str, float]:
    """One sample of this machine; empty where there is no GPU, or no answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return {}
    command = [program, "--query-gpu=uuid,utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=True)
    except (OSError, subprocess.SubprocessError):
        return {}
    return parse_smi(done.stdout)


def parse_smi(text: str) -> dict[str, float]:
    """Lines of ``uuid, per cent``; a GPU that is split says ``[N/A]`` and is left out."""
    found = {}
    for line in text.splitlines()[:1000]:
        uuid, _, value = (part.strip() for part in line.partition(","))
        if uuid.startswith("GPU-") and value.isdecimal():
            found[uuid] = min(int(value), 100) / 100
    return found


def parse_dcgm(text: str) -> dict[str, float]:
    """Use by UUID and, where the exporter runs in a cluster, by ``namespace/pod``; the greatest of a pod's GPUs."""
    found: dict[str, float] = {}
    for match in _METRIC.finditer(text):
        labels = dict(_LABEL.findall(match[1]))
        try:
            value = min(max(float(match[2]) / 100, 0.0), 1.0)
        except ValueError:
            continue
        keys = [labels["UUID"]] if labels.get("UUID") else []
        if labels.get("namespace") and labels.get("pod"):
            keys.append(f"{labels['namespace']}/{labels['pod']}")
        for key in keys:
            found[key] = max(found.get(key, 0.0), value)
    return found
