"""IPython's magics: which exist, which run Python code, and what they do beside."""

from __future__ import annotations

import shlex
from typing import Literal, NamedTuple

LINE_MAGICS = frozenset(
    [
        "alias",
        "alias_magic",
        "autoawait",
        "autocall",
        "automagic",
        "bookmark",
        "cat",
        "cd",
        "code_wrap",
        "colors",
        "conda",
        "config",
        "cp",
        "debug",
        "dhist",
        "dirs",
        "doctest_mode",
        "ed",
        "edit",
        "env",
        "gui",
        "hist",
        "history",
        "killbgscripts",
        "ldir",
        "less",
        "lf",
        "lk",
        "ll",
        "load",
        "load_ext",
        "loadpy",
        "logoff",
        "logon",
        "logstart",
        "logstate",
        "logstop",
        "ls",
        "lsmagic",
        "lx",
        "macro",
        "magic",
        "mamba",
        "man",
        "matplotlib",
        "micromamba",
        "mkdir",
        "more",
        "mv",
        "notebook",
        "page",
        "pastebin",
        "pdb",
        "pdef",
        "pdoc",
        "pfile",
        "pinfo",
        "pinfo2",
        "pip",
        "popd",
        "pprint",
        "precision",
        "prun",
        "psearch",
        "psource",
        "pushd",
        "pwd",
        "pycat",
        "pylab",
        "quickref",
        "recall",
        "rehashx",
        "reload_ext",
        "rep",
        "rerun",
        "reset",
        "reset_selective",
        "rm",
        "rmdir",
        "run",
        "save",
        "sc",
        "set_env",
        "store",
        "sx",
        "system",
        "tb",
        "time",
        "timeit",
        "unalias",
        "unload_ext",
        "uv",
        "who",
        "who_ls",
        "whos",
        "xdel",
        "xmode",
        "autoreload",
    ],
)
"""Names that a cell of one line may start with, unmarked, if no variable has the name."""

CODE_LINE_MAGICS = frozenset({"time", "timeit", "prun", "memit", "mprun", "lprun", "snakeviz"})
CODE_CELL_MAGICS = frozenset({"time", "timeit", "capture", "prun", "memit", "heat", "snakeviz"})
"""Magics whose argument, or whose body, is Python code."""

REMOTE_CELL_MAGICS = frozenset({"train", "tune"})
"""Ours whose body is Python that runs elsewhere: with the names of this kernel as they are, and binding none here."""
REMOTE_RESULT = frozenset({"-o", "--result"})
REMOTE_GIVEN = frozenset({"-a", "--arg", "-p", "--param"})
"""Options of those: of a name that is bound here afterwards, and of NAME=VALUE that binds one in the body only."""


def remote_names(argument: str) -> tuple[str | None, tuple[str, ...]]:
    """What the line of such a magic binds: the name here, and the names in the body."""
    try:
        words = shlex.split(argument)
    except ValueError:
        words = argument.split()
    result, given = None, []
    for position, word in enumerate(words):
        option, equals, value = word.partition("=")
        if option not in REMOTE_RESULT | REMOTE_GIVEN:
            continue
        text = value if equals else (words[position + 1] if position + 1 < len(words) else "")
        name = text.partition("=")[0].strip()
        if not name.isidentifier():
            continue
        if option in REMOTE_RESULT:
            result = name
        else:
            given.append(name)
    return result, tuple(given)


SHELL_CELL_MAGICS = frozenset(
    [
        "!",
        "bash",
        "sh",
        "script",
        "perl",
        "ruby",
        "pypy",
        "python",
        "python2",
        "python3",
        "sx",
        "system",
        "cmd",
        "powershell",
        "zsh",
        "fish",
        "node",
        "js_node",
    ],
)
DISPLAY_CELL_MAGICS = frozenset(
    ["HTML", "SVG", "html", "svg", "javascript", "js", "latex", "markdown", "code_wrap", "debug", "mermaid"],
)

