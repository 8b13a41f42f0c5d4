"""One checked answer of the start form: what was chosen, and what it means for the pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from spawner.form.accelerators import Accelerator
from spawner.form.choices import DataMount, Home, Image, PodDefaultChoice, Size

SHARED: Final = "contributors"


@dataclass(frozen=True)
class Options:
    """One checked answer. Everything in it was offered; a pod can be built from it alone."""

    namespace: str
    image: Image
    size: Size
    accelerator: Accelerator | None = None
    count: int = 0
    home: Home | None = None
    data: tuple[DataMount, ...] = ()
    pod_defaults: tuple[PodDefaultChoice, ...] = ()
    queue: str = ""
    shared: bool = False
    node_selector: Mapping[str, str] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    tolerations: tuple[tuple[tuple[str, str], ...], ...] = ()

    def requests(self) -> dict[str, str]:
        """What the container asks for; an extended resource is whole and the same in the limits."""
        return {"cpu": self.size.cpu, "memory": self.size.memory, **self._extended()}

    def limits(self) -> dict[str, str]:
        """What the container may use at most."""
        cpu = {"cpu": self.size.cpu_limit} if self.size.cpu_limit else {}
        return {**cpu, "memory": self.size.memory_limit or self.size.memory, **self._extended()}

    def _extended(self) -> dict[str, str]:
        plain = self.accelerator and self.accelerator.kind != "dra"
        return {self.accelerator.resource: str(self.count)} if self.accelerator and plain else {}

    @property
    def claim(self) -> dict[str, Any] | None:
        """The devices to claim by DRA: ``device_class`` and ``count``."""
        if self.accelerator and self.accelerator.kind == "dra":
            return {"device_class": self.accelerator.device_class, "count": self.count}
        return None

    def node_affinity(self) -> list[dict[str, Any]]:
        """Further ``matchExpressions`` that a node must meet: what a selector of labels cannot say."""
        return [{"key": key, "operator": "DoesNotExist"} for key in self.without]

    def labels(self) -> dict[str, str]:
        """Labels that the choices put on the pod."""
        found = {key: value for choice in self.pod_defaults for key, value in choice.labels}
        if self.queue:
            found["kueue.x-k8s.io/queue-name"] = self.queue
        return found

    @property
    def idle_minutes(self) -> int | None:
        """After how many idle minutes it is stopped: 0 never, None as the Hub has it; the accelerator's wins."""
        mine = self.accelerator.idle_minutes if self.accelerator else None
        return self.size.idle_minutes if mine is None else mine

    def to_json(self) -> dict[str, Any]:
        """The answer again, as small as it can be: what the Hub keeps, and what ``Schema.check`` reads."""
        unlisted, typed_size = self.image.key == "other", self.size.key == "other"
        found: dict[str, Any] = {
            "namespace": self.namespace, "image": self.image.key, "size": self.size.key,
            "accelerator": self.accelerator.key if self.accelerator else "none",
            "home": "keep" if self.home else "none", "queue": self.queue,
            "data": [each.claim for each in self.data],
            "data_read_only": [each.claim for each in self.data if each.read_only],
            "pod_defaults": [each.name for each in self.pod_defaults],
        }  # fmt: skip
        if unlisted:
            found["image_other"] = self.image.reference
        if typed_size:
            found |= {"cpu": self.size.cpu, "memory": self.size.memory}
        if self.accelerator:
            found["count"] = self.count
        if self.home:
            found["home_size"] = self.home.size
        if self.shared:
            found["shared"] = SHARED
        return found

    def words(self) -> str:
        """One line for people."""
        parts = [self.image.title, self.size.words]
        if self.accelerator:
            parts.append(f"{self.count} x {self.accelerator.title}")
        return " · ".join(parts)
