"""A Kubeflow Model Registry by URL and token: one kept connection for each thread, no event loop.

A server speaks ``v1``, ``v1alpha3`` or both; the first request finds out.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from jupyter_ext.errors import Conflict, Invalid, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.registry.routes import BASE, BODY_LIMIT, OURS, VERSIONS

SECONDS: Final = 30.0
ACCOUNT: Final = "/var/run/secrets/kubernetes.io/serviceaccount/token"
_ERRORS: Final[dict[int, type[KubeflowError]]] = {400: Invalid, 404: NotFound, 409: Conflict, 422: Invalid}
_REFUSED: Final = (401, 403)
_UNKNOWN: Final = (404, 405, 501)


class Denied(KubeflowError):
    """The registry does not let this user in."""

    status = 403


class _Kept:
    """A connection that is closed when nobody has it any more, or its thread is gone."""

    def __init__(self, connection: http.client.HTTPConnection) -> None:
        self.connection = connection
        self.pid = os.getpid()

    def __del__(self) -> None:
        self.connection.close()


class Remote:
    """One server. The token is given, or in a file that is read again when it changes."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        token_file: str | Path | None = None,
        ca: str | None = None,
    ) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise Invalid(
                "the address of a registry is http:// or https://, a host and perhaps a port",
                where=Where(field="url"),
                hint="The token goes into token= or token_file=.",
            )
        self._secure = parts.scheme == "https"
        self._host = parts.hostname
        self._port = parts.port or (443 if self._secure else 8080)
        self._prefix = parts.path.rstrip("/").removesuffix(BASE)
        self._token = token
        self._token_file = _token_file(token, token_file, secure=self._secure)
        self._token_read: tuple[int, str] | None = None
        self._context = ssl.create_default_context(cafile=ca) if self._secure else None
        self._version: str | None = None
        self._takes_entries = True
        self._local = threading.local()

    @property
    def address(self) -> str:
        """Without the token."""
        return f"{'https' if self._secure else 'http'}://{self._host}:{self._port}{self._prefix}"

    @property
    def is_here(self) -> bool:
        """Whether it runs on this machine."""
        return self._host in {"localhost", "::1"} or self._host.startswith("127.")

    @property
    def version(self) -> str:
        """``v1`` or ``v1alpha3``, whichever the server speaks. Raises Unavailable."""
        if self._version is None:
            for version in VERSIONS:
                status, _ = self._exchange("GET", f"{version}/registered_models?pageSize=1", None)
                if status in _REFUSED:
                    raise self._denied(status)
                if status == 200:
                    self._version = version
                    break
            else:
                raise Unavailable(
                    f"there is no model registry at {self.address} (it answers {status})",
                    hint="Give the address below which /api/model_registry is.",
                )
        return self._version

    def ask(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None
    ) -> dict[str, Any]:
        """One request. Raises what the server refuses it with, and Unavailable where it does not answer."""
        target = f"{self.version}/{quote(path)}" + (f"?{urlencode(query)}" if query else "")
        return self._read(
            *self._exchange(method, target, None if body is None else json.dumps(body).encode())
        )

    def enter(self, entry: dict[str, Any]) -> dict[str, Any] | None:
        """A whole registration in one request; None where the server has no such thing, or it is too large for one."""
        _ = self.version
        content = json.dumps(entry).encode()
        if not self._takes_entries or len(content) > BODY_LIMIT:
            return None
        status, raw = self._exchange("POST", f"{OURS}/registrations", content)
        if status in _UNKNOWN:
            self._takes_entries = False
            return None
        return self._read(status, raw)

    def _read(self, status: int, raw: bytes) -> dict[str, Any]:
        """The JSON of an answer. Raises what the server refused."""
        if status in _REFUSED:
            raise self._denied(status)
        try:
            found = json.loads(raw)
        except ValueError:
            found = None
        if status >= 300 or not isinstance(found, dict):
            text = found.get("message") if isinstance(found, dict) else None
            kind = _ERRORS.get(status, Unavailable)
            raise kind(str(text or f"the registry answered {status}"), where=Where(object=self.address))
        return found

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Upstream's API has none: what fails half-way is gone on with by the next call."""
        yield

    def close(self) -> None:
        """Close this thread's connection."""
        self._local.kept = None

    def _exchange(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes]:
        headers = {"Accept": "application/json"} | ({"Content-Type": "application/json"} if body else {})
        token = self._current_token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        path = f"{self._prefix}{BASE}/{target}"
        for last in (False, True):
            connection, fresh = self._connection()
            try:
                connection.request(method, path, body=body, headers=headers)
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException) as error:
                self.close()
                # A kept connection may have been closed by the server meanwhile: then nothing was done.
                stale = isinstance(
                    error, (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)
                )
                if last or fresh or not stale:
                    raise Unavailable(
                        f"the registry at {self.address} does not answer ({error})",
                        hint="Check the address, and that the server is up.",
                    ) from error
        raise AssertionError

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's connection, and whether it is new; one of before a fork is not used."""
        kept: _Kept | None = getattr(self._local, "kept", None)
        if kept is not None and kept.pid == os.getpid():
            return kept.connection, False
        made: http.client.HTTPConnection
        if self._context is not None:
            made = http.client.HTTPSConnection(self._host, self._port, timeout=SECONDS, context=self._context)
        else:
            made = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        self._local.kept = _Kept(made)
        return made, True

    def _current_token(self) -> str:
        if self._token_file is None:
            return self._token or ""
        try:
            stamp = self._token_file.stat().st_mtime_ns
            if self._token_read is None or self._token_read[0] != stamp:
                self._token_read = (stamp, self._token_file.read_text().strip())
        except OSError as error:
            raise Unavailable(
                f"the token file cannot be read ({error.strerror})", where=Where(object=str(self._token_file))
            ) from None
        return self._token_read[1]

    def _denied(self, status: int) -> KubeflowError:
        shown = "the token that was shown" if self._current_token() else "a request without a token"
        return Denied(
            f"the registry at {self.address} refuses {shown} ({status})",
            hint="Give token= or token_file=; in a cluster, ask for a role that may use the registry.",
        )


def _token_file(token: str | None, given: str | Path | None, *, secure: bool) -> Path | None:
    """The file, if the token is in one: as said, as pipelines are told, or as pods have it."""
    if given is not None:
        return Path(given).expanduser()
    if token is not None:
        return None
    told = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH")
    if told:
        return Path(told)
    # Never over plain HTTP unasked: the account's token opens more than a registry.
    account = Path(ACCOUNT)
    return account if secure and account.exists() else None
