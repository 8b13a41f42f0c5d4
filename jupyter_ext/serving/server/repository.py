"""The models of a server, by name and version."""

from __future__ import annotations

from typing import Any

from jupyter_ext.errors import NotFound, Where
from jupyter_ext.serving.server.config import Config
from jupyter_ext.serving.server.metrics import Metrics
from jupyter_ext.serving.server.served import Served


class Repository:
    """Which models there are. Without a version the last one of a name answers."""

    def __init__(self, config: Config, metrics: Metrics) -> None:
        self.models: dict[str, dict[str, Served]] = {}
        for each in config.models:
            self.models.setdefault(each.name, {})[each.version] = Served(each, config, metrics)
        self._last = {name: list(versions.values())[-1] for name, versions in self.models.items()}

    def get(self, name: str, version: str | None = None) -> Served:
        """Raises NotFound in the words of KServe, with what there is."""
        if version is None:
            found = self._last.get(name)
            if found is not None:
                return found
            known = ", ".join(list(self.models)[:10])
            raise NotFound(
                f"Model with name {name[:100]} does not exist.", hint=f"There is {known or 'none'}."
            )
        versions = self.named(name)
        if version not in versions:
            raise NotFound(
                f"Model with name {name} has no version {version[:100]}",
                where=Where(field="version"),
                hint=f"There is {', '.join(versions)}.",
            )
        return versions[version]

    def named(self, name: str) -> dict[str, Served]:
        """All versions. Raises NotFound."""
        self.get(name)
        return self.models[name]

    def __iter__(self) -> Any:
        return (served for versions in self.models.values() for served in versions.values())

    @property
    def ready(self) -> bool:
        """Whether all answer that were not unloaded on purpose."""
        return all(served.ready or served.reason == "unloaded" for served in self)

    async def load(self) -> None:
        """Load all, one after the other; raises what the first fault was."""
        for served in list(self):
            await served.load()

    async def change(self, name: str, load: bool) -> None:
        """Load or unload all versions of a name; one that does not load keeps no other from it. Raises its fault."""
        fault: Exception | None = None
        for served in self.named(name).values():
            try:
                await (served.load() if load else served.unload())
            except Exception as error:
                fault = fault or error
        if fault is not None:
            raise fault

    def index(self, ready: bool | None) -> list[dict[str, str]]:
        """The repository extension's list."""
        return [
            {"name": each.name, "version": each.version, "state": each.state, "reason": each.reason}
            for each in self
            if not ready or each.ready
        ]


def metadata(model: Served) -> dict[str, Any]:
    """Names, types and shapes, as they were recorded."""
    signature = model.config.signature or {}
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": model.format or "unknown",
        "inputs": signature.get("inputs") or [],
        "outputs": signature.get("outputs") or [],
    }
