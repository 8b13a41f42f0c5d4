"""What nvidia-smi and the DCGM exporter print, as numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spawner.hub.gpu_use import SAMPLES, Use, parse_dcgm, parse_smi

DCGM = """# HELP DCGM_FI_DEV_GPU_UTIL GPU utilization (in %).
# TYPE DCGM_FI_DEV_GPU_UTIL gauge
DCGM_FI_DEV_GPU_UTIL{gpu="0",UUID="GPU-1",device="nvidia0",modelName="NVIDIA A100",namespace="team-a",pod="jupyter-ana",container="notebook"} 93
DCGM_FI_DEV_GPU_UTIL{gpu="1",UUID="GPU-2",device="nvidia1",modelName="NVIDIA \\"A100\\"",namespace="team-a",pod="jupyter-ana"} 4.5
DCGM_FI_DEV_GPU_UTIL{gpu="2",UUID="GPU-3"} 0
DCGM_FI_DEV_MEM_COPY_UTIL{gpu="2",UUID="GPU-3"} 50
"""


def test_nvidia_smi() -> None:
    """A part of a split GPU has no use of its own, and is left out."""
    assert parse_smi("GPU-1, 37\nGPU-2, [N/A]\nGPU-3, 0\nnonsense\n") == {"GPU-1": 0.37, "GPU-3": 0.0}


def test_dcgm() -> None:
    """By device, and by pod the greatest of its devices."""
    assert parse_dcgm(DCGM) == {"GPU-1": 0.93, "team-a/jupyter-ana": 0.93, "GPU-2": 0.045, "GPU-3": 0.0}


@given(st.text(max_size=500))
def test_nonsense_is_nothing(text: str) -> None:
    """Nothing that somebody sends ends the service."""
    assert all(0 <= value <= 1 for value in {**parse_smi(text), **parse_dcgm(text)}.values())


def test_a_pause_is_not_idleness() -> None:
    """The last samples count together; what is gone is forgotten, and nothing known is not zero."""
    use = Use()
    use.add({"GPU-1": 0.9, "GPU-2": 0.0})
    for _ in range(SAMPLES - 1):
        use.add({"GPU-1": 0.0, "GPU-2": 0.0})
    assert use.of(["GPU-1", "GPU-2"]) == 0.9
    use.add({"GPU-1": 0.0})
    assert use.of(["GPU-1"]) == 0.0
    assert use.of(["GPU-2"]) is None
    assert use.of([]) is None
