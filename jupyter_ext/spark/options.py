"""The options of ``jupyter kf spark`` and ``%kf spark``, stated once, and the keywords of the library that they mean."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, NotFound, Where
from jupyter_ext.training.options import Option, count, literal, pairs

NEVER: Final = frozenset({"0", "never", "off", "none"})
_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST: Final = 3650 * 86400.0


def idle(value: object) -> float:
    """Seconds after which a session that nobody uses ends, 0 for never: ``"12h"``, ``90``, ``"never"``. Raises Invalid."""
    text = str(value).strip().lower()
    if value is None or value is False or text in NEVER:
        return 0.0
    found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,3})?)\s*([smhd]?)", text)
    seconds = float(found[1]) * _UNITS[found[2]] if found and value is not True else -1.0
    if not 1 <= seconds <= _LONGEST:
        hint = "Write it as 90, 30m or 12h; 0 for never."
        raise Invalid(f"{value!r} is not a time without use", where=Where(field="idle"), hint=hint)
    return seconds


def _many(word: str, about: str, metavar: str, name: str) -> Option:
    settings = {"action": "append", "default": [], "dest": name, "metavar": metavar, "help": about}
    return Option((word,), settings)


SIZES: Final = (
    Option(("--cores",), {"type": count, "metavar": "N", "help": "cores of each executor"}),
    Option(("--executors",), {"type": count, "metavar": "N", "help": "executors (default: 1)"}),
    Option(("--memory",), {"metavar": "AMOUNT", "help": "memory of each executor, for example 2g (default: 1g)"}),
    Option(("--driver-memory",), {"metavar": "AMOUNT", "help": "memory of the driver (default: 1g)"}),
    _many("--conf", "a setting of Spark (repeat for more)", "NAME=VALUE", "conf"),
)  # fmt: skip
BATCH: Final = (
    Option(("--name",), {"help": "name; one is made up without it"}),
    *SIZES,
    _many("--arg", "set an argument of the function (repeat for more)", "NAME=VALUE", "args"),
    _many("--env", "set an environment variable (repeat for more)", "NAME=VALUE", "env"),
    _many("--package", "a package of Maven, as GROUP:NAME:VERSION (repeat for more)", "NAME", "packages"),
    _many("--jar", "a .jar that goes along (repeat for more)", "FILE", "jars"),
    _many("--py-file", "a .py or .zip that goes along (repeat for more)", "FILE", "py_files"),
    Option(("--class",), {"dest": "main_class", "metavar": "NAME", "help": "main class of a .jar"}),
    Option(("--retries",), {"type": count, "metavar": "N", "help": "start it again so often when it fails"}),
)  # fmt: skip
CLOCK: Final = (
    Option(("--timezone",), {"metavar": "ZONE", "help": "for example Europe/Berlin (default: of this machine)"}),
    Option(
        ("--concurrency",),
        {"choices": ("Allow", "Forbid", "Replace"), "help": "what to do when the one before still runs (default: Allow)"},
    ),
    Option(("--keep",), {"type": int, "metavar": "N", "help": "keep so many that succeeded (default: 1)"}),
    Option(("--keep-failed",), {"type": int, "metavar": "N", "help": "keep so many that failed (default: 1)"}),
    Option(("--suspend",), {"action": "store_true", "help": "begin suspended"}),
)  # fmt: skip
IDLE: Final = Option(
    ("--idle",), {"metavar": "TIME", "help": "end it after so long without use, 0 for never (default: 12h)"}
)
_PAIRS: Final = {"conf": "--conf", "env": "--env", "args": "--arg"}
_ALL: Final = (
    *(
        "name",
        "cores",
        "executors",
        "memory",
        "driver_memory",
        "conf",
        "args",
        "env",
        "packages",
        "jars",
        "py_files",
    ),
    *("main_class", "retries", "timezone", "concurrency", "keep", "keep_failed", "suspend", "idle"),
)


def given(args: Any) -> dict[str, Any]:
    """Give the keywords of ``submit``, ``session`` or ``schedule`` that were said. Raises Invalid."""
    found: dict[str, Any] = {}
    for name in _ALL:
        value = getattr(args, name, None)
        if value in (None, [], False):
            continue
        if name in _PAIRS:
            texts = pairs(value, _PAIRS[name])
            value = {key: literal(text) for key, text in texts.items()} if name == "args" else texts
        found[name] = value
    return found


def flags(spec: Mapping[str, Any]) -> list[str]:
    """Give the options that say what the keywords say; the inverse of ``given``."""
    from jupyter_ext.training.snippets import text

    single = {"packages": "--package", "jars": "--jar", "py_files": "--py-file"}
    found: list[str] = []
    for name in _ALL:
        value = spec.get(name)
        if value in (None, [], {}, "", False):
            continue
        if name in _PAIRS:
            found += [f"{_PAIRS[name]}={key}={text(item)}" for key, item in value.items()]
        elif name in single:
            found += [f"{single[name]}={item}" for item in value]
        elif value is True:
            found.append(f"--{name.replace('_', '-')}")
        else:
            found.append(f"--{'class' if name == 'main_class' else name.replace('_', '-')}={value}")
    return found


def grammar(actions: Any, add: Callable[[Any, str], Any]) -> tuple[Any, Any, Any]:
    """Add ``submit``, ``schedule`` and ``session`` to a parser's commands by ``add``, with all that both surfaces take."""
    submit, schedule, session = (add(actions, name) for name in ("submit", "schedule", "session"))
    for parser, own in ((submit, BATCH), (schedule, (*CLOCK, *BATCH)), (session, (*SIZES, IDLE))):
        for option in own:
            parser.add_argument(*option.words, **option.settings)
    for parser in (submit, schedule):
        parser.add_argument("file", metavar="FILE", help="a .py or .jar file")
        parser.add_argument("--function", metavar="NAME", help="call this function of the file")
        _with_command_line(parser)
    schedule.add_argument(
        "--cron", required=True, help='five fields as "0 6 * * 1-5", @daily, or "@every 1h"'
    )
    session.add_argument("name", metavar="NAME", nargs="?", default="spark", help="its name (default: spark)")
    return submit, schedule, session


def _with_command_line(parser: Any) -> None:
    """Let a parser take what stands behind ``--`` as the file's command line, which argparse would look into."""
    usual = parser.parse_known_args

    def parse(words: Any = None, found: Any = None) -> Any:
        words = list(words or ())
        cut = words.index("--") if "--" in words else len(words)
        known, unknown = usual(words[:cut], found)
        known.arguments = words[cut + 1 :]
        return known, unknown

    parser.usage = "%(prog)s [options] FILE [-- ARGUMENT ...]"
    parser.parse_known_args = parse


def program(file: str) -> Path:
    """Give the file to run; raises NotFound and Invalid before anything is loaded."""
    path = Path(file).expanduser()
    if path.suffix not in {".py", ".jar"}:
        hint = "A notebook runs with: jupyter kf run"
        raise Invalid(f"{file} is neither a .py nor a .jar file", where=Where(field="FILE"), hint=hint)
    if not path.is_file():
        raise NotFound(f"there is no file {file}", where=Where(field="FILE"))
    return path.absolute()


def words(args: Any) -> dict[str, Any]:
    """Give the keywords of ``submit`` and ``schedule`` that were said, beside the file."""
    return {**given(args), "function": args.function, "arguments": args.arguments}
