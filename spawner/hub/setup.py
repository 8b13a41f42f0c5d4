"""A real JupyterHub on the loopback interface of this machine, with everything it needs in one private folder.

``run`` starts it in this process; ``configure`` is all its configuration, and may be used in a ``jupyterhub_config.py`` of one's own.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local import locks
from jupyter_ext.cluster.local.home import home_folder, make_private
from spawner.hub import proxy
from spawner.refused import Refused

if TYPE_CHECKING:
    from traitlets.config import Config

PORT: Final = 8000
NAME: Final = re.compile(r"[a-z][a-z0-9._@+-]{0,62}")
"""A user's name. The folder's name is made from it, never taken."""
IDLE: Final = "idle"
_CONFIG: Final = "jupyterhub_config.py"
_SETTINGS: Final = "settings.json"
SERVER_SCOPES: Final = (
    "users:activity!user",
    "access:servers!server",
    "read:users:name!user",
    "servers!user",
    f"access:services!service={IDLE}",
)


@dataclass(frozen=True)
class Settings:
    """How to start the Hub. ``per_user`` and ``wait_seconds`` as the spawner's; ``idle_minutes`` 0 stops nothing."""

    folder: Path
    users: tuple[str, ...]
    port: int = PORT
    config: Path | None = None
    keep_servers: bool = False
    share_root: bool = False
    idle_minutes: float = 60
    per_user: Mapping[str, str] = field(default_factory=dict)
    wait_seconds: float = 300.0

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        config = str(self.config) if self.config else None
        more = {"users": list(self.users), "per_user": dict(self.per_user), "config": config}
        return {**self.__dict__, **more, "folder": str(self.folder)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Settings:
        """Read what ``to_dict`` gave."""
        config = Path(value["config"]) if value.get("config") else None
        return cls(
            **{**value, "folder": Path(value["folder"]), "users": tuple(value["users"]), "config": config}
        )


def default_folder() -> Path:
    """Beside the profiles of this user's own notebooks."""
    return home_folder().parent / "kubeflow-hub"


def names(text: str) -> tuple[str, ...]:
    """Read ``a,b,c``. Raises Refused (400) for what is no user's name."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in found:
        if not NAME.fullmatch(name):
            raise Refused(
                400, f"{name!r} cannot be a user's name", hint="Use a-z, 0-9 and ._@+-, a letter first."
            )
    if not found:
        raise Refused(400, "There is no user's name", hint="Write --users ana,ben.")
    return found


def run(settings: Settings) -> None:
    """Start the Hub and stay until it ends. Raises Refused when it cannot be started, with the reason."""
    os.umask(0o077)
    folder = make_private(settings.folder)
    if not locks.take(folder / "hub.lock"):
        raise Refused(
            409, f"A Hub runs from {folder} already", hint="Use that one, or give another --folder."
        )
    _check(settings)
    command = proxy.command()
    from spawner.hub import signin

    signin.renew(folder / signin.FILE, list(settings.users))
    kept = {
        **settings.to_dict(),
        "ports": _ports(folder),
        "proxy": command,
        "known": sorted({*_before(folder).get("known", ()), *settings.users}),
    }
    _private(folder / _SETTINGS, json.dumps(kept, indent=1))
    text = f"from spawner.hub.setup import load\n\nc = get_config()\nload(c, {str(folder)!r})\n"
    if settings.config:  # in the same names, so that it can change what is set already
        path = str(settings.config.absolute())
        text += f"with open({path!r}) as file:\n    exec(compile(file.read(), {path!r}, 'exec'))\n"
    _private(folder / _CONFIG, text)
    from spawner.hub.app import LocalHub

    os.chdir(folder)
    LocalHub.launch_instance(["--config", str(folder / _CONFIG)])


def _check(settings: Settings) -> None:
    """Say now what would fail later: a port that is taken, users that the system does not have."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", settings.port))
        except OSError as error:
            old = _old_proxy(settings.folder)
            if not old:
                raise Refused(
                    409, f"Port {settings.port} cannot be used: {error.strerror}", hint="Give another --port."
                ) from None
    if os.geteuid() == 0 and not settings.share_root:
        import pwd

        there = {entry.pw_name for entry in pwd.getpwall() if entry.pw_uid != 0}
        if missing := [name for name in settings.users if name not in there]:
            raise Refused(
                403,
                f"As root, servers run as system users, and there is none called {', '.join(missing)}",
                hint="Name users of this machine, start the Hub as an ordinary user, or, in a container, add --share-root.",
            )


def _old_proxy(folder: Path) -> bool:
    """Whether the port is held by the proxy of a Hub of this folder that was killed; the new Hub ends it."""
    with suppress(OSError, ValueError):
        return proxy.is_ours(int((folder / "proxy.pid").read_text()), folder)
    return False


