"""YAML as people write it: every refusal names document, line and field."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.errors import Invalid, KubeflowError, NotFound
from jupyter_ext.manifest import line_of, load, read

JOB = """apiVersion: trainer.kubeflow.org/v1alpha1
kind: TrainJob
metadata:
  name: mnist
spec:
  runtimeRef:
    name: torch-distributed
  trainer:
    numNodes: 2
"""
OTHER = JOB.replace("mnist", "other")


def test_documents_lists_and_json_are_read():
    two = read(f"---\n{JOB}---\n{OTHER}")
    assert [document.resource.name for document in two] == ["mnist", "other"]
    assert [document.number for document in two] == [1, 2]
    items = {"kind": "List", "apiVersion": "v1", "items": [yaml.safe_load(JOB), yaml.safe_load(OTHER)]}
    assert [document.resource for document in read(yaml.safe_dump(items))] == [d.resource for d in two]
    assert [document.resource for document in read(json.dumps(items, indent=1))] == [d.resource for d in two]


def test_a_file_or_a_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "job.yaml").write_text(JOB)
    assert load("job.yaml")[0].resource == load(JOB)[0].resource == load(tmp_path / "job.yaml")[0].resource
    with pytest.raises(NotFound):
        load("none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Invalid, match="cannot be read"):
        load("binary.yaml")


@pytest.mark.parametrize(
    ("text", "number", "line", "field", "words"),
    [
        ("a: [1, 2", 1, 2, None, "not YAML"),
        (f"{JOB}---\nx: }}\n", 2, 11, None, "not YAML"),
        ("- 1\n- 2", 1, 1, None, "not a resource"),
        ("\n\nkind: Pod\napiVersion: v1", 1, 3, "kind", "Pod is not a kind"),
        ("apiVersion: v1", 1, 1, "kind", "kind is missing"),
        (JOB.replace("v1alpha1", "v2"), 1, 1, "apiVersion", "v2"),
        (JOB + "extra: 1\n", 1, 10, "extra", "extra is not known"),
        (JOB.replace("  name: mnist", "  name: Mnist!"), 1, 4, "metadata.name", "not a valid name"),
        (JOB.replace("  name: mnist", "  nam: mnist"), 1, 3, "metadata.name", "metadata.name is missing"),
        (JOB.replace("metadata:\n  name: mnist", "metadata: 3"), 1, 3, "metadata", "mapping"),
        (JOB.replace("    numNodes: 2", "    numNodes: 2\n    numNodes: 3"), 1, 10, "spec.trainer.numNodes", "twice"),
        (JOB.replace("  name: mnist", "  name: mnist\n  labels: {a: 1}"), 1, 5, "metadata.labels.a", "string"),
        (f"{JOB}---\n{JOB}", 2, None, "metadata.name", "again, after document 1"),
        ("# nothing\n", None, None, None, "nothing in the YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_place(text, number, line, field, words):
    with pytest.raises(Invalid) as refused:
        read(text)
    error = refused.value
    assert words in str(error)
    if number is None:
        return
    assert error.where.object.startswith(f"document {number}")
    assert (error.where.line, error.where.field) == (line, field)


def test_an_error_of_the_library_gets_document_and_line():
    document = read(f"{OTHER}---\n{JOB}")[1]
    error = document.at(Invalid("no", where=Invalid("", where=None).where))
    assert error.where.object == "document 2, TrainJob mnist"
    assert line_of(document.lines, "spec.trainer.numNodes") == 19
    assert line_of(document.lines, "spec.trainer.env[3].name") == 18, "the nearest that is there"
    assert line_of(document.lines, "metadata.name") == 14


def test_few_lines_that_mean_billions_are_refused():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n"
    for name, before in zip("bcdefghi", "abcdefgh", strict=True):
        bomb += f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
    with pytest.raises(Invalid, match="more than"):
        read(bomb)
    with pytest.raises(Invalid):
        read("[" * 5000)
    with pytest.raises(Invalid):
        read("!!python/object/apply:os.system ['true']")


def test_dates_stay_as_they_are_written_and_names_are_made_up():
    found = read(JOB.replace("numNodes: 2", "numNodes: 2026-01-01"))[0]
    assert found.resource.spec["trainer"]["numNodes"] == "2026-01-01"
    made = read(JOB.replace("name: mnist", "generateName: mnist-", 1))[0]
    assert made.resource.name.startswith("mnist-")
    assert len(made.resource.name) == len("mnist-") + 5


def test_a_namespace_of_a_cluster_is_this_machines():
    text = JOB.replace("name: mnist", "name: mnist\n  namespace: kubeflow", 1)
    found = read(text, "default")[0]
    assert found.resource.namespace == "default"
    assert "kubeflow" in found.notes[0]
    assert read(JOB, "default")[0].notes == ()


@given(st.text(max_size=400) | st.text("ab:-[]{}&*!|>'\"\n #%@,?", max_size=200))
def test_any_text_is_read_or_refused(text):
    with suppress(KubeflowError):
        read(text)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=3), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), values, max_size=4))
def test_a_spec_comes_back_as_it_was_written(spec):
    text = yaml.safe_dump({**yaml.safe_load(JOB), "spec": spec})
    assert read(text)[0].resource.spec == spec


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: " + "[" * 20_000, "nested more than 200 deep"),
        ("- " * 20_000, "nested more than 200 deep"),
    ],
)
def test_a_text_that_would_never_be_read_is_refused_at_once(text, said):
    with pytest.raises(Invalid, match=said):
        read(text)
