"""Where an API server is and who one is there: from a kubeconfig, or a pod's own service account.

The format is that of kubectl: `kubeconfig (v1)`, and `ExecCredential (client.authentication.k8s.io/v1)`.
"""

from __future__ import annotations

import base64
import binascii
import os
import ssl
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from jupyter_ext.cluster.kube.login import Login
from jupyter_ext.errors import Invalid, Unavailable, Where

ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""What Kubernetes mounts into a pod: token, ca.crt and namespace."""
DEFAULT: Final = Path("~/.kube/config")


@dataclass(frozen=True)
class Access:
    """One API server, as one user. ``name`` is for people; ``proxy`` is the URL of one that has to be gone through."""

    name: str
    server: str
    namespace: str
    login: Login
    authority: bytes | None = None
    is_checked: bool = True
    server_name: str | None = None
    proxy: str | None = None

    def encryption(self) -> ssl.SSLContext:
        """The TLS settings, with the client's certificate as it is now. Raises Unavailable for files that are none."""
        try:
            data = self.authority.decode() if self.authority else None
            context = ssl.create_default_context(cadata=data)
            # Python 3.13 refuses authorities without a key identifier, as many clusters make them; kubectl does not.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
            if not self.is_checked:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if (pair := self.login.certificate()) is not None:
                _load(context, *pair)
        except (ssl.SSLError, OSError, UnicodeDecodeError) as error:
            what = f"The certificates for {self.name} cannot be read: {error}"
            raise Unavailable(what, hint="See: kubectl config view --minify") from error
        return context


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """OpenSSL takes files only: they are its alone, and gone at once."""
    with tempfile.TemporaryDirectory(prefix="kubeflow-tls-") as folder:  # 0700
        places = Path(folder, "client.crt"), Path(folder, "client.key")
        for place, content in zip(places, (certificate, key), strict=True):
            place.touch(0o600)
            place.write_bytes(content)
        context.load_cert_chain(*places)


def in_cluster(account: Path = ACCOUNT) -> bool:
    """Whether this is a pod of a cluster, with an account of its own."""
    return bool(os.environ.get("KUBERNETES_SERVICE_HOST")) and (account / "token").exists()


def of_pod(account: Path = ACCOUNT, namespace: str = "") -> Access:
    """The cluster that this pod is in. Raises Unavailable where this is none."""
    if not in_cluster(account):
        raise Unavailable("This is not a pod with a service account", hint="Name a context of a kubeconfig.")
    host = os.environ["KUBERNETES_SERVICE_HOST"]
    port = os.environ.get("KUBERNETES_SERVICE_PORT", "443")
    try:
        own = (account / "namespace").read_text(encoding="ascii").strip()
    except OSError:
        own = ""
    return Access(
        name="this pod's cluster",
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        namespace=namespace or own or "default",
        login=Login(token_file=account / "token"),
        authority=(account / "ca.crt").read_bytes(),
    )


