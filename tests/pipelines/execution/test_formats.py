"""Every format gives back exactly what was stored, or is not used for it."""

from __future__ import annotations

import datetime as dt
import io
import types

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pandas.testing import assert_frame_equal, assert_series_equal

from jupyter_ext.cluster.local.blobs import Blobs
from jupyter_ext.pipelines import serializers
from jupyter_ext.pipelines.exchange import ALL, ValueRef
from jupyter_ext.pipelines.storing import Saving
from jupyter_ext.pipelines.values import load


@pytest.fixture(scope="module")
def blobs(tmp_path_factory):
    return Blobs(tmp_path_factory.mktemp("blobs"))


def passed(blobs, obj):
    """The object as another process would get it, and its reference."""
    namespace = {"v": obj}
    values = load(namespace, [], blobs)
    saved = Saving(values, "step").save(["v"], ALL, ALL)
    assert not saved.live
    [ref] = saved.values  # noqa: PD011 - no frame
    other = {}
    load(other, [ValueRef.from_dict(ref.to_dict())], blobs)
    return other["v"], ref


N = 3000
FRAMES = {
    "numbers": pd.DataFrame({"i": np.arange(N), "f": np.linspace(0, 1, N), "b": np.arange(N) % 2 == 0, "s": np.arange(N, dtype="i2")}),
    "nan and inf": pd.DataFrame({"f": [np.nan, np.inf, -np.inf, -0.0]}),
    "float16 and unsigned": pd.DataFrame({"h": np.ones(5, "f2"), "u": np.arange(5, dtype="u8")}),
    "text": pd.DataFrame({"s": ["a", None, "ü"] * 100}),
    "object text": pd.DataFrame({"s": pd.Series(["a", "b", "ü"], dtype=object)}),
    "object text with missing": pd.DataFrame({"s": pd.Series(["a", None, float("nan"), pd.NA], dtype=object)}),
    "mixed objects": pd.DataFrame({"o": pd.Series([1, "a", [2], {"k": 1}], dtype=object)}),
    "dates": pd.DataFrame({"d": pd.date_range("2020", periods=N), "t": pd.to_timedelta(np.arange(N), unit="s")}),
    "dates of two units": pd.DataFrame({"s": pd.date_range("2020", periods=3, unit="s"), "n": pd.date_range("2020", periods=3, unit="ns")}),
    "not a time": pd.DataFrame({"d": [pd.NaT, pd.Timestamp("2020")]}),
    "zones": pd.DataFrame({"z": pd.date_range("2020", periods=N, tz="Europe/Paris"), "f": pd.date_range("2020", periods=N, tz="+02:00")}),
    "categories": pd.DataFrame({"c": pd.Categorical(["x", "y", None] * 1000), "o": pd.Categorical(["l", "h"] * 1500, ["l", "h"], ordered=True)}),
    "nullable": pd.DataFrame({"I": pd.array([1, None] * 1500, dtype="Int64"), "B": pd.array([True, None] * 1500, dtype="boolean"), "F": pd.array([0.5, None] * 1500, dtype="Float32")}),
    "arrow types": pd.DataFrame({"i": pd.array([1, None], dtype="int64[pyarrow]"), "t": pd.array(["a", None], dtype="string[pyarrow]")}),
    "old string type": pd.DataFrame({"s": pd.array(["a", None], dtype="string")}),
    "periods and intervals": pd.DataFrame({"p": pd.period_range("2020", periods=4, freq="M"), "i": pd.interval_range(0, 4)}),
    "sparse": pd.DataFrame({"s": pd.arrays.SparseArray([0, 0, 1])}),
    "complex": pd.DataFrame({"c": [1j, 2.0]}),
    "empty": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": np.array([], "i8"), "s": pd.array([], dtype="str")}),
    "no columns": pd.DataFrame(index=range(5)),
    "duplicate columns": pd.DataFrame([[1, 2.0, 3]], columns=["a", "a", "b"]),
    "columns that are no text": pd.DataFrame([[1, 2, 3]], columns=[1, None, ("t", 2)]),
    "several levels": pd.DataFrame(np.ones((4, 4)), pd.MultiIndex.from_product([["a", "b"], [1, 2]], names=["x", None]), pd.MultiIndex.from_product([["u", "v"], [1, 2]])),
    "date index with frequency": pd.DataFrame({"x": range(N)}, index=pd.date_range("2020", periods=N, freq="h", name="when")),
    "text index": pd.DataFrame({"x": range(3)}, index=["a", "b", "c"]),
    "number index": pd.DataFrame({"x": range(N)}, index=np.arange(N)[::-1]),
    "range index": pd.DataFrame({"x": range(5)}, index=pd.RangeIndex(10, 0, -2, name="r")),
    "fortran order": pd.DataFrame(np.asfortranarray(np.random.default_rng(0).random((1003, 5)))),
    "part of a frame": pd.DataFrame({"a": np.arange(N), "b": 1.5})[1:1500:3],
    "wide": pd.DataFrame(np.random.default_rng(0).random((37, 300))),
}  # fmt: skip


