"""One object of S3's protocol by the standard library alone: for pods, where a library of megabytes would take longer than it.

Signature Version 4: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. Only for keys that are said; what
a cloud gives to a pod's service account is known to the real libraries.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from jupyter_ext.store.address import Address
from jupyter_ext.store.credentials import endpoint

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_NOTHING: Final = hashlib.sha256(b"").hexdigest()
_SECONDS: Final = 30
_BLOCK: Final = 1 << 20


def url_of(place: Address, key: str, values: Mapping[str, str]) -> str | None:
    """Where an object is; None where that, or who asks, is not said."""
    if not values.get("AWS_ACCESS_KEY_ID") or not values.get("AWS_SECRET_ACCESS_KEY"):
        return None
    region = values.get("AWS_REGION")
    base = endpoint(values) or (f"https://s3.{region}.amazonaws.com" if region else None)
    if base is None:
        return None
    path = "/".join(part for part in (place.bucket, place.prefix, key) if part)
    return f"{base.rstrip('/')}/{quote(path, safe='/-_.~')}"


def fetch(url: str, values: Mapping[str, str], path: Path) -> None:
    """Copy the object to a file. Raises OSError, and ValueError for another answer than the whole of it."""
    asked = urllib.request.Request(url, headers=headers("GET", url, values, _NOTHING))  # noqa: S310 - of the store
    with _opener(url).open(asked, timeout=_SECONDS) as answer, path.open("wb") as file:
        while block := answer.read(_BLOCK):
            file.write(block)
    told = answer.headers.get("Content-Length")
    if told is not None and int(told) != path.stat().st_size:
        raise ValueError(f"{path.stat().st_size} bytes of {told} came")


def put(url: str, values: Mapping[str, str], path: Path, digest: str) -> None:
    """Store a file whose SHA-256 is known. Raises OSError."""
    more = {"Content-Length": str(path.stat().st_size), "Content-Type": "application/octet-stream"}
    with path.open("rb") as file:
        asked = urllib.request.Request(  # noqa: S310 - as above
            url, file, {**headers("PUT", url, values, digest), **more}, method="PUT"
        )
        _opener(url).open(asked, timeout=_SECONDS).close()


def headers(
    verb: str, url: str, values: Mapping[str, str], digest: str, moment: datetime | None = None
) -> dict[str, str]:
    """What makes a request one of whoever has these keys; ``digest`` is the SHA-256 of its body."""
    parts = urlsplit(url)
    stamp = (moment or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    signed = {"host": parts.netloc, "x-amz-content-sha256": digest, "x-amz-date": stamp}
    if token := values.get("AWS_SESSION_TOKEN"):
        signed["x-amz-security-token"] = token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    request = f"{verb}\n{parts.path}\n\n{lines}\n{names}\n{digest}"
    scope = f"{stamp[:8]}/{values.get('AWS_REGION') or 'us-east-1'}/s3/aws4_request"
    text = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{values['AWS_SECRET_ACCESS_KEY']}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={values['AWS_ACCESS_KEY_ID']}/{scope}"
    signed["Authorization"] = f"{_ALGORITHM} {credential}, SignedHeaders={names}, Signature={signature}"
    return signed


class _Stays(urllib.request.HTTPRedirectHandler):
    """What is signed is for one server."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _opener(url: str) -> urllib.request.OpenerDirector:
    if url.startswith("http:"):
        return urllib.request.build_opener(_Stays)  # certificates take longer to load than code to fetch
    context = ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or None)
    return urllib.request.build_opener(_Stays, urllib.request.HTTPSHandler(context=context))
