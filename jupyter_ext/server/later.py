"""Routes that cost nothing until somebody asks: a server that is only started does not pay for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from jupyter_server.utils import url_path_join
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.routing import PathMatches, Router, Rule
from tornado.web import Application

Handlers = Sequence[tuple[str, type[Any]]]


class LaterRoutes(Router):
    """Stands for all paths below some prefixes; the first request for one of them brings in the handlers."""

    SUPPORTED_METHODS: ClassVar[tuple[str, ...]] = ()
    """Of its own; Jupyter Server, which looks for methods that are open to everybody, looks at those it brings in."""

    def __init__(self, application: Application, bring: Callable[[], Handlers]) -> None:
        self._application = application
        self._bring: Callable[[], Handlers] | None = bring

    def stand_for(self, prefixes: Sequence[str]) -> None:
        """Take the application's requests below these paths."""
        base = self._application.settings["base_url"]
        paths = "|".join(url_path_join(base, prefix) for prefix in prefixes)
        self._application.add_handlers(".*$", [Rule(PathMatches(f"(?:{paths}).*"), self)])

    def mount(self) -> None:
        """Bring the handlers in; more than once is once."""
        if self._bring is None:
            return
        bring, self._bring = self._bring, None
        base = self._application.settings["base_url"]
        found = [(url_path_join(base, pattern), handler) for pattern, handler in bring()]
        self._application.add_handlers(".*$", found)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate | None:
        """Give what answers the request; from the second one on the application finds that without us."""
        del kwargs
        if self._bring is None:
            return None
        self.mount()
        return self._application.find_handler(request)
