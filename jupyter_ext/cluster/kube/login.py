"""Who one is to an API server: a token that may change, a certificate, or a program that gives either."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from jupyter_ext.errors import Invalid, Unavailable, Where

REREAD_SECONDS: Final = 60.0
"""Kubelets write a new token long before the old one ends."""
PROGRAM_SECONDS: Final = 60.0
"""A program may have to ask somebody; it is not waited for longer."""
_EARLY: Final = 30.0


class Login:
    """The credentials. ``renew`` gets them anew; nothing of them is ever printed."""

    def __init__(
        self,
        *,
        token: str = "",
        token_file: Path | None = None,
        basic: tuple[str, str] | None = None,
        pair: tuple[bytes, bytes] | None = None,
        program: Mapping[str, Any] | None = None,
        cluster: Mapping[str, Any] | None = None,
        impersonate: Mapping[str, str] | None = None,
    ) -> None:
        self._token, self._token_file, self._basic = token, token_file, basic
        self._pair, self._program, self._cluster = pair, program, cluster or {}
        self._impersonate = dict(impersonate or {})
        self._until = 0.0
        self._guard = threading.Lock()
        self.renewals = 0
        """How often the certificate may have changed: a connection made before is then to be made again."""

    @classmethod
    def of_user(cls, user: Mapping[str, Any], folder: Path, *, cluster: Mapping[str, Any]) -> Self:
        """What a kubeconfig says of a user. Raises Invalid for what only other programs understand."""
        from jupyter_ext.cluster.kube.access import content

        if "auth-provider" in user and not user.get("token"):
            hint = "Use an exec plugin, as kubectl does since 1.26: kubectl config set-credentials --exec-command …"
            raise Invalid(
                "auth-provider of the kubeconfig is no longer spoken", where=Where(field="user"), hint=hint
            )
        if others := user.keys() & {"as-groups", "as-uid", "as-user-extra"}:
            what = f"{min(others)} of the kubeconfig is not spoken: only 'as' is"
            raise Invalid(what, where=Where(field=min(others)))
        certificate, key = content(user, "client-certificate", folder), content(user, "client-key", folder)
        name, word = user.get("username"), user.get("password")
        file = user.get("tokenFile")
        as_user = {"Impersonate-User": str(user["as"])} if user.get("as") else {}
        return cls(
            token=str(user.get("token") or ""),
            token_file=folder / Path(str(file)).expanduser() if file else None,
            basic=(str(name), str(word or "")) if name else None,
            pair=(certificate, key) if certificate and key else None,
            program=user.get("exec"),
            cluster=cluster,
            impersonate=as_user,
        )

    def certificate(self) -> tuple[bytes, bytes] | None:
        """The certificate and its key."""
        self._refresh()
        return self._pair

    def headers(self) -> dict[str, str]:
        """What is sent with each request. Raises Unavailable where there are none to be had."""
        self._refresh()
        if self._token:
            return {"Authorization": f"Bearer {self._token}", **self._impersonate}
        if self._basic is not None:
            text = base64.b64encode(":".join(self._basic).encode()).decode()
            return {"Authorization": f"Basic {text}", **self._impersonate}
        return self._impersonate

    def renew(self) -> bool:
        """Get them anew, whatever their age; whether that may have changed anything."""
        if self._token_file is None and self._program is None:
            return False
        self._until = 0.0
        self._refresh()
        return True

    def _refresh(self) -> None:
        if self._token_file is None and self._program is None:
            return
        with self._guard:
            if time.monotonic() < self._until:
                return
            if self._token_file is not None:
                self._read()
            elif self._program is not None:
                self._run(self._program)

    def _read(self) -> None:
        assert self._token_file is not None
        try:
            token = self._token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise Unavailable(f"The token of the service account cannot be read: {error}") from error
        if not token or any(character.isspace() for character in token):
            raise Unavailable(f"{self._token_file} holds no token")
        self._token, self._until = token, time.monotonic() + REREAD_SECONDS

    def _run(self, program: Mapping[str, Any]) -> None:
        """As `ExecCredential` says; without a shell, and without a terminal."""
        command = [str(program.get("command") or ""), *map(str, program.get("args") or ())]
        extra = {str(each["name"]): str(each["value"]) for each in program.get("env") or ()}
        spec: dict[str, Any] = {"interactive": False}
        if program.get("provideClusterInfo"):
            spec["cluster"] = {
                key: value
                for key, value in self._cluster.items()
                if key in {"server", "certificate-authority-data"}
            }
        info = {"apiVersion": program.get("apiVersion"), "kind": "ExecCredential", "spec": spec}
        environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)}
        try:
            done = subprocess.run(
                command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, timeout=PROGRAM_SECONDS, check=False
            )  # fmt: skip
            said = done.stderr.decode(errors="replace").strip().splitlines()
            if done.returncode:
                raise _unusable(command[0], said[-1] if said else f"it ended with {done.returncode}")
            status = json.loads(done.stdout)["status"]
        except OSError as error:
            raise _unusable(command[0], str(error)) from error
        except subprocess.TimeoutExpired as error:
            raise _unusable(command[0], f"it took more than {PROGRAM_SECONDS:.0f} s") from error
        except (ValueError, KeyError, TypeError) as error:
            raise _unusable(command[0], "it printed no ExecCredential") from error
        self._token = str(status.get("token") or "")
        certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
        if certificate and key:
            pair = (str(certificate).encode(), str(key).encode())
            self.renewals += pair != self._pair
            self._pair = pair
        self._until = time.monotonic() + _seconds_left(str(status.get("expirationTimestamp") or ""))


def _seconds_left(text: str) -> float:
    from datetime import UTC, datetime

    try:
        end = datetime.fromisoformat(text)
    except ValueError:
        return REREAD_SECONDS if text else 3600.0
    return max((end - datetime.now(UTC)).total_seconds() - _EARLY, 1.0)


def _unusable(program: str, why: str) -> Unavailable:
    what = f"{program} of the kubeconfig gave no credentials: {why.rstrip('.')}"
    return Unavailable(what, hint="kubectl needs it as well; try: kubectl auth whoami")
