"""Built-in functions, ``exec`` and its like, and what code does to modules."""

from __future__ import annotations

import ast
import importlib
import sys

from jupyter_ext.pipelines import effects
from jupyter_ext.pipelines.flow.definitions import Callee
from jupyter_ext.pipelines.flow.ipython import IPythonCalls
from jupyter_ext.pipelines.flow.machine import Args
from jupyter_ext.pipelines.flow.records import Read
from jupyter_ext.pipelines.flow.values import DELETED, IMMUTABLE, Obj, Val, join, of, part, union
from jupyter_ext.pipelines.knowledge import modules
from jupyter_ext.pipelines.syntax import parse_anew

_NAMESPACES = frozenset({"globals", "locals", "vars", "dir"})
_DYNAMIC = (
    "what it reads and defines cannot be seen, so the step waits for all steps above and all below for it"
)


class BuiltinCalls(IPythonCalls):
    """Calls that are part of the language."""

    def special_call(self, node: ast.Call) -> Val | None:
        """Calls that are recognised by how they are written; None for all others."""
        function = node.func
        if isinstance(function, ast.Attribute):
            value = function.value
            if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
                if value.func.id == "get_ipython" and self._is_builtin("get_ipython"):
                    return self.ipython_call(function.attr, node)
                if value.func.id == "super" and not value.args:
                    return self._super(function.attr, node)
            return None
        if not isinstance(function, ast.Name):
            return None
        name = function.id
        if name in _NAMESPACES and self._is_builtin(name):
            return self._namespace(name, node)
        if name in {"exec", "eval"} and self._is_builtin(name):
            return self._dynamic(name, node)
        return None

    def _is_builtin(self, name: str) -> bool:
        return self.global_value(name) is None and self.scope.find(name)[0] is None

    def _namespace(self, name: str, node: ast.Call) -> Val:
        """``globals()`` and its like: harmless with an argument, or inside a function, where they are local."""
        for item in node.args:
            self.evaluate(item)
        if node.args or (name != "globals" and self.frame.number):
            return self.fresh("builtins.dict", [part(self.evaluate(item)) for item in node.args])
        if name != "dir":
            self.warn(
                node,
                "dynamic-code",
                f"{name}() gives all names: {_DYNAMIC}",
                "Use the names themselves, or a dictionary of your own.",
            )
            self.go_wild()
            self.effect(node, "unknown", "w", f"{name}()")
        elif not self.frame.number:
            self.go_wild(writes=False)
        return self.fresh()

    def _dynamic(self, name: str, node: ast.Call) -> Val:
        """``exec`` and ``eval``: followed where the code is a literal and runs in this namespace."""
        values = [self.evaluate(item) for item in node.args]
        self.warn(
            node,
            "dynamic-code",
            f"{name}() runs code that is not in the notebook: {_DYNAMIC}",
            "Write the code out.",
        )
        text = values[0].text if values else None
        parsed = parse_anew(text.strip()) if text is not None else None
        if parsed is None or parsed.fault or len(node.args) > 1 or node.keywords:
            if len(node.args) == 1 or not values:
                self.go_wild()
            self.effect(node, "unknown", "w", f"{name}()")
            return self.fresh()
        for statement in parsed.tree.body:
            for item in ast.walk(statement):
                if hasattr(item, "lineno"):
                    ast.copy_location(item, node)
        if name == "exec":
            self.run_inline(parsed.tree.body)
            return IMMUTABLE
        first = parsed.tree.body[0] if parsed.tree.body else None
        return self.evaluate(first.value) if isinstance(first, ast.Expr) else self.fresh()

    def _super(self, name: str, node: ast.Call) -> Val:
        """``super().method(…)``: of a library's base as a rule, which is given the object itself."""
        for item in (*node.args, *(keyword.value for keyword in node.keywords)):
            value = self.evaluate(item.value if isinstance(item, ast.Starred) else item)
            own = self._self()
            if own is not None and name == "__init__":
                self.link(own, value)
        own = self._self()
        if own is None:
            return self.fresh()
        for obj in own.objs:
            klass = obj.instance
            found = None
            for base in klass.bases if klass else ():
                for parent in base.objs:
                    found = found or (parent.klass.find(name) if parent.klass else None)
            for method in found.objs if found is not None else ():
                if method.function is not None:
                    args = self._arguments(node)
                    return self.apply(Callee(method.function.function, own), args, node)
        if not name.startswith("__"):
            self.mark(own, certain=False)
        return self.fresh()

    def _self(self) -> Val | None:
        """The object that the method being followed belongs to."""
        scope = self.frame.root
        for value in scope.vars.values():
            return value if any(obj.instance for obj in value.objs) else None
        return None

    # Functions of the language

    def call_builtin(self, api: str, args: Args, node: ast.AST) -> Val | None:
        """Call a built-in function, or one of the standard library that works as one; None if it is neither."""
        if api.startswith("builtins."):
            return self._call_builtin(api[9:], args, node)
        if api == "functools.partial" and args.positional:
            return self._partial(args)
        if api in {"copy.copy", "copy.deepcopy", "sklearn.base.clone", "sklearn.clone"} and args.positional:
            return self._copied(args.positional[0], deep=api != "copy.copy")
        if api in {"importlib.import_module", "importlib.reload"}:
            return self._import_module(api, args, node)
        if api == "os.path.join":
            return self.joined_path(args)
        if api in {"collections.defaultdict", "collections.OrderedDict", "collections.deque"}:
            values = [part(value) for value in args.positional]
            return self.fresh("builtins.dict", [*values, *args.keywords.values()])
        return None

    def _call_builtin(self, name: str, args: Args, node: ast.AST) -> Val | None:
        if name in modules.CONTAINERS:
            return self._container(name, args, node)
        if name == "open":
            for effect in effects.of_call("builtins.open", args):
                self.note_effect(effect, node)
            return self.fresh("io.TextIOWrapper")
        if name in {"input", "breakpoint"}:
            return self._asks(name, node)
        if name == "getattr":
            return self._getattr(args, node)
        if name in {"setattr", "delattr"}:
            return self._setattr(args, node)
        if name in {"__import__", "compile"}:
            self.effect(node, "unknown", "w", f"{name}()")
            return self.fresh()
        if name in {"min", "max", "sum", "next", "iter", "reversed"}:
            return self._element_of(name, args, node)
        if name in {"object", "type", "super", "bytearray", "memoryview"}:
            return self.fresh(None, args.all())
        self.call_passed(args, node, IMMUTABLE)
        # All other built-in functions leave their arguments alone and give numbers and texts.
        return Val(const=_converted(name, args))

    def _container(self, name: str, args: Args, node: ast.AST) -> Val:
        if name in {"map", "filter", "sorted"}:
            return self._mapping(name, args, node)
        parts = [part(value) for value in args.positional]
        closed = all(obj.closed for value in args.all() for obj, _ in value.each())
        if name in {"enumerate", "zip"}:
            counted = [IMMUTABLE, *parts[:1]] if name == "enumerate" else parts
            return self.fresh("builtins.list", (self.tuple_of(counted),), closed=True)
        if name == "dict":
            parts = [join(value, part(value)) for value in parts]
        return self.fresh(f"builtins.{name}", [*parts, *args.keywords.values()], closed=closed)

    def _mapping(self, name: str, args: Args, node: ast.AST) -> Val:
        """``map``, ``filter``, ``sorted``: functions called with elements."""
        key = args.keywords.get("key") if name == "sorted" else args.get(0)
        sources = args.positional if name == "sorted" else args.positional[1:]
        elements = [part(value) for value in sources]
        result = union(elements)
        if key is not None and (key.api or key.objs or key.maybe):
            called = self.call_value(key, Args(elements), node)
            result = called if name == "map" else result
        return self.fresh("builtins.list", (result,), closed=True)

    def _element_of(self, name: str, args: Args, node: ast.AST) -> Val:
        key = args.keywords.get("key")
        elements = union(part(value) for value in args.positional)
        if key is not None and (key.api or key.objs):
            self.call_value(key, Args([elements]), node)
        if name == "next":
            for value in args.positional[:1]:
                self.mark(value)
        if name == "sum":
            return self.fresh(None, (elements,)) if elements.objs or elements.maybe else IMMUTABLE
        if name in {"iter", "reversed"}:
            return self.fresh("builtins.generator", (elements,), closed=True)
        if name in {"min", "max"} and len(args.positional) > 1:
            return union(args.positional)
        return elements

    def _asks(self, name: str, node: ast.AST) -> Val:
        self.effect(node, "stdin", "r", f"{name}()")
        self.warn(
            node,
            "stdin",
            f"{name}() waits for somebody to type, and in a run nobody is there",
            "Make it a parameter of the notebook.",
        )
        return IMMUTABLE

    def _getattr(self, args: Args, node: ast.AST) -> Val:
        base, name = args.get(0), args.const(1)
        if base is None:
            return self.fresh()
        if isinstance(name, str) and name.isidentifier():
            located = ast.copy_location(ast.Name("getattr", ast.Load()), node)
            value = self.attribute(base, name, located)
        else:
            value = join(self.fresh(), part(base)) if base.api is None else self.fresh()
        default = args.get(2)
        return join(value, default) if default is not None else value

    def _setattr(self, args: Args, node: ast.AST) -> Val:
        base = args.get(0)
        if base is not None:
            if base.api is not None:
                self.effect(node, "settings", "w", base.api)
            name = args.const(1)
            self.mark(base, opened=not isinstance(name, str))
            for value in args.positional[2:]:
                self.link(base, value, name if isinstance(name, str) else None)
        return IMMUTABLE

    def _partial(self, args: Args) -> Val:
        function, *rest = args.positional
        given = Args(rest, args.keywords, args.star)
        objs = set()
        for obj in function.objs:
            if obj.function is not None:
                made = Obj("builtins.function", owner=self.frame.number, closed=True)
                callee = obj.function
                made.function = Callee(callee.function, callee.bound, given, callee.closed_over)
                made.callables = True
                objs.add(made)
                for value in given.all():
                    self.link(of(made), value)
        if objs:
            return Val(frozenset(objs))
        return Val(self.fresh(None, args.all()).objs, api=function.api)

    def _copied(self, value: Val, *, deep: bool) -> Val:
        if not value.objs and not value.maybe:
            return value
        kinds = {obj.type for obj, _ in value.each()}
        instances = {obj.instance for obj, _ in value.each()}
        closed = all(obj.closed for obj, _ in value.each())
        copy = self.fresh(kinds.pop() if len(kinds) == 1 else None, closed=closed and not deep)
        for obj in copy.objs:
            obj.instance = instances.pop() if len(instances) == 1 else None
            obj.callables = any(item.callables for item, _ in value.each())
            obj.random = next((item.random for item, _ in value.each() if item.random), "")
        if not deep:
            self.link(copy, part(value))
        return copy

    # Modules

    def _import_module(self, api: str, args: Args, node: ast.AST) -> Val:
        name = args.const(0, "name")
        if api.endswith("reload") or not isinstance(name, str):
            self.effect(node, "unknown", "w", f"{api}()")
            return self.fresh()
        self.imported(name, node, static=False)
        return Val(api=name)

    def imported(self, module: str, node: ast.AST, *, static: bool = True) -> None:
        """Note an import; a module that nobody knows may be a file which another step writes."""
        at_top = static and not self.frame.number and not self.cond and self.scope.parent is None
        if at_top and not module.startswith("."):
            self.record.imports.append((module, getattr(node, "lineno", 1)))
        top = module.partition(".")[0]
        if not top or modules.category(top) == "unknown":
            path = module.lstrip(".").partition(".")[0]
            self.effect(node, "file", "r", f"{path}.py")

    def import_star(self, module: str, node: ast.AST) -> None:
        """``from module import *``: of the standard library the names are known, of others not."""
        names = _public_names(module)
        if names is not None:
            for name in names:
                self.bind(name, Val(api=f"{module}.{name}"))
            return
        self.warn(
            node,
            "star-import",
            f"'from {module} import *' defines names that cannot be seen here",
            f"Import what is used by name, for example 'from {module} import name'.",
        )
        self.go_wild(reads=False)
        self.star_modules.append(module)

    def api_attribute(self, api: str, node: ast.expr) -> Val:
        """An attribute of a module."""
        effect = effects.of_attribute(api)
        if effect is not None:
            self.note_effect(effect, node)
        const = effects.constant(api)
        return Val(api=api, const=const) if const is not None else Val(api=api)

    def api_item(self, api: str, index: ast.expr, node: ast.expr) -> Val:
        """An element of something in a module."""
        key = index.value if isinstance(index, ast.Constant) else None
        effect = effects.of_item(api, key, "r")
        if effect is not None:
            self.note_effect(effect, node)
            return IMMUTABLE
        return Val(api=api) if modules.is_class(api) or api.startswith("typing.") else self.fresh()

    def set_api(self, api: str, node: ast.AST) -> None:
        """An attribute of a module is set: a setting, or a patch, which every later step sees."""
        self.effect(node, "settings", "w", effects.setting(api))

    def set_api_item(self, api: str, index: ast.expr, node: ast.AST) -> None:
        """An element of something in a module is set."""
        key = index.value if isinstance(index, ast.Constant) else None
        effect = effects.of_item(api, key, "w")
        if effect is not None:
            self.note_effect(effect, node)
        else:
            self.effect(node, "settings", "w", effects.setting(api))

    # Where the subclasses know more

    def _arguments(self, node: ast.Call) -> Args:
        raise NotImplementedError

    def call_passed(self, args: Args, node: ast.AST, receiver: Val) -> None:
        """Functions that are handed over."""
        raise NotImplementedError

    def call_value(self, callee: Val, args: Args, node: ast.AST) -> Val:
        """Call whatever the value is."""
        raise NotImplementedError

    def note_effect(self, effect: effects.Seen, node: ast.AST) -> None:
        """Note an effect that the tables tell of."""
        raise NotImplementedError

    def text_method(self, text: str, name: str, args: Args) -> Val:
        """A method of a text that is known, as paths are put together."""
        given = [value.const for value in args.positional]
        try:
            if name in {"strip", "upper", "lower"} and not given:
                return Val(const=getattr(text, name)())
            plain = (
                not args.keywords and args.star is None and all(isinstance(item, str | int) for item in given)
            )
            if name in {"format", "replace"} and plain:
                return Val(const=getattr(text, name)(*given))
        except (IndexError, KeyError, ValueError, TypeError):
            return IMMUTABLE
        return IMMUTABLE

    def joined_path(self, args: Args) -> Val:
        """``os.path.join`` of known texts."""
        import posixpath

        texts = [value.text for value in args.positional]
        known = [text for text in texts if text is not None]
        return Val(const=posixpath.join(*known)) if known and len(known) == len(texts) else IMMUTABLE


def _converted(name: str, args: Args) -> object:
    const = args.const(0)
    if name == "str" and isinstance(const, str | int):
        return str(const)
    if name == "int" and isinstance(const, int):
        return int(const)
    return IMMUTABLE.const


def _public_names(module: str) -> list[str] | None:
    """What ``import *`` of a standard module defines; None for modules that should not be imported here."""
    top = module.partition(".")[0]
    if top not in sys.stdlib_module_names or top in {"antigravity", "this", "idlelib", "turtle", "tkinter"}:
        return None
    try:
        loaded = importlib.import_module(module)
    except Exception:
        return None
    names = getattr(loaded, "__all__", None) or [name for name in vars(loaded) if not name.startswith("_")]
    return [str(name) for name in names]


__all__ = ["DELETED", "BuiltinCalls", "Read"]
