"""The profile's Secrets and ConfigMaps: what may be kept, who can read it, and that no value is seen elsewhere."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import jupyter_ext as kf
from jupyter_ext.cli import main
from jupyter_ext.errors import Invalid, KubeflowError, NotFound
from jupyter_ext.secrets.store import CONFIG_MAP, LARGEST, Store, checked_key, checked_name

VALUE = "correct horse battery staple"


def test_what_was_set_is_given_to_who_asks_by_name_and_key() -> None:
    kf.secrets.set("db", "password", VALUE)
    kf.secrets.set("db", "key.bin", b"\xff\x00")
    assert kf.secrets.get("db", "password") == VALUE
    assert kf.secrets.get_bytes("db", "key.bin") == b"\xff\x00"
    (entry,) = kf.secrets.list()
    assert (entry.name, entry.keys) == ("db", ("key.bin", "password"))
    assert VALUE not in repr(entry) + json.dumps(entry.to_dict())
    with pytest.raises(Invalid, match="get_bytes"):
        kf.secrets.get("db", "key.bin")


def test_the_files_are_kubernetes_own_and_nobody_elses(kubeflow_home: Path) -> None:
    kf.secrets.set("db", "password", VALUE)
    kf.secrets.set("settings", "mode", "fast", kind="ConfigMap")
    kf.secrets.set("settings", "raw", b"\xfe", kind="ConfigMap")
    folder = kubeflow_home / "default"
    found = json.loads((folder / "secrets" / "db.json").read_text())
    assert (found["apiVersion"], found["kind"], found["type"]) == ("v1", "Secret", "Opaque")
    assert base64.b64decode(found["data"]["password"]).decode() == VALUE
    plain = json.loads((folder / "configmaps" / "settings.json").read_text())
    assert (plain["data"], list(plain["binaryData"])) == ({"mode": "fast"}, ["raw"])
    for path in (folder / "secrets", folder / "configmaps"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert {stat.S_IMODE(each.stat().st_mode) for each in path.iterdir()} == {0o600}


def test_deleting_a_key_and_the_whole() -> None:
    kf.secrets.set("db", "a", "1")
    kf.secrets.set("db", "b", "2")
    kf.secrets.delete("db", "a")
    with pytest.raises(NotFound, match="Keys: b"):
        kf.secrets.get("db", "a")
    kf.secrets.delete("db")
    with pytest.raises(NotFound, match="jupyter kf secret set db KEY"):
        kf.secrets.get("db", "a")
    with pytest.raises(NotFound):
        kf.secrets.delete("db")


def test_each_change_is_another_version(tmp_path: Path) -> None:
    store = Store(tmp_path)
    versions = {store.set("db", "a", value).version for value in ("1", "1", "2")}
    assert len(versions) == 3


@pytest.mark.parametrize("name", ["", "A", "a/b", "../x", "a..b", ".a", "-a", "a" * 254, "a\n"])
def test_names_that_may_not_be(name: str) -> None:
    with pytest.raises(Invalid, match="not the name of a Secret"):
        kf.secrets.set(name, "key", VALUE)


@pytest.mark.parametrize("key", ["", ".", "..", "..data", "a/b", "a b", "k" * 254, "ä", "a\n"])
def test_keys_that_may_not_be(key: str) -> None:
    with pytest.raises(Invalid, match="not a key"):
        kf.secrets.set("db", key, VALUE)


@given(st.text(max_size=30))
def test_what_is_taken_is_a_plain_file_name(text: str) -> None:
    for check in (checked_name, checked_key):
        try:
            taken = check(text)
        except Invalid:
            continue
        assert Path("/x", taken).parent == Path("/x")
        assert taken not in (".", "..")


def test_values_that_may_not_be(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with pytest.raises(Invalid, match="text or bytes, not int"):
        store.set("db", "a", 3)  # type: ignore[arg-type]
    store.set("db", "a", b"x" * LARGEST)
    with pytest.raises(Invalid, match="At most"):
        store.set("db", "b", b"x")
    assert store.entry("db").keys == ("a",)
    with pytest.raises(Invalid, match="neither Secret nor ConfigMap"):
        store.set("db", "a", "x", "Pod")


def test_a_damaged_file_is_named_and_its_content_is_not(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.set("db", "a", VALUE)
    path = tmp_path / "secrets" / "db.json"
    for text in (
        f'{{"data": "{VALUE}',
        f'["{VALUE}"]',
        f'{{"kind": "Secret", "data": {{"a": ["{VALUE}"]}}}}',
    ):
        path.write_text(text)
        with pytest.raises(KubeflowError) as caught:
            store.values("db")
        assert "db" in str(caught.value)
        assert VALUE not in str(caught.value)
        assert caught.value.__cause__ is None


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    writers = [threading.Thread(target=store.set, args=("db", f"k{n}", str(n))) for n in range(12)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert store.values("db") == {f"k{n}": str(n).encode() for n in range(12)}


def _kf(*words: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "jupyter_ext.cli", "secret", *words]
    return subprocess.run(command, input=given, capture_output=True, env=dict(os.environ), check=False)


def test_the_command_line_reads_a_value_and_prints_none(tmp_path: Path) -> None:
    done = _kf("set", "db", "password", given=VALUE.encode() + b"\n")
    assert done.returncode == 0, done.stderr
    (tmp_path / "key").write_bytes(b"line\n")
    assert main(["secret", "set", "db", "key", "--from-file", str(tmp_path / "key")]) == 0
    assert kf.secrets.get("db", "password") == VALUE
    assert kf.secrets.get("db", "key") == "line\n"
    shown = _kf("list").stdout + _kf("list", "--json").stdout + done.stdout + done.stderr
    assert b"password" in shown
    assert VALUE.encode() not in shown
    assert _kf("delete", "db", "key").returncode == 0
    assert _kf("delete", "db").returncode == 0
    refused = _kf("delete", "db")
    assert (refused.returncode, b"no Secret db" in refused.stderr) == (2, True)
    assert _kf("set", "db", "password", VALUE).returncode == 2


def test_config_maps_are_another_kind(capsys: pytest.CaptureFixture[str]) -> None:
    kf.secrets.set("x", "a", "1", kind=CONFIG_MAP)
    assert not kf.secrets.list()
    assert main(["secret", "list", "--config-map"]) == 0
    assert "x" in capsys.readouterr().out
