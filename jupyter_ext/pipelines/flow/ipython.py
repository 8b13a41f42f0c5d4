"""What magics, shell lines and the rest of IPython's syntax do to names and to the world."""

from __future__ import annotations

import ast
import re

from jupyter_ext.pipelines.flow.expressions import Expressions
from jupyter_ext.pipelines.flow.values import IMMUTABLE, Val
from jupyter_ext.pipelines.knowledge import magics
from jupyter_ext.pipelines.syntax import parse_anew

_BRACES = re.compile(r"(?<!\{)\{([^{}]+)\}(?!\})")
_DOLLAR = re.compile(r"(?<![\\$])\$\{?([A-Za-z_]\w*)")
_REDIRECT = re.compile(r"(?<![0-9&])>{1,2}|\btee\b|&&|;|\|")


class IPythonCalls(Expressions):
    """Follows ``get_ipython().…``, which is what IPython's own syntax means."""

    def __init__(self) -> None:
        super().__init__()
        self.star_modules: list[str] = []

    def ipython_call(self, method: str, node: ast.Call) -> Val:
        """A method of the running shell."""
        texts = [item.value if isinstance(item, ast.Constant) else "" for item in node.args]
        arguments = [text if isinstance(text, str) else "" for text in texts]
        if method in {"system", "getoutput", "getoutput_", "system_raw", "system_piped"}:
            self.shell(arguments[0] if arguments else "", node)
            return self.fresh("builtins.list") if method == "getoutput" else IMMUTABLE
        if method == "run_line_magic" and arguments:
            return self.line_magic(arguments[0], arguments[1] if len(arguments) > 1 else "", node)
        if method == "run_cell_magic" and len(arguments) > 2:
            return self._cell_magic(arguments[0], arguments[1], arguments[2], node)
        if method in {"magic", "run_cell", "ex", "ev", "push", "user_ns", "user_global_ns"}:
            self.go_wild()
            self.effect(node, "unknown", "w", f"get_ipython().{method}()")
        else:
            self.effect(node, "settings", "w", "ipython")
        return self.fresh()

    def shell(self, command: str, node: ast.AST) -> None:
        """A shell line: it reads the variables that it names, and may touch any file."""
        self._interpolated(command, node)
        program = command.strip().split(" ", 1)[0]
        packages = re.match(r"^\s*(?:python\S* -m )?(?:pip\d*|conda|mamba|uv)\b", command)
        if packages:
            self.effect(node, "shell", "w", "packages")
        elif program in magics.SHELL_READERS and not _REDIRECT.search(command):
            self.effect(node, "shell", "r", command.strip())
        else:
            self.effect(node, "shell", "w", command.strip() or "*")

    def _interpolated(self, text: str, node: ast.AST) -> None:
        """``{expression}`` and ``$name`` in a magic's text are replaced by values, if there are such names."""
        self.cond += 1
        for match in _BRACES.finditer(text):
            parsed = parse_anew(match.group(1).strip())
            for statement in parsed.tree.body:
                if isinstance(statement, ast.Expr) and self._all_known(statement.value):
                    self.evaluate(_relocated(statement.value, node))
        for match in _DOLLAR.finditer(text):
            name = match.group(1)
            if self.global_value(name) is not None:
                self.lookup(name, node)
        self.cond -= 1

    def _all_known(self, node: ast.expr) -> bool:
        names = [item.id for item in ast.walk(node) if isinstance(item, ast.Name)]
        return bool(names) and all(self.global_value(name) is not None for name in names)

    def line_magic(self, name: str, argument: str, node: ast.AST) -> Val:
        """``%name argument``."""
        if name in magics.CODE_LINE_MAGICS:
            self._code(argument, node)
            return self.fresh()
        self._interpolated(argument, node)
        if name == "env" or (name == "set_env" and argument):
            self._env(argument, node)
            return IMMUTABLE
        if name == "matplotlib" and argument.strip() in {"inline", ""}:
            return IMMUTABLE
        if name in {"pinfo", "pinfo2"}:
            return IMMUTABLE
        if name in magics.WILD_LINE_MAGICS:
            self._wild_magic(name, argument, node)
        known = magics.LINE_EFFECTS.get(name)
        if known is not None:
            for effect in known:
                self.effect(node, *effect)
        elif name == "capture":
            return self.fresh()
        elif name not in magics.HARMLESS_LINE_MAGICS:
            self.effect(node, "unknown", "w", f"%{name}")
            self.go_wild()
        return self.fresh()

    def _wild_magic(self, name: str, argument: str, node: ast.AST) -> None:
        if name == "store" and "-r" not in argument:
            return
        self.warn(
            node,
            "dynamic-code",
            f"%{name} may define or remove names that cannot be seen here",
            "Write what is needed into the notebook.",
        )
        self.go_wild()

    def _env(self, argument: str, node: ast.AST) -> None:
        name = re.split(r"[=\s]", argument.strip(), maxsplit=1)
        if len(name) > 1:
            self.effect(node, "env", "w", name[0])
        else:
            self.effect(node, "env", "r", name[0] or "*")

    def _code(self, text: str, node: ast.AST) -> None:
        parsed = parse_anew(text)
        for statement in parsed.tree.body:
            for item in ast.walk(statement):
                if hasattr(item, "lineno"):
                    ast.copy_location(item, node)
        self.run_inline(parsed.tree.body)

    def _cell_magic(self, name: str, argument: str, body: str, node: ast.AST) -> Val:
        """``%%name argument`` with a body that is no Python of this kernel."""
        if name in {"writefile", "file"}:
            words = [word for word in argument.split() if not word.startswith("-")]
            self._interpolated(argument, node)
            self.effect(node, "file", "w", words[0].strip("\"'") if words else "*")
        elif name in magics.SHELL_CELL_MAGICS:
            self._interpolated(argument, node)
            self._script(argument, body, node)
        elif name == "capture":
            return self.fresh()
        elif name not in magics.DISPLAY_CELL_MAGICS:
            self.effect(node, "unknown", "w", f"%%{name}")
            self.warn(
                node,
                "unknown-magic",
                f"%%{name} is a magic that is not known here: its step waits for all steps above",
                "Nothing needs to be done if its extension is loaded.",
                "info",
            )
            self.go_wild()
        return self.fresh()

    def _script(self, argument: str, body: str, node: ast.AST) -> None:
        lines = [line.strip() for line in body.split("\n")]
        lines = [line for line in lines if line and not line.startswith("#")]
        harmless = all(
            line.split(" ", 1)[0] in magics.SHELL_READERS and not _REDIRECT.search(line) for line in lines
        )
        self.effect(node, "shell", "r" if harmless and lines else "w", "*")
        # --out NAME and --err NAME bind what the script printed.
        for name in re.findall(r"--(?:out|err|proc)[= ](\w+)", argument):
            self.bind(name, IMMUTABLE)

    def run_inline(self, statements: list[ast.stmt]) -> None:
        """Follow statements that a magic or ``exec`` runs here."""
        raise NotImplementedError


def _relocated(node: ast.expr, place: ast.AST) -> ast.expr:
    for item in ast.walk(node):
        if hasattr(item, "lineno"):
            ast.copy_location(item, place)
    return node
