"""``%serve``, ``%%serve``, ``%traffic`` and ``%predict``, and what ``%kf`` can do with endpoints.

Loading costs nothing to speak of: what a magic needs is imported when it is used.
"""

# IPython's decorators have no types.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, cell_magic, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from jupyter_ext.display.magic import arguments, options, told
from jupyter_ext.serving.options import COMMANDS, COMPARING, OPTIONS
from jupyter_ext.serving.options import add as add_options

if TYPE_CHECKING:
    from jupyter_ext.serving import Endpoint


def with_options(table: Any) -> Any:
    """Give a decorator that adds the options of a table to a magic."""

    def decorate(function: Any) -> Any:
        for option in reversed(table):
            function = argument(*option.words, **option.settings)(function)
        return function

    return decorate


_TRAFFIC = next(command for command in COMMANDS if command.name == "traffic")


@magics_class
class ServingMagics(Magics):
    """The magics of serving."""

    @magic_arguments()
    @argument("model", metavar="NAME[@ALIAS|:VERSION]")
    @with_options(OPTIONS)
    @argument("--no-wait", action="store_true", help="start it and go on")
    @no_var_expand
    @line_magic
    @told
    def serve(self, line: str) -> Endpoint:
        """Serve a registered model at a stable address, and return the endpoint, which shows itself live.

        On an endpoint that is there it takes over when it is ready; with --percent it is put beside what serves.
        Some lines:

            iris = %serve iris@champion
            %serve iris:2 --percent 10 --sticky header:x-user --rule "roll back if errors > 2 % over 5 minutes"
        """
        __tracebackhide__ = True
        from jupyter_ext import serving
        from jupyter_ext.serving.options import given

        args = arguments(self.serve, line)
        return serving.serve(args.model, wait=_must_wait(args), **given(args))

    @magic_arguments()
    @argument("name", metavar="NAME", help="name of the model and, without --endpoint, of the endpoint")
    @with_options(OPTIONS)
    @argument("--no-wait", action="store_true", help="start it and go on")
    @no_var_expand
    @cell_magic("serve")  # type: ignore[arg-type]
    @told
    def serve_cell(self, line: str, cell: str) -> Endpoint | None:
        """Run this cell and serve the model that it defines: a class with predict (as KServe's Model has it) or an object.

        Its last line may be the object; without one it is the last class of the cell that can predict, made without
        arguments. It is registered under NAME first. Example:

            %%serve doubler
            class Doubler:
                def predict(self, payload, headers=None):
                    return {"predictions": [2 * number for number in payload["instances"]]}
        """
        __tracebackhide__ = True
        from jupyter_ext import serving
        from jupyter_ext.serving.options import given

        args = arguments(self.serve_cell, line)
        found = self._defined(cell)
        if found is None:
            return None
        words = given(args)
        words.setdefault("endpoint", args.name)
        return serving.serve(found, wait=_must_wait(args), **words)

    def _defined(self, cell: str) -> Any:
        """Run the cell and give the model that it defines; None where the cell itself failed, and has said so."""
        from jupyter_ext.errors import Invalid, Where

        shell = self.shell
        assert shell is not None
        outer = shell.displayhook.exec_result
        done = shell.run_cell(cell, store_history=False)
        shell.displayhook.exec_result = outer  # what this magic gives is the result of the cell
        if not done.success:
            return None
        if callable(getattr(done.result, "predict", None)) and not isinstance(done.result, type):
            return done.result
        kind = done.result if isinstance(done.result, type) else _last_class(cell, shell.user_ns)
        if kind is None or not callable(getattr(kind, "predict", None)):
            hint = "Give it a method predict(self, payload), or let the cell end with the model."
            raise Invalid(
                "the cell defines nothing that can predict", where=Where(object="%%serve"), hint=hint
            )
        try:
            return kind()
        except TypeError as error:
            hint = "Let the cell end with the object: MyModel(…)."
            what = f"{kind.__name__} cannot be made without arguments: {error}"
            raise Invalid(what, where=Where(object=kind.__name__), hint=hint) from None

    @magic_arguments()
    @argument("endpoint", metavar="ENDPOINT")
    @with_options(_TRAFFIC.options)
    @no_var_expand
    @line_magic
    @told
    def traffic(self, line: str) -> Endpoint:
        """Share the traffic of an endpoint between its variants, and return the endpoint.

        A version of the endpoint's model that is no variant yet is added. Example:

            %traffic iris v1=90 v2=10 --sticky header:x-user
        """
        from jupyter_ext import serving
        from jupyter_ext.serving.options import apply_traffic

        args = arguments(self.traffic, line)
        endpoint = serving.get(args.endpoint)
        apply_traffic(endpoint, args)
        return endpoint

    @no_var_expand
    @line_magic
    @told
    def predict(self, line: str) -> Any:
        """Ask an endpoint for predictions of what an expression gives; without one, of the model's recorded example.

        A frame, an array or a tensor gives the same kind back. --variant V asks that variant. Examples:

            %predict iris df.head()
            scores = %predict iris --variant v2 X_test
        """
        __tracebackhide__ = True
        from IPython.core.error import UsageError

        from jupyter_ext import serving
        from jupyter_ext.serving import reading

        found = re.fullmatch(r"\s*(\S+)(?:\s+--variant[ =](\S+))?(?:\s+(.*))?", line, re.DOTALL)
        if found is None or found[1].startswith("-"):
            raise UsageError("%predict ENDPOINT [--variant V] [EXPRESSION]")
        endpoint = serving.get(found[1])
        if not found[3]:
            return endpoint.predict(reading.example(endpoint), variant=found[2])
        assert self.shell is not None
        return endpoint.predict(self.shell.ev(found[3]), variant=found[2])


