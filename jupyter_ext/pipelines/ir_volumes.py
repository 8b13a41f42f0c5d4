"""Kale's volumes as KFP mounts them: claims that exist, and claims that a run makes first (kfp-kubernetes' CreatePVC)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_ext.errors import Unfit, Where

IMAGE = "argostub/createpvc"
"""No image: KFP's server makes the claim itself when it sees this name."""
MODES = {"rom": "ReadOnlyMany", "rwo": "ReadWriteOnce", "rwm": "ReadWriteMany", "rwop": "ReadWriteOncePod"}
CREATE_PARAMETERS = {
    "access_modes": ("LIST", False),
    "annotations": ("STRUCT", True),
    "data_source": ("STRUCT", True),
    "pvc_name": ("STRING", True),
    "pvc_name_suffix": ("STRING", True),
    "size": ("STRING", False),
    "storage_class_name": ("STRING", True),
    "volume_name": ("STRING", True),
}
"""The inputs that KFP knows: name, type, whether it may be left out."""

Tree = dict[str, Any]


@dataclass(frozen=True)
class Volume:
    """A volume that every step mounts. ``arguments`` are those of the task that makes it, None if it exists."""

    name: str
    mount: str
    arguments: Mapping[str, Any] | None = None

    @property
    def task(self) -> str:
        """The task that makes the claim."""
        return f"volume-{self.name}"

    @property
    def channel(self) -> str:
        """Name of the claim's name among the inputs of a sub-DAG."""
        return f"pipelinechannel--{self.task}-name"

    def source(self) -> Tree:
        """Where the name of the claim comes from, for tasks beside the one that makes it."""
        if self.arguments is None:
            return {"runtimeValue": {"constant": self.name}}
        return {"taskOutputParameter": {"producerTask": self.task, "outputParameterKey": "name"}}

    def mounted(self, *, inside: bool) -> Tree:
        """The entry in the platform document; ``inside`` a sub-DAG the name comes in from outside."""
        if self.arguments is None:
            old: Tree = {"constant": self.name}
            new = self.source()
        elif inside:
            old = new = {"componentInputParameter": self.channel}
        else:
            old = new = self.source()
        return {**old, "mountPath": self.mount, "pvcNameParameter": new}

    def made(self) -> tuple[Tree, Tree]:
        """Component and task that make the claim."""
        inputs: Tree = {}
        for name, (kind, optional) in CREATE_PARAMETERS.items():
            inputs[name] = (
                {"parameterType": kind, "isOptional": True} if optional else {"parameterType": kind}
            )
        inputs["storage_class_name"]["defaultValue"] = ""
        component = {
            "executorLabel": f"exec-{self.task}",
            "inputDefinitions": {"parameters": inputs},
            "outputDefinitions": {"parameters": {"name": {"parameterType": "STRING"}}},
        }
        given = {
            name: {"runtimeValue": {"constant": value}} for name, value in (self.arguments or {}).items()
        }
        task = {
            "taskInfo": {"name": self.task},
            "componentRef": {"name": f"comp-{self.task}"},
            "cachingOptions": {"enableCache": True},
            "inputs": {"parameters": given},
        }
        return component, task


def volumes(metadata: Mapping[str, Any]) -> list[Volume]:
    """The notebook's volumes; raises Unfit, with its name, for one that KFP has no word for."""
    return [_volume(item) for item in metadata.get("volumes") or ()]


def _volume(item: Mapping[str, Any]) -> Volume:
    name, kind = str(item.get("name", "")), item.get("type")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) or not item.get("mount_point"):
        raise _refused(name, "it needs a name of lower-case letters, digits and dashes, and a mount point")
    if item.get("snapshot"):
        raise _refused(name, "snapshots are nothing that KFP takes")
    if kind == "pvc":
        return Volume(name, str(item["mount_point"]))
    if kind != "new_pvc":
        raise _refused(name, f"its type {kind!r} is nothing that KFP makes")
    if not item.get("size"):
        raise _refused(name, "it has no size")
    mode = MODES.get(str(item.get("volume_access_mode") or "rwm"))
    if mode is None:
        raise _refused(name, f"its access mode {item.get('volume_access_mode')!r} is unknown")
    notes = {
        each["key"]: each["value"]
        for each in item.get("annotations") or ()
        if each.get("key") and each.get("value")
    }
    arguments: Tree = {
        "access_modes": [mode],
        "pvc_name_suffix": f"-{name}",
        "size": f"{item['size']}{item.get('size_type') or ''}",
    }
    if notes:
        arguments["annotations"] = notes
    if item.get("storage_class_name"):
        arguments["storage_class_name"] = item["storage_class_name"]
    return Volume(name, str(item["mount_point"]), arguments)


def _refused(name: str, reason: str) -> Unfit:
    return Unfit(
        f"the notebook's volume {name!r} cannot be exported: {reason}",
        where=Where(field="volumes"),
        hint="Make a PersistentVolumeClaim and name it there with type pvc, or remove it from the notebook's metadata.",
    )