def load(c: Config, folder: str) -> None:
    """Configure the Hub of a folder that ``run`` has prepared."""
    kept = json.loads((Path(folder) / _SETTINGS).read_bytes())
    extra = {key: kept.pop(key) for key in ("ports", "proxy", "known")}
    configure(c, Settings.from_dict(kept), extra["ports"], extra["proxy"], extra["known"])


def configure(
    c: Config, settings: Settings, ports: Mapping[str, int], command: Sequence[str], known: Sequence[str] = ()
) -> None:
    """Everything that the Hub is told. ``ports``: hub, proxy, idle."""
    folder = settings.folder
    c.JupyterHub.bind_url = f"http://127.0.0.1:{settings.port}"
    c.JupyterHub.hub_ip = "127.0.0.1"
    c.JupyterHub.hub_port = ports["hub"]
    c.JupyterHub.db_url = f"sqlite:///{folder / 'hub.sqlite'}"
    c.JupyterHub.cookie_secret = os.urandom(32)  # nobody stays signed in when the Hub is started again
    c.JupyterHub.allow_named_servers = True
    c.JupyterHub.named_server_limit_per_user = 5
    c.JupyterHub.cleanup_servers = not settings.keep_servers
    c.JupyterHub.spawner_class = "spawner.hub.local.ProfileProcessSpawner"
    c.JupyterHub.authenticator_class = "spawner.hub.signin.LinkAuthenticator"
    c.JupyterHub.proxy_class = "spawner.hub.app.OwnProxy"
    c.ConfigurableHTTPProxy.command = list(command)
    c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports['proxy']}"
    c.ConfigurableHTTPProxy.pid_file = str(folder / "proxy.pid")
    c.LinkAuthenticator.sign_in_file = str(folder / "sign-in.json")
    c.Authenticator.allowed_users = set(settings.users)
    c.Authenticator.blocked_users = set(known) - set(settings.users)
    c.Authenticator.username_pattern = rf"^(?:{NAME.pattern})\Z"
    c.ProfileProcessSpawner.folder = str(folder)
    c.ProfileProcessSpawner.share_root = settings.share_root
    c.ProfileProcessSpawner.per_user = dict(settings.per_user)
    c.ProfileProcessSpawner.wait_seconds = settings.wait_seconds
    c.Spawner.default_url = "/lab"
    c.Spawner.environment = {"JUPYTER_KUBEFLOW_HUB_PUBLIC": f"http://127.0.0.1:{settings.port}"}
    c.Spawner.consecutive_failure_limit = 0  # five wrong starts of one user must not end the Hub for all
    c.Spawner.server_token_scopes = list(SERVER_SCOPES)
    roles: list[dict[str, Any]] = [{"name": "user", "scopes": ["self", f"access:services!service={IDLE}"]}]
    if settings.idle_minutes:
        here = f"http://127.0.0.1:{settings.port}"
        idle = idle_service(settings.idle_minutes, f"http://127.0.0.1:{ports['idle']}", here, str(folder))
        c.JupyterHub.services = [idle]
        roles.append(idle_role())
    c.JupyterHub.load_roles = roles


def idle_service(minutes: float, url: str, servers: str, folder: str = "") -> dict[str, Any]:
    """The service that stops idle servers, for ``c.JupyterHub.services``. ``servers``: what paths of servers follow."""
    variables = {"MINUTES": str(minutes), "SERVERS_URL": servers, "FOLDER": folder}
    return {
        "name": IDLE,
        "url": url,
        "command": [sys.executable, "-P", "-m", "spawner.hub.culler"],
        "environment": {f"JUPYTER_KUBEFLOW_IDLE_{key}": value for key, value in variables.items() if value},
        "display": False,
    }


def idle_role(*, in_cluster: bool = False) -> dict[str, Any]:
    """What that service may do: see servers, ask them what they do, and stop them.

    In a cluster also see where their pods are and what was chosen for them, which the spawner's state has; no secret is in it.
    """
    scopes = ["list:users", "read:servers", "read:users:activity", "delete:servers", "access:servers"]
    return {
        "name": IDLE,
        "services": [IDLE],
        "scopes": [*scopes, "admin:server_state"] if in_cluster else scopes,
    }


def _ports(folder: Path) -> dict[str, int]:
    """The same ports at every start: servers that outlived a Hub look for it where it was."""
    before = _before(folder).get("ports")
    if isinstance(before, dict) and {"hub", "proxy", "idle"} <= before.keys():
        return {key: int(value) for key, value in before.items()}
    probes = [socket.socket() for _ in range(3)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return dict(zip(("hub", "proxy", "idle"), (probe.getsockname()[1] for probe in probes), strict=True))
    finally:
        for probe in probes:
            probe.close()


def _before(folder: Path) -> dict[str, Any]:
    try:
        value = json.loads((folder / _SETTINGS).read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _private(path: Path, text: str) -> None:
    made = path.with_suffix(f".{os.getpid()}")
    made.unlink(missing_ok=True)
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    made.replace(path)
