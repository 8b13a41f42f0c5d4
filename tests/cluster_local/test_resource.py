from __future__ import annotations

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.cluster.resource import (
    Resource,
    format_cpu,
    format_memory,
    is_name,
    make_name,
    new_uid,
    now,
    parse_cpu,
    parse_memory,
    parse_quantity,
    say_memory,
    valid_name,
)
from jupyter_ext.errors import Invalid

SUFFIXES = {
    "": Fraction(1),
    "n": Fraction(1, 10**9),
    "u": Fraction(1, 10**6),
    "m": Fraction(1, 1000),
    **{letter: Fraction(1000**power) for power, letter in enumerate("kMGTPE", 1)},
    **{f"{letter}i": Fraction(1024**power) for power, letter in enumerate("KMGTPE", 1)},
}


@given(st.integers(0, 10**12), st.integers(0, 999), st.sampled_from(sorted(SUFFIXES)))
def test_quantities_are_exact(whole, thousandths, suffix):
    text = f"{whole}.{thousandths:03d}{suffix}"
    exact = (whole + Fraction(thousandths, 1000)) * SUFFIXES[suffix]
    assert parse_quantity(text) == exact
    assert parse_memory(text) == -(-exact.numerator // exact.denominator)
    assert 0 <= parse_cpu(text) - exact * 1000 < 1


@given(st.integers(0, 2**70))
def test_what_is_formatted_parses_back(number):
    assert parse_memory(format_memory(number)) == number
    assert parse_cpu(format_cpu(number)) == number


@given(st.floats(0, 1e20))
def test_floats_and_exponents(value):
    assert parse_quantity(value) == Fraction(repr(value))


@pytest.mark.parametrize(
    ("text", "milli"), [("500m", 500), (2, 2000), (0.5, 500), ("1", 1000), ("0.0001", 1), ("1e3", 1_000_000)]
)
def test_cpu(text, milli):
    assert parse_cpu(text) == milli


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "4GB",
        "4 Gi",
        "Gi",
        "-1",
        "1e",
        "1e3Ki",
        "1e99999999",
        "--",
        ".",
        "٣",
        "1_000",
        True,
        None,
        "9" * 99,
    ],
)
def test_what_is_no_quantity_names_the_field(text):
    with pytest.raises(Invalid) as error:
        parse_memory(text, "limits.memory")
    assert error.value.where.field == "limits.memory"
    assert "4Gi" in error.value.hint


@given(st.text())
def test_nonsense_is_invalid_and_nothing_else(text):
    with suppress(Invalid):
        assert parse_memory(text) >= 0


def test_memory_for_people():
    assert say_memory(33_500_000_000) == "31.2Gi"
    assert say_memory(4 << 30) == "4Gi"
    assert say_memory(12) == "12 bytes"


@given(st.text(max_size=200))
def test_every_prefix_makes_a_valid_name(prefix):
    assert is_name(make_name(prefix))


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_valid_names_pass(name):
    assert valid_name(name) == name
    assert make_name(name).startswith(name[:50].rstrip("-"))


@pytest.mark.parametrize(
    ("name", "instead"), [("Big Run!", "big-run"), ("données", "donnees"), ("-a-", "a"), ("a" * 70, "a" * 63)]
)
def test_an_invalid_name_says_which_would_do(name, instead):
    with pytest.raises(Invalid) as error:
        valid_name(name, "metadata.name")
    assert f"Try {instead!r}" in error.value.hint
    assert valid_name(instead) == instead


def test_names_and_uids_differ():
    assert len({make_name("a") for _ in range(200)}) > 190
    assert len({new_uid() for _ in range(200)}) == 200


def test_times_sort_as_text():
    times = [now() for _ in range(50)]
    assert times == sorted(times)
    assert len(times[0]) == len("2024-01-01T00:00:00.000000Z")


def test_a_resource_survives_its_kubernetes_form():
    resource = Resource.new(
        "Run",
        "a",
        {"x": [1]},
        labels={"l": "1"},
        annotations={"n": "2"},
        owner="u",
        status={"phase": "RUNNING"},
    ).with_(uid="v", resource_version=7, created=now(), namespace="default", generation=3)
    data = resource.to_dict()
    assert data["apiVersion"] == "pipelines.kubeflow.org/v2beta1"
    assert data["metadata"]["resourceVersion"] == "7"
    assert Resource.from_dict(data) == resource
    assert "status" not in resource.manifest()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "apiVersion"),
        ({"apiVersion": "v1", "kind": "Run"}, "metadata.name"),
        ({"apiVersion": "v1", "kind": "Run", "metadata": {"name": "a"}, "spec": []}, "spec"),
        (
            {"apiVersion": "v1", "kind": "Run", "metadata": {"name": "a", "resourceVersion": "x"}},
            "metadata.resourceVersion",
        ),
    ],
)
def test_a_malformed_resource_names_the_field(data, field):
    with pytest.raises(Invalid) as error:
        Resource.from_dict(data)
    assert error.value.where.field == field
