"""The objects of a server, made in its profile's namespace: account, home, pod, and what belongs to the pod."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from typing import Any, Final

from jupyterhub.utils import maybe_future
from kubespawner.objects import make_owner_reference
from traitlets import Bool, Integer, List, Unicode

from spawner.api import APPLY, ApiError, Json
from spawner.profiles.membership import Profile
from spawner.refused import Refused
from spawner.starts import identity, pod, rules, starting
from spawner.starts.choosing import Choosing

HUB_LABEL: Final = "jupyter-kubeflow.org/hub"


class Making(Choosing):
    """A spawner that makes its objects under its own field manager, and only what the rules let through."""

    hub_name = Unicode(
        "hub", config=True, help="Tells the pods of this Hub from those of another in the cluster."
    )
    server_cluster_role = Unicode(
        identity.CLUSTER_ROLE,
        config=True,
        help="What a server's own service account may do in its namespace.",
    )
    mount_api_token = Bool(
        True, config=True, help="Whether a server gets the token of its account for the API server."
    )
    pipelines_token = Bool(True, config=True, help="Whether it gets a token for Kubeflow Pipelines.")
    pipelines_audience = Unicode(identity.PIPELINES_AUDIENCE, config=True, help="The audience of that token.")
    token_seconds = Integer(7200, config=True, help="How long that token is good for; the kubelet renews it.")
    allowed_labels = List(
        Unicode(), config=True, help="Keys of labels that the rules deny and pods may have all the same."
    )
    waived_rules = List(
        Unicode(), config=True, help="Names of rules (`spawner.starts.rules`) that pods may break."
    )

    namespace_uid: str

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pod_uid = ""
        self._creating: asyncio.Task[Json] | None = None
        self._new_claim = ""

    @property
    def account(self) -> identity.Identity:
        """The server's own service account."""
        return identity.Identity(
            self.pod_name, self.namespace, self.user.name, self.name or "", self.server_cluster_role
        )

    async def _body(self, profile: Profile) -> Json:
        """The pod as it is sent: KubeSpawner's, changed by the administrator's hook, then ours, then the rules."""
        manifest = await self.get_pod_manifest()
        if self.modify_pod_hook:
            manifest = await maybe_future(self.modify_pod_hook(self, manifest))
        body: Json = self.api.api_client.sanitize_for_serialization(manifest)
        additions = pod.Additions(
            account=self.account.name,
            labels={HUB_LABEL: self.hub_name, "component": self.component_label},
            api_token=self.mount_api_token,
            pipelines_token=self.pipelines_token,
            audience=self.pipelines_audience,
            token_seconds=self.token_seconds,
            home_claim=self.pvc_name,
            is_restricted=profile.pod_security == "restricted",
        )
        body = pod.dressed(body, additions, self._options)
        body["metadata"]["namespace"] = self.namespace
        body["metadata"]["name"] = self.pod_name
        notes = body["metadata"].setdefault("annotations", {})
        notes.update({starting.START: uuid.uuid4().hex, "hub.jupyter.org/username": self.user.name})
        own = rules.Own(self.account.name, additions.projected, self.allowed_labels)
        starting.check_rules(body, own, tuple(self.waived_rules))
        return body

    async def _before(self) -> None:
        """What the pod needs: its account, its home, its device."""
        work = [identity.ensure(self.cluster, self.account), self._ensure_claim()]
        if self._options is not None and self._options.claim:
            template = pod.claim_template(self.pod_name, self.namespace, self._options.claim)
            path = (
                f"/apis/resource.k8s.io/v1/namespaces/{self.namespace}/resourceclaimtemplates/{self.pod_name}"
            )
            work.append(self._replace(path, template))
        done = await asyncio.gather(*work, return_exceptions=True)
        for each in done:
            if isinstance(each, BaseException):
                raise each

    async def _still_there(self) -> None:
        """Raises Refused where the namespace is another one by now, and takes back what was made in it.

        From here on a new one refuses the pod by itself: it has no account of this server.
        """
        found = await self.cluster.get(f"/api/v1/namespaces/{self.namespace}")
        if found["metadata"]["uid"] == self.namespace_uid:
            return
        await identity.remove(self.cluster, self.account)
        if self._new_claim:
            await self._drop_new_claim()
        message = f"The profile {self.namespace} was deleted and made anew while this server was started"
        raise Refused(409, message, hint="Start it again.")

    async def _replace(self, path: str, body: Json) -> None:
        with contextlib.suppress(ApiError):
            await self.cluster.delete(path)
        await self.cluster.patch(path, body, APPLY, {"fieldManager": identity.FIELDS})

    async def _ensure_claim(self) -> None:
        """The home volume: made if it is not there, larger if that was chosen, never replaced."""
        self._new_claim = ""
        body: Json | None = None
        if self._options is not None:
            labels = {
                **self._build_common_labels(self._expand_all(self.storage_extra_labels)),
                "app.kubernetes.io/component": self.component_label,
                "component": "singleuser-storage",
            }
            notes = self._build_common_annotations(self._expand_all(self.storage_extra_annotations))
            body = pod.home_claim(self.pvc_name, self._options, labels, notes)
        elif self.storage_pvc_ensure:
            await self._legacy_claim()
            body = self.api.api_client.sanitize_for_serialization(self.get_pvc_manifest())
        if body is None:
            return
        path = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims"
        try:
            made = await starting.create(self.cluster, path, body, self.k8s_api_request_retry_timeout)
        except ApiError as error:
            if error.status != 403 or not await self._claim_exists(path):
                raise
            made = None
        self._pvc_exists = True
        self._new_claim = str(made["metadata"]["uid"]) if made else ""
        if made is None and self._options is not None and self._options.home and self._options.home.growth:
            grown = {"spec": {"resources": {"requests": {"storage": self._options.home.size}}}}
            await self.cluster.patch(f"{path}/{self.pvc_name}", grown)

    async def _claim_exists(self, path: str) -> bool:
        """A full quota refuses even what is there already."""
        try:
            await self.cluster.get(f"{path}/{self.pvc_name}")
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        return True

    async def _legacy_claim(self) -> None:
        """KubeSpawner 6 named volumes differently: one of that name is found again, as KubeSpawner 7 does."""
        if self._pvc_exists or not (self.handle_legacy_names and self.remember_pvc_name):
            return
        if self._state_kubespawner_version != "unknown":
            return
        path = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims"
        if await self._claim_exists(path):
            return
        mine, self.pvc_name = (
            self.pvc_name,
            self._expand_user_properties(self.pvc_name_template, slug_scheme="escape"),
        )
        if not await self._claim_exists(path):
            self.pvc_name = mine

    async def _create(self, body: Json) -> Json:
        """Make the pod; if it cannot be made, a home that was made for it a moment ago goes as well."""
        seconds = self.k8s_api_request_retry_timeout
        self._creating = asyncio.ensure_future(
            starting.create_pod(self.cluster, self.namespace, body, self.user.name, seconds)
        )
        try:
            return await asyncio.shield(self._creating)
        except (ApiError, Refused):
            if self._new_claim:
                await self._drop_new_claim()
            raise

    async def _drop_new_claim(self) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims/{self.pvc_name}"
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": self._new_claim}}
        with contextlib.suppress(ApiError):
            await self.cluster.delete(path, body)
        self._pvc_exists = False

    async def _after(self, made: Json) -> None:
        """What belongs to the pod and is deleted with it: certificates, the service; and the administrator's hook."""
        if not (self.internal_ssl or self.services_enabled or self.after_pod_created_hook):
            return
        owner = make_owner_reference(self.pod_name, self.pod_uid)
        if self.internal_ssl:
            await self._put("secret", self.get_secret_manifest(owner))
        if self.internal_ssl or self.services_enabled:
            await self._put("service", self.get_service_manifest(owner, self._get_pod_port(made)))
        if self.after_pod_created_hook:
            await maybe_future(self.after_pod_created_hook(self, made))

    async def _put(self, kind: str, manifest: Any) -> None:
        body = self.api.api_client.sanitize_for_serialization(manifest)
        path = f"/api/v1/namespaces/{self.namespace}/{kind}s"
        for _ in range(5):
            if await starting.create(self.cluster, path, body, self.k8s_api_request_retry_timeout):
                return
            with contextlib.suppress(ApiError):
                await self.cluster.delete(f"{path}/{body['metadata']['name']}")
            await asyncio.sleep(0.2)
        raise Refused(409, f"An old {kind} of this server cannot be removed", hint="Try again in a minute.")

    def _get_pod_port(self, pod: Json) -> int:
        for container in pod["spec"]["containers"]:
            for port in container.get("ports") or ():
                if port.get("name") == "notebook-port":
                    return int(port["containerPort"])
        return int(self.port)
