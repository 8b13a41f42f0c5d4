"""What goes to a cluster: checked as upstream's models have it, without a cluster."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.cluster.resource import Resource
from jupyter_ext.errors import Invalid, Unfit
from jupyter_ext.spark import kube_manifest, manifest, outside
from jupyter_ext.spark.describing import described
from jupyter_ext.spark.kube import error_of
from jupyter_ext.spark.validation import validate
from jupyter_ext.training import rank

TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n\r\0"), max_size=40)


def asked(cluster, what, *, account="spark", **options) -> kube_manifest.Asked:
    resource = described(what, name="job", **options)
    digest = resource.annotations.get("jupyter-kubeflow.org/code")
    code = cluster.blobs.read(digest) if digest else None
    found = kube_manifest.application(resource, code, account, "4.1.0")
    validate(found.resource)
    return found


def connect(conf: dict, **more) -> Resource:
    made = manifest.connect(
        "live", version="4.1.0", cores=1, executors=1, memory="1g", server="1g", conf=conf
    )
    made.spec.update(more)
    return kube_manifest.session(made, "spark", "4.1.0")


def test_code_modules_and_environment_are_in_the_pods(cluster, folder):
    (folder / "mine.py").write_text("ONE = 1\n")
    (folder / "more.py").write_text("TWO = 2\n")
    (folder / "work.py").write_text("import mine\n\ndef run(n):\n    return n\n")
    found = asked(
        cluster, "work.py", function="run", args={"n": 1}, env={"A": "$(x)"}, py_files=["more.py"], retries=2
    )
    spec = found.resource.spec
    assert spec["image"].endswith(":4.1.0")
    assert spec["mainApplicationFile"] == "local:///opt/jupyter-kubeflow/main.py"
    assert spec["deps"]["pyFiles"] == ["local:///opt/jupyter-kubeflow/modules.zip"]
    assert spec["sparkConf"]["spark.authenticate"] == "true"
    assert spec["driver"]["serviceAccount"] == "spark"
    for role, more in (("driver", [{"name": outside.BOX, "value": "job-code"}]), ("executor", [])):
        pod = spec[role]["template"]["spec"]
        assert pod["volumes"] == [{"name": "jupyter-kubeflow", "configMap": {"name": "job-code"}}]
        assert pod["containers"][0]["env"] == [{"name": "A", "value": "$(x)"}, *more]
        assert "env" not in spec[role]
    with zipfile.ZipFile(io.BytesIO(found.box["modules.zip"])) as archive:
        assert {"mine.py", "more.py"} <= set(archive.namelist())
    assert (
        not {"jupyter-kubeflow.org/args", "jupyter-kubeflow.org/origin"} & found.resource.annotations.keys()
    )


def test_a_server_has_room_beside_its_heap():
    """What is collected is in direct memory on its way, of which a JVM takes as much as its heap is."""
    container = connect({}).spec["server"]["template"]["spec"]["containers"][0]
    assert container["resources"]["requests"] == {"cpu": "250m", "memory": "1408Mi"}
    assert container["resources"]["limits"] == {"memory": "2432Mi"}


def test_what_travels_runs_with_its_last_words(cluster, folder, tmp_path):
    """The program of the driver's pod, without Spark and without a pod."""
    text = "import sys\nprint(sys.argv[1:])\nraise ValueError('no such column: ärea')\n"
    (folder / "work.py").write_text(text)
    found = asked(cluster, "work.py", arguments=["--day", "$HOME `x`"])
    for name, content in found.box.items():
        (tmp_path / name).write_bytes(content)
    command = [sys.executable, "-I", str(tmp_path / "main.py"), *found.resource.spec["arguments"]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "['--day', '$HOME `x`']" in done.stdout
    assert "ValueError: no such column" in done.stderr


def test_why_it_failed_is_a_sentence_for_people_and_facts_for_programs():
    try:
        raise KeyError("x" * 5000 + "\nmore")
    except KeyError as error:
        described = rank.described(error, None)
    words = outside.failure(described | {"traceback": ["ü" * 900] * 40})
    assert len(words.encode()) <= 4096
    assert words.startswith("The driver failed")
    assert error_of(words)["type"] == "KeyError"
    assert error_of("anything else") == {}
    refused = outside.failure(
        {"type": "Py4JJavaError", "message": "An error\n x\n Message: pods is forbidden: User y"}
    )
    assert "pods is forbidden: User y" in refused


def test_files_of_this_machine_and_settings_of_ours_are_refused_by_name(cluster, folder):
    (folder / "tool.jar").write_bytes(b"PK")
    (folder / "work.py").write_text("print(1)\n")
    (folder / "large.zip").write_bytes(bytes(600_000))
    for field, words, options in (
        (
            "spec.mainApplicationFile",
            r"tool\.jar is on this machine only",
            {"what": "tool.jar", "main_class": "A"},
        ),
        ("spec.deps.jars", r"tool\.jar is on this machine only", {"jars": ["tool.jar"]}),
        ("what", "500 kB travel", {"py_files": ["large.zip"]}),
        ("spec.sparkConf[spark.master]", "is set by", {"conf": {"spark.master": "x"}}),
        ("spec.sparkConf[spark.executor.memory]", "is said in", {"conf": {"spark.executor.memory": "1g"}}),
        ("spec.sparkConf[hadoop.x]", "no setting of Spark", {"conf": {"hadoop.x": "1"}}),
        ("spec.sparkConf[spark.x]", "not on one line", {"conf": {"spark.x": "a\nb"}}),
    ):
        with pytest.raises((Unfit, Invalid), match=words) as error:
            asked(cluster, **{"what": "work.py", **options})
        assert error.value.where.field == field
        assert error.value.hint or isinstance(error.value, Invalid)
    with pytest.raises(Invalid, match="name of an image"):
        connect({}, image="spark; id")


@given(
    st.dictionaries(
        st.text("abcAB.$`'\"&;|", min_size=1, max_size=8).map("spark.{}".format), TEXTS, max_size=3
    )
)
@settings(max_examples=20, deadline=None)
def test_no_shell_of_the_operator_reads_a_session_s_settings(conf):
    made = connect({key: value for key, value in conf.items() if "=" not in key})
    validate(made)
    line = " ".join(f"--conf {key}={value}" for key, value in made.spec["sparkConf"].items())
    said = subprocess.run(["bash", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True)
    words = said.stdout.decode().split("\0")[1:-1:2]
    assert set(words) == {
        f"{key}={value}" for key, value in {**kube_manifest.DEFAULTS, **kube_manifest.SERVER, **conf}.items()
    }


def test_a_session_s_token_is_in_a_secret_and_its_server_ends_once():
    made = connect({})
    validate(made)
    pod = made.spec["server"]["template"]["spec"]
    token = pod["containers"][0]["env"][0]
    assert token["valueFrom"]["secretKeyRef"] == {"name": "live-token", "key": "token"}
    assert pod["restartPolicy"] == "Never"
    assert "token" not in json.dumps({**made.spec["sparkConf"], **made.annotations}).lower()
    assert shlex.quote(made.spec["image"]) == made.spec["image"]
