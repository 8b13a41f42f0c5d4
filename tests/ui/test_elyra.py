"""A pipeline of Elyra's in JupyterLab: opened from the file browser, followed to its files, converted and run."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from tests.pipelines.elyra.building import book, flow, node
from tests.ui.screen import violations


def test_open_follow_convert_and_run(lab, server):
    word = {"name": "word", "default_value": {"type": "String", "value": "hi"}}
    nodes = (node("a", "elyra-load.ipynb"), node("b", "elyra-say.py", ["a"], pipeline_parameters=["word"]))
    lab.write("elyra-load.ipynb", book("print('loaded')"))
    lab.write("elyra-say.py", "import os\nprint('word:', os.environ['word'])")
    path = lab.write("elyra-demo.pipeline", json.dumps(flow(*nodes, pipeline_parameters=[word])))
    lab.command("docmanager:open", path=path)
    view = lab.page.get_by_role("region", name="elyra-demo.pipeline")
    expect(view.get_by_role("heading", level=1)).to_have_text("demo")
    expect(view.get_by_text("2 nodes")).to_be_visible()
    assert (
        violations(lab.page, "#" + str(view.get_attribute("id")).replace("%", "\\%").replace(".", "\\."))
        == []
    )

    # A node leads to its file.
    graph = view.get_by_role("group", name="Nodes of demo").or_(
        view.get_by_role("tree", name="Nodes of demo")
    )
    graph.get_by_text("elyra-say", exact=True).click()
    view.get_by_role("button", name="Open elyra-say.py").click()
    expect(lab.page.get_by_role("tab", name="elyra-say.py")).to_be_visible()

    # Converted, it opens as a notebook.
    lab.command("docmanager:open", path=path)
    view.get_by_role("button", name="Convert to notebook").click()
    expect(lab.page.get_by_role("tab", name="elyra-demo.ipynb")).to_be_visible(timeout=60_000)
    lab.command("docmanager:open", path=path)
    expect(view.get_by_role("status").filter(has_text="All of it is in it")).to_be_visible()

    # Run with another word.
    view.get_by_role("textbox", name="word").fill("ho")
    view.get_by_role("button", name="Run", exact=True).click()
    expect(lab.view.get_by_role("heading", level=1)).to_be_visible(timeout=60_000)
    runs = [
        run for run in server.get("kubeflow/v1/runs")["items"] if run["spec"]["pipeline"]["name"] == "demo"
    ]
    name = runs[0]["metadata"]["name"]
    server.settle([name], 200)
    run = server.get(f"kubeflow/v1/runs/{name}")
    assert (run["status"]["phase"], run["spec"]["parameters"]) == ("SUCCEEDED", {"word": "ho"})
    server.delete(f"kubeflow/v1/runs/{name}")


def test_a_file_that_is_wrong_says_so(lab):
    path = lab.write("elyra-wrong.pipeline", "{")
    lab.command("docmanager:open", path=path)
    view = lab.page.get_by_role("region", name="elyra-wrong.pipeline")
    expect(view.get_by_text("This is not JSON")).to_be_visible(timeout=60_000)
    view.get_by_role("button", name="Open as text").click()
    expect(lab.page.locator(".jp-FileEditor").filter(visible=True)).to_be_visible()
