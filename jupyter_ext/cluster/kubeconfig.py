"""Connecting: from a kubeconfig, or a pod's own account, to an API server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jupyter_ext.errors import Invalid, Unavailable, Where

if TYPE_CHECKING:
    from spawner.api import Api

_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class Connection(NamedTuple):
    """An API server, and the namespace that one is in there."""

    api: Api
    server: str
    namespace: str


async def connect(
    kubeconfig: str | None = None, context: str | None = None, patience: float = 15.0
) -> Connection:
    """The cluster of a kubeconfig (default: KUBECONFIG, ~/.kube/config), else the one this pod is in.

    ``patience``: seconds for one answer. Raises Unavailable where there is none, Invalid for a file that is not there.
    """
    try:
        from kubernetes_asyncio import client, config
    except ImportError as error:
        raise Unavailable(
            "The client of Kubernetes is not installed", hint="pip install 'jupyter-kubeflow[hub]'"
        ) from error
    from spawner.api import Api

    configuration = client.Configuration()
    # Python 3.13 refuses authorities without a key identifier, as many clusters make them; kubectl does not.
    configuration.disable_strict_ssl_verification = True
    places = _given(kubeconfig) if kubeconfig else _found()
    try:
        if places:
            await config.load_kube_config(
                config_file=places, client_configuration=configuration, context=context
            )
        else:
            config.load_incluster_config(client_configuration=configuration)
    except (config.ConfigException, OSError) as error:
        raise Unavailable(
            f"There is no cluster to talk to: {str(error).rstrip('.')}",
            hint="Point KUBECONFIG to a kubeconfig file, or see the contexts: kubectl config get-contexts",
        ) from error
    namespace = _namespace_of(places, context) if places else _own_namespace()
    return Connection(
        Api(client.ApiClient(configuration), timeout=patience), str(configuration.host), namespace
    )


def _given(kubeconfig: str) -> str:
    if not Path(kubeconfig).expanduser().is_file():
        raise Invalid(
            f"There is no file {kubeconfig}",
            where=Where(field="kubeconfig"),
            hint="Name the file that kubectl uses, as ~/.kube/config.",
        )
    return str(Path(kubeconfig).expanduser())


def _found() -> str:
    """The files of the kubeconfig, or nothing; looked for now, for the library has its own since its import."""
    places = os.environ.get("KUBECONFIG") or str(Path("~/.kube/config").expanduser())
    return places if any(Path(place).is_file() for place in places.split(os.pathsep)) else ""


def _namespace_of(places: str, context: str | None) -> str:
    """The namespace of the context that is used."""
    from kubernetes_asyncio import config

    contexts, current = config.list_kube_config_contexts(config_file=places)
    chosen = next((one for one in contexts if one["name"] == context), None) if context else current
    return str(((chosen or {}).get("context") or {}).get("namespace") or "default")


def _own_namespace() -> str:
    try:
        return _ACCOUNT_NAMESPACE.read_text(encoding="ascii").strip() or "default"
    except OSError:
        return "default"
