"""``%load_ext jupyter_ext``: the magics of all capabilities, and the completion of their options.

Loading costs a few milliseconds: what a magic needs is imported when it is used.
"""

# IPython's decorators have no types.
# mypy: disable-error-code="no-untyped-call,untyped-decorator"

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher
from IPython.core.magic import Magics, line_magic, magics_class, no_var_expand

from jupyter_ext.display.magic import parse, told

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

Offers = Callable[[str, list[str]], Iterator[str]]

HOMES = {
    "jupyter_ext.pipelines.magics": "PipelineMagics",
    "jupyter_ext.training.magics": "TrainingMagics",
    "jupyter_ext.tuning.magics": "TuningMagics",
    "jupyter_ext.registry.magics": "RegistryMagics",
    "jupyter_ext.serving.magics": "ServingMagics",
    "jupyter_ext.spark.magics": "SparkMagics",
    "jupyter_ext.magics": "KfMagics",
}
"""Where magics are: each module has a class of them, and ``offers`` for completion."""


@magics_class
class KfMagics(Magics):
    """``%kf``: what the command line does, in a notebook, with handles and live pictures for answers."""

    @no_var_expand
    @line_magic
    @told
    def kf(self, line: str) -> object:
        """Train and tune files, and look after what there is.

        %kf train FILE.py … and %kf tune FILE.py … start it and return its handle, which shows itself live; their
        options are those of the command line. %kf jobs and %kf experiments list the newest; indexing gives the
        handles. %kf serve MODEL, endpoints, traffic, mirror, promote, rollback, compare, rules, requests, replay and
        drift are about endpoints. %kf get [KIND], describe, wait, stop, resume, delete NAME and apply FILE.yaml do what they say.
        %kf best EXPERIMENT puts the best parameters into a new cell. Example:

            job = %kf train train.py --nodes 2 --arg lr=0.1
        """
        from jupyter_ext.notebook_commands import COMMANDS, parser

        args = parse(parser(), line)
        return COMMANDS[args.command](self.shell, args)


def offers(head: str, before: list[str]) -> Iterator[str]:
    """Give the words that may stand behind ``before`` in a line that begins with the magic ``head``."""
    if head != "%kf":
        return
    from jupyter_ext.notebook_commands import words

    yield from words([word for word in before if word])


def classes() -> list[type[Any]]:
    """The classes of magics."""
    return [getattr(import_module(module), name) for module, name in HOMES.items()]


def _names() -> str:
    found = {name for kind in classes() for names in kind.magics.values() for name in names}
    return "|".join(sorted(found, key=len, reverse=True))


@context_matcher()
def complete(context: CompletionContext) -> SimpleMatcherResult:
    """Complete options of our magics; IPython itself completes their names."""
    line = context.line_with_cursor[: context.cursor_position].lstrip()
    # "x = %pipeline ru" is one of ours too.
    found = re.search(rf"(?:^|=\s*)(%%?(?:{_names()}) .*)$", line)
    if found is None:
        return {"completions": []}
    head, _, rest = found[1].partition(" ")
    *before, word = rest.split(" ")
    offered = (word for module in HOMES for word in import_module(module).offers(head, before))
    offers = [offer for offer in dict.fromkeys(offered) if offer.startswith(word)]
    # The token that IPython replaces may begin after the dashes.
    cut = len(word) - len(context.token) if word.endswith(context.token) else 0
    completions = [SimpleCompletion(text=offer[cut:], type="option") for offer in offers]
    return {"completions": completions, "suppress": bool(completions) and bool(word)}


def load(ip: InteractiveShell) -> None:
    """``%load_ext jupyter_ext``."""
    for kind in classes():
        ip.register_magics(kind)
    if complete not in (matchers := _matchers(ip)):
        matchers.append(complete)


def unload(ip: InteractiveShell) -> None:
    """``%unload_ext jupyter_ext``."""
    for kind in classes():
        for place, names in kind.magics.items():
            for name in names:
                ip.magics_manager.magics[place].pop(name, None)
        ip.magics_manager.registry.pop(kind.__name__, None)
    if complete in (matchers := _matchers(ip)):
        matchers.remove(complete)


def _matchers(ip: Any) -> list[Any]:
    """Give the completer's list of additions; the shell that executes a step of a run has no completer."""
    return [] if ip.Completer is None else ip.Completer.custom_matchers
