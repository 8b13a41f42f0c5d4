"""Calls: of the notebook's own functions and classes, of known libraries, and of what nobody knows."""

from __future__ import annotations

import ast
import re

from jupyter_ext.pipelines import effects
from jupyter_ext.pipelines.flow.builtin_calls import BuiltinCalls
from jupyter_ext.pipelines.flow.definitions import Callee, Class
from jupyter_ext.pipelines.flow.machine import Args
from jupyter_ext.pipelines.flow.values import (
    IMMUTABLE,
    NOTHING,
    Obj,
    Val,
    contains_callables,
    join,
    of,
    package,
    part,
    reach,
    union,
)
from jupyter_ext.pipelines.knowledge import methods, modules
from jupyter_ext.pipelines.knowledge.versions import copies_on_write

_CHANGED_INSIDE = frozenset({"builtins", "pandas", "numpy", "polars", "pyarrow", "scipy"})


class Calls(BuiltinCalls):
    """Decides what a call does."""

    def call(self, node: ast.Call) -> Val:
        """The value of a call."""
        special = self.special_call(node)
        if special is not None:
            return special
        function = node.func
        if isinstance(function, ast.Attribute):
            base = self.evaluate_base(function.value)
            args = self._arguments(node)
            return self._call_attribute(base, function.attr, args, node)
        callee = (
            self.lookup(function.id, function) if isinstance(function, ast.Name) else self.evaluate(function)
        )
        return self.call_value(callee, self._arguments(node), node)

    def _arguments(self, node: ast.Call) -> Args:
        args = Args()
        for item in node.args:
            if isinstance(item, ast.Starred):
                spread = self.evaluate(item.value)
                args.star = spread if args.star is None else join(args.star, spread)
            elif args.star is not None:
                # A position behind a spread one is not known.
                args.star = join(args.star, self.fresh("builtins.tuple", (self.evaluate(item),), closed=True))
            else:
                args.positional.append(self.evaluate(item))
        for keyword in node.keywords:
            value = self.evaluate(keyword.value)
            if keyword.arg is not None:
                args.keywords[keyword.arg] = value
            else:
                args.star = value if args.star is None else join(args.star, value)
        return args

    def call_value(self, callee: Val, args: Args, node: ast.AST) -> Val:
        """Call whatever the value is."""
        found: list[Val] = []
        if callee.api is not None:
            found.append(self.call_api(callee.api, args, node))
        several = len(callee.objs) + len(callee.maybe) > 1
        for obj, sure in callee.each():
            if obj.function is not None:
                found.append(self.apply(obj.function, args, node, certain=sure and not several))
            elif obj.klass is not None:
                found.append(self._construct(obj, obj.klass, args, node))
            else:
                found.append(self._call_object(obj, args, node))
        if not found:
            found.append(self.call_unknown(args, node, _written(node)))
        return union(found)

    # The notebook's own classes

    def _construct(self, source: Obj, klass: Class, args: Args, node: ast.AST) -> Val:
        obj = Obj(None, owner=self.frame.number)
        obj.instance = klass
        obj.callables = True
        value = of(obj)
        origin = klass.origin()
        if origin:
            obj.type = origin
            obj.random = effects.draws_by_itself(origin, args)
        self.link(value, Val(frozenset(_changeable_members(klass))))
        initialiser = klass.find("__init__")
        called = False
        for item in initialiser.objs if initialiser is not None else ():
            if item.function is not None:
                self.apply(Callee(item.function.function, value, None, item.function.closed_over), args, node)
                called = True
        if not called:
            for part in args.all():
                self.link(value, part)
            self.implicit(obj, ("__post_init__",), node)
        self.implicit(obj, ("__new__",), node)
        del source
        return value

    def _call_object(self, obj: Obj, args: Args, node: ast.AST) -> Val:
        """Call an object that is no function: an instance, a model, something unknown."""
        if obj.instance is not None:
            names = ("__call__", "forward", "call")
            for name in names:
                member = self.member(obj, name, node)
                if member is not None:
                    self._draw(obj, node)
                    return self.call_value(member, args, node)
        return self._call_method_of(of(obj), "__call__", args, node)

    # Attributes of values

    def _call_attribute(self, base: Val, name: str, args: Args, node: ast.Call) -> Val:
        found: list[Val] = []
        if base.api is not None:
            found.append(self.call_api(f"{base.api}.{name}", args, node))
        rest: list[tuple[Obj, bool]] = []
        for obj, sure in base.each():
            member = self.member(obj, name, node)
            if member is None:
                rest.append((obj, sure))
            else:
                found.append(self.call_value(member, args, node))
        if rest:
            kept = Val(
                frozenset(obj for obj, sure in rest if sure),
                frozenset(obj for obj, sure in rest if not sure),
                const=base.const,
            )
            found.append(self._call_method_of(kept, name, args, node))
        elif not found:
            found.append(self._call_text_method(base, name, args, node))
        return union(found)

    def _call_text_method(self, base: Val, name: str, args: Args, node: ast.AST) -> Val:
        """A method of a number or text: it changes nothing, and calls nothing but what it is given."""
        self.call_passed(args, node, base)
        if name in {"format", "join", "replace", "strip", "upper", "lower"} and base.text is not None:
            return self.text_method(base.text, name, args)
        if name in {"split", "rsplit", "splitlines", "partition", "rpartition"}:
            return self.fresh("builtins.list", closed=True)
        return IMMUTABLE

    def _call_method_of(self, base: Val, name: str, args: Args, node: ast.AST) -> Val:
        """A method of objects that are not the notebook's own."""
        kind, family = _kind_of(base)
        for effect in effects.of_method(kind or "", name, args, base):
            self.note_effect(effect, node)
        self._draw_for_method(base, family, name, args, node)
        if name in {"query", "eval"}:
            self._names_in_text(args, node)
        self.call_passed(args, node, base)
        self._own_methods(base, node)
        changed = self._change_by_method(base, kind, family, name, args)
        self._change_arguments(args, family, name)
        known = modules.category(kind or "") != "unknown" if kind else False
        if not changed and not known and name not in methods.UNCHANGING and not self._all_frozen(base):
            return self._call_unknown_method(base, name, args, node)
        return self._method_result(base, kind, family, name, args)

    def _names_in_text(self, args: Args, node: ast.AST) -> None:
        """``df.query("a > @low")`` reads a name."""
        text = args.const(0, "expr")
        for name in re.findall(r"@([A-Za-z_]\w*)", text) if isinstance(text, str) else ():
            self.lookup(name, node)

    @staticmethod
    def _all_frozen(base: Val) -> bool:
        return all(obj.frozen for obj, _ in base.each())

    def _change_by_method(self, base: Val, kind: str | None, family: str, name: str, args: Args) -> bool:
        """Change the objects if the method does; also what it puts into them."""
        in_place = args.const(-1, "inplace")
        changes = methods.changes(family, name)
        if family == "builtins" and kind == "builtins.generator":
            changes = True
        if in_place is True or (in_place is NOTHING and "inplace" in args.keywords):
            changes = True
        if family in modules.STATEFUL and not changes:
            changes = name not in methods.UNCHANGING and not name.startswith(("is_", "get_", "has_", "to_"))
            if changes:
                self.mark(base, certain=False, opened=True)
                return True
        if not changes:
            return False
        if name in methods.TAKES_ELEMENT and (not family or family == "builtins"):
            for value in args.all():
                if name in {"extend", "update", "extendleft"}:
                    self.link(base, join(part(value), part(part(value))))
                self.link(base, value if name not in {"extend", "extendleft"} else IMMUTABLE)
            self.mark(base)
            return True
        self.mark(base)
        if name in methods.MODEL_CHANGES:
            self._change_inside(base)
        return True

    def _change_inside(self, base: Val) -> None:
        """A model that learns changes the models inside it, but not the data that it was given."""
        for obj, sure in reach(part(base)).items():
            plain = obj.function or obj.klass or package(obj.type) in _CHANGED_INSIDE
            if (not plain or obj.type in effects.GENERATORS) and obj not in base.objs:
                self.mark(of(obj), certain=sure)

    def _change_arguments(self, args: Args, family: str, name: str) -> None:
        out = args.keywords.get("out")
        if out is not None:
            self.mark(out)
        copies = args.keywords.get("copy")
        if copies is not None and copies.const is False:
            for value in args.all():
                self.mark(value, certain=False)
        if name == "shuffle" and family in {"numpy", "random"}:
            for value in args.positional[:1]:
                self.mark(value)

    def _method_result(self, base: Val, kind: str | None, family: str, name: str, args: Args) -> Val:
        if name in methods.RETURNS_SELF and not (family == "pandas" and name != "__enter__"):
            return base
        if name in methods.GIVES_ELEMENT and family in {"", "builtins"}:
            default = args.get(1, "default")
            element = part(base)
            return join(element, default) if default is not None else element
        if family == "builtins" and kind == "builtins.dict" and name == "items":
            pair = self.tuple_of((IMMUTABLE, part(base)))
            return self.fresh("builtins.list", (pair,), closed=True)
        if name in methods.SHOWS_ITSELF and not (family == "pandas" and name in {"get", "items", "to_frame"}):
            if family == "builtins":
                return self.fresh("builtins.list", (part(base),), closed=True)
            return part(base)
        if kind is not None and effects.gives_immutable(kind, name):
            return IMMUTABLE
        if family == "builtins" and name in {"copy", "union", "difference", "intersection"}:
            return self.fresh(kind, [part(base), *(part(value) for value in args.all())], closed=True)
        result = self.fresh(_result_type(kind, family, name))
        callables = [value for value in (base, *args.all()) if contains_callables(value)]
        for value in callables:
            self.link(result, value)
        if not family:
            self.link(result, part(base).weak())
        return result

    def _call_unknown_method(self, base: Val, name: str, args: Args, node: ast.AST) -> Val:
        """A method of nobody knows what: it may change its object and what it is given."""
        self.mark(base, certain=False, opened=True)
        self._change_all(args)
        self.effect(node, "unknown", "w", _written(node) if name == "__call__" else f".{name}()")
        result = self.fresh(None, [part(base).weak(), *(value.weak() for value in args.all())])
        return join(result, part(base).weak())

    def _change_all(self, args: Args) -> None:
        """Whatever is passed to code that nobody knows may be changed by it, to the innermost part."""
        for value in args.all():
            for obj in reach(value):
                if not obj.frozen and obj.function is None and obj.klass is None:
                    self.mark(of(obj), certain=False, opened=True)

    def _own_methods(self, base: Val, node: ast.AST) -> None:
        """A library's method of an instance of a notebook class may call any of the class's own methods."""
        for obj, _ in base.each():
            if obj.instance is None or obj.instance.origin() is None:
                continue
            for method in tuple(obj.instance.functions()):
                assert method.function is not None
                function = method.function.function
                if function.name != "__init__" and function.kind not in {"staticmethod", "classmethod"}:
                    callee = Callee(function, of(obj), None, method.function.closed_over)
                    self.apply(callee, Args(star=self.fresh()), node, certain=False)

    # Libraries

    def call_api(self, api: str, args: Args, node: ast.AST) -> Val:
        """Call a function or class of a library, or a built-in one."""
        handled = self.call_builtin(api, args, node)
        if handled is not None:
            return handled
        kind = modules.category(api)
        if kind == "unknown":
            return self._call_foreign(api, args, node)
        for effect in effects.of_call(api, args):
            self.note_effect(effect, node)
        self._draw_for_call(api, args, node)
        self.call_passed(args, node, IMMUTABLE)
        for which in modules.CHANGES.get(api, ()):
            value = args.get(which) if isinstance(which, int) else args.keywords.get(which)
            if value is not None:
                self.mark(value)
        self._change_arguments(args, "", "")
        if kind == "stateful" and methods.in_place_name(api.rsplit(".", 1)[-1]):
            for value in args.positional[:1]:
                self.mark(value)
        return self._api_result(api, kind, args)

    def _api_result(self, api: str, kind: str, args: Args) -> Val:
        if modules.gives_immutable(api):
            return IMMUTABLE
        values = args.all()
        result_type = effects.type_of(api)
        if api in modules.VIEWS and not (api.startswith("pandas.") and copies_on_write()):
            shown = [part(value) if value.objs or value.maybe else value for value in values]
            return join(self.fresh(result_type, shown), union(values).weak())
        holds = (
            (modules.is_class(api) and not api.startswith("pandas."))
            or kind == "stateful"
            or result_type == "sklearn"
        )
        if not holds:
            values = [value for value in values if contains_callables(value)]
        result = self.fresh(result_type, values)
        for obj in result.objs:
            obj.random = effects.draws_by_itself(api, args)
            obj.frozen = effects.is_frozen(result_type)
            if obj.frozen:
                text = effects.path_text(api, args)
                return Val(result.objs, const=text) if text is not None else result
        return result

    def _call_foreign(self, api: str, args: Args, node: ast.AST) -> Val:
        """A function of a library, or of a file beside the notebook, that is not known."""
        self.call_passed(args, node, IMMUTABLE)
        self._change_all(args)
        self.effect(node, "unknown", "w", f"{api}()")
        values = [value.weak() for value in args.all()]
        result = self.fresh(api if modules.is_class(api) else package(api), values)
        return result if modules.is_class(api) else join(result, union(values))

    def call_unknown(self, args: Args, node: ast.AST, what: str) -> Val:
        """Call something of which nothing is known."""
        self.call_passed(args, node, IMMUTABLE)
        self._change_all(args)
        self.effect(node, "unknown", "w", what or "*")
        values = [value.weak() for value in args.all()]
        return join(self.fresh(None, values), union(values))

    def call_passed(self, args: Args, node: ast.AST, receiver: Val) -> None:
        """A function that is handed over is perhaps called, with whatever else was handed over."""
        values = args.all()
        functions = [
            (obj, value) for value in values for obj in value.objs | value.maybe if obj.function or obj.klass
        ]
        if not functions:
            return
        for obj, own in functions:
            if obj.function is None:
                continue
            others = [part(value) for value in (receiver, *values) if value is not own]
            given = union([*others, self.fresh()])
            self.apply(obj.function, Args(star=Val(given.objs, given.maybe)), node, certain=False)

    # Random numbers

    def _draw(self, obj: Obj, node: ast.AST) -> None:
        generator = obj.random or (package(obj.type) if package(obj.type) in modules.STATEFUL else "")
        if generator:
            self.draw(node, generator)

    def _draw_for_method(self, base: Val, family: str, name: str, args: Args, node: ast.AST) -> None:
        if name in effects.LEARNS or name == "split":
            for obj in reach(base):
                if obj.random:
                    self.draw(node, obj.random)
                elif name in effects.LEARNS and obj.type is None and obj in base.objs and not obj.instance:
                    self.draw(node, "numpy")
        if family in modules.STATEFUL and name not in methods.UNCHANGING:
            self.draw(node, effects.generator_of(family))
        if name == "sample" and family in {"pandas", ""} and not effects.is_seeded(args):
            self.draw(node, "numpy")
        for value in args.all():
            for obj, sure in value.each():
                if obj.type in effects.GENERATORS:
                    self.mark(of(obj), certain=sure)
                elif obj.random and family in {"sklearn", "imblearn"}:
                    self.draw(node, obj.random)

    def _draw_for_call(self, api: str, args: Args, node: ast.AST) -> None:
        generator = effects.draws(api, args)
        if generator == "seed":
            self.seed(node, effects.generator_of(package(api)))
        elif generator:
            self.draw(node, generator)
        if package(api) in {"sklearn", "imblearn"} and not modules.is_class(api):
            for value in args.all():
                for obj in reach(value):
                    if obj.random:
                        self.draw(node, obj.random)
        for value in args.all():
            for obj, sure in value.each():
                if obj.type in effects.GENERATORS and not modules.is_class(api):
                    self.mark(of(obj), certain=sure)

    def draw(self, node: ast.AST, generator: str) -> None:
        """Note that random numbers are drawn: the generator's state is needed, and changed."""
        self.effect(node, "rng", "r", generator)
        self.effect(node, "rng", "w", generator)

    def note_effect(self, effect: effects.Seen, node: ast.AST) -> None:
        """Note an effect that the tables tell of."""
        self.effect(node, *effect)


