"""Large values are mapped, writable and private; the receiving step needs little more than what it touches."""

from __future__ import annotations

MB = 1 << 20


def test_a_frame_is_mapped_and_not_copied(steps):
    steps.ok(
        "import numpy as np, pandas as pd\nrows = 200 * (1 << 20) // 64\n"
        "df = pd.DataFrame({f'c{i}': np.arange(rows, dtype='f8') for i in range(8)})\nn = len(df)"
    )
    assert steps.namespace["df"].bytes > 200 * MB
    baseline = steps.run("print(n)", reads=("n",), may_change=()).max_rss
    untouched = steps.run("print(len(df))", reads=("df",), may_change=())
    assert untouched.max_rss - baseline < 20 * MB
    summed = steps.run("total = df.sum().sum()", reads=("df",))
    assert summed.state == "SUCCEEDED"
    assert summed.max_rss - baseline < 1.2 * 200 * MB
    assert "df" not in {name for ref in summed.values for name in ref.names}


def test_writing_to_a_mapped_value_changes_no_blob(steps):
    steps.ok(
        "import numpy as np, pandas as pd\na = np.zeros(100_000)\ndf = pd.DataFrame({'x': np.zeros(100_000), 'y': 1.0})\n"
        "box = {'inner': np.ones(100_000)}"
    )
    before = dict(steps.namespace)
    contents = {name: steps.blobs.read(before[name].digest) for name in ("a", "df", "box")}
    steps.ok("a[5] = 1\ndf.loc[3, 'x'] = 2\nbox['inner'][7] = 3\nassert a.flags.writeable")
    changed = {name for ref in steps.result.values for name in ref.names}
    assert changed == {"a", "df", "box"}
    for name, content in contents.items():
        assert steps.blobs.read(before[name].digest) == content
    steps.ok("assert a[5] == 1 and df.loc[3, 'x'] == 2 and box['inner'][7] == 3 and a.sum() == 1")
    steps.namespace = before
    steps.ok("assert a.sum() == 0 and df['x'].sum() == 0 and box['inner'][7] == 1")


def test_a_list_of_ten_million_numbers(steps):
    steps.ok("xs = list(range(10_000_000))")
    steps.ok("assert len(xs) == 10_000_000 and xs[-1] == 9_999_999")
    assert steps.result.values == ()


def test_a_write_that_changes_nothing_is_no_change(steps):
    steps.ok("import numpy as np\na = np.zeros(100_000)")
    steps.ok("a[5] = 0.0")
    assert steps.result.values == ()
