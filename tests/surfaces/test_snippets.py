from __future__ import annotations

import ast
import json
import shlex

from hypothesis import given
from hypothesis import strategies as st
from IPython.core.interactiveshell import InteractiveShell

from jupyter_ext.cli.parser import parse
from jupyter_ext.pipelines.snippets import cli, magic, python, read_limits, read_parameters, read_register
from jupyter_ext.registry.made import wanted

values = (
    st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
)
parameters = st.dictionaries(st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True), values, max_size=3)
steps = st.none() | st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True)
requests = st.dictionaries(
    st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True),
    st.dictionaries(
        st.sampled_from(["cpu", "memory", "nvidia.com/gpu"]),
        st.sampled_from(["1", "500m", "4Gi"]),
        min_size=1,
    ),
    max_size=2,
)
registered = st.sampled_from(["churn", "churn@next", "a=b"]) | st.fixed_dictionaries(
    {"model": st.sampled_from(["churn", "a=b", "{x"])},
    optional={"alias": st.just("next"), "value": st.just("clf"), "version": st.just("3")},
)
options = st.fixed_dictionaries(
    {},
    optional={
        "from": steps, "only": steps, "cache": st.booleans(), "resources": requests, "register": registered
    },
)  # fmt: skip
paths = st.text("ab /'\"$-ü{}", min_size=1, max_size=12).map(lambda text: text + ".ipynb")


@given(paths, parameters, options)
def test_the_python_says_what_the_form_says(path, given_parameters, given_options):
    call = ast.parse(python(path, given_parameters, given_options)).body[1].value
    said = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert ast.literal_eval(call.args[0]) == path
    assert said.pop("from_", None) == (given_options.get("from") or None)
    assert said.pop("only", None) == (given_options.get("only") or None)
    assert said.pop("resources", {}) == given_options.get("resources", {})
    if "register" in given_options:
        assert said.pop("register") == given_options["register"]
    if "parameters" in said:
        said = said["parameters"]
    else:
        assert said.pop("cache", True) == given_options.get("cache", True)
    assert said == given_parameters


@given(paths, parameters, options)
def test_the_command_says_what_the_form_says(path, given_parameters, given_options):
    words = shlex.split(cli(path, given_parameters, given_options))
    args = parse(words[2:])
    assert args.file in {path, f"./{path}"}
    texts = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in given_parameters.items()
    }
    assert read_parameters(args.parameters) == texts
    assert (args.start, args.only) == (given_options.get("from") or None, given_options.get("only") or None)
    assert args.no_cache == (given_options.get("cache") is False)
    assert read_limits(args.limit) == given_options.get("resources", {})
    assert (args.register is None) == ("register" not in given_options)
    if args.register is not None:
        heard = read_register(args.register)
        assert heard is not None
        assert wanted(heard) == wanted(given_options["register"])


def test_the_magic_reaches_the_magic_as_it_is_meant(monkeypatch):
    shell = InteractiveShell.instance()
    try:
        shell.run_line_magic("load_ext", "jupyter_ext")
        seen = []
        monkeypatch.setattr(
            shell.find_line_magic("pipeline").__self__, "_run", lambda *given: seen.append(given[1])
        )
        monkeypatch.setenv("JPY_SESSION_NAME", __file__)
        shell.user_ns["lr"] = "WRONG"
        given_parameters = {"a": "{lr} $lr", "b": 'it\'s "so"', "c": [1, {"x": None}]}
        shell.run_cell(magic("a.ipynb", given_parameters, {})).raise_error()
        assert seen == [{"a": "{lr} $lr", "b": 'it\'s "so"', "c": '[1, {"x": null}]'}]
    finally:
        shell.run_line_magic("unload_ext", "jupyter_ext")
        InteractiveShell.clear_instance()


def test_a_parameter_may_be_called_like_an_option():
    assert python("a.ipynb", {"cache": 1}, {}).endswith("run('a.ipynb', parameters={'cache': 1})")
    assert python("a.ipynb", {"register": 1}, {}).endswith("run('a.ipynb', parameters={'register': 1})")