Kind = Literal["shell", "file", "env", "cwd", "settings", "unknown", "stdin"]


class MagicEffect(NamedTuple):
    """What a line magic does beside its value."""

    kind: Kind
    mode: Literal["r", "w"]
    detail: str = "*"


_SHELL_READ = MagicEffect("shell", "r")
_SHELL = MagicEffect("shell", "w")
_SETTINGS = MagicEffect("settings", "w", "ipython")

LINE_EFFECTS: dict[str, tuple[MagicEffect, ...]] = {
    **dict.fromkeys(
        ("ls", "ll", "lf", "lk", "lx", "ldir", "cat", "less", "more", "man", "pycat"), (_SHELL_READ,)
    ),
    **dict.fromkeys(("cp", "mv", "rm", "rmdir", "mkdir", "sx", "sc", "system"), (_SHELL,)),
    **dict.fromkeys(("pip", "conda", "mamba", "micromamba", "uv"), (MagicEffect("shell", "w", "packages"),)),
    **dict.fromkeys(("cd", "pushd", "popd"), (MagicEffect("cwd", "w"),)),
    **dict.fromkeys(("pwd", "dirs", "dhist"), (MagicEffect("cwd", "r"),)),
    "set_env": (MagicEffect("env", "w"),),
    "matplotlib": (MagicEffect("settings", "w", "matplotlib"),),
    "pylab": (MagicEffect("settings", "w", "matplotlib"),),
    "precision": (MagicEffect("settings", "w", "numpy"),),
    **dict.fromkeys(
        ("load_ext", "reload_ext", "unload_ext", "autoreload", "config", "colors", "xmode", "pdb", "alias"),
        (_SETTINGS,),
    ),
    **dict.fromkeys(
        ("alias_magic", "unalias", "autocall", "automagic", "pprint", "gui", "rehashx"), (_SETTINGS,)
    ),
    "run": (MagicEffect("unknown", "w", "%run"),),
    "store": (MagicEffect("file", "w", "~/.ipython"),),
    "save": (MagicEffect("file", "w"),),
    "notebook": (MagicEffect("file", "w"),),
    "logstart": (MagicEffect("file", "w"),),
    "debug": (MagicEffect("stdin", "r", "%debug"),),
}

HARMLESS_LINE_MAGICS = frozenset(
    [
        "kf",
        "pipeline",
        "runs",
        "pinfo",
        "pinfo2",
        "pdef",
        "pdoc",
        "pfile",
        "psource",
        "psearch",
        "who",
        "who_ls",
        "whos",
        "lsmagic",
        "magic",
        "quickref",
        "hist",
        "history",
        "page",
        "tb",
        "logstate",
        "logoff",
        "logon",
        "logstop",
        "doctest_mode",
        "autoawait",
        "killbgscripts",
        "recall",
        "rep",
        "bookmark",
        "code_wrap",
        "load",
        "loadpy",
        "pastebin",
        "edit",
        "ed",
        "time",
        "timeit",
        "prun",
    ],
)
"""Line magics without an effect on anything that a later cell sees."""

WILD_LINE_MAGICS = frozenset({"run", "store", "reset", "reset_selective", "macro", "rerun", "xdel", "pylab"})
"""Line magics that may define or remove names which cannot be seen in the code."""

SHELL_READERS = frozenset(
    [
        "ls",
        "cat",
        "head",
        "tail",
        "echo",
        "pwd",
        "wc",
        "which",
        "whoami",
        "date",
        "df",
        "du",
        "free",
        "nvidia-smi",
        "uname",
        "file",
        "find",
        "grep",
        "stat",
        "tree",
        "hostname",
        "env",
        "printenv",
        "lscpu",
        "nproc",
        "uptime",
        "id",
        "type",
    ],
)
"""Shell commands that change nothing, unless their output is redirected."""
