"""From what a user names to the files that a server loads: a version of the registry, or an address."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unfit, Where

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.registry.handles import Version
    from jupyter_ext.serving.verbs import Kept

TRUSTED: Final = "serving.trusted"
"""Collection of the store: digests of models that this user said may run their code."""
REGISTRY: Final = "model-registry"
_PLAIN: Final = frozenset({"", "file"})
_NEVER: Final = {
    "pvc": "Volumes need a cluster.",
    "oci": "Images need a cluster.",
    "oci+native": "Images need a cluster.",
    "oci+fetch": "Images need a cluster.",
}


@dataclass(frozen=True)
class Source:
    """A model on this machine, as a server is told of it."""

    path: Path
    format: str
    digest: str | None
    danger: str | None
    signature: dict[str, Any] | None = None
    example: Any = None


def version_of(reference: str) -> Version:
    """The version that ``iris``, ``iris:3`` or ``iris@champion`` means; a name alone means its newest.

    Raises NotFound, naming what is near.
    """
    from jupyter_ext import registry
    from jupyter_ext.registry.handles import Version

    found = registry.get(reference)
    return found if isinstance(found, Version) else found.version()


def facts_of(version: Version) -> dict[str, Any]:
    """What is written down of a version that is served."""
    return {
        "model": version.model.name,
        "version": version.version,
        "id": version.id,
        "model_id": version.model.id,
        **({"digest": version.digest} if version.digest else {}),
    }


def named_by(uri: str) -> Version | None:
    """The version that a ``model-registry://`` address means; None for another address. Raises NotFound."""
    parts = urlsplit(uri)
    if parts.scheme != REGISTRY:
        return None
    words = [unquote(word) for word in (parts.netloc, *parts.path.split("/")) if word]
    if parse_qs(parts.query).get("namespace") or len(words) > 2 or not words:
        raise Unfit(
            f"{uri} names a registry elsewhere",
            where=Where(field="storageUri"),
            hint="Write model-registry://MODEL or model-registry://MODEL/VERSION.",
        )
    return version_of(":".join(words))


def check_uri(uri: str, path: str) -> None:
    """Refuse an address that cannot be read here. Raises Invalid, NotFound and Unfit."""
    from jupyter_ext.registry.files import local_path
    from jupyter_ext.registry.lineage import checked_uri

    scheme = urlsplit(uri).scheme if "://" in uri else ""
    where = Where(field=path)
    if scheme in _NEVER:
        raise Unfit(
            f"{scheme}:// cannot be read on this machine",
            where=where,
            hint=f"{_NEVER[scheme]} Give a path, or an address such as s3://, gs:// or https://.",
        )
    if scheme == REGISTRY:
        named_by(uri)
        return
    checked_uri(uri)
    place = local_path(uri)
    if scheme in _PLAIN:
        if place is None or not place.exists():
            raise NotFound(f"There is nothing at {uri}", where=where)
        return
    _require_scheme(scheme, where)


def _require_scheme(scheme: str, where: Where) -> None:
    try:
        import_module("fsspec.registry").get_filesystem_class(scheme)
    except (ImportError, ValueError) as error:
        raise Unfit(
            f"{scheme}:// cannot be read on this machine ({error})",
            where=where,
            hint="Install fsspec and its package for this scheme, for example s3fs, gcsfs or huggingface_hub.",
        ) from None


def check_format(name: str, path: str) -> None:
    """Refuse a format that no server here can load. Raises Unfit, naming those there are."""
    from jupyter_ext.registry import formats

    try:
        formats.known(name)
    except Unfit as error:
        raise Unfit(error.what, where=Where(field=path), hint=error.hint) from None


def fetch(cluster: LocalCluster, model: Mapping[str, Any], facts: Mapping[str, Any]) -> Source:
    """The files of a predictor's model, brought here and checked. Raises what says why they cannot be had."""
    uri = str(model["storageUri"])
    version = registered(uri, facts)
    if version is not None:
        return of_version(version)
    from jupyter_ext.registry import files, formats

    path = files.local_path(uri)
    if path is None:
        mark = hashlib.sha256(uri.encode()).hexdigest()[:32]
        path = files.download(uri, cluster.home / "registry" / "fetched" / mark)
    if not path.exists():
        raise NotFound("The files of the model are not there", where=Where(object=str(path)))
    form = formats.known(str(model["modelFormat"]["name"]))
    shown = formats.the_file(path)
    return Source(shown, form.name, files.digest_of(path), form.danger(shown))


def of_version(version: Version) -> Source:
    """The files of a version, here and checked, with what was recorded of them."""
    from jupyter_ext.registry import formats

    path = version.path()
    form = formats.known(version.format)
    shown = formats.the_file(path)
    return Source(
        shown, form.name, version.digest, form.danger(shown), version.signature, version.example_json
    )


def registered(uri: str, facts: Mapping[str, Any]) -> Version | None:
    """The version of the registry, where it is one and the registry answers."""
    if not facts.get("model") or not facts.get("version"):
        return named_by(uri)
    try:
        return version_of(f"{facts['model']}:{facts['version']}")
    except KubeflowError:
        from jupyter_ext.registry.files import local_path

        if local_path(uri) is None:
            raise
        return None  # its files are here, whatever became of the record


def may_run(cluster: Kept, source: Source) -> bool:
    """Whether the model may run its code here: it has none, or this user made it, or said so."""
    from jupyter_ext.registry.place import local

    if source.danger is None:
        return True
    if source.digest is None:
        return False
    return local().is_produced(source.digest) or cluster.store.fetch(TRUSTED, source.digest) is not None


def trust(cluster: Kept, source: Source) -> None:
    """Write down that this user trusts these files. A resource cannot say so itself: it may be somebody else's."""
    if source.danger and source.digest:
        cluster.store.put(TRUSTED, source.digest, {"path": str(source.path)})


def require_trust(cluster: Kept, source: Source, name: str) -> None:
    """Raise Untrusted for a model that may run code and that this user neither made nor trusts."""
    if may_run(cluster, source):
        return
    from jupyter_ext.registry.loading import Untrusted

    raise Untrusted(
        f"{name} was not registered by you from here, and {source.danger}",
        where=Where(object=name),
        hint="If you trust whoever made it, serve it with trust=True.",
    )


def taken(model: Any, name: str | None, *, dry: bool = False) -> Version:
    """The version of what ``serve`` was given: a reference, a version, or an object or path, registered first.

    Raises NotFound, and Invalid for an object without a name; with ``dry`` for everything that is not registered.
    """
    from jupyter_ext import registry
    from jupyter_ext.registry.handles import Model, Version

    if isinstance(model, Version):
        return model
    if isinstance(model, Model):
        return model.version()
    if isinstance(model, str) and not _is_path(model):
        return version_of(model)
    if name is None:
        raise Invalid(
            "A model that is not registered needs the name of its endpoint",
            where=Where(field="endpoint"),
            hint="serve(model, 'iris') registers it as a version of iris.",
        )
    if dry:
        raise Invalid(
            "The model is not registered yet", where=Where(field="model"), hint="Register it first."
        )
    return registry.register(model, name)


def _is_path(model: str) -> bool:
    return "://" in model or "/" in model or Path(model).exists()