def kubeconfigs(named: str | os.PathLike[str] | None = None) -> list[Path]:
    """The files of the kubeconfig: the one that is named, else KUBECONFIG's, else ~/.kube/config; those that are there.

    Raises Invalid for a named one that is not.
    """
    if named:
        path = Path(named).expanduser()
        if not path.is_file():
            hint = "Name the file that kubectl uses, as ~/.kube/config."
            raise Invalid(f"There is no file {named}", where=Where(field="kubeconfig"), hint=hint)
        return [path]
    places = [Path(part) for part in os.environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    return [path for path in (each.expanduser() for each in places or [DEFAULT]) if path.is_file()]


def contexts(named: str | os.PathLike[str] | None = None) -> tuple[list[str], str]:
    """The names of all contexts, and of the current one."""
    config = _config(kubeconfigs(named))
    return list(config.contexts), config.current


def of_kubeconfig(
    context: str | None = None, namespace: str = "", kubeconfig: str | os.PathLike[str] | None = None
) -> Access:
    """The cluster of a context, by default of the current one.

    Raises Unavailable where there is no kubeconfig, Invalid for what is not in it.
    """
    files = kubeconfigs(kubeconfig)
    if not files:
        hint = "Point KUBECONFIG to a kubeconfig file, or put one to ~/.kube/config."
        raise Unavailable("There is no kubeconfig, so there is no cluster to talk to", hint=hint)
    config = _config(files)
    name = context or config.current
    chosen, _ = config.of("context", config.contexts, name)
    cluster, folder = config.of("cluster", config.clusters, str(chosen.get("cluster") or ""))
    user = str(chosen.get("user") or "")
    server = str(cluster.get("server") or "")
    if not server.startswith(("https://", "http://")):
        raise Invalid(f"The context {name} names no server", where=Where(object=str(files[0])))
    return Access(
        name=name,
        server=server.rstrip("/"),
        namespace=namespace or str(chosen.get("namespace") or "default"),
        login=Login.of_user(
            *(config.of("user", config.users, user) if user else ({}, folder)), cluster=cluster
        ),
        authority=content(cluster, "certificate-authority", folder),
        is_checked=not cluster.get("insecure-skip-tls-verify"),
        server_name=cluster.get("tls-server-name") or None,
        proxy=cluster.get("proxy-url") or None,
    )


def _config(files: list[Path]) -> _Config:
    """What is in the files; they are read again when they have changed."""
    return _parsed(tuple((file, (about := file.stat()).st_mtime_ns, about.st_size) for file in files))


@lru_cache(maxsize=4)
def _parsed(files: tuple[tuple[Path, int, int], ...]) -> _Config:
    return _Config([file for file, _, _ in files])


class _Config:
    """Several kubeconfig files as one: of equal names the first counts, as for kubectl."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files
        self.current = ""
        self.contexts: dict[str, tuple[dict[str, Any], Path]] = {}
        self.clusters: dict[str, tuple[dict[str, Any], Path]] = {}
        self.users: dict[str, tuple[dict[str, Any], Path]] = {}
        for file in files:
            self._take(_read(file), file.parent)

    def _take(self, document: Mapping[str, Any], folder: Path) -> None:
        self.current = self.current or str(document.get("current-context") or "")
        for table, plural, key in (
            (self.contexts, "contexts", "context"),
            (self.clusters, "clusters", "cluster"),
            (self.users, "users", "user"),
        ):
            for entry in document.get(plural) or ():
                table.setdefault(str(entry["name"]), (dict(entry.get(key) or {}), folder))

    def of(
        self, kind: str, table: Mapping[str, tuple[dict[str, Any], Path]], name: str
    ) -> tuple[dict[str, Any], Path]:
        """One entry. Raises Invalid."""
        if name in table:
            return table[name]
        what = (
            f"There is no {kind} {name!r} in the kubeconfig"
            if name
            else "The kubeconfig has no current context"
        )
        known = ", ".join(list(table)[:20]) or "none"
        raise Invalid(what, where=Where(field=kind, object=str(self.files[0])), hint=f"There are: {known}.")


def _read(file: Path) -> Mapping[str, Any]:
    import yaml

    try:
        found = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if isinstance(found, dict) and all(
            isinstance(entry, dict) and "name" in entry
            for plural in ("contexts", "clusters", "users")
            for entry in found.get(plural) or ()
        ):
            return found
        reason = "it has no lists of named contexts, clusters and users"
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        reason = str(error).partition("\n")[0]
    raise Invalid(f"{file} is not a kubeconfig: {reason}", where=Where(field="kubeconfig"))


def content(entry: Mapping[str, Any], key: str, folder: Path) -> bytes | None:
    """What ``key`` names as a file beside the kubeconfig, or ``key-data`` has inside. Raises Invalid."""
    try:
        if data := entry.get(f"{key}-data"):
            return base64.b64decode(str(data), validate=True)
        return (folder / Path(str(entry[key])).expanduser()).read_bytes() if entry.get(key) else None
    except (OSError, binascii.Error) as error:
        raise Invalid(f"{key} of the kubeconfig cannot be read: {error}", where=Where(field=key)) from error
