"""What is typed about endpoints, and the code that is shown for them: parsers, grammar, snippets."""

from __future__ import annotations

import argparse
import ast
import json
import shlex
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.error import UsageError

from jupyter_ext.cli.parser import build
from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid
from jupyter_ext.notebook_commands import parser as grammar
from jupyter_ext.notebook_commands import words
from jupyter_ext.serving import options, snippets
from jupyter_ext.serving.forms import FormModel

NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,10}[a-z0-9]", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=20)
SPECS = st.fixed_dictionaries(
    {"model": st.builds("{}{}".format, NAMES, st.sampled_from(["", "@champion", ":3"]))},
    optional={
        "endpoint": NAMES,
        "variant": NAMES,
        "percent": st.integers(0, 100),
        "replicas": st.one_of(st.integers(2, 9), st.sampled_from(["0:3", "1:4"])),
        "resources": st.dictionaries(st.sampled_from(["cpu", "memory"]), st.sampled_from(["1", "2Gi", "500m"]), max_size=2),
        "env": st.dictionaries(NAMES, TEXTS, max_size=2),
        "timeout": st.integers(1, 50),
        "batch": st.fixed_dictionaries({"size": st.integers(1, 99)}, optional={"wait_ms": st.integers(1, 99)}),
        "idle": st.integers(1, 999),
        "sticky": st.sampled_from(["header:x-user", "query:user", "body:user.id"]),
        "log": st.fixed_dictionaries(
            {"sample": st.sampled_from([0.1, 0.5, 1.0])},
            optional={"redact": st.lists(NAMES, min_size=1, max_size=2)},
        ),
        "rules": st.lists(st.sampled_from(["roll back if errors > 2 % over 5 minutes"]), min_size=1, max_size=2),
        "grpc": st.booleans(),
        "explain": st.booleans(),
    },
)  # fmt: skip


def said(spec: dict) -> dict:
    """What is left of a spec when what is so anyway is left out."""
    return {"model": spec["model"], **snippets.said(spec)}


@settings(deadline=None)
@given(SPECS)
def test_the_command_says_what_the_keywords_say(spec):
    head, kf, *line = shlex.split(snippets.cli(spec))
    assert (head, kf) == ("jupyter", "kf")
    args = build().parse_args(line)
    assert {"model": args.model, **options.given(args)} == said(spec)


@settings(deadline=None)
@given(SPECS)
def test_the_magic_says_what_the_keywords_say(spec):
    magic = shlex.split(snippets.magic(spec))
    assert magic[0] == "%serve"
    args = grammar().parse_args(["serve", *magic[1:]])
    assert {"model": args.model, **options.given(args)} == said(spec)


@settings(deadline=None)
@given(SPECS)
def test_the_python_says_what_the_keywords_say(spec):
    call = ast.parse(snippets.python(spec)).body[-1].value
    found = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
    assert {"model": ast.literal_eval(call.args[0]), **found} == said(spec)


@settings(deadline=None)
@given(SPECS)
def test_a_form_gives_back_what_it_was_given(spec):
    spec.pop("env", None)  # the form asks for none
    if isinstance(spec.get("log"), dict):
        spec["log"] = {"sample": spec["log"]["sample"]}
    found = FormModel.from_spec(spec).to_spec()
    found["replicas"] = found.get("replicas")
    assert said(found) == said(spec)


