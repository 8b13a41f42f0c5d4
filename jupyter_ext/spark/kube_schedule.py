"""Batches by the clock on a Kubernetes cluster: the operator's own ScheduledSparkApplication, which needs nobody here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.kube import handle
from jupyter_ext.cluster.resource import Resource, make_name
from jupyter_ext.errors import KubeflowError
from jupyter_ext.spark import kube
from jupyter_ext.spark.scheduling import KIND, LABEL, Schedule, application_of, checked_terms
from jupyter_ext.spark.validation import validate
from jupyter_ext.training.containers import renamed

if TYPE_CHECKING:
    from jupyter_ext.cluster.kube import KubeCluster
    from jupyter_ext.spark.handle import Application
    from jupyter_ext.spark.kube_manifest import Asked


def submit(there: KubeCluster, resource: Resource) -> Schedule:
    """Create the schedule there. Raises as ``check``."""
    asked = described(there, resource)
    made = there.create(asked.resource)
    kube.keep_box(there, made, asked)
    return KubeSchedule(made.name, there)


def check(there: KubeCluster, resource: Resource) -> None:
    """Refuse what ``submit`` would refuse, as far as the API server says it. Raises Invalid, Unfit, Conflict."""
    there.create(described(there, resource).resource, dry=True)


def update(there: KubeCluster, resource: Resource, *, dry: bool) -> Resource:
    """Give a schedule that exists this spec."""
    asked = described(there, resource)
    found = there.apply(asked.resource, dry=dry)
    if not dry:
        kube.keep_box(there, found, asked)
    return found


def described(there: KubeCluster, resource: Resource) -> Asked:
    """The schedule as the operator takes it, with the code of its applications."""
    checked_terms(resource)
    try:
        asked = kube.described(there, discover.current(), application_of(resource, resource.name))
    except KubeflowError as error:
        raise renamed(error, {"spec": "spec.template"}) from error
    spec = {**resource.spec, "template": asked.resource.spec}
    made = resource.with_(namespace="", uid="", spec=spec, annotations=asked.resource.annotations)
    validate(made)
    return asked._replace(resource=made)


def get(there: KubeCluster, name: str) -> Schedule:
    """The schedule of that name. Raises NotFound."""
    return KubeSchedule.found(there, name)


def schedules(there: KubeCluster, limit: int) -> list[tuple[str, Schedule]]:
    """The newest, each with the time of its creation."""
    return handle.listed(there, KIND, limit, None, lambda resource: KubeSchedule(resource.name, there))


class KubeSchedule(handle.KubeHandle, Schedule):
    """One schedule of a Kubernetes cluster."""

    _kind: ClassVar[str] = KIND

    @property
    def runs(self) -> list[Application]:
        """The applications that it made and that are still there, the newest first."""
        found = self._remote.list("SparkApplication", labels={LABEL: self.name}, summary=True)
        return [kube.KubeApplication(each.name, self._remote) for each in found]

    def suspend(self) -> None:
        """Start no more applications; those that run go on."""
        self._set(suspend=True)

    stop = suspend

    def resume(self) -> None:
        """Start applications again."""
        self._set(suspend=False)

    def _set(self, **fields: Any) -> None:
        self._remote.patch(self.kind, self.name, {"spec": fields})

    def run(self) -> Application:
        """Start one now, beside its times."""
        found = self.resource
        labels = {**found.labels, LABEL: self.name}
        noted = {"labels": labels, "annotations": kube.own(found.annotations)}
        made = Resource.new("SparkApplication", make_name(self.name), dict(found.spec["template"]), **noted)
        return kube.KubeApplication(self._remote.create(made).name, self._remote)
