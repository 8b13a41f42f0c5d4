"""``%register`` and ``%models``: models from the notebook into the registry, and found again.

Loading costs nothing to speak of: what a magic needs is imported when it is used.
"""

# IPython's decorators have no types.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand
from IPython.core.magic_arguments import argument, magic_arguments

from jupyter_ext.display.magic import arguments, options, told


@magics_class
class RegistryMagics(Magics):
    """The magics of the registry."""

    @magic_arguments()
    @argument(
        "what",
        metavar="VARIABLE|PATH",
        help="a variable of the notebook, a file or a folder; `form` for a form",
        nargs="?",
        default="form",
    )
    @argument("name", nargs="?", metavar="NAME[:VERSION][@ALIAS]", help="the model; a new one is made")
    @argument("--alias", help="let this alias mean it, for example champion")
    @argument("--version", help="default: the next number")
    @argument("--description", help="in a sentence or two")
    @argument(
        "-m",
        "--metric",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="a number, or a variable (repeat for more)",
    )
    @argument(
        "-p",
        "--param",
        action="append",
        default=[],
        metavar="NAME[=VALUE]",
        help="what it was trained with (repeat for more)",
    )
    @argument("--example", metavar="VARIABLE", help="a few rows that it can predict")
    @argument(
        "--data",
        action="append",
        default=[],
        metavar="NAME[=VARIABLE|PATH]",
        help="what it was trained on (repeat for more)",
    )
    @argument("--format", help="where it is not recognised")
    @argument(
        "--to", metavar="URL", help="put the files there, for example s3://bucket/models or oci://host/models"
    )
    @no_var_expand
    @line_magic
    @told
    def register(self, line: str) -> object:
        """Register a model of this notebook; gives the version.

        Metrics, parameters, data and the example are variables of the notebook, or values. Example:

            %register model iris@champion -m accuracy -p C=1.0 --example X_test --data train=X_train
        """
        __tracebackhide__ = True
        from jupyter_ext import registry
        from jupyter_ext.errors import Invalid, Where

        args = arguments(self.register, line)
        assert self.shell is not None
        names = self.shell.user_ns
        if args.what == "form" and args.name is None and "form" not in names:
            from jupyter_ext.registry.forms import form

            return form(namespace=names)
        if not args.name:
            raise Invalid("the model needs a name", where=Where(field="NAME"), hint="%register model iris")
        name, version, alias = reference(args.name)
        return registry.register(
            _what(names, args.what),
            name,
            args.version or version,
            alias=args.alias or alias,
            description=args.description,
            metrics={key: _value(names, text, "--metric") for key, text in _pairs(args.metric)},
            parameters={key: _value(names, text, "--param") for key, text in _pairs(args.param)},
            example=None if args.example is None else _value(names, args.example, "--example"),
            data={key: _data(names, text) for key, text in _pairs(args.data)} or None,
            format=args.format,
            to=args.to,
        )

    @magic_arguments()
    @argument(
        "what",
        nargs="*",
        metavar="NAME[@ALIAS|:VERSION] | WORDS | FILTER",
        help="one model, or what to look for",
    )
    @argument(
        "--versions", action="store_true", help="list versions, not models; a filter is over versions then"
    )
    @argument("--limit", type=int, default=20, help="greatest number listed (default: 20)")
    @argument("--search", action="store_true", help="with a search box")
    @argument("--compare", metavar="REFERENCE", help="compare the named version with this one")
    @no_var_expand
    @line_magic
    @told
    def models(self, line: str) -> object:
        """List models, find them, or show one; indexing a list gives the handles.

        A filter is quoted. Examples:

            %models
            %models iris@champion
            %models "accuracy > 0.9 AND owner = 'ada'" --versions
        """
        __tracebackhide__ = True
        from jupyter_ext import registry
        from jupyter_ext.errors import NotFound
        from jupyter_ext.registry.place import default
        from jupyter_ext.registry.widgets import Browser, ModelsView, VersionsView

        args = arguments(self.models, line)
        text = " ".join(args.what)
        if args.search:
            return Browser(default(), text)
        if args.compare:
            return registry.compare(text, args.compare)
        if args.versions:
            return VersionsView(registry.find(text, limit=args.limit))
        if text:
            try:
                return registry.get(text)
            except NotFound:
                found = registry.search(text, limit=args.limit)
                if found or " " in text:
                    return ModelsView(found)
                raise
        return ModelsView(registry.models(limit=args.limit))


def reference(text: str) -> tuple[str, str | None, str | None]:
    """Name, version and alias of ``NAME[:VERSION][@ALIAS]``."""
    text, _, alias = text.partition("@")
    name, _, version = text.partition(":")
    return name, version or None, alias or None


def _what(names: Mapping[str, Any], text: str) -> Any:
    from jupyter_ext.errors import NotFound, Where

    if text in names:
        return names[text]
    if "://" in text or Path(text).expanduser().exists():
        return text
    raise NotFound(f"there is no variable and no file {text!r}", where=Where(object=text))


def _pairs(texts: list[str]) -> Iterator[tuple[str, str]]:
    """``NAME=VALUE``; a name alone is its own variable."""
    for text in texts:
        name, equals, value = text.partition("=")
        yield name, value if equals else name


def _value(names: Mapping[str, Any], text: str, option: str) -> Any:
    from jupyter_ext.errors import NotFound, Where
    from jupyter_ext.registry.forms import literal

    if text in names:
        return names[text]
    found = literal(text)
    if option == "--param" or not isinstance(found, str):
        return found
    raise NotFound(f"there is no variable {text!r}", where=Where(field=option))


def _data(names: Mapping[str, Any], text: str) -> Any:
    return names.get(text, text)


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    if head not in {"%register", "%models"}:
        return
    yield from options(getattr(RegistryMagics, head[1:]))
    if head == "%models" and not before:
        from jupyter_ext import registry
        from jupyter_ext.errors import KubeflowError

        try:
            yield from (model.name for model in registry.models(limit=50))
        except KubeflowError:
            return
