"""The Hub that the chart of spawner/chart/ installs: its whole configuration, from one JSON file and a folder of secrets.

``python -m spawner.hub.on_kubernetes`` starts JupyterHub. Values become JSON in the chart, and JSON becomes settings
here, so that no template ever writes Python. Secrets are never among the values: each is a file that the kubelet
mounts, named after the setting that it is, such as ``GenericOAuthenticator.client_secret``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spawner.hub.setup import IDLE, SERVER_SCOPES, idle_role
from spawner.refused import Refused

if TYPE_CHECKING:
    from traitlets.config import Config

FOLDER: Final = Path("/etc/jupyter-kubeflow")
VARIABLE: Final = "JUPYTER_KUBEFLOW_HUB_FOLDER"
IDLE_TOKEN: Final = "JUPYTER_KUBEFLOW_IDLE_TOKEN"  # noqa: S105 - the name of a variable
_SETTING: Final = re.compile(r"([A-Z]\w*)\.([a-z]\w*)", re.ASCII)


def folder() -> Path:
    """Where ``hub.json``, ``secrets/`` and ``extra/`` are mounted."""
    return Path(os.environ.get(VARIABLE) or FOLDER)


def load(c: Config) -> None:
    """Configure the Hub of this pod. Raises Refused (500) naming the file that is wrong."""
    _accept_plain_authorities()
    place = folder()
    configure(c, read(place / "hub.json"), os.environ)
    for name, value in secrets(place / "secrets").items():
        owner, _, trait = name.partition(".")
        c[owner][trait] = value
    for path in sorted((place / "extra").glob("*.py")):
        exec(compile(path.read_text(), str(path), "exec"), {"c": c, "get_config": lambda: c})  # noqa: S102 - the administrator's own


def _accept_plain_authorities() -> None:
    """Python 3.13 refuses certificates without a key identifier, which the authorities of many clusters make.

    Who signed is checked as before; only the form is not. KubeSpawner loads its configuration with just this call,
    which is remembered, so it finds what is changed here.
    """
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import ConfigException
    from kubespawner.clients import load_config

    try:
        load_config(host="", ssl_ca_cert="", verify_ssl=None)
    except ConfigException:
        return  # of no cluster: the first start says so
    found = Configuration.get_default_copy()
    found.disable_strict_ssl_verification = True
    Configuration.set_default(found)


def read(path: Path) -> dict[str, Any]:
    """The values. Raises Refused (500)."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refused(500, f"{path} cannot be read: {error}", hint="The chart's ConfigMap has it.") from None
    if not isinstance(found, dict):
        raise Refused(500, f"{path} is not a JSON object", hint="The chart's ConfigMap has it.")
    return found


def secrets(place: Path) -> dict[str, str]:
    """The settings that are files here, by name. Raises Refused (500) for a file that names no setting."""
    found: dict[str, str] = {}
    for path in sorted(place.glob("*")):
        if path.name.startswith("..") or not path.is_file():
            continue  # the kubelet's own
        if not _SETTING.fullmatch(path.name):
            raise Refused(
                500, f"{path} names no setting", hint="Call it Class.trait, as in JupyterHub's documentation."
            )
        found[path.name] = path.read_text().rstrip("\n")
    return found


def configure(c: Config, values: Mapping[str, Any], environment: Mapping[str, str]) -> None:
    """Everything that the Hub is told, ``config`` last: it may change what is set before."""
    _addresses(c, values)
    _people(c, values.get("authentication") or {})
    c.JupyterHub.allow_named_servers = bool(values.get("named_servers"))
    c.JupyterHub.named_server_limit_per_user = int(values.get("named_servers") or 0)
    c.JupyterHub.spawner_class = "spawner.spawner.ProfileSpawner"
    c.JupyterHub.last_activity_interval = (
        30  # so often a proxy that was started anew is told its routes again
    )
    c.JupyterHub.cleanup_servers = False  # a Hub that is upgraded finds them again
    c.Spawner.consecutive_failure_limit = 0  # five wrong starts of one user must not end the Hub for all
    c.Spawner.default_url = "/lab"
    # A server asks for its user's others; into another it goes by its user's own sign-in only.
    c.Spawner.server_token_scopes = [
        scope for scope in SERVER_SCOPES if not scope.startswith("access:servers")
    ]
    for trait, value in (values.get("spawner") or {}).items():
        c.ProfileSpawner[trait] = value
    roles: list[dict[str, Any]] = [{"name": "user", "scopes": ["self", f"access:services!service={IDLE}"]}]
    if values.get("idle_url"):
        c.JupyterHub.services = [
            {"name": IDLE, "url": values["idle_url"], "api_token": environment[IDLE_TOKEN], "display": False}
        ]
        roles.append(idle_role(in_cluster=True))
    c.JupyterHub.load_roles = roles
    for owner, traits in (values.get("config") or {}).items():
        for trait, value in traits.items():
            c[owner][trait] = value


def _addresses(c: Config, values: Mapping[str, Any]) -> None:
    """Proxy and Hub are pods of their own: each calls the other by its Service."""
    c.JupyterHub.base_url = values.get("base_url") or "/"
    c.JupyterHub.hub_bind_url = "http://:8081"
    c.JupyterHub.hub_connect_url = values["hub_url"]
    c.JupyterHub.db_url = "sqlite:////srv/jupyterhub/hub.sqlite"
    c.JupyterHub.upgrade_db = True  # by the one Hub there is; of SQLite a copy is made first
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.proxy_class = "spawner.hub.app.OwnProxy"
    c.ConfigurableHTTPProxy.should_start = False
    c.ConfigurableHTTPProxy.api_url = values["proxy_api_url"]
    if values.get("public_url"):
        c.Spawner.environment = {"JUPYTER_KUBEFLOW_HUB_PUBLIC": values["public_url"]}


def _people(c: Config, values: Mapping[str, Any]) -> None:
    c.JupyterHub.authenticator_class = values["class"]
    c.Authenticator.allow_all = bool(values.get("allow_all"))
    for setting, names in (("allowed_users", values.get("allowed")), ("admin_users", values.get("admins"))):
        if names:
            c.Authenticator[setting] = set(names)


def main() -> None:
    """Become the Hub; its configuration is the file beside this one."""
    config = Path(__file__).with_name("jupyterhub_config.py")
    os.execv(sys.executable, [sys.executable, "-P", "-m", "jupyterhub", "--config", str(config)])  # noqa: S606 - a list, no shell


if __name__ == "__main__":
    main()
