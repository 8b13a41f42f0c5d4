"""What the registry is told of endpoints, so that a version knows where it is served."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from jupyter_ext.errors import KubeflowError

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Service


def told(resource: Resource, service: Service, url: str) -> None:
    """Tell which versions serve now, the stable one first. A registry that is down is told at the next change."""
    from jupyter_ext.registry.place import default
    from jupyter_ext.serving import finding

    with suppress(KubeflowError, OSError):
        versions = []
        for each in service.variants:
            if each.facts.get("model") and each.facts.get("version"):
                with suppress(KubeflowError):
                    versions.append(finding.version_of(f"{each.facts['model']}:{each.facts['version']}"))
        if versions:
            default().note_served(
                resource.name, versions, url=url, uid=resource.uid, profile=resource.namespace
            )


def gone(resource: Resource) -> None:
    """Tell that the endpoint serves no more."""
    from jupyter_ext.registry.place import default
    from jupyter_ext.serving import spec as names

    with suppress(KubeflowError, OSError):
        if any(each.facts.get("model") for each in names.read(resource).variants):
            default().note_served(resource.name, [], uid=resource.uid, profile=resource.namespace)