def _must_wait(args: Namespace) -> bool:
    """Wait for what nobody will look after: in a step of a run, and unless asked not to."""
    from jupyter_ext.display.live import in_a_run

    return not args.no_wait or in_a_run()


def _last_class(cell: str, names: dict[str, Any]) -> type | None:
    """Give the class that was defined last at the cell's top level, and can predict if one can."""
    import ast

    from IPython.core.inputtransformer2 import TransformerManager

    body = ast.parse(TransformerManager().transform_cell(cell)).body
    found = [names.get(item.name) for item in body if isinstance(item, ast.ClassDef)]
    kinds = [kind for kind in found if isinstance(kind, type)]
    able = [kind for kind in kinds if callable(getattr(kind, "predict", None))]
    return (able or kinds)[-1] if kinds else None


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    if head in {"%serve", "%%serve"}:
        yield from (_models() if head == "%serve" and not any(before) else options(ServingMagics.serve))
    elif head == "%traffic":
        yield from _variants(before[0]) if any(before) else _endpoints()
        yield from options(ServingMagics.traffic)
    elif head == "%predict":
        yield from ["--variant"] if any(before) else _endpoints()


def _endpoints() -> list[str]:
    from jupyter_ext import serving
    from jupyter_ext.errors import KubeflowError

    try:
        return [endpoint.name for endpoint in serving.endpoints(limit=50)]
    except KubeflowError:
        return []


def _models() -> list[str]:
    from jupyter_ext import registry
    from jupyter_ext.errors import KubeflowError

    try:
        found = registry.models(limit=50)
        return [
            name
            for model in found
            for name in (model.name, *(f"{model.name}@{alias}" for alias in model.aliases))
        ]
    except KubeflowError:
        return []


def _variants(name: str) -> list[str]:
    from jupyter_ext import serving
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.serving import presenting

    try:
        return [f"{item['name']}=" for item in presenting.variants(serving.get(name).resource)]
    except KubeflowError:
        return []


# The commands of %kf


def grammar(commands: Any) -> None:
    """Put what may be typed after ``%kf`` into its parser."""
    serve = commands.add_parser("serve")
    serve.add_argument("model")
    for option in OPTIONS:
        serve.add_argument(*option.words, **option.settings)
    serve.add_argument("--no-wait", action="store_true")
    for command in COMMANDS:
        add_options(commands.add_parser(command.name), command.options)
    add_options(commands.add_parser("compare"), COMPARING)
    commands.add_parser("endpoints").add_argument("--limit", type=int, default=20)


