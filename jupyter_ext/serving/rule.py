"""The grammar of rules: ``roll back if errors > 2 % or p99 > 200 ms over 5 minutes for v2 with at least 50 requests``.

rule      = ["roll back" ("if" | "when")] any {"over" time | "for" variant | "at least" n "requests"}
any       = all {"or" all}        all = test {"and" test}        test = metric sign limit | "(" any ")"
metric    = errors | rejected | p50 … p99.9 | rate | the name of an outcome, in `back quotes` where it is a word
limit     = number [% | ms | s | /s | /min] | number "x stable"
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from jupyter_ext.errors import Invalid, Where

EXAMPLE: Final = "roll back if errors > 2 % or p99 > 200 ms over 5 minutes"
MINIMUM: Final = 20
SECONDS: Final = 60.0
LONGEST: Final = 86_400.0
MAX_LENGTH: Final = 500
MAX_TESTS: Final = 20
MAX_DEPTH: Final = 5

Sign = Literal[">", ">=", "<", "<="]
Unit = Literal["", "%", "ms", "s", "/s", "/min", "x stable"]
KNOWN: Final = ("errors", "rejected", "rate", "p50", "p90", "p95", "p99", "p99.9")

_TOKEN: Final = re.compile(
    r"""(?P<space>[\s,;]+)
      | (?P<number>(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_µ](?:[A-Za-z0-9_]|[.-](?=[A-Za-z0-9_]))*)
      | (?P<quoted>`[^`]*`)
      | (?P<sign>>=|<=|≥|≤|>|<)
      | (?P<mark>[()%/*+-])""",
    re.VERBOSE,
)
_QUANTILE: Final = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)", re.IGNORECASE)
_WORDS: Final = frozenset(
    [
        "and",
        "or",
        "if",
        "when",
        "over",
        "within",
        "in",
        "for",
        "variant",
        "with",
        "at",
        "least",
        "requests",
        "stable",
        "roll",
        "back",
        "rollback",
        "the",
        "last",
    ]
)
_TIMES: Final = {
    **dict.fromkeys(["s", "sec", "secs", "second", "seconds"], 1.0),
    **dict.fromkeys(["m", "min", "mins", "minute", "minutes"], 60.0),
    **dict.fromkeys(["h", "hour", "hours"], 3600.0),
}
_UNITS: Final[dict[str, Unit]] = {
    "ms": "ms", "millisecond": "ms", "milliseconds": "ms", "s": "s", "sec": "s", "second": "s", "seconds": "s",
}  # fmt: skip
_SIGNS: Final[dict[str, Sign]] = {">": ">", "<": "<", ">=": ">=", "<=": "<=", "≥": ">=", "≤": "<="}


class Misread(Invalid):
    """A rule that cannot be understood. ``position`` is the character, from 0, at which that shows."""

    def __init__(self, what: str, position: int, hint: str | None = None) -> None:
        super().__init__(what, where=Where(field="rules"), hint=hint or f"For example: {EXAMPLE}")
        self.position = position


@dataclass(frozen=True)
class Limit:
    """A number with its unit; ``x stable`` is so many times what the stable variant has."""

    number: float
    unit: Unit = ""

    @property
    def value(self) -> float:
        """As a share, in seconds, or per second."""
        if self.unit == "/min":
            return self.number / 60
        return self.number / {"%": 100, "ms": 1000}.get(self.unit, 1)

    def __str__(self) -> str:
        gap = "" if self.unit in {"", "/s", "/min", "x stable"} else " "
        return f"{plain(self.number)}{gap}{self.unit}"


@dataclass(frozen=True)
class Bound:
    """``metric sign limit``."""

    metric: str
    sign: Sign
    limit: Limit

    @property
    def quantile(self) -> float | None:
        """0.99 for ``p99``."""
        found = _QUANTILE.fullmatch(self.metric)
        return float(found[1]) / 100 if found else None

    @property
    def outcome(self) -> bool:
        """Whether it is about what users post."""
        return self.metric not in {"errors", "rejected", "rate"} and self.quantile is None

    def holds(self, value: float, limit: float) -> bool:
        """Whether the value is beyond the limit."""
        if self.sign in {">", "<"}:
            return value > limit if self.sign == ">" else value < limit
        return value >= limit if self.sign == ">=" else value <= limit

    def __str__(self) -> str:
        quoted = self.outcome and not _bare(self.metric)
        return f"{f'`{self.metric}`' if quoted else self.metric} {self.sign} {self.limit}"


@dataclass(frozen=True)
class Group:
    """All (``and``) or any (``or``) of the terms."""

    word: Literal["and", "or"]
    terms: tuple[Condition, ...]

    def __str__(self) -> str:
        plain_inside = "and" if self.word == "or" else ""
        return f" {self.word} ".join(
            f"({term})" if isinstance(term, Group) and term.word != plain_inside else str(term)
            for term in self.terms
        )


Condition = Bound | Group


@dataclass(frozen=True)
class Rule:
    """When to roll back. ``str`` gives the text again, in its plainest form."""

    condition: Condition
    seconds: float = SECONDS
    variant: str | None = None
    minimum: int = MINIMUM

    @property
    def tests(self) -> list[Bound]:
        """All that is tested."""
        return list(_tests(self.condition))

    @property
    def outcomes(self) -> set[str]:
        """The outcomes that have to be posted for it."""
        return {test.metric for test in self.tests if test.outcome}

    def __str__(self) -> str:
        said = f"roll back if {self.condition} over {duration(self.seconds)}"
        if self.variant is not None:
            said += f" for {self.variant if _bare(self.variant) else f'`{self.variant}`'}"
        return said if self.minimum == MINIMUM else f"{said} with at least {self.minimum} requests"


def _tests(condition: Condition) -> Iterator[Bound]:
    if isinstance(condition, Bound):
        yield condition
        return
    for term in condition.terms:
        yield from _tests(term)


def plain(number: float) -> str:
    """A number as one writes it."""
    return str(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def duration(seconds: float) -> str:
    """A time in the largest unit in which it is whole."""
    for size, word in ((3600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            return f"{plain(seconds / size)} {word}{'' if seconds == size else 's'}"
    return f"{plain(seconds)} second{'' if seconds == 1 else 's'}"


def _bare(name: str) -> bool:
    match = _TOKEN.fullmatch(name)
    return match is not None and match.lastgroup == "name" and name.lower() not in _WORDS and not _near(name)


def _near(name: str) -> str | None:
    """The measured metric that this name is probably meant to be."""
    import difflib

    if name.lower() in {"error", "failures", "failed", "5xx"}:
        return "errors"
    if name.lower() in {"latency", "time", "4xx"}:
        return "rejected" if name == "4xx" else "p95"
    found = difflib.get_close_matches(name.lower(), KNOWN[:3], 1, 0.75)
    return found[0] if found else None


def parse(text: str) -> Rule:
    """Read a rule. Raises Misread, which is Invalid with the position and with what was expected there."""
    if len(text) > MAX_LENGTH:
        raise Misread(f"The rule has {len(text)} characters", MAX_LENGTH, f"At most {MAX_LENGTH}.")
    return _Parser(text).rule()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int


class _Parser:
    def __init__(self, text: str) -> None:
        self._end = len(text)
        self._tokens = list(_tokens(text))
        self._position = 0
        self._count = 0

    def rule(self) -> Rule:
        if self._word("rollback") or (self._word("roll") and self._need("back")):
            self._word("if") or self._word("when") or self._refuse("if")
        else:
            self._word("if") or self._word("when")
        condition = self._any(0)
        seconds: float | None = None
        variant: str | None = None
        minimum: int | None = None
        while self._peek() is not None:
            if seconds is None and self._time_follows():
                seconds = self._time()
            elif variant is None and self._word("for"):
                self._word("variant")
                variant = self._name("the name of a variant")
            elif minimum is None and self._at_least():
                minimum = self._whole()
                self._word("requests") or self._word("answers") or self._refuse("requests")
            else:
                self._refuse("and, or, over … minutes, for a variant, at least … requests, or the end")
        return Rule(condition, seconds or SECONDS, variant, MINIMUM if minimum is None else minimum)

    def _any(self, depth: int) -> Condition:
        return self._chain("or", lambda: self._chain("and", lambda: self._test(depth)))

    def _chain(self, word: Literal["and", "or"], operand: Callable[[], Condition]) -> Condition:
        terms = [operand()]
        while self._word(word):
            terms.append(operand())
        return terms[0] if len(terms) == 1 else Group(word, tuple(terms))

    def _test(self, depth: int) -> Condition:
        self._count += 1
        if self._count > MAX_TESTS or depth > MAX_DEPTH:
            raise Misread("The rule is too long or too deep", self._at(), f"At most {MAX_TESTS} tests.")
        if self._mark("("):
            found = self._any(depth + 1)
            return found if self._mark(")") else self._refuse("a closing parenthesis")
        metric = self._metric()
        sign = self._sign()
        return Bound(metric, sign, self._limit(metric))

    def _metric(self) -> str:
        token = self._peek()
        if token is not None and token.kind == "quoted":
            return self._name("the name of an outcome")
        name = self._name("errors, rejected, p50, p95, p99, rate or the name of an outcome")
        if _QUANTILE.fullmatch(name):
            if float(name[1:]) > 0:
                return f"p{plain(float(name[1:]))}"
            self._back("a quantile above p0")
        if name.lower() in KNOWN:
            return name.lower()
        if name.lower() == "error" and self._word("rate"):
            return "errors"
        near = _near(name)
        if near:
            self._position -= 1
            hint = f"Is it {near}? An outcome of that name goes between back quotes: `{name}`."
            raise Misread(f"The rule has {name!r} at character {self._at() + 1}", self._at(), hint)
        return name

    def _sign(self) -> Sign:
        self._word("is")
        token = self._peek()
        if token is not None and token.kind == "sign":
            self._position += 1
            return _SIGNS[token.text]
        if self._word("above"):
            return ">"
        if self._word("below"):
            return "<"
        return self._refuse("one of > >= < <=")

    def _limit(self, metric: str) -> Limit:
        if self._word("stable"):
            return Limit(1.0, "x stable")
        negative = self._mark("-")
        number = -self._number() if negative else self._number()
        if self._word("x") or self._word("times") or self._mark("*"):
            self._need("stable")
            return Limit(number, "x stable")
        return Limit(number, self._unit(Bound(metric, ">", Limit(0))))

    def _unit(self, test: Bound) -> Unit:
        if test.quantile is not None:
            token = self._peek()
            unit = _UNITS.get(token.text.lower()) if token is not None else None
            if unit is None:
                self._refuse("ms or s")
            self._position += 1
            return unit
        if test.metric == "rate":
            if not (self._mark("/") or self._word("per")):
                return "/s"
            if self._word("s") or self._word("second"):
                return "/s"
            return "/min" if self._word("min") or self._word("minute") else self._refuse("s or min")
        return "%" if self._mark("%") or self._word("percent") else ""

    def _time_follows(self) -> bool:
        token, after = self._peek(), self._peek(1)
        if token is None or token.kind != "name":
            return False
        if token.text.lower() in {"over", "within", "in"}:
            return True
        return token.text.lower() == "for" and after is not None and after.kind == "number"

    def _time(self) -> float:
        self._position += 1
        self._word("the")
        self._word("last")
        token = self._peek()
        number = self._number() if token is not None and token.kind == "number" else 1.0
        word = self._peek()
        size = _TIMES.get(word.text.lower()) if word is not None else None
        if size is None:
            self._refuse("a time, such as 5 minutes")
        self._position += 1
        if not 1 <= number * size <= LONGEST:
            self._back("between 1 second and 24 hours")
        return float(number * size)

    def _at_least(self) -> bool:
        self._word("with")
        return self._word("at") and self._need("least")

    def _whole(self) -> int:
        number = self._number()
        if number != int(number) or not 1 <= number <= 1e9:
            self._back("a whole number from 1")
        return int(number)

    def _number(self) -> float:
        token = self._peek()
        if token is None or token.kind != "number":
            self._refuse("a number")
        self._position += 1
        if not math.isfinite(float(token.text)):
            self._back("a smaller number")
        return float(token.text)

    def _name(self, wanted: str) -> str:
        token = self._peek()
        if token is None or token.kind not in {"name", "quoted"} or token.text == "``":
            self._refuse(wanted)
        if token.kind == "name" and token.text.lower() in _WORDS:
            self._refuse(wanted)
        self._position += 1
        return token.text[1:-1] if token.kind == "quoted" else token.text

    def _peek(self, ahead: int = 0) -> _Token | None:
        place = self._position + ahead
        return self._tokens[place] if place < len(self._tokens) else None

    def _at(self) -> int:
        token = self._peek()
        return token.at if token else self._end

    def _mark(self, text: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "mark" and token.text == text:
            self._position += 1
            return True
        return False

    def _word(self, word: str) -> bool:
        token = self._peek()
        if token is not None and token.kind == "name" and token.text.lower() == word:
            self._position += 1
            return True
        return False

    def _need(self, word: str) -> bool:
        return self._word(word) or self._refuse(word)

    def _back(self, wanted: str) -> NoReturn:
        self._position -= 1
        self._refuse(wanted)

    def _refuse(self, wanted: str) -> NoReturn:
        token = self._peek()
        found = f"{token.text[:40]!r} at character {token.at + 1}" if token else "the end"
        raise Misread(f"The rule has {found} where {wanted} is needed", self._at())


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise Misread(f"The rule has {text[at]!r} at character {at + 1}, which is not understood", at)
        if match.lastgroup != "space":
            yield _Token(str(match.lastgroup), match.group(), at)
        at = match.end()