def _written(node: ast.AST) -> str:
    """A call as written, for people."""
    text = ast.unparse(node.func if isinstance(node, ast.Call) else node)
    return f"{text[:40]}()"


def _kind_of(base: Val) -> tuple[str | None, str]:
    """Type and package of the objects, None and empty if they are not all of one package."""
    kind: str | None = None
    family: str | None = None
    for obj in base.objs | base.maybe if base.maybe else base.objs:
        if obj.instance is not None and len(base.objs) > 1:
            continue  # what it keeps is typed, see there
        own = obj.type.partition(".")[0] if obj.type else ""
        if family is None:
            kind, family = obj.type, own
        elif own != family:
            return None, ""
    return (kind, family) if family else (None, "")


def _changeable_members(klass: Class) -> list[Obj]:
    """What a class keeps for all its instances and an instance may change: lists and the like."""
    return [
        obj
        for value in klass.members.values()
        for obj in value.objs
        if not (obj.function or obj.klass or obj.frozen)
    ]


def _result_type(kind: str | None, family: str, name: str) -> str | None:
    if family in {"pandas", "numpy", "polars", "scipy", "xarray", "geopandas"}:
        return "numpy" if family == "pandas" and name in {"to_numpy", "to_records"} else family
    if family in {"sklearn", "xgboost", "lightgbm", "catboost", "imblearn"}:
        return "numpy"
    if family in {"", "builtins"}:
        return "numpy" if name.startswith(("predict", "transform", "fit_transform", "decision_")) else None
    return kind if family == "matplotlib" else family
