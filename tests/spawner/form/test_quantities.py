from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spawner import quantities

SCALE = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}
SCALE |= {each: Fraction(10 ** (3 * n)) for n, each in enumerate("kMGTPE", 1)}
SCALE |= {f"{each}i": Fraction(2 ** (10 * n)) for n, each in enumerate("KMGTPE", 1)}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", "0"), ("1", "1"), ("250m", "0.25"), ("1.5Gi", str(3 * 2**29)), ("100n", "1E-7"), (".5", "0.5"),
        ("5.", "5"), ("1e3", "1000"), ("1E3", "1000"), ("12E", "12000000000000000000"), ("-1", "-1"), ("+2k", "2000"),
        ("16Ei", str(2**64)), ("3u", "0.000003"), ("1e-3", "0.001"),
    ],
)  # fmt: skip
def test_what_the_api_server_stores_is_read_exactly(text: str, value: str) -> None:
    assert quantities.stored(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", " 1", "1 ", "1\n", "1KiB", "Gi", "0x1", "1_0", "NaN", "inf", "1ki", "1.2.3", "\u0661", "1e", "--1", "1mm", "9" * 41])  # fmt: skip
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.stored(text)


@pytest.mark.parametrize(
    "value",
    ["NaN", "nan", "inf", "-1", "+1", "1e3", "1E3", "1n", "1u", ".5", "5.", "", " 1", "1\n", "1Gi\n", "\u0663", "1,5", None, 1.5,
     True, ["1"], {"cpu": 1}, -1, 2**63, "9223372036854775808", "8Ei", "9" * 41, "{0}", "1;2"],
)  # fmt: skip
def test_what_a_person_cannot_mean_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        quantities.typed(value)


@given(
    st.integers(0, 10**6), st.integers(0, 999), st.sampled_from([s for s in SCALE if s not in "nu" or not s])
)
def test_typed_and_stored_agree_with_exact_arithmetic(whole: int, part: int, suffix: str) -> None:
    text = f"{whole}.{part:03}{suffix}"
    exact = (whole + Fraction(part, 1000)) * SCALE[suffix]
    assert Fraction(quantities.stored(text)) == exact
    if exact < 2**63:
        assert Fraction(quantities.typed(text)) == exact


@given(st.text(max_size=50))
def test_any_text_is_a_number_or_a_value_error(text: str) -> None:
    for read in (quantities.stored, quantities.typed):
        try:
            amount = read(text)
        except ValueError:
            continue
        assert amount.is_finite()


@given(st.integers(0, 2**63 - 1))
def test_memory_is_written_so_that_it_reads_the_same(size: int) -> None:
    assert quantities.typed(quantities.memory(Decimal(size))) == size


@given(st.integers(0, 10**9))
def test_milli_units_are_written_so_that_they_read_the_same(milli: int) -> None:
    assert quantities.typed(quantities.written(Decimal(milli) / 1000)) == Decimal(milli) / 1000


def test_only_whole_units_of_an_extended_resource() -> None:
    assert quantities.typed("2", whole=True) == 2
    with pytest.raises(ValueError, match="whole"):
        quantities.typed("500m", whole=True)


@pytest.mark.parametrize(
    ("resource", "amount", "text"),
    [
        ("cpu", "2", "2 CPU"), ("cpu", "0.25", "0.25 CPU"), ("memory", str(4 * 2**30), "4 GiB"),
        ("requests.memory", str(1536 * 2**20), "1.5 GiB"), ("nvidia.com/gpu", "3", "3"), ("memory", "999", "999 B"),
        ("requests.storage", str(10 * 2**40), "10 TiB"), ("cpu", "0", "0 CPU"), ("cpu", "1.999", "1.99 CPU"),
    ],
)  # fmt: skip
def test_amounts_in_words_never_promise_more(resource: str, amount: str, text: str) -> None:
    assert quantities.words(resource, Decimal(amount)) == text
