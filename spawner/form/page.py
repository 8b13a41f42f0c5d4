"""The form inside the Hub's own spawn page: drawn by the server, kept true by one small script.

``page`` is what a spawner's ``options_form`` returns. With the first page it puts our static files and the refresh
under the Hub's address, so that nothing has to be configured (the Hub's ``extra_handlers`` is deprecated, and a
service would need a process and a token of its own).
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from spawner.access import unanswered
from spawner.api import ApiError
from spawner.form.answers import FIELDS
from spawner.form.view import NOWHERE, Offer, fragment, problem, view
from spawner.refused import Refused

if TYPE_CHECKING:
    import jinja2

__all__ = ["Offer", "Preset", "answer", "attach", "from_form", "from_query", "page", "render"]

_ROOT: Final = Path(__file__).parent
_PREFIX: Final = "kubeflow/form"
_ATTACHED: Final = "kubeflow_form_attached"
_log = logging.getLogger(__name__)


class Preset(Exception):
    """A link carried choices. The Hub shows the form when its query cannot be used, and that is what is wanted:
    opening an address must not start anything. The empty message keeps the Hub from calling it an error.
    """  # noqa: D205

    jupyterhub_message = ""


def from_query(query_data: Mapping[str, Any]) -> dict[str, Any]:
    """For ``options_from_query``: always raises Preset; `page` reads the choices."""
    raise Preset(f"{len(query_data)} choices from a link preset the form")


def from_form(data: Mapping[str, Any]) -> dict[str, Any]:
    """For ``options_from_form``: the fields as the Hub got them; `Schema.check` reads their lists."""
    return {key: value for key, value in data.items() if key != "_xsrf"}


async def answer(spawner: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """For an async ``options_from_form``: checked at once, so that the page comes back with what was typed.

    Returns what to keep as ``user_options``. Raises a 400 of tornado that carries the sentence.
    """
    chosen = from_form(data)
    try:
        offer = await _offered(spawner, chosen)
        return offer.schema.check(chosen, also=offer.also).to_json()
    except Refused as refused:
        spawner.refused_answer = (chosen, refused)
        raise _as_answer(refused) from refused


async def _offered(spawner: Any, chosen: Mapping[str, Any]) -> Offer:
    """What there is to choose from. Raises Refused, also where the cluster does not say."""
    try:
        found: Offer = await spawner.offer(_one(chosen.get("namespace")))
    except ApiError as error:
        raise unanswered("what this profile has", error) from error
    return found


def _as_answer(refused: Refused) -> Exception:
    """The error that the Hub shows above the form, with its status: ``jupyterhub_message`` is read by name."""
    from tornado.web import HTTPError

    error: Any = HTTPError(refused.status, "%s", str(refused))
    error.jupyterhub_message = str(refused)
    found: Exception = error
    return found


async def page(spawner: Any) -> str:
    """The form for this spawner's user, as the Hub puts it on its spawn page."""
    handler = getattr(spawner, "handler", None)
    base = ""
    if handler is not None:
        base = str(handler.hub.base_url)
        attach(handler.application, base)
    link = _preset(handler)
    kept, refused = getattr(spawner, "refused_answer", None) or (None, None)
    spawner.refused_answer = None
    before = kept or link or _remembered(spawner)
    try:
        shown = view(await _offered(spawner, before), before, refused)
    except Refused as reason:
        title = "The form cannot be shown now" if reason.status >= 500 else NOWHERE
        shown = {"empty": {"title": title, "note": reason.message, "hint": reason.hint}, "shared_with": ()}
    return render(
        shown,
        user=spawner.user.name,
        server=getattr(spawner, "name", ""),
        base=base,
        is_preset=bool(link and not kept),
    )


def render(
    shown: Mapping[str, Any],
    *,
    user: str,
    server: str = "",
    base: str = "",
    is_preset: bool = False,
    inner: bool = False,
) -> str:
    """HTML of a view; with ``inner`` only the part below the choice of the profile."""
    from urllib.parse import quote

    address = f"{base}{_PREFIX}/state/{quote(user, safe='')}/{quote(server, safe='')}" if base else ""
    template = _templates().get_template("choices.html" if inner else "form.html")
    return template.render(
        form=shown,
        address=address,
        static=f"{base}{_PREFIX}/static/",
        version=_version(),
        is_preset=is_preset,
        base=base,
    )


