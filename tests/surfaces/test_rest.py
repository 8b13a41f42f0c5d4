from __future__ import annotations

import json
import sqlite3

from jupyter_ext.cluster.local import LocalCluster

ERROR = {"message", "what", "where", "hint", "status"}


async def test_a_list_is_light_and_newest_first(api, put_run):
    for name in ("first", "second", "third"):
        put_run(name)
    status, found = await api("runs")
    assert status == 200
    assert [item["metadata"]["name"] for item in found["items"]] == ["third", "second", "first"]
    assert found["more"] is False
    assert isinstance(found["resourceVersion"], int)
    item = found["items"][0]
    assert item["kind"] == "Run"
    assert "graph" not in item["spec"]["pipeline"]
    assert item["status"]["metrics"] == {"accuracy": 0.9}
    assert [step["state"] for step in item["status"]["steps"]] == ["SUCCEEDED", "SUCCEEDED"]
    assert all("outputs" not in step for step in item["status"]["steps"])


async def test_pages_and_filters(api, put_run):
    for number in range(5):
        put_run(f"run-{number}", phase="FAILED" if number == 2 else "SUCCEEDED")
    _, page = await api("runs", params={"limit": "2"})
    assert [item["metadata"]["name"] for item in page["items"]] == ["run-4", "run-3"]
    assert page["more"] is True
    for before in ("run-3", page["next"]):
        _, rest = await api("runs", params={"limit": "2", "before": before})
        assert [item["metadata"]["name"] for item in rest["items"]] == ["run-2", "run-1"]
    _, failed = await api("runs", params={"state": "FAILED"})
    assert [item["metadata"]["name"] for item in failed["items"]] == ["run-2"]
    _, both = await api("runs", params={"state": "FAILED,CANCELED", "q": "RUN-2"})
    assert len(both["items"]) == 1
    _, none = await api("runs", params={"q": "nothing like it"})
    assert none["items"] == []


async def test_a_list_that_did_not_change_is_not_sent_again(jp_fetch, api, put_run):
    put_run("one")
    first = await jp_fetch("kubeflow", "v1", "runs")
    tag = first.headers["Etag"]
    again = await jp_fetch("kubeflow", "v1", "runs", headers={"If-None-Match": tag}, raise_error=False)
    assert (again.code, again.body) == (304, b"")
    other = await jp_fetch(
        "kubeflow", "v1", "runs", headers={"If-None-Match": tag}, params={"limit": "1"}, raise_error=False
    )
    assert other.code == 200
    put_run("two")
    changed = await jp_fetch("kubeflow", "v1", "runs", headers={"If-None-Match": tag}, raise_error=False)
    assert changed.code == 200
    assert changed.headers["Etag"] != tag


async def test_one_resource_is_whole(api, put_run):
    put_run("one")
    status, found = await api("runs", "one")
    assert status == 200
    assert found["spec"]["pipeline"]["graph"]["edges"]
    assert found["status"]["steps"][0]["outputs"] == [{"names": ["df"], "digest": "b3:" + "1" * 64}]


async def test_paths_below_the_root_are_the_servers_own(api, put_run, jp_root_dir):
    put_run("inside", path=str(jp_root_dir / "deep" / "a.ipynb"))
    put_run("outside", path="/elsewhere/a.ipynb")
    assert (await api("runs", "inside"))[1]["spec"]["pipeline"]["path"] == "deep/a.ipynb"
    assert (await api("runs", "outside"))[1]["spec"]["pipeline"]["path"] == "/elsewhere/a.ipynb"


async def test_numbers_that_json_does_not_have_are_strings_as_in_protobuf(jp_fetch, api, put_run):
    put_run("one", metrics={"loss": float("nan"), "best": float("inf"), "n": 1.5})
    answer = await jp_fetch("kubeflow", "v1", "runs", "one")
    assert json.loads(answer.body, parse_constant=None)["status"]["metrics"] == {
        "loss": "NaN",
        "best": "Infinity",
        "n": 1.5,
    }


async def test_what_does_not_exist_is_404_in_the_form_of_errors(api, cluster):
    for path in (
        ("runs", "none"),
        ("runs", "none", "outputs", "load"),
        ("runs", "none", "values", "load", "df"),
        ("runs", "none", "code", "load"),
        ("runs", "none", "logs:tail"),
        ("blobs", "b3:" + "0" * 64),
        ("recurringruns", "none"),
        ("no", "such", "route"),
        ("runs", "..%2f..%2fetc"),
    ):
        status, found = await api(*path)
        assert (status, found["status"]) == (404, 404), path
        assert set(found) == ERROR
    status, found = await api("runs", "none:stop", method="POST", body={})
    assert status == 404
    status, found = await api("runs", "none", method="DELETE")
    assert status == 404


