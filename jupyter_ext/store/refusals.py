"""What a store, or the way to it, answers instead of doing what it was asked: one sentence, and what to do.

Codes: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html; MinIO's and Azure's own beside them.
Nothing that a request was signed with is repeated.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any, Final

from jupyter_ext.errors import Forbidden, Invalid, KubeflowError, NotFound, Unavailable, Where

_BAD_KEYS: Final = frozenset(
    {
        "AuthenticationFailed",
        "AuthorizationHeaderMalformed",
        "InvalidAccessKeyId",
        "InvalidAuthenticationInfo",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "SignatureDoesNotMatch",
        "XAdminUserNotFound",  # of a VersityGW, with status 404
    }
)
_EXPIRED: Final = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"})
_DENIED: Final = frozenset(
    {
        "AccessDenied",
        "AccountProblem",
        "AllAccessDisabled",
        "AuthorizationFailure",
        "AuthorizationPermissionMismatch",
        "Forbidden",
        "InsufficientAccountPermissions",
        "InvalidObjectState",
        "NotSignedUp",
    }
)
_FULL: Final = frozenset(
    {
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioDiskFull",
        "XMinioStorageFull",
    }
)
_NO_BUCKET: Final = frozenset({"ContainerNotFound", "NoSuchBucket"})
_NO_KEYS: Final = frozenset(
    {
        "ClientAuthenticationError",
        "CredentialRetrievalError",
        "CredentialUnavailableError",
        "DefaultCredentialsError",
        "NoAuthTokenError",
        "NoCredentialsError",
        "PartialCredentialsError",
        "RefreshError",
        "TokenRetrievalError",
        "UnauthorizedSSOTokenError",
    }
)
_NO_ANSWER: Final = frozenset(
    {
        "ClientConnectorError",
        "ClientOSError",
        "ClientPayloadError",
        "ConnectTimeoutError",
        "ConnectionClosedError",
        "EndpointConnectionError",
        "FSTimeoutError",
        "HTTPClientError",
        "IncompleteRead",
        "IncompleteReadError",
        "ProxyConnectionError",
        "ReadTimeoutError",
        "ResponseStreamingError",
        "SSLError",
        "ServerDisconnectedError",
        "ServerTimeoutError",
        "ServiceRequestError",
        "ServiceResponseError",
        "gaierror",
    }
)
_BUSY: Final = frozenset(
    {"InternalError", "OperationAborted", "ServerBusy", "ServiceUnavailable", "SlowDown"}
)
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT)


def refusal(error: BaseException, url: str, secret: str | None = None) -> KubeflowError:
    """The error to raise for what a library raised about ``url``. ``secret``: where the credentials came from."""
    if isinstance(error, KubeflowError):
        return error
    facts = _Facts(error)
    where = Where(object=url[:300])
    keys = f"the Secret {secret}" if secret else "the environment or of the service account"
    renew = f"Set them anew: jupyter kf secret set {secret or 'artifact-store'} AWS_SECRET_ACCESS_KEY"
    if facts.codes & _FULL or facts.status == 507 or facts.number in _NO_ROOM:
        full = KubeflowError(
            "The store is full; nothing was stored",
            where=where,
            hint="Remove what is no longer needed, or let its quota be raised; then run again.",
        )
        full.status = 507
        return full
    if facts.names & _NO_KEYS:
        what = "There are no credentials for this store"
        return Forbidden(what, where=where, hint=f"{renew}; or give the service account the right to it.")
    if facts.codes & _EXPIRED:
        return Forbidden(f"The credentials of {keys} have expired", where=where, hint=f"{renew}.")
    if facts.codes & _BAD_KEYS or facts.status == 401:
        return Forbidden(
            f"The store does not accept the credentials of {keys}", where=where, hint=f"{renew}."
        )
    if "RequestTimeTooSkewed" in facts.codes:
        return Forbidden(
            "The clock of this machine is wrong for the store", where=where, hint="Set the clock."
        )
    if facts.codes & _DENIED or facts.status == 403 or facts.number in {errno.EACCES, errno.EPERM}:
        hint = "Ask for the right to read, write, list and delete below this address, or name another store."
        return Forbidden(f"The credentials of {keys} have no right to this", where=where, hint=hint)
    return _others(facts, where)


def _others(facts: _Facts, where: Where) -> KubeflowError:
    if facts.codes & _NO_BUCKET:
        return NotFound("There is no such bucket", where=where, hint="Make it, or name one that there is.")
    if facts.number == errno.ENOENT or facts.status == 404 or "NoSuchKey" in facts.codes:
        return NotFound("This is not in the store", where=where, hint="It may have been removed.")
    if "EntityTooLarge" in facts.codes:
        return Invalid("This is larger than the store takes", where=where)
    if facts.codes & _BUSY or (facts.status or 0) in {429, 500, 502, 503, 504}:
        what = "The store is busy, or has trouble of its own"
        return Unavailable(what, where=where, hint="It was asked several times; try again later.")
    if facts.names & _NO_ANSWER or facts.is_of_the_network:
        hint = "Look at the network, the address in AWS_ENDPOINT_URL (S3), proxies and certificates."
        return Unavailable(f"The store does not answer ({facts.text})", where=where, hint=hint)
    return Unavailable(f"The store could not do this ({facts.text})", where=where)


class _Facts:
    """What an error and those behind it say: codes and status of an answer, errno, names of classes."""

    def __init__(self, error: BaseException) -> None:
        self.codes: set[str] = set()
        self.names: set[str] = set()
        self.status: int | None = None
        self.number: int | None = None
        self.is_of_the_network = False
        for each in _behind(error):
            self._take(each)
        self.text = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"

    def _take(self, error: BaseException) -> None:
        self.names |= {kind.__name__ for kind in type(error).__mro__}
        self.is_of_the_network |= isinstance(error, ConnectionError | TimeoutError)
        answer = getattr(error, "response", None)
        if isinstance(answer, dict):  # botocore's
            code = str((answer.get("Error") or {}).get("Code", ""))
            self._code(code)
            self._number(code if code.isdecimal() else None)
            self._number((answer.get("ResponseMetadata") or {}).get("HTTPStatusCode"))
        self._code(getattr(error, "error_code", None))  # Azure's
        for name in ("status", "status_code", "code"):  # aiohttp's, Azure's, Google's
            self._number(getattr(error, name, None))
        if self.number is None and isinstance(error, OSError):
            if isinstance(error, FileNotFoundError | PermissionError) and error.errno is None:
                self.number = errno.ENOENT if isinstance(error, FileNotFoundError) else errno.EACCES
            else:
                self.number = error.errno

    def _code(self, code: Any) -> None:
        if code:
            self.codes.add(str(getattr(code, "value", code)))

    def _number(self, status: Any) -> None:
        if self.status is None and str(status).isdecimal() and 300 <= int(status) < 600:
            self.status = int(status)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """The error, and what it came from; at most ten."""
    seen: list[BaseException] = []
    at: BaseException | None = error
    while at is not None and at not in seen and len(seen) < 10:
        seen.append(at)
        at = at.__cause__ or at.__context__
    return iter(seen)