@pytest.mark.parametrize(
    ("model", "name"), [("iris", "iris"), ("iris@champion", "iris"), ("iris:3", "iris"), ("a:b@c", "a:b")]
)
def test_the_name_of_an_endpoint_is_its_models(model, name):
    assert snippets.named(model) == name


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (options.percent, "101"),
        (options.percent, "-1"),
        (options.percent, "ten"),
        (options.replicas, "3:1"),
        (options.replicas, "0:0"),
        (options.replicas, "0"),
        (options.batch, "0"),
        (options.batch, "8:x"),
        (options.sample, "0"),
        (options.sample, "2"),
        (options.sample, "nan"),
    ],
)
def test_what_is_mistyped_is_refused(read, text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not"):
        read(text)


def test_a_split_as_it_is_typed():
    assert options.split(["v1=90", "v2=10%"]) == {"v1": 90, "v2": 10}
    for wrong in (["v1"], ["v1=90", "v1=10"], ["v1=x"], []):
        with pytest.raises(Invalid):
            options.split(wrong)
    assert options.outcome(["clicked=true", "price=1.5"]) == {"clicked": 1, "price": 1.5}
    with pytest.raises(Invalid, match="must be a number"):
        options.outcome(["clicked=maybe"])


@settings(deadline=None)
@given(st.lists(TEXTS, max_size=4))
def test_a_split_is_read_or_refused(texts):
    try:
        found = options.split(texts)
    except Invalid:
        return
    assert all(0 <= share <= 100 for share in found.values())


def test_the_commands_of_endpoints_complete():
    offered = set(words([]))
    assert {"serve", "endpoints", *(command.name for command in options.COMMANDS), "compare"} <= offered
    assert "--sticky" in set(words(["traffic"]))
    with pytest.raises(UsageError):
        grammar().parse_args(["promote"])


# Code of clients

URL = "http://127.0.0.1:8123/iris"
ROWS = {"instances": [[5.1, 3.5]]}
COLUMNS = {"instances": [{"it's": 5.1, "b": "x"}]}


@pytest.mark.parametrize("body", [ROWS, COLUMNS])
@pytest.mark.parametrize("name", ["client", "kserve", "tritonclient"])
def test_the_code_of_clients_is_python_and_has_no_token(name, body):
    text = getattr(snippets, name)(URL, "iris", "/srv/a b/gateway.token", body, "v2")
    compile(text, name, "exec")
    assert "gateway.token" in text
    assert "v2" in text
    assert "127.0.0.1:8123" in text


def test_curl_reads_the_token_from_its_file(tmp_path):
    """The token is in no argument of any process: printf and cat belong to the shell, curl reads a header from a pipe."""
    token = tmp_path / "it's a token"
    token.write_text("secret\n")
    text = snippets.curl(URL, "iris", str(token), COLUMNS, "v2")
    assert "secret" not in text
    # A curl that shows what it was given.
    (tmp_path / "curl").write_text(
        '#!/bin/sh\ncat\nprintf "\\n"\nfor word; do printf "%s\\n" "$word"; done\n'
    )
    (tmp_path / "curl").chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", text],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.split("\n")
    assert lines[0] == "Authorization: Bearer secret"
    assert "secret" not in "\n".join(lines[1:])
    assert json.loads(lines[lines.index("--data") + 1]) == COLUMNS
    assert f"{URL}/v1/models/iris:predict" in lines
    assert "X-Variant: v2" in lines


def test_an_endpoint_as_the_calls_that_make_it():
    spec = {
        "predictor": {
            "name": "v1",
            "minReplicas": 0,
            "maxReplicas": 3,
            "timeout": 30,
            "batcher": {"maxBatchSize": 8, "maxLatency": 5},
            "model": {
                "modelFormat": {"name": "sklearn"},
                "storageUri": "file:///x",
                "resources": {"requests": {"cpu": "1", "nvidia.com/gpu": 1}},
                "env": [{"name": "A", "value": "1"}],
            },
        },
        "canary": [{"trafficPercent": 10, "predictor": {"name": "v2", "model": {}}}],
    }
    facts = {"v1": {"model": "iris", "version": "1"}, "v2": {"model": "iris", "version": "2"}}
    annotations = {
        "jupyter-kubeflow.org/variants": json.dumps(facts),
        "jupyter-kubeflow.org/sticky": "header:x-user",
        "jupyter-kubeflow.org/rules": json.dumps(["roll back if errors > 2 % over 5 minutes"]),
        "jupyter-kubeflow.org/idle": "60",
    }
    resource = Resource.new("InferenceService", "flowers", spec, annotations=annotations)
    found = snippets.applied(resource)
    assert found["python"] == (
        "import jupyter_ext as kf\n"
        "endpoint = kf.serving.serve('iris:1', endpoint='flowers', replicas='0:3', "
        "resources={'cpu': '1', 'gpu': '1'}, env={'A': '1'}, timeout=30, batch={'size': 8, 'wait_ms': 5}, idle=60, "
        "sticky='header:x-user', rules=['roll back if errors > 2 % over 5 minutes'])\n"
        "endpoint = kf.serving.serve('iris:2', endpoint='flowers', percent=10)"
    )
    assert found["cli"].split("\n")[1] == "jupyter kf serve iris:2 --endpoint=flowers --percent=10"
    unknown = Resource.new("InferenceService", "other", {"predictor": {"model": {"storageUri": "s3://b/p"}}})
    assert "apply" in snippets.applied(unknown)["cli"]
