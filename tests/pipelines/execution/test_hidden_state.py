"""State beside the variables holds in later steps as in later cells, and only what changed is reported."""

from __future__ import annotations

import pytest

KINDS = {
    "random": ("import random\nrandom.seed(7)", "a = random.random()", "import random as r\nr.seed(7)\nassert a == r.random()"),
    "numpy": (
        "import numpy as np\nnp.random.seed(7)\nnp.random.rand(3)",
        "a = np.random.rand()",
        "np.random.seed(7)\nassert a == np.random.rand(4)[3]",
    ),
    "environ": (
        "import os\nos.environ['KF_X'] = '1'\nos.environ.pop('LANG', None)",
        "",
        "import os\nassert os.environ['KF_X'] == '1' and 'LANG' not in os.environ\nshown = !echo $KF_X\nassert list(shown) == ['1']",
    ),
    "cwd": ("import os\nos.makedirs('kf-sub', exist_ok=True)\nos.chdir('kf-sub')", "", "import os\nassert os.getcwd().endswith('kf-sub')"),
    "sys.path": ("import sys\nsys.path.append('/nowhere')", "", "import sys\nassert sys.path[-1] == '/nowhere'"),
    "warnings": (
        "import warnings\nwarnings.simplefilter('error')",
        "",
        "import warnings\ntry:\n    warnings.warn('x')\nexcept UserWarning:\n    pass\nelse:\n    raise AssertionError",
    ),
    "pandas": (
        "import pandas as pd\npd.options.display.max_rows = 7\npd.set_option('display.float_format', lambda x: f'<{x}>')",
        "",
        "assert pd.options.display.max_rows == 7 and '<1.5>' in repr(pd.Series([1.5]))",
    ),
    "matplotlib": (
        "import matplotlib.pyplot as plt\nplt.rcParams['lines.linewidth'] = 9\nplt.style.use('ggplot')",
        "",
        "assert plt.rcParams['lines.linewidth'] == 9 and plt.rcParams['axes.facecolor'] == '#E5E5E5'",
    ),
    "numpy.print": ("import numpy as np\nnp.set_printoptions(precision=2)", "", "assert repr(np.array([1.23456])) == 'array([1.23])'"),
    "numpy.errors": (
        "import numpy as np\nnp.seterr(divide='raise')",
        "",
        "try:\n    np.ones(1) / 0\nexcept FloatingPointError:\n    pass\nelse:\n    raise AssertionError",
    ),
    "decimal": (
        "import decimal\ndecimal.getcontext().prec = 5",
        "",
        "import decimal\nassert str(decimal.Decimal(1) / 3) == '0.33333'",
    ),
    "logging": (
        ("import logging\nlogging.basicConfig(level=logging.INFO, format='%(levelname)s|%(message)s')\n"
        "logging.getLogger('mine').setLevel(logging.DEBUG)"),
        "",
        ("import logging\nassert logging.getLogger().level == logging.INFO\nassert logging.getLogger('mine').level == logging.DEBUG\n"
        "h, = logging.getLogger().handlers\nassert h.formatter._fmt == '%(levelname)s|%(message)s'\nlogging.info('shown')"),
    ),
    "recursion": ("import sys\nsys.setrecursionlimit(5000)", "", "import sys\nassert sys.getrecursionlimit() == 5000"),
    "umask": ("import os\nos.umask(0o027)", "", "import os\nm = os.umask(0)\nos.umask(m)\nassert m == 0o027"),
    "locale": ("import locale\nlocale.setlocale(locale.LC_ALL, 'C')", "", "import locale\nassert locale.setlocale(locale.LC_ALL) == 'C'"),
    "magics": (
        ("from IPython.core.magic import register_line_magic\nk = 2\n@register_line_magic\ndef double(line):\n    return int(line) * k\n"
        "%alias kfecho echo alias-%s"),
        "",
        "d = %double 4\nassert d == 8\n%kfecho done",
    ),
    "extensions": ("%load_ext autoreload\n%autoreload 0", "", "%autoreload 0"),
    "ipython": (
        "from IPython.core.interactiveshell import InteractiveShell\nInteractiveShell.ast_node_interactivity = 'all'",
        "",
        "get_ipython().ast_node_interactivity",
    ),
    "future": ("from __future__ import annotations\ndef f(x: Undefined): ...", "", "def g(x: Undefined): ...\nassert g.__annotations__ == {'x': 'Undefined'}"),
    "sklearn": (
        "import sklearn\nsklearn.set_config(transform_output='pandas')",
        "",
        "assert sklearn.get_config()['transform_output'] == 'pandas'",
    ),
    "inline": (
        "%matplotlib inline\n%config InlineBackend.figure_formats = ['svg']",
        "",
        "import matplotlib.pyplot as plt\nplt.plot([1, 2]);",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_state_holds_in_later_steps(steps, kind):
    change, between, check = KINDS[kind]
    steps.ok(change)
    assert kind in steps.result.hidden
    steps.ok(between or "pass")
    steps.ok(check)


def test_what_the_inline_backend_was_told_shows_in_the_figure(steps):
    change, _, check = KINDS["inline"]
    steps.ok(change)
    steps.ok(check)
    shown = [item for cell in steps.outputs() for item in cell["outputs"]]
    assert "image/svg+xml" in shown[0]["data"]


def test_a_step_that_changes_nothing_reports_nothing(steps):
    steps.ok("import random\nrandom.seed(1)\nimport pandas as pd\npd.options.display.max_rows = 5")
    steps.ok("x = 1\nprint(pd.Series([1]))")
    assert steps.result.hidden == {}


def test_importing_a_library_changes_no_settings(steps):
    steps.ok("import sklearn, matplotlib.pyplot, scipy.stats, numpy.random, decimal")
    assert set(steps.result.hidden) <= {"warnings"}


def test_state_set_back_is_set_back(steps):
    steps.ok("import pandas as pd\npd.options.display.max_rows = 7")
    steps.ok("pd.reset_option('display.max_rows')")
    steps.ok("assert pd.options.display.max_rows == 60")


def test_forks_do_not_share_random_numbers_by_accident(steps):
    source = "import random, numpy as np\nprint(random.random(), np.random.rand())"
    first, second = steps.ok(source), None
    steps.hidden = {}
    steps.namespace = {}
    second = steps.ok(source)
    assert first.split()[0] != second.split()[0]
    assert first.split()[1] != second.split()[1]


def test_unseeded_generators_go_on_in_the_order_of_the_steps(steps):
    steps.ok("import random\na = random.random()")
    assert "random" in steps.result.hidden
    steps.ok("b = random.random()\nassert a != b")


def test_variables_of_the_device_do_not_travel(steps):
    steps.ok("import os\nassert os.environ['CUDA_VISIBLE_DEVICES'] == '3'", env={"CUDA_VISIBLE_DEVICES": "3"})
    assert "environ" not in steps.result.hidden
    steps.ok("import os\nassert 'CUDA_VISIBLE_DEVICES' not in os.environ", env={"CUDA_VISIBLE_DEVICES": None})


def test_the_hash_seed_that_we_set_is_not_seen(steps):
    steps.ok(
        "import os\nassert 'PYTHONHASHSEED' not in os.environ\nassert not [k for k in os.environ if 'HASH_SEED' in k]"
    )


def test_hidden_state_applies_to_a_live_shell(steps):
    from types import SimpleNamespace

    import pandas as pd

    from jupyter_ext.pipelines import hidden

    steps.ok("import pandas as pd\npd.options.display.max_rows = 11")
    given = {"pandas": steps.hidden["pandas"]}
    try:
        hidden.apply(given, steps.blobs, SimpleNamespace(user_ns={}))
        assert pd.options.display.max_rows == 11
    finally:
        pd.reset_option("display.max_rows")
