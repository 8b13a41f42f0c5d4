"""The configuration of a small Hub with our form: no cluster, its nodes are those of the tests' tables.

Read by JupyterHub itself, in a process of its own. Everything that changes comes from one file that a test may
rewrite while the Hub runs.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner

from spawner.form import page as form
from spawner.form.accelerators import discover
from spawner.form.capacity import Fleet
from spawner.form.choices import Claim, PodDefaultChoice, Queue
from spawner.form.kueue import quotas_of
from spawner.form.settings import configure
from spawner.form.verdicts import recheck
from spawner.hub import proxy
from spawner.refused import Refused
from tests.spawner.form import nodes

HERE = Path(os.environ["FORM_TEST"])
ANSWERS = "from http.server import *; import os; p=int(os.environ['JUPYTERHUB_SERVICE_URL'].split(':')[2].split('/')[0]); HTTPServer(('127.0.0.1', p), BaseHTTPRequestHandler).serve_forever()"


def world() -> dict[str, Any]:
    return json.loads((HERE / "world.json").read_text())


def fleet(pods: list[list[Any]]) -> Fleet:
    return Fleet(
        CLUSTER,
        [nodes.pod(f"p{i}", where, asked, namespace=space) for i, (where, asked, space) in enumerate(pods)],
    )


CLUSTER = [
    *(nodes.gke_a100(f"a100-{n}", 8, cpu="96", memory="680Gi") for n in range(3)),
    *(nodes.node(f"cpu-{n}", labels={"node.kubernetes.io/instance-type": "n2-standard-16"}, cpu="16", memory="62Gi") for n in range(4)),
    nodes.mig_mixed("mig-0"), nodes.sliced("t4-0", renamed=True), nodes.gke_tpu("tpu-0"), nodes.gke_tpu("tpu-1", topology="4x4", chips=4),
]  # fmt: skip


class FormSpawner(SimpleLocalProcessSpawner):
    """Starts a server that only answers; remembers what it was asked for."""

    http_timeout = 60

    def get_args(self) -> list[str]:
        return []

    @property
    def options_form(self) -> Any:
        return form.page

    def run_options_from_form(self, form_data: dict[str, Any]) -> Any:
        return form.answer(self, form_data)

    def options_from_query(self, query_data: dict[str, Any]) -> Any:
        return form.from_query(query_data)

    async def offer(self, namespace: str | None) -> form.Offer:
        now = world()
        namespace = namespace or next((name for name, _, _ in now["profiles"]), "")
        schema = configure(**now["settings"]).extended(
            profiles=tuple(name for name, _, _ in now["profiles"]),
            accelerators=discover(CLUSTER) if now["accelerators"] else [],
            pod_defaults=[
                PodDefaultChoice(
                    "access-ml-pipeline",
                    "Allow access to Kubeflow Pipelines",
                    (("access-ml-pipeline", "true"),),
                )
            ],
            claims=[
                Claim(f"data-of-{namespace}", "1Ti", ("ReadOnlyMany",)),
                Claim("scratch", "200Gi", ("ReadWriteMany",)),
            ],
            queues=[Queue("interactive", "team", waiting=3)],
        )
        if schema.home and now["home"]:
            schema = replace(schema, home=replace(schema.home, **now["home"]))
        profiles = [
            SimpleNamespace(name=name, role=role, reason=why, may_start=not why)
            for name, role, why in now["profiles"]
        ]
        return form.Offer(
            schema,
            fleet(now["pods"]),
            now["quotas"],
            self.user.name,
            profiles,
            now["note"],
            now["hint"],
            needs_profile=True,
            namespace=namespace,
            queues=quotas_of(now["cluster_queues"]),
            shared_with=now["shared_with"],
        )

    async def start(self) -> Any:
        offer = await self.offer(None)
        options = offer.schema.check(self.user_options)
        recheck(offer.situation, offer.schema, options)
        (HERE / f"started-{self.user.name}.json").write_text(json.dumps(options.to_json()))
        return await super().start()


def refuse(spawner: FormSpawner, user_options: object) -> None:
    """Bad options by the REST interface: the Hub makes its own 400 of it."""
    now = world()
    schema = configure(**now["settings"]).extended(
        profiles=tuple(name for name, _, _ in now["profiles"]), accelerators=discover(CLUSTER)
    )
    try:
        schema.check(user_options, also=("data", "data_read_only", "pod_defaults", "queue"))
    except Refused as refused:
        raise form._as_answer(refused) from refused


c = get_config()  # type: ignore[name-defined] # noqa: F821
c.JupyterHub.bind_url = f"http://127.0.0.1:{os.environ['FORM_PORT']}/"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{os.environ['FORM_HUB_PORT']}"
c.JupyterHub.db_url = f"sqlite:///{HERE}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(HERE / "cookie")
c.JupyterHub.pid_file = ""
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = FormSpawner
c.JupyterHub.services = [{"name": "test", "api_token": os.environ["FORM_TOKEN"], "admin": True}]
c.JupyterHub.load_roles = [{"name": "test", "scopes": ["admin:users", "admin:servers"], "services": ["test"]}]
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = "sesame-sesame"
c.ConfigurableHTTPProxy.command = proxy.command(Path(os.environ["FORM_PROXY"]))
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{os.environ['FORM_API_PORT']}"
c.ConfigurableHTTPProxy.pid_file = str(HERE / "proxy.pid")
c.FormSpawner.cmd = [sys.executable, "-c", ANSWERS]
c.Spawner.apply_user_options = refuse