@cache
def _templates() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_ROOT / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip


@cache
def _version() -> str:
    """Changes with the static files, so that a browser may keep them for ever."""
    digest = hashlib.sha256()
    for path in sorted((_ROOT / "static").glob("form.*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _one(value: object) -> str | None:
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    return value if isinstance(value, str) and value else None


def _remembered(spawner: Any) -> dict[str, Any]:
    """What the Hub kept of this server's last start, else of the user's other one."""
    # The Hub writes what was chosen for a stopped server into the row alone.
    kept = getattr(getattr(spawner, "orm_spawner", None), "user_options", None)
    if not kept:
        kept = getattr(spawner, "user_options", None)
    if not kept:
        others = getattr(getattr(spawner.user, "orm_user", None), "orm_spawners", None) or {}
        kept = next((each.user_options for each in others.values() if each.user_options), None)
    return dict(kept) if isinstance(kept, Mapping) else {}


def _preset(handler: Any) -> dict[str, Any]:
    """The choices of a link: ``opt-image=…`` (JupyterHub 6 reserves the rest) or ``image=…``."""
    if handler is None or handler.request.method != "GET":
        return {}
    return _arguments(handler)


def _arguments(handler: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, values in handler.request.query_arguments.items():
        name = key.removeprefix("opt-")
        if name in FIELDS:
            found[name] = [each.decode("utf-8", "replace") for each in values[:64]]
    return found


def attach(application: Any, base: str) -> None:
    """Put our addresses under the Hub's (``base``, such as ``/hub/``), once for each tornado application."""
    if not application.settings.get(_ATTACHED):
        from tornado.web import StaticFileHandler

        static = {"path": str(_ROOT / "static")}
        application.add_handlers(".*", [
            (rf"{base}{_PREFIX}/static/(form\.(?:js|css))", StaticFileHandler, static),
            (rf"{base}{_PREFIX}/state/([^/]+)/([^/]*)", _state_handler()),
        ])  # fmt: skip
        application.settings[_ATTACHED] = True


def attach_to_hub() -> None:
    """The same for the Hub of this process, before anybody saw the form: servers ask for what concerns them."""
    from jupyterhub.app import JupyterHub

    hub = JupyterHub.instance() if JupyterHub.initialized() else None
    application = getattr(hub, "tornado_application", None)
    if hub is not None and application is not None:
        attach(application, str(hub.hub.base_url))


@cache
def _state_handler() -> Any:
    """The refresh. A class made when a Hub is there: importing the spawner must not load JupyterHub."""
    from jupyterhub.handlers import BaseHandler
    from jupyterhub.scopes import needs_scope
    from tornado import web

    class StateHandler(BaseHandler):  # type: ignore[misc]
        """GET: what fits now, for the choices in the query. Changes nothing. A server asks with its own token."""

        _accept_token_auth = True

        @web.authenticated
        async def get(self, user_name: str, server_name: str) -> None:
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Content-Type-Options", "nosniff")
            await self._get(user_name=user_name, server_name=server_name)

        @needs_scope("servers")  # type: ignore[untyped-decorator]
        async def _get(self, user_name: str, server_name: str) -> None:
            user = self.find_user(user_name)
            known = user and (server_name in user.spawners or server_name in user.orm_spawners)
            spawner = user.spawners[server_name] if known else None
            if spawner is None or not hasattr(spawner, "offer"):
                raise web.HTTPError(404, "There is no such server; reload the page")
            before = _arguments(self)
            try:
                offer = await _offered(spawner, before)
                shown = view(offer, before)
            except Refused as reason:
                self.set_status(reason.status)
                self.finish(reason.to_dict())
                return
            answer: dict[str, Any] = fragment(shown)
            answer["problem"] = problem(offer, before)
            notice = getattr(spawner, "notice", None)
            answer["notice"] = notice.to_dict() if notice else None
            if self.get_argument("whole", ""):
                answer["html"] = render(
                    shown, user=user_name, server=server_name, base=str(self.hub.base_url), inner=True
                )
            self.finish(answer)

    return StateHandler
