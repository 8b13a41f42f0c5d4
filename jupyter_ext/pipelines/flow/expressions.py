"""Expressions: what they read, what their value is, and what they bind (walrus, comprehensions)."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Callable
from typing import Any

from jupyter_ext.pipelines.flow.functions import Functions
from jupyter_ext.pipelines.flow.scopes import Scope
from jupyter_ext.pipelines.flow.values import (
    IMMUTABLE,
    NOTHING,
    Obj,
    Val,
    contains_callables,
    item,
    join,
    package,
    part,
    union,
)
from jupyter_ext.pipelines.knowledge.modules import STATEFUL
from jupyter_ext.pipelines.knowledge.versions import copies_on_write

_COPYING_INDEX = (ast.List, ast.Compare, ast.BoolOp, ast.ListComp)
_INDEXERS = frozenset(
    [
        "loc",
        "iloc",
        "at",
        "iat",
        "values",
        "index",
        "columns",
        "array",
        "str",
        "dt",
        "cat",
        "plot",
        "flags",
        "attrs",
        "style",
        "T",
        "sparse",
        "list",
        "struct",
    ],
)
_ARRAYS = frozenset({"pandas", "numpy", "polars", "xarray", "geopandas"})


class Expressions(Functions):
    """Evaluates expressions to what is known of their values."""

    def __init__(self) -> None:
        super().__init__()
        self._evaluators: dict[type[ast.AST], Callable[[Any], Val]] = {
            ast.Name: self._name,
            ast.Constant: self._constant,
            ast.Attribute: self._attribute,
            ast.Call: self.call,
            ast.Subscript: self._subscript,
            ast.BinOp: self._binary,
            ast.List: self._sequence,
            ast.Tuple: self._sequence,
            ast.Set: self._sequence,
            ast.Dict: self._dict,
            ast.Compare: self._compare,
            ast.BoolOp: self._bool,
            ast.IfExp: self._if,
            ast.UnaryOp: self._unary,
            ast.JoinedStr: self._joined,
            ast.FormattedValue: self._formatted,
            ast.Lambda: self.define_lambda,
            ast.ListComp: self._comprehension,
            ast.SetComp: self._comprehension,
            ast.GeneratorExp: self._comprehension,
            ast.DictComp: self._comprehension,
            ast.Starred: self._starred,
            ast.NamedExpr: self._walrus,
            ast.Await: self._await,
            ast.Yield: self._yield,
            ast.YieldFrom: self._yield,
            ast.Slice: self._slice,
        }

    def evaluate(self, node: ast.expr) -> Val:
        """The value of an expression; what it reads and does is noted."""
        evaluator = self._evaluators.get(type(node))
        if evaluator is not None:
            return evaluator(node)
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self.evaluate(child)
        return IMMUTABLE

    def _name(self, node: ast.Name) -> Val:
        value = self.lookup(node.id, node)
        if (value.objs or value.maybe) and contains_callables(value):
            self.touch(value, node)
        return value

    def _constant(self, node: ast.Constant) -> Val:
        value = node.value
        return Val(const=value) if isinstance(value, str | int | float | bool | None) else IMMUTABLE

    # Parts

    def _attribute(self, node: ast.Attribute) -> Val:
        return self.attribute(self.evaluate_base(node.value), node.attr, node)

    def evaluate_base(self, node: ast.expr) -> Val:
        """The value of what a name hangs on: a function that is only the start of a path is not passed on."""
        if isinstance(node, ast.Name):
            return self.lookup(node.id, node)
        return self.evaluate(node)

    def attribute(self, base: Val, name: str, node: ast.expr) -> Val:
        """``base.name``."""
        found: list[Val] = []
        if name == "__dict__":
            for obj, _ in base.each():
                obj.attributes = None
        if base.api is not None:
            found.append(self.api_attribute(f"{base.api}.{name}", node))
        rest: list[Obj] = []
        for obj, sure in base.each():
            member = self.member(obj, name, node)
            if member is not None:
                found.append(member if sure else member.weak())
            else:
                rest.append(obj)
        if rest:
            kept = Val(frozenset(obj for obj in rest if obj in base.objs), frozenset(rest) - base.objs)
            found.append(self._part_by_name(kept, name))
        elif base.const is not NOTHING or not found:
            found.append(IMMUTABLE)
        return union(found)

    def _part_by_name(self, base: Val, name: str) -> Val:
        if name not in _INDEXERS and self._is_frame(base) and copies_on_write():
            return self.fresh("pandas")
        if name.endswith("_score_") or (name.startswith("n_") and name.endswith("_")):
            return IMMUTABLE  # by scikit-learn's convention, a number
        return part(base)

    @staticmethod
    def _is_frame(base: Val) -> bool:
        return all(package(obj.type) == "pandas" for obj, _ in base.each())

    def _subscript(self, node: ast.Subscript) -> Val:
        base = self.evaluate_base(node.value)
        if isinstance(node.value, ast.Name) and contains_callables(base):
            self.touch(base, node)
        self.evaluate(node.slice)
        if base.api is not None:
            return self.api_item(base.api, node.slice, node)
        if not base.objs and not base.maybe:
            return IMMUTABLE
        return self._item(base, node.slice)

    def _item(self, base: Val, index: ast.expr) -> Val:
        types = {package(obj.type) for obj, _ in base.each()}
        known = next(iter(types)) if len(types) == 1 else ""
        if known == "pandas" and copies_on_write():
            return self.fresh("pandas")
        if isinstance(index, ast.Constant) and type(index.value) is int:
            return item(base, index.value)
        if known == "builtins" and isinstance(index, ast.Slice):
            return self.fresh(
                "builtins.list", (part(base),), closed=all(obj.closed for obj, _ in base.each())
            )
        if known != "builtins" and _copies(index):
            return self.fresh(known if known in _ARRAYS else None)
        return part(base)

    def _slice(self, node: ast.Slice) -> Val:
        for bound in (node.lower, node.upper, node.step):
            if bound is not None:
                self.evaluate(bound)
        return IMMUTABLE

    # Operators

    def _binary(self, node: ast.BinOp) -> Val:
        # Long sums lean to the left: follow them without recursion.
        spine = [node]
        while isinstance(spine[-1].left, ast.BinOp):
            spine.append(spine[-1].left)
        value = self.evaluate(spine[-1].left)
        for operation in reversed(spine):
            value = self._operate(value, operation.op, self.evaluate(operation.right))
        return value

    def _operate(self, left: Val, operator: ast.operator, right: Val) -> Val:
        if not (left.objs or left.maybe or right.objs or right.maybe):
            return _fold(left, operator, right)
        path = _path_join(left, operator, right)
        if path is not None:
            obj = Obj("pathlib.Path", owner=self.frame.number)
            obj.frozen = True
            return Val(frozenset((obj,)), const=path)
        types = {package(obj.type) for value in (left, right) for obj, _ in value.each()}
        known = types & _ARRAYS
        if known:
            return self.fresh("pandas" if "pandas" in known else known.pop())
        if types == {"builtins"}:
            closed = all(obj.closed for value in (left, right) for obj, _ in value.each())
            return self.fresh("builtins.list", (part(left), part(right)), closed=closed)
        if len(types) == 1 and None not in types and "" not in types:
            return self.fresh(types.pop(), (left, right))
        return self.fresh(None, (part(left).weak(), part(right).weak()))

    def _unary(self, node: ast.UnaryOp) -> Val:
        value = self.evaluate(node.operand)
        if isinstance(node.op, ast.Not) or not (value.objs or value.maybe):
            const = value.const
            if isinstance(node.op, ast.USub) and isinstance(const, int | float):
                return Val(const=-const)
            return IMMUTABLE
        types = {package(obj.type) for obj, _ in value.each()}
        return self.fresh(types.pop() if len(types) == 1 and types <= _ARRAYS else None)

    def _compare(self, node: ast.Compare) -> Val:
        values = [self.evaluate(node.left), *(self.evaluate(other) for other in node.comparators)]
        if isinstance(node.left, ast.Name) and node.left.id == "__name__" and isinstance(node.ops[0], ast.Eq):
            return Val(const=values[0].const == values[1].const)
        if not any(value.objs or value.maybe for value in values):
            return IMMUTABLE
        types = {package(obj.type) for value in values for obj, _ in value.each()}
        known = types & _ARRAYS
        return self.fresh("pandas" if "pandas" in known else known.pop()) if known else IMMUTABLE

    def _bool(self, node: ast.BoolOp) -> Val:
        result = self.evaluate(node.values[0])
        self.cond += 1
        for operand in node.values[1:]:
            result = join(result, self.evaluate(operand))
        self.cond -= 1
        return result

    def _if(self, node: ast.IfExp) -> Val:
        self.evaluate(node.test)
        self.cond += 1
        result = join(self.evaluate(node.body), self.evaluate(node.orelse))
        self.cond -= 1
        return result

    # Containers and texts

    def _sequence(self, node: ast.List | ast.Tuple | ast.Set) -> Val:
        values = [self.evaluate(element) for element in node.elts]
        if isinstance(node, ast.Tuple) and not any(isinstance(element, ast.Starred) for element in node.elts):
            return self.tuple_of(values)
        name = {ast.List: "builtins.list", ast.Tuple: "builtins.tuple"}.get(type(node), "builtins.set")
        return self.fresh(name, values, closed=True)

    def _dict(self, node: ast.Dict) -> Val:
        values = []
        for key, node_value in zip(node.keys, node.values, strict=True):
            if key is not None:
                values.append(self.evaluate(key))
            value = self.evaluate(node_value)
            values.append(value if key is not None else part(value))
        return self.fresh("builtins.dict", values, closed=True)

    def _starred(self, node: ast.Starred) -> Val:
        return part(self.evaluate(node.value))

    def _joined(self, node: ast.JoinedStr) -> Val:
        texts = [self.evaluate(piece) for piece in node.values]
        if all(isinstance(text.const, str | int) for text in texts):
            return Val(const="".join(str(text.const) for text in texts))
        return IMMUTABLE

    def _formatted(self, node: ast.FormattedValue) -> Val:
        value = self.evaluate(node.value)
        if node.format_spec is not None:
            self.evaluate(node.format_spec)
            return IMMUTABLE
        return Val(const=value.const) if node.conversion == -1 and value.const is not NOTHING else IMMUTABLE

    # Binding expressions

    def _walrus(self, node: ast.NamedExpr) -> Val:
        value = self.evaluate(node.value)
        name = node.target.id
        inner, self.scope = self.scope, self._statement_scope()
        weak = self.cond or inner is not self.scope
        (self.bind_weakly if weak else self.bind)(name, value)
        self.scope = inner
        return value

    def _statement_scope(self) -> Scope:
        scope = self.scope
        while scope.kind == "comp" and scope.parent is not None:
            scope = scope.parent
        return scope

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Val:
        first = self.evaluate(node.generators[0].iter)
        outer = self.scope
        parent = outer
        while parent.kind == "class" and parent.parent is not None:
            parent = parent.parent
        self.scope = Scope(parent, "comp")
        # A generator may never be asked; a list is made at once, of at least one element as a rule.
        soft = isinstance(node, ast.GeneratorExp)
        self.cond += soft
        for number, generator in enumerate(node.generators):
            source = first if number == 0 else self.evaluate(generator.iter)
            self.bind_target(generator.target, self.element(source, generator.iter), generator.target)
            for test in generator.ifs:
                self.evaluate(test)
        if isinstance(node, ast.DictComp):
            self.evaluate(node.key)
            value = self.evaluate(node.value)
        else:
            value = self.evaluate(node.elt)
        self.cond -= soft
        self.scope = outer
        if isinstance(node, ast.GeneratorExp):
            return self.fresh("builtins.generator", (value,), closed=True)
        kinds = {ast.ListComp: "builtins.list", ast.SetComp: "builtins.set"}
        return self.fresh(kinds.get(type(node), "builtins.dict"), (value,), closed=True)

    def element(self, source: Val, node: ast.expr) -> Val:
        """What iterating over the value gives."""
        if source.api is not None:
            return self.fresh()
        given: list[Val] = []
        for obj, _ in source.each():
            if obj.instance is not None:
                results = self.implicit(obj, ("__iter__", "__next__", "__getitem__"), node)
                given += [part(value) if name == "__iter__" else value for name, value in results.items()]
            elif obj.random and package(obj.type) in STATEFUL:
                self.effect(node, "rng", "r", obj.random)
                self.effect(node, "rng", "w", obj.random)
        if given:
            return union([part(source), *given])
        # Labels, rows and groups of a frame are copies.
        frame = bool(source.objs or source.maybe) and self._is_frame(source)
        return self.fresh("pandas") if frame else part(source)

    def _await(self, node: ast.Await) -> Val:
        return self.evaluate(node.value)

    def _yield(self, node: ast.Yield | ast.YieldFrom) -> Val:
        if node.value is not None:
            value = self.evaluate(node.value)
            self.record.returns.append(part(value) if isinstance(node, ast.YieldFrom) else value)
        return self.fresh()

    # Where the subclasses know more

    def api_attribute(self, api: str, node: ast.expr) -> Val:
        """An attribute of a module or of one of its classes."""
        raise NotImplementedError

    def api_item(self, api: str, index: ast.expr, node: ast.expr) -> Val:
        """An element of something in a module, such as ``os.environ["HOME"]``."""
        raise NotImplementedError

    def bind_target(self, target: ast.expr, value: Val, node: ast.AST) -> None:
        """Bind a target of an assignment."""
        raise NotImplementedError


def _copies(index: ast.expr) -> bool:
    """Whether an array or frame gives a copy for this index: lists and conditions do, slices do not."""
    if isinstance(index, ast.Tuple):
        return any(_copies(element) for element in index.elts)
    if isinstance(index, ast.BinOp):
        return isinstance(index.op, ast.BitAnd | ast.BitOr | ast.BitXor)
    if isinstance(index, ast.UnaryOp):
        return isinstance(index.op, ast.Invert)
    return isinstance(index, _COPYING_INDEX)


def _fold(left: Val, operator: ast.operator, right: Val) -> Val:
    first, second = left.const, right.const
    if isinstance(operator, ast.Add) and isinstance(first, str) and isinstance(second, str):
        return Val(const=first + second)
    if isinstance(operator, ast.Mod) and isinstance(first, str) and isinstance(second, str | int):
        try:
            return Val(const=first % second)
        except (TypeError, ValueError):
            return IMMUTABLE
    operate = _ARITHMETIC.get(type(operator))
    if operate and type(first) is int and type(second) is int and max(abs(first), abs(second)) < 1 << 32:
        return Val(const=operate(first, second))
    return IMMUTABLE


_ARITHMETIC: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda first, second: first + second,
    ast.Sub: lambda first, second: first - second,
    ast.Mult: lambda first, second: first * second,
}


def _path_join(left: Val, operator: ast.operator, right: Val) -> str | None:
    """The path that ``left / right`` makes of paths, empty if it is a path that is not known."""
    if not isinstance(operator, ast.Div):
        return None
    values = (left, right)
    if not any(obj.type == "pathlib.Path" for value in values for obj, _ in value.each()):
        return None
    if left.text is None or right.text is None:
        return ""
    return posixpath.join(left.text, right.text)
