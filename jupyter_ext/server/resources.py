"""Handlers that serve any kind of resource: list, create, show, delete and its verbs."""

# ruff: noqa: D102 - each verb says what it does in its Operation
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import authorized
from tornado import web

from jupyter_ext.errors import Invalid, NotFound, Where

from . import access, listing, watch_kfp
from .fields import Field
from .handler import LARGE, SMALL, KubeflowHandler, Operation, operation
from .kind import Body, Kind, Question, Verb
from .paths import COMPILED, NOTEBOOKS, locate

if TYPE_CHECKING:
    from jupyter_ext.applying import Applied

LIST_QUERY = (
    Field("limit", "integer", "Greatest number of resources.", limit=500),
    Field("before", "string", "Only older ones: next of the page before, or the last name in it.", limit=100),
    Field("state", "string", "Only those in this state (several with commas).", limit=200),
    Field("q", "string", "Only those with this text in name or notebook.", limit=200),
)


class ResourceHandler(KubeflowHandler):
    """What the handlers of one kind share."""

    @property
    def root(self) -> str | None:
        """The server's root folder, where its files have one."""
        return getattr(self.contents_manager, "root_dir", None)

    def present(self, result: object) -> object:
        """Give what a library function returned as JSON."""
        from jupyter_ext.cluster.resource import Resource

        if isinstance(result, Resource):
            return listing.present(self.app.elsewhere.named(result), self.root)
        return {} if result is None else result

    async def resolve(self, body: Body, *, program: bool = True) -> Body:
        """Put the file that a path means in its place, for kinds that have one; ``program``: only a Python one."""
        if "path" not in body or "://" in (body["path"] or ""):  # an address is no file of the server
            return body
        if "notebook" not in body:
            return {**body, "path": await self._file(body["path"], program)} if body["path"] else body
        notebook = body["notebook"]
        if not body["path"]:
            if notebook is None:
                raise Invalid(
                    "there is nothing to run", where=Where(field="path"), hint="Give path or notebook."
                )
            return body
        compiled = notebook is None and body["path"].endswith(COMPILED)
        endings = COMPILED if compiled else NOTEBOOKS
        located = await locate(
            self.contents_manager, body["path"], must_exist=notebook is None, endings=endings
        )
        return {**body, "path": located.path, "notebook": notebook or located.notebook}

    async def _file(self, path: str, program: bool) -> str:
        """Find a file in a folder of this machine."""
        located = await locate(self.contents_manager, path, program=program)
        if located.notebook is not None or self.root is None:
            hint = "Give its text as source instead." if program else None
            raise Invalid(f"{path!r} is in no folder of this machine", where=Where(field="path"), hint=hint)
        return located.path


def list_handler(kind: Kind) -> type[KubeflowHandler]:
    """Make the handler of ``{plural}``."""

    class ListHandler(ResourceHandler):
        @web.authenticated
        @authorized("read", kind.resource)
        @operation(Operation(f"List the {kind.plural}, newest first.", "read", query=LIST_QUERY))
        async def get(self) -> None:
            query = self.query(LIST_QUERY)
            # Of a cluster there is a copy that follows it: however many pages are open, it is asked once.
            mirror = None if kind.elsewhere else await self.blocking(self.app.mirrors.of, kind.kind)
            version = kind.elsewhere.version if kind.elsewhere else access.version
            more = await self.blocking(self.app.elsewhere.now, kind.kind) if kind.beside else None
            state = mirror.mark if mirror else await self.blocking(version)
            state = f"{state}+{more.mark}" if more else state
            tag = listing.etag(state, kind.kind, sorted(query.items()), self.root)
            # What is read is at least as new as its tag: at worst the next request reads once more.
            self.set_header("Etag", tag)
            self.set_header("Cache-Control", "private, no-cache")
            if self.check_etag_header():
                self.set_status(304)
                self.finish()
                return
            if kind.elsewhere:
                self.reply(await self.blocking(kind.elsewhere.page, query))
                return
            listed = mirror.list if mirror else partial(access.cluster().list, kind.kind, summary=True)
            listed = partial(watch_kfp.listed, listed, more) if more else listed
            found = await self.blocking(listing.page, listed, query, self.root)
            self.reply(watch_kfp.page(found, more.notice) if more else found)

        def compute_etag(self) -> str | None:
            return None

    if kind.create is None:
        return _named(ListHandler, kind, "List")
    create = kind.create

    class Handler(ListHandler):
        @web.authenticated
        @authorized("execute", kind.resource)
        @operation(
            Operation(
                f"Create one of the {kind.plural}.", "execute", body=kind.create_body, limit=LARGE, status=201
            )
        )
        async def post(self) -> None:
            body = await self.resolve(self.body(kind.create_body, LARGE), program=not kind.elsewhere)
            if kind.draft is not None and body.get("dryRun"):
                self.reply(await self.blocking(kind.draft, body))
                return
            self.reply(self.present(await self.blocking(create, body)), 201)

    return _named(Handler, kind, "List")