def _serve(_: Any, args: Namespace) -> object:
    from jupyter_ext import serving
    from jupyter_ext.serving.options import given

    return serving.serve(args.model, wait=_must_wait(args), **given(args))


def _list(_: Any, args: Namespace) -> object:
    from jupyter_ext import serving
    from jupyter_ext.serving.widgets import EndpointsView

    return EndpointsView(serving.endpoints(limit=args.limit))


def _traffic(endpoint: Endpoint, args: Namespace) -> object:
    from jupyter_ext.serving.options import apply_traffic

    apply_traffic(endpoint, args)
    return endpoint


def _mirror(endpoint: Endpoint, args: Namespace) -> object:
    endpoint.mirror(args.variant, args.percent if args.variant else 0)
    return endpoint


def _promote(endpoint: Endpoint, args: Namespace) -> object:
    endpoint.promote(args.variant)
    return endpoint


def _rollback(endpoint: Endpoint, args: Namespace) -> object:
    endpoint.rollback(args.revision)
    return endpoint


def _remove(endpoint: Endpoint, args: Namespace) -> object:
    endpoint.remove(args.variant)
    return endpoint


def _log(endpoint: Endpoint, args: Namespace) -> object:
    from jupyter_ext.serving.options import apply_log

    return apply_log(endpoint, args)


def _start(endpoint: Endpoint, _: Namespace) -> object:
    endpoint.start()
    return endpoint


def _rules(endpoint: Endpoint, args: Namespace) -> object:
    from jupyter_ext.serving import presenting

    return presenting.Listing(
        endpoint.rules(*(args.rules or ([""] if args.clear else []))), *presenting.RULES
    )


def _revisions(endpoint: Endpoint, _: Namespace) -> object:
    from jupyter_ext.serving import presenting

    return presenting.Listing(presenting.revisions(endpoint), *presenting.REVISIONS)


def _compare(endpoint: Endpoint, args: Namespace) -> object:
    import time

    since = time.time() - args.since if args.since else None
    return endpoint.compare(metric=args.metric, against=args.against, since=since)


def _requests(endpoint: Endpoint, args: Namespace) -> object:
    from jupyter_ext.serving import presenting
    from jupyter_ext.serving.options import requests_asked

    if args.id:
        return presenting.request(endpoint, args.id)
    return presenting.Listing(
        presenting.requests_page(endpoint, requests_asked(args))["items"], *presenting.REQUESTS
    )


def _replay(endpoint: Endpoint, args: Namespace) -> object:
    more = {"against": args.against} if args.against else {}
    return endpoint.replay(args.variant, limit=args.limit, **more)


def _feedback(endpoint: Endpoint, args: Namespace) -> None:
    from jupyter_ext.serving.options import outcome

    endpoint.feedback(args.request, **outcome(args.outcome))


_ON_ENDPOINT: dict[str, Callable[[Any, Namespace], object]] = {
    "traffic": _traffic,
    "mirror": _mirror,
    "promote": _promote,
    "rollback": _rollback,
    "remove": _remove,
    "log": _log,
    "start": _start,
    "rules": _rules,
    "revisions": _revisions,
    "compare": _compare,
    "requests": _requests,
    "replay": _replay,
    "drift": lambda endpoint, _: endpoint.drift(),
    "feedback": _feedback,
}


def _on(verb: str) -> Callable[[Any, Namespace], object]:
    def call(_: Any, args: Namespace) -> object:
        from jupyter_ext import serving

        return _ON_ENDPOINT[verb](serving.get(args.endpoint), args)

    return call


KF: dict[str, Callable[[Any, Namespace], object]] = {
    "serve": _serve,
    "endpoints": _list,
    **{verb: _on(verb) for verb in _ON_ENDPOINT},
}
