"""Addresses of stores: what may be one, and which package this Python needs to reach it."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from jupyter_ext.errors import Invalid, Unfit, Where

PACKAGES: Final = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "minio": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
    "hf": "huggingface_hub",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "oss": "ossfs",
}
"""The schemes that are read from, and what fsspec needs for each."""
S3: Final = frozenset({"s3", "s3a", "minio"})
GOOGLE: Final = frozenset({"gs", "gcs"})
AZURE: Final = frozenset({"abfs", "abfss", "az"})
STORES: Final = S3 | GOOGLE | AZURE | {"file"}
"""The schemes that are written to."""
LONGEST: Final = 900
"""Characters of a name; S3 takes 1,024 bytes, the store's own folder counted."""
_SCHEME: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,221}", re.IGNORECASE)
_ACCOUNT: Final = re.compile(r"([a-z0-9$][a-z0-9-]{1,62})@([a-z0-9][a-z0-9.-]{1,253})", re.IGNORECASE)
_PART: Final = re.compile(r"[^\x00-\x1f\x7f/\\?#*\[\]]{1,255}")


class Address(NamedTuple):
    """``bucket`` is empty for a folder of this machine, whose path ``prefix`` is then."""

    scheme: str
    bucket: str
    prefix: str

    @property
    def url(self) -> str:
        """Without a slash at its end."""
        if not self.bucket:
            return Path(self.prefix).as_uri()
        return f"{self.scheme}://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")


def scheme_of(uri: str) -> str:
    """Its scheme, empty for a path or a file on this machine."""
    found = _SCHEME.match(uri)
    return "" if found is None or found[1].lower() == "file" else found[1].lower()


def for_fsspec(uri: str) -> str:
    """The address as fsspec has it: Kubeflow's own store is one of S3."""
    return "s3" + uri[len("minio") :] if scheme_of(uri) == "minio" else uri


def address(url: str) -> Address:
    """The parts of a store's URL. Raises Invalid, which never repeats what could be a password."""
    where = Where(field="store")
    try:
        parts = urlsplit(url)
        is_secret = bool(parts.password) or bool(parts.query) or bool(parts.fragment)
    except (ValueError, AttributeError, TypeError):
        raise Invalid("The address of a store must be a URL", where=where, hint=_EXAMPLES) from None
    scheme = parts.scheme.lower()
    if is_secret or ("@" in parts.netloc and scheme not in AZURE):
        hint = "Credentials belong into a Secret of the profile: jupyter kf secret set artifact-store AWS_SECRET_ACCESS_KEY"
        raise Invalid("The address of a store is without credentials, ? and #", where=where, hint=hint)
    if scheme not in STORES:
        raise Invalid(f"{scheme or url[:60]!r} is no store", where=where, hint=_EXAMPLES)
    if scheme == "file":
        return _folder(parts.netloc, unquote(parts.path))
    good = _BUCKET.fullmatch(parts.netloc) or (scheme in AZURE and _ACCOUNT.fullmatch(parts.netloc))
    if not good:
        raise Invalid(f"{parts.netloc[:80]!r} cannot be a bucket", where=where, hint=_EXAMPLES)
    prefix = parts.path.strip("/")
    return Address(scheme, parts.netloc, checked_name(prefix, "store") if prefix else "")


_EXAMPLES: Final = (
    "For example s3://bucket/team, gs://bucket/team, abfs://container/team or file:///mnt/store."
)


def _folder(host: str, path: str) -> Address:
    if host not in {"", "localhost"} or not path.startswith("/") or ".." in path.split("/") or "\0" in path:
        raise Invalid("A folder's address has its whole path", where=Where(field="store"), hint=_EXAMPLES)
    return Address("file", "", path.rstrip("/") or "/")


def checked_name(name: str, field: str = "name") -> str:
    """The name of what is stored, if it may be one: parts between single slashes, none of them ``.`` or ``..``.

    Raises Invalid.
    """
    if 0 < len(name.encode(errors="replace")) <= LONGEST:
        parts = name.split("/")
        if all(_PART.fullmatch(part) and part.strip(".") for part in parts) and _is_text(name):
            return name
    hint = f"Names like runs/a1/run.json: at most {LONGEST} characters, none of \\ ? # * [ ]."
    raise Invalid(f"{str(name)[:80]!r} cannot be a name in a store", where=Where(field=field), hint=hint)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def require(uri: str, where: Where) -> None:
    """Raise Unfit, with what to install, where this Python cannot read from an address."""
    scheme = scheme_of(uri)
    if not scheme:
        return
    hint = "Fetch it, and name the local path instead."
    try:
        import_module("fsspec").get_filesystem_class("s3" if scheme == "minio" else scheme)
    except (ImportError, ValueError):
        why = f"{scheme}:// cannot be fetched from"
        if package := PACKAGES.get(scheme):
            why, hint = f"{package} is not installed to fetch it", f"Install fsspec and {package}. Or: {hint}"
        raise Unfit(f"{uri[:200]} is not on this machine, and {why}", where=where, hint=hint) from None
