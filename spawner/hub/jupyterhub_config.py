"""What JupyterHub reads in the chart's pod: everything comes from the mounted values."""

from spawner.hub.on_kubernetes import load

load(get_config())  # type: ignore[name-defined]  # noqa: F821 - JupyterHub's own
