"""Who a request is from, as the gateway of a Kubeflow says it: one header, set after the sign-in.

The header is as good as the way it came. Whoever reaches the Hub past the gateway can write any name into it, so this
is of use only where a mesh lets nobody pass (the chart's `istio` values write those policies, and refuse this class
without them).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from jupyterhub.auth import Authenticator
from tornado import web
from traitlets import Bool, Integer, Unicode

from spawner.names import check_subject
from spawner.refused import Refused

_LONGEST: Final = 255
"""Of a user's name, in JupyterHub's database."""


def read_identity(values: Sequence[str], prefix: str = "") -> str:
    """The user that the header's ``values`` name, exactly as written; raises Refused (401, 403).

    ``prefix`` is taken off once, at the start, and must be there. Proxies join headers that came twice with a comma,
    so a name with a comma is refused as well.
    """
    if not values:
        raise Refused(
            401,
            "The request has no identity",
            hint="Come through the gateway's own address, and sign in there.",
        )
    if len(values) > 1 or "," in values[0]:
        raise Refused(403, "The request has more than one identity", hint="Sign in anew at the gateway.")
    try:
        # HTTP libraries read headers as Latin-1, whatever the bytes are.
        value = values[0].encode("latin-1").decode()
    except UnicodeError:
        raise Refused(403, "The identity of the request is no text", hint=_ASK) from None
    if not value.startswith(prefix):
        raise Refused(403, "The identity of the request does not begin as it should", hint=_ASK)
    name = value[len(prefix) :]
    if not name or name != name.strip() or len(name) > _LONGEST or "/" in name:
        raise Refused(403, "The identity of the request is empty, too long, or no name", hint=_ASK)
    return check_subject(name)


_ASK: Final = "An administrator should look at what the gateway sends."


class GatewayAuthenticator(Authenticator):  # type: ignore[misc]
    """Signs in whoever the gateway names; there is no page to sign in, and names keep their case."""

    auto_login = Bool(True, config=True, help="There is nothing to fill in.")
    auth_refresh_age = Integer(
        1,
        config=True,
        help="Seconds after which a page asks again whose request it is: the gateway knows of a sign-out.",
    )
    refresh_pre_spawn = Bool(True, config=True, help="A server is started for whom the gateway names.")
    user_header = Unicode("kubeflow-userid", config=True, help="The header with the user's name.")
    user_prefix = Unicode(config=True, help="What stands before each name in it.")

    def normalize_username(self, username: str) -> str:
        """As it is: the owners of profiles are compared exactly."""
        return str(self.username_map.get(username, username))

    def _identity(self, handler: web.RequestHandler) -> str:
        return read_identity(handler.request.headers.get_list(self.user_header), self.user_prefix)

    async def authenticate(self, handler: web.RequestHandler, data: Any = None) -> str:  # noqa: ARG002 - JupyterHub's
        """The user of the header; what was typed somewhere counts for nothing."""
        try:
            return self._identity(handler)
        except Refused as refused:
            raise web.HTTPError(refused.status, refused.message, reason=refused.message) from None

    async def refresh_user(self, user: Any, handler: web.RequestHandler | None = None) -> bool:
        """Whether a cookie is still that of whom the gateway names; a request without the header has a token."""
        if handler is None or not handler.request.headers.get_list(self.user_header):
            return True
        try:
            return self.normalize_username(self._identity(handler)) == str(user.name)
        except Refused:
            return False
