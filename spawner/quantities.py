"""Kubernetes quantities, exactly: ``500m``, ``1.5Gi``, ``2``.

Two readers, because two people write them. What the API server stores follows the whole grammar of
``k8s.io/apimachinery/pkg/api/resource`` (sign, exponent, nano); what a user may type is the part of it that a
person means: digits, at most one point, one suffix.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal, localcontext
from functools import lru_cache
from typing import Final

LONGEST: Final = 40
"""Characters: the greatest amount Kubernetes keeps (2^63-1 of anything) has 19 digits."""
NANO: Final = 10**9

_SCALES: Final[dict[str, Decimal]] = {
    "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("0.001"), "": Decimal(1),
    "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9), "T": Decimal(10**12), "P": Decimal(10**15),
    "E": Decimal(10**18), "Ki": Decimal(2**10), "Mi": Decimal(2**20), "Gi": Decimal(2**30), "Ti": Decimal(2**40),
    "Pi": Decimal(2**50), "Ei": Decimal(2**60),
}  # fmt: skip
_STORED: Final = re.compile(
    r"([+-]?)([0-9]+\.?[0-9]*|\.[0-9]+)(?:([KMGTPE]i|[numkMGTPE]?)|[eE]([+-]?[0-9]{1,2}))", re.ASCII
)
_TYPED: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([KMGTPE]i|[mkMGTPE]?)", re.ASCII)


@lru_cache(maxsize=4096)
def stored(text: str) -> Decimal:
    """The value of a quantity as the API server stores it. Raises ValueError."""
    if len(text) > LONGEST or not (match := _STORED.fullmatch(text)):
        raise ValueError(f"{text[:LONGEST]!r} is not a quantity")
    sign, digits, suffix, exponent = match.groups()
    with localcontext() as context:
        context.prec = 100
        scale = _SCALES[suffix] if exponent is None else Decimal(10) ** int(exponent)
        return Decimal(f"{sign}{digits}") * scale


def typed(value: object, *, whole: bool = False) -> Decimal:
    """The value of a quantity that a person typed: no sign, no exponent, no NaN. Raises ValueError.

    With ``whole`` only whole units are taken, as the API server does for extended resources.
    """
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError("must be a quantity such as 500m, 2 or 4Gi")  # noqa: TRY004  -- one kind for every fault
    if isinstance(value, int) and not 0 <= value < 2**63:
        raise ValueError("must be between 0 and 2^63")
    text = str(value)
    if len(text) > LONGEST or not (match := _TYPED.fullmatch(text)):
        raise ValueError("must be a quantity such as 500m, 2 or 4Gi")
    with localcontext() as context:
        context.prec = 100
        amount = Decimal(match[1]) * _SCALES[match[2]]
        if amount >= 2**63:
            raise ValueError("must be less than 2^63")
        if whole and amount != int(amount):
            raise ValueError("must be a whole number")
    return amount


@lru_cache(maxsize=4096)
def nano(text: str) -> int:
    """A stored quantity in billionths, rounded up: whole numbers are exact, and add up fast."""
    with localcontext() as context:
        context.prec = 100
        return int((stored(text) * NANO).to_integral_value(rounding=ROUND_CEILING))


def written(amount: Decimal) -> str:
    """A plain decimal quantity for the API: ``2``, ``0.5`` as ``500m``, never an exponent."""
    with localcontext() as context:
        context.prec = 100
        if amount == amount.to_integral_value():
            return str(int(amount))
        return f"{int((amount * 1000).to_integral_value(rounding=ROUND_CEILING))}m"


def memory(amount: Decimal) -> str:
    """A quantity of bytes in the greatest binary unit that says it exactly: ``1536Mi``."""
    size = int(amount.to_integral_value(rounding=ROUND_CEILING))
    for suffix in ("Ei", "Pi", "Ti", "Gi", "Mi", "Ki"):
        if size and size % int(_SCALES[suffix]) == 0:
            return f"{size // int(_SCALES[suffix])}{suffix}"
    return str(size)


def number(amount: Decimal, places: int = 1) -> str:
    """For people: at most ``places`` decimals, no trailing zeros, cut and never rounded up."""
    step = Decimal(1).scaleb(-places)
    with localcontext() as context:
        context.prec = 100
        text = format((amount // step) * step, "f")
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def size_words(amount: Decimal) -> str:
    """Bytes for people: ``1.5 GiB``."""
    for suffix in ("Ti", "Gi", "Mi", "Ki"):
        if abs(amount) >= _SCALES[suffix]:
            return f"{number(amount / _SCALES[suffix])} {suffix}B"
    return f"{number(amount, 0)} B"


def words(resource: str, amount: Decimal) -> str:
    """An amount of a resource for people: ``2 CPU``, ``1.5 GiB``, ``3``."""
    if "memory" in resource or "storage" in resource:
        return size_words(amount)
    return f"{number(amount, 2)} CPU" if resource.endswith("cpu") else number(amount)
