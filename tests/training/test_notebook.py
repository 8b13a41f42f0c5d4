"""Functions and classes of a notebook, as IPython compiles them."""

from __future__ import annotations

import pytest
from IPython.core.interactiveshell import InteractiveShell

from jupyter_ext.training import JobFailed


@pytest.fixture
def shell(cluster, folder):
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance()
    yield made
    made.history_manager.end_session()
    InteractiveShell.clear_instance()


def run(shell, source):
    result = shell.run_cell(source, store_history=True)
    result.raise_error()
    return result.result


def test_from_cell_to_cell(shell):
    run(shell, "import jupyter_ext as kf\nimport math\nscale = 10")
    run(
        shell,
        "class Net:\n    def __init__(self, k):\n        self.k = k\n    def run(self):\n        return self.k * scale",
    )
    run(shell, "def fit(k):\n    return Net(math.floor(k)).run()")
    run(shell, "job = kf.training.train(fit, framework='plain', args={'k': 4.5})")
    assert run(shell, "job.result(60)") == 40
    run(shell, "scale = 100")
    assert run(shell, "kf.training.train(fit, framework='plain', args={'k': 2}).result(60)") == 200
    assert run(shell, "kf.training.train('n = Net(1)\\nn.run() + 1', framework='plain').result(60)") == 101


def test_an_exception_names_the_cell_it_was_raised_in(shell):
    run(shell, "import jupyter_ext as kf")
    run(shell, "def inner():\n    # why\n    raise ValueError('deep')")
    run(shell, "def fit():\n    inner()")
    with pytest.raises(JobFailed) as caught:
        run(shell, "kf.training.train(fit, framework='plain').result(60)")
    assert caught.value.error["label"] == "In [2]"
    assert caught.value.where.line == 3
    assert "raise ValueError('deep')" in caught.value.traceback
    assert "Rank 0 failed at In [2], line 3: ValueError: deep" in str(caught.value)