def blocks_of(frame):
    """Also how the columns lie in memory is kept: it decides what later operations cost."""
    arrays = [block.values for block in frame._mgr.blocks]  # noqa: PD011 - no frame
    return [(type(array), array.shape) for array in arrays]


@pytest.mark.parametrize("name", FRAMES)
def test_frames(blobs, name):
    frame = FRAMES[name].copy()
    frame.attrs["source"] = "here"
    got, _ = passed(blobs, frame)
    assert_frame_equal(got, frame, check_freq=True, check_flags=True, check_exact=True)
    assert got.attrs == frame.attrs
    assert blocks_of(got) == blocks_of(frame)
    assert type(got.index) is type(frame.index)
    if got.size and name not in ("sparse", "mixed objects"):
        got.iloc[0, 0] = got.iloc[-1, 0]
        got.insert(0, "new" if got.columns.nlevels == 1 else ("new", 1), 1)


@pytest.mark.parametrize("name", [name for name in FRAMES if FRAMES[name].shape[1]])
def test_series(blobs, name):
    series = FRAMES[name].iloc[:, 0]
    got, _ = passed(blobs, series)
    assert_series_equal(got, series, check_freq=True, check_flags=True, check_exact=True)


def test_ordinary_frames_are_arrow_files_that_others_can_read(blobs):
    import pyarrow as pa

    frame = FRAMES["numbers"].assign(text="x", day=pd.Timestamp("2020"))
    _, ref = passed(blobs, frame)
    assert ref.serializer == "arrow"
    table = pa.ipc.open_file(str(blobs.path(ref.digest))).read_all()
    assert table.num_rows == N
    assert set(table.column_names) >= {"i", "f", "b", "s", "text", "day"}
    assert table["f"].to_pylist() == frame["f"].tolist()


def test_missing_values_of_objects_stay_which_they_were(blobs):
    got, _ = passed(blobs, FRAMES["object text with missing"])
    assert got["s"][1] is None
    assert got["s"][3] is pd.NA
    assert isinstance(got["s"][2], float)


def test_flags_and_labels(blobs):
    frame = pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False)
    got, _ = passed(blobs, frame)
    assert not got.flags.allows_duplicate_labels


@given(st.data())
def test_any_numeric_frame(blobs, data):
    rows = data.draw(st.integers(0, 40))
    kinds = st.sampled_from(["i1", "u2", "i4", "i8", "f4", "f8", "?", "M8[s]", "m8[ns]"])
    columns = data.draw(st.lists(kinds, max_size=6))
    arrays = {str(place): data.draw(hnp.arrays(kind, rows)) for place, kind in enumerate(columns)}
    frame = pd.DataFrame(arrays, index=range(rows))
    got, _ = passed(blobs, frame)
    assert_frame_equal(got, frame, check_exact=True)