def item_handler(kind: Kind) -> type[KubeflowHandler]:
    """Make the handler of ``{plural}/{name}``."""

    class ItemHandler(ResourceHandler):
        @web.authenticated
        @authorized("read", kind.resource)
        @operation(Operation(f"Show one of the {kind.plural}.", "read"))
        async def get(self, name: str) -> None:
            if kind.elsewhere:
                self.reply(await self.blocking(kind.elsewhere.get, name))
                return
            if kind.beside:
                whole = await self.blocking(self.app.elsewhere.whole, kind.kind, name)
                self.reply(listing.present(whole, self.root))
                return
            self.reply(self.present(await self.blocking(access.resource, kind.kind, name)))

        def compute_etag(self) -> str | None:
            return None

    if kind.delete is None:
        return _named(ItemHandler, kind, "Item")
    delete = kind.delete

    class Handler(ItemHandler):
        @web.authenticated
        @authorized("write", kind.resource)
        @operation(Operation(f"Delete one of the {kind.plural} with what only it refers to.", "write"))
        async def delete(self, name: str) -> None:
            gone = await self.blocking(delete, name)
            if kind.beside:
                await self.blocking(self.app.elsewhere.deleted, kind.kind, name)
            self.reply(self.present(gone))

    return _named(Handler, kind, "Item")


def verb_handler(kind: Kind, verb: Verb) -> type[KubeflowHandler]:
    """Make the handler of ``{plural}/{name}:{verb}``."""

    class VerbHandler(ResourceHandler):
        @web.authenticated
        @authorized(verb.action, kind.resource)
        @operation(Operation(verb.summary, verb.action, body=verb.body))
        async def post(self, name: str) -> None:
            body = self.body(verb.body, SMALL)
            self.reply(self.present(await self.blocking(verb.call, name, body)))

    return _named(VerbHandler, kind, verb.name.capitalize())


def question_handler(kind: Kind, question: Question) -> type[KubeflowHandler]:
    """Make the handler of ``GET {plural}:{question}``."""

    class QuestionHandler(ResourceHandler):
        @web.authenticated
        @authorized("read", kind.resource)
        @operation(Operation(question.summary, "read", query=question.query))
        async def get(self) -> None:
            self.reply(await self.blocking(question.call, self.query(question.query)))

    return _named(QuestionHandler, kind, question.name.capitalize())


YAML = (Field("yaml", "string", "One or more documents.", required=True, limit=8 << 20),)


class ApplyHandler(ResourceHandler):
    """``apply``: what a YAML text describes, of any kind. Each resource comes back with what became of it."""

    @web.authenticated
    @authorized("execute", "kubeflow")
    @operation(Operation("Start what a YAML text describes.", "execute", body=YAML, limit=LARGE))
    async def post(self) -> None:
        applied = await self.blocking(self.apply, self.body(YAML, LARGE)["yaml"])
        self.reply(
            [
                {
                    **listing.present(item.resource, self.root),
                    "outcome": item.outcome,
                    "notes": list(item.notes),
                }
                for item in applied
            ]
        )

    @staticmethod
    def apply(text: str) -> list[Applied]:
        """Apply in a thread; a line break makes a text of what could be the name of a file."""
        from jupyter_ext import resources

        return resources.apply(text + "\n")


class UnknownHandler(KubeflowHandler):
    """Everything else below ``kubeflow/v1/``: the answer is JSON too, for a front end of another version."""

    @web.authenticated
    @authorized("read", "kubeflow")
    @operation(Operation("Not a route.", "read"))
    async def get(self, path: str) -> None:
        hint = "The front end and the server extension may be of different versions: reload the page."
        raise NotFound(f"the server extension has no {path[:200]!r}", hint=hint)

    @web.authenticated
    @authorized("write", "kubeflow")
    @operation(Operation("Not a route.", "write"))
    async def post(self, path: str) -> None:
        hint = "The front end and the server extension may be of different versions: reload the page."
        raise NotFound(f"the server extension has no {path[:200]!r}", hint=hint)


def _named(handler: type[KubeflowHandler], kind: Kind, part: str) -> type[KubeflowHandler]:
    handler.__name__ = handler.__qualname__ = f"{kind.kind}{part}Handler"
    return handler
