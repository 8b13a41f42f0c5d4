"""What looks like a secret is not told: by the name of what holds it, by its own form, and by what this process knows."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, Final

HIDDEN: Final = "[hidden]"
SHORTEST: Final = 6
"""Characters of a value of the environment that is looked for in texts: a shorter one is found everywhere."""

_WORDS: Final = frozenset(
    {"password", "passwd", "pwd", "passphrase", "secret", "secrets", "token", "credential", "credentials", "apikey",
     "authorization", "cookie", "dsn"}
)  # fmt: skip
_KEYS: Final = frozenset({"api", "access", "private", "secret", "account", "signing", "encryption"})
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_NAMED: Final = (
    r"[\w.-]*(?:PASSW(?:OR)?D|PASSPHRASE|SECRET|TOKEN|(?:API|ACCESS|PRIVATE)[_-]?KEY|CREDENTIALS?)[\w.-]*"
)
_FORMS: Final = (
    re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    re.compile(r"\b(?:gh[pousr]|github_pat|glpat|hf|sk|xox[abprs])[_-][A-Za-z0-9_-]{16,}"),
    re.compile(r"\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*"),
)
_LINES: Final = (
    (re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)(\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@]{0,200}:)[^\s/@]{1,500}@"), rf"\1{HIDDEN}@"),
    (re.compile(rf"(?i)(\b{_NAMED}[\"']?\s{{0,4}}[=:]\s{{0,4}})(\"[^\"\n]*\"|'[^'\n]*'|[^\s,;\"'}})\]]+)"), rf"\1{HIDDEN}"),
    (re.compile(r"(?i)([?&](?:token|sig|signature|key|password)=)[^\s&\"']+"), rf"\1{HIDDEN}"),
)  # fmt: skip


def is_secret(name: str) -> bool:
    """Whether something of this name is a secret: ``DB_PASSWORD``, ``accessKeyId``; not ``tokenizer``, ``max_tokens``."""
    parts = [part.lower() for part in _PARTS.findall(name)]
    pairs = pairwise(parts)
    return bool(_WORDS & set(parts)) or any(first in _KEYS and then == "key" for first, then in pairs)


class Redaction:
    """Hides secrets in values. ``known`` are values that are hidden wherever they stand."""

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._known = sorted({value for value in known if len(value) >= SHORTEST}, key=len, reverse=True)

    @classmethod
    def of_this_process(cls) -> Redaction:
        """One that knows the secrets in the environment and of the profile, and the token of its gateway."""
        known = [value for name, value in os.environ.items() if is_secret(name)]
        return cls([*known, *_gateway(), *_of_the_profile()])

    def text(self, text: str) -> str:
        """Give the text without them."""
        for value in self._known:
            text = text.replace(value, HIDDEN)
        for form in _FORMS:
            text = form.sub(HIDDEN, text)
        for form, instead in _LINES:
            text = form.sub(instead, text)
        return text

    def value(self, value: Any) -> Any:
        """Give the JSON value without them, names of variables as in ``env: [{name, value}]`` included."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            name = value.get("name")
            told = isinstance(name, str) and is_secret(name)
            return {
                self.text(str(key)): HIDDEN
                if isinstance(item, str) and item and (is_secret(str(key)) or (told and key == "value"))
                else self.value(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value


def _gateway() -> list[str]:
    """The token of the endpoints' gateway, where there is one."""
    from jupyter_ext.cluster import discover
    from jupyter_ext.errors import KubeflowError

    try:
        from jupyter_ext.serving import gateway

        return [gateway.token_path(discover.current()).read_text(encoding="utf-8").strip()]
    except (KubeflowError, OSError, AttributeError, ImportError):
        return []


def _of_the_profile() -> list[str]:
    """The values of the profile's own Secrets."""
    from jupyter_ext import secrets
    from jupyter_ext.errors import KubeflowError

    try:
        entries = [(entry.name, key) for entry in secrets.list() for key in entry.keys]
        return [secrets.get_bytes(name, key).decode("utf-8", "replace") for name, key in entries]
    except (KubeflowError, OSError):
        return []