ARRAYS = {
    "plain": np.arange(5000.0),
    "two dimensions": np.arange(6000).reshape(60, 100),
    "fortran": np.asfortranarray(np.arange(6000).reshape(60, 100)),
    "strided": np.arange(10000)[::3],
    "reversed": np.arange(5000)[::-1],
    "transposed part": np.arange(8000).reshape(80, 100)[10:, ::7].T,
    "no dimension": np.array(3.5),
    "empty": np.empty((0, 5)),
    "big endian": np.arange(1000, dtype=">i4"),
    "text": np.array(["a", "ü", "xyz"] * 500),
    "bytes": np.array([b"a", b"xyz"] * 500),
    "booleans": np.arange(3000) % 3 == 0,
    "complex": np.arange(1000) * 1j,
    "dates": np.arange("2020-01-01", "2030-01-01", dtype="M8[D]"),
    "records": np.array([(1, 2.0, "a")] * 300, dtype=[("x", "i4"), ("y", "f8"), ("s", "U3")]),
    "aligned records": np.zeros(300, dtype=np.dtype([("x", "i1"), ("y", "f8")], align=True)),
    "long double": np.ones(1000, np.longdouble),
    "float16": np.ones(3000, "f2"),
    "objects": np.array([1, "a", None, [2]], dtype=object),
    "small": np.array([1, 2, 3], dtype="i2"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(blobs, name):
    array = ARRAYS[name].copy(order="K") if name in ("plain", "fortran") else ARRAYS[name]
    got, _ = passed(blobs, array)
    assert type(got) is np.ndarray
    assert got.dtype == array.dtype
    assert got.shape == array.shape
    assert got.flags.writeable
    assert got.tolist() == array.tolist()
    assert got.flags.f_contiguous == array.flags.f_contiguous or not array.flags.forc


def test_an_array_that_must_not_be_written_stays_so(blobs):
    array = np.arange(5000)
    array.flags.writeable = False
    got, _ = passed(blobs, array)
    assert not got.flags.writeable


def test_subclasses_of_arrays_keep_their_class(blobs):
    masked = np.ma.masked_array(np.arange(1000), np.arange(1000) % 2)
    got, _ = passed(blobs, masked)
    assert type(got) is type(masked)
    assert (got.mask == masked.mask).all()


SCALARS = [
    np.float64(3), np.float32(0.1), np.int8(1), np.bool_(True), np.str_("a"), np.datetime64("2020-01-01"), np.timedelta64(1, "s"),
    1, True, None, "text", "\ud800", 1.5, -0.0, 10**700, b"bytes", 2j, (1, (2, 3)), frozenset({1}), range(3), slice(1, 2), Ellipsis,
    dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.timedelta(1), pd.Timestamp("2020", tz="UTC"), pd.NaT, pd.NA,
    pd.Period("2020-01"), pd.Interval(0, 1), np.dtype("f4"), type(None), int, print, len, io.StringIO, types.SimpleNamespace(a=1),
    {"a": [1, 2.5, None, True]}, [1, "a"], {1: 2}, {"k": (1,)}, bytearray(b"x"), {1, 2}, pd.Index([1, 2]), pd.Categorical(["a"]),
]  # fmt: skip


@pytest.mark.parametrize("value", SCALARS, ids=lambda value: f"{type(value).__name__} {str(value)[:20]}")
def test_other_values_keep_their_type(blobs, value):
    got, _ = passed(blobs, value)
    assert type(got) is type(value)
    if isinstance(value, pd.Index | pd.Categorical):
        assert list(got) == list(value)
    elif value is not pd.NaT and value is not pd.NA:
        assert got == value
    else:
        assert got is value


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=4)
            | st.tuples(inner)
        ),
        max_leaves=12,
    )
)
def test_json_is_used_only_where_it_is_exact(value):
    text = serializers.json_of(value)
    if text is not None:
        assert repr(serializers.read_literal("json", text)) == repr(value)


def test_what_json_cannot_say_is_not_json():
    shared = [1]
    for value in (
        (1,),
        {1: 2},
        float("nan"),
        float("inf"),
        [shared, shared],
        {"a": (1,)},
        {1, 2},
        b"x",
        "x" * 5000,
    ):
        assert serializers.json_of(value) is None


def test_tables_of_arrow(blobs):
    import pyarrow as pa

    table = pa.table({"a": [1, None, 3], "b": [["x"], [], None]}).replace_schema_metadata({"k": "v"})
    got, ref = passed(blobs, table)
    assert ref.serializer == "table"
    assert got.equals(table, check_metadata=True)


def test_models_of_scikit_learn(blobs):
    from sklearn.ensemble import RandomForestClassifier

    x, y = np.random.default_rng(0).random((200, 4)), np.arange(200) % 2
    model = RandomForestClassifier(20, random_state=0).fit(x, y)
    got, ref = passed(blobs, model)
    assert (got.predict_proba(x) == model.predict_proba(x)).all()
    assert ref.types["v"] == "sklearn.ensemble._forest.RandomForestClassifier"


def test_figures(blobs):
    from matplotlib.figure import Figure

    figure = Figure()
    figure.add_subplot().plot([1, 2])
    got, _ = passed(blobs, figure)
    assert got.axes[0].lines[0].get_ydata().tolist() == [1, 2]