async def test_a_verb_that_there_is_not_is_405(api):
    status, found = await api("status", method="POST", body={})
    assert status == 405
    assert set(found) == ERROR


async def test_bad_bodies_are_refused_with_the_field(api, cluster):
    for body, field in (
        ("{", None),
        ("[" * 100_000, None),
        ("[]", None),
        ({"path": 3}, "path"),
        ({"colour": "red"}, "colour"),
        ({"path": "a.ipynb", "options": {"from": 1}}, "options.from"),
        ({"path": "a.ipynb", "parameters": []}, "parameters"),
        ({"path": "a.ipynb", "register": []}, "register"),
        ({}, "path"),
    ):
        status, found = await api("runs", method="POST", body=body)
        assert (status, found["where"].get("field")) == (400, field), body
        assert set(found) == ERROR
        assert "Traceback" not in found["message"]


async def test_a_large_body_is_refused(api):
    status, found = await api("runs", "a:stop", method="POST", body=b" " * (1 << 20) + b"{}")
    assert (status, found["status"]) == (413, 413)


async def test_no_path_leaves_the_root(api, jp_root_dir):
    secret = jp_root_dir.parent / "secret.ipynb"
    secret.write_text("{}")
    hidden = jp_root_dir / ".hidden"
    hidden.mkdir()
    (hidden / "a.ipynb").write_text("{}")
    for path in (
        "../secret.ipynb",
        "a/../../secret.ipynb",
        "/../secret.ipynb",
        "RTC:../secret.ipynb",
        "..\\secret.ipynb",
    ):
        for route in ("runs", "notebooks:check", "notebooks:compile", "recurringruns"):
            body = {"path": path, **({"cron": "0 6 * * *"} if route == "recurringruns" else {})}
            status, found = await api(route, method="POST", body=body)
            assert status == 400, (path, route)
            assert found["where"]["field"] == "path"
    status, found = await api("notebooks:check", method="POST", body={"path": str(secret)})
    assert status == 404, "an absolute path is one below the root"
    for content in ({}, {"content": {"cells": []}}):
        status, found = await api(
            "notebooks:check", method="POST", body={"path": ".hidden/a.ipynb", **content}
        )
        assert status == 404


async def test_the_store_may_be_locked_for_a_moment(api, put_run, cluster: LocalCluster):
    put_run("one")
    other = sqlite3.connect(cluster.store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        status, found = await api("runs")
        assert (status, len(found["items"])) == (200, 1)
    finally:
        other.execute("ROLLBACK")
        other.close()


async def test_code_of_a_run(api):
    body = {"path": "a.ipynb", "parameters": {"lr": 0.1}, "options": {"from": "train", "cache": False}}
    status, found = await api("notebooks:code", method="POST", body=body)
    assert status == 200
    assert found["python"].endswith("run = kf.pipelines.run('a.ipynb', lr=0.1, from_='train', cache=False)")
    assert found["cli"] == "jupyter kf run a.ipynb -p lr=0.1 --from train --no-cache"
    assert found["magic"] == "%pipeline run -p lr=0.1 --from train --no-cache"
    status, found = await api(
        "notebooks:code", method="POST", body={"path": "a.ipynb", "register": "churn@next"}
    )
    assert found["python"].endswith("run('a.ipynb', register='churn@next')")
    assert found["cli"] == "jupyter kf run a.ipynb --register=churn@next"


async def test_polling_is_no_activity(jp_serverapp, api, put_run):
    put_run("one")
    before = jp_serverapp.web_app.settings.get("api_last_activity")
    await api("runs")
    await api("runs", "one")
    assert jp_serverapp.web_app.settings.get("api_last_activity") == before


async def test_status_tells_where_one_is(api, cluster):
    status, found = await api("status")
    assert status == 200
    assert found["cluster"]["kind"] == "local"
    assert found["cluster"]["capabilities"]["pipelines"]["available"] is True
    assert found["cluster"]["capabilities"]["servers"]["available"] is False, (
        "there is no Hub around this test"
    )
    assert found["machine"]["cpuMilli"] > 0


async def test_doctor_gives_a_fix_for_each_problem(api, cluster):
    status, found = await api("doctor")
    assert status == 200
    assert all(check["fix"] for check in found["checks"] if not check["ok"])
