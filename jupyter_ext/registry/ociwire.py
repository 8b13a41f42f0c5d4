"""Requests to an OCI registry: TLS but on this machine, a token where it asks for one, no secret on a foreign host."""

from __future__ import annotations

import base64
import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode, urljoin, urlsplit

from jupyter_ext.errors import KubeflowError, Unavailable, Where

SECONDS: Final = 60.0
_LIMIT: Final = 1 << 20
_CHALLENGE: Final = re.compile(r'(\w+)="([^"]*)"')
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


class Refused(KubeflowError):
    """The registry does not let this user in."""

    status = 403


class Wire:
    """One registry. What it needs to know of the user lives as long as this object."""

    def __init__(self, host: str) -> None:
        self.host = host
        self._here = host.rsplit(":", 1)[0] in _LOOPBACK or host in _LOOPBACK
        self.base = f"{'http' if self._here else 'https'}://{host}"
        self._authorization: dict[str, str] = {}
        self._opener = urllib.request.build_opener()

    def ask(
        self,
        method: str,
        path: str,
        *,
        wanted: tuple[int, ...],
        body: bytes | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        scope: str | None = None,
    ) -> Any:
        """One request; gives the answer, to be read and closed. A token is fetched once where it is asked for.

        Raises Refused, Unavailable.
        """
        url = urljoin(self.base, path)
        scope = _scope(method, urlsplit(url).path) if scope is None else scope
        if not isinstance(body, bytes) and body is not None:
            # What is sent while it is made cannot be sent twice: a token that may be needed is fetched before.
            self.ask("GET", "/v2/", wanted=(200, 404), scope=scope).close()
        answer = self._send(method, url, scope, body, headers or {})
        if answer.status == 401:
            challenge = answer.headers.get("WWW-Authenticate") or ""
            answer.close()
            self._authorization[scope] = self._authorize(challenge, scope)
            answer = self._send(method, url, scope, body, headers or {})
        if answer.status not in wanted:
            raise self._failed(method, answer)
        return answer

    def _send(self, method: str, url: str, scope: str, body: Any, headers: Mapping[str, str]) -> Any:
        request = urllib.request.Request(url, data=body, headers=dict(headers), method=method)  # noqa: S310 - http(s) only, see base
        if scope in self._authorization and _is_same(url, self.base):
            # Not a header that is repeated to where an answer redirects to.
            request.add_unredirected_header("Authorization", self._authorization[scope])
        try:
            return self._opener.open(request, timeout=SECONDS)
        except urllib.error.HTTPError as error:
            return error
        except (OSError, ValueError) as error:
            raise Unavailable(
                f"the registry {self.host} cannot be reached ({getattr(error, 'reason', error)})"[:300],
                where=Where(object=self.host),
            ) from None

    def _authorize(self, challenge: str, scope: str) -> str:
        """The value of the header that is asked for, by the challenge of RFC 6750 or RFC 7617."""
        kind, _, rest = challenge.partition(" ")
        basic = credentials(self.host)
        if kind.lower() == "basic":
            if basic is None:
                raise self._no_credentials()
            return f"Basic {basic}"
        about = dict(_CHALLENGE.findall(rest))
        realm = about.get("realm", "")
        if kind.lower() != "bearer" or not _may_ask(realm):
            raise Refused(f"the registry {self.host} asks for {challenge[:80]!r}, which is not understood")
        asked = {name: about[name] for name in ("service",) if name in about} | {
            "scope": about.get("scope") or scope
        }
        request = urllib.request.Request(f"{realm}?{urlencode(asked)}")  # noqa: S310 - checked by _may_ask
        if basic is not None:
            request.add_unredirected_header("Authorization", f"Basic {basic}")
        try:
            with self._opener.open(request, timeout=SECONDS) as answer:
                found = json.loads(answer.read(_LIMIT))
        except urllib.error.HTTPError as error:
            error.close()
            raise self._no_credentials() from None
        except (OSError, ValueError) as error:
            raise Unavailable(f"{urlsplit(realm).hostname} gives no token ({error})"[:200]) from None
        token = found.get("token") or found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(token, str) or not token:
            raise Unavailable(f"{urlsplit(realm).hostname} gives no token")
        return f"Bearer {token}"

    def _no_credentials(self) -> Refused:
        return Refused(
            f"the registry {self.host} does not let you in",
            where=Where(object=self.host),
            hint=f"Log in first: docker login {self.host}, or podman or oras login. Credential helpers are not asked.",
        )

    def _failed(self, method: str, answer: Any) -> KubeflowError:
        if answer.status in {401, 403}:
            answer.close()
            return self._no_credentials()
        try:
            errors = json.loads(answer.read(_LIMIT)).get("errors") or [{}]
            said = f"{errors[0].get('code', '')} {errors[0].get('message', '')}".strip()
        except (ValueError, AttributeError, OSError, TypeError, IndexError):
            said = ""
        finally:
            answer.close()
        return Unavailable(
            f"the registry {self.host} answered {method} with {answer.status}"
            + (f" ({said[:200]})" if said else ""),
            where=Where(object=self.host),
        )


def _scope(method: str, path: str) -> str:
    repository = re.match(r"/v2/(.+?)/(?:blobs|manifests)/", path)
    actions = "pull" if method in {"GET", "HEAD"} else "pull,push"
    return f"repository:{repository[1]}:{actions}" if repository else ""


def _is_same(url: str, base: str) -> bool:
    one, other = urlsplit(url), urlsplit(base)
    return (one.scheme, one.netloc) == (other.scheme, other.netloc)


def _may_ask(realm: str) -> bool:
    """Credentials are sent encrypted, or nowhere but to this machine."""
    parts = urlsplit(realm)
    return parts.scheme == "https" or (
        parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    )


def credentials(host: str) -> str | None:
    """What the container tools' own file has for a host: base64 of ``user:password``."""
    for file in _files():
        try:
            found = json.loads(file.read_bytes())["auths"]
            entry = next(one for name, one in found.items() if _host_of(name) == host)
            text = str(entry["auth"])
            if b":" in base64.b64decode(text, validate=True):
                return text
        except (OSError, ValueError, KeyError, TypeError, AttributeError, StopIteration):
            continue
    return None


def _host_of(name: str) -> str:
    return name.partition("://")[2].partition("/")[0] if "://" in name else name.partition("/")[0]


def _files() -> Iterator[Path]:
    if os.environ.get("REGISTRY_AUTH_FILE"):
        yield Path(os.environ["REGISTRY_AUTH_FILE"])
    if os.environ.get("XDG_RUNTIME_DIR"):
        yield Path(os.environ["XDG_RUNTIME_DIR"], "containers", "auth.json")
    yield Path(os.environ.get("DOCKER_CONFIG") or "~/.docker").expanduser() / "config.json"
