"""Models as people meet them in the browser: registered by the library, seen at once, named, compared, put away."""

from __future__ import annotations

import re
import subprocess
import sys
from urllib.parse import quote

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.screen import Lab, cell, notebook, violations

LONG = "a model with a name that is much longer than any panel is wide, version of the winter of 2026"
HEBREW = "מודל חיזוי מכירות לרבעון הראשון"
FITTED = """
import sys
import pandas as pd
from sklearn.linear_model import LogisticRegression
from jupyter_ext import registry
X = pd.DataFrame({"width": [0.1, 0.2, 1.1, 1.2], "length": [1.0, 2.0, 3.0, 4.0]})
def fit(c): return LogisticRegression(C=c).fit(X, [0, 0, 1, 1])
"""
IRIS = """
for number, c in enumerate((0.1, 1.0, 10.0), 1):
    registry.register(
        fit(c), "iris", metrics={"accuracy": 0.8 + 0.05 * number, "loss": 0.5 / number}, parameters={"C": c},
        example=X, data={"train": X.assign(c=c)}, alias="champion" if number == 2 else None,
        description=f"With C = {c}.",
    )
model = registry.get("iris")
model.update(description="Flowers by the size of their leaves.")
model.readme = "Tells *flowers* apart."
"""


def python(server, source: str) -> str:
    """Run Python beside the server, with the same registry; gives what it printed."""
    run = subprocess.run(
        [sys.executable, "-c", FITTED + source],
        env=server.environment,
        cwd=server.root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


def models(server) -> list[str]:
    return [
        item["metadata"]["name"] for item in server.get("kubeflow/v1/registeredmodels?limit=500")["items"]
    ]


def clear(server) -> None:
    for name in models(server):
        server.delete(f"kubeflow/v1/registeredmodels/{quote(name, safe='')}")


def row(lab: Lab, name: str) -> Locator:
    return lab.section("Models").locator(f'[data-kind="RegisteredModel"][data-run="{name}"]')


def show(lab: Lab, name: str, **place: str) -> Locator:
    """Open the model's view."""
    open_model = "args => window.jupyterapp.commands.execute('kubeflow:open-model', args).then(() => null)"
    lab.page.evaluate(open_model, {"name": name, "place": place})
    view = lab.page.locator(".jk-ModelView:visible")
    expect(view.get_by_role("heading", level=1)).to_have_text(name)
    return view


def versions(view: Locator) -> Locator:
    return view.get_by_role("table", name="Versions").locator("tr[data-version]")


def line(view: Locator, version: str) -> Locator:
    return view.locator(f'tr[data-version="{version}"]')


def tab(view: Locator, name: str) -> Locator:
    view.get_by_role("tab", name=name, exact=True).click()
    panel = view.get_by_role("tabpanel", name=name, exact=True)
    expect(panel).to_be_visible()
    return panel


@pytest.fixture(scope="module")
def registered(server) -> None:
    """A model with three versions, for all tests that only look or put back what they changed."""
    if "iris" not in models(server):
        python(server, IRIS)


def test_an_empty_section_teaches_and_a_model_of_the_library_appears_by_itself(lab, server):
    clear(server)
    lab.page.reload()
    lab.ready()
    found = lab.section("Models")
    expect(found.get_by_text(re.compile("No models yet"))).to_be_visible()
    expect(found.get_by_text("kf.registry.register(")).to_be_visible()
    expect(found.get_by_role("button", name="Register a file")).to_be_enabled()

    python(server, 'registry.register(fit(1.0), "sprout", metrics={"accuracy": 0.5})')
    expect(row(lab, "sprout")).to_contain_text("1 version")
    expect(found.get_by_text(re.compile("No models yet"))).to_have_count(0)
    row(lab, "sprout").get_by_role("button", name=re.compile("sprout")).first.click()
    view = lab.page.locator(".jk-ModelView:visible")
    expect(versions(view)).to_have_count(1)

    # The open view follows what the library does, too.
    python(server, 'registry.register(fit(2.0), "sprout", metrics={"accuracy": 0.6}, alias="champion")')
    expect(versions(view)).to_have_count(2)
    expect(line(view, "2")).to_contain_text("champion")
    expect(row(lab, "sprout")).to_contain_text("champion 2")
    server.delete("kubeflow/v1/registeredmodels/sprout")
    expect(row(lab, "sprout")).to_have_count(0)
    expect(view.get_by_text(re.compile("deleted"))).to_be_visible()


def test_versions_have_metrics_format_size_and_origin(lab, registered):
    view = show(lab, "iris")
    expect(versions(view)).to_have_count(3)
    second = line(view, "2")
    expect(second).to_contain_text("champion")
    expect(second).to_contain_text("0.9")
    expect(second).to_contain_text("sklearn")
    expect(second).to_contain_text("may run code")
    head = view.get_by_role("table", name="Versions").get_by_role("columnheader", name="accuracy")
    head.get_by_role("button").click()
    expect(head).to_have_attribute("aria-sort", "descending")
    expect(versions(view).first).to_have_attribute("data-version", "3")
    head.get_by_role("button").click()
    expect(versions(view).first).to_have_attribute("data-version", "1")

    # What the champion is, is told first.
    expect(view.get_by_role("heading", name="Version 2")).to_be_visible()
    line(view, "3").click()
    summary = tab(view, "Summary")
    expect(summary.get_by_role("region", name="Metrics")).to_contain_text("0.95")
    expect(summary.get_by_role("region", name="Data")).to_contain_text("4 rows")
    signature = tab(view, "Signature")
    expect(signature.get_by_role("region", name="Inputs").first).to_contain_text("width")
    expect(signature.get_by_role("region", name="Inputs").first).to_contain_text("FP64")
    expect(signature.get_by_role("region", name="Example", exact=True)).to_contain_text("1.1")
    packages = tab(view, "Packages")
    expect(packages).to_contain_text("The same packages as version 2.")
    expect(packages.get_by_role("rowheader", name="sklearn", exact=True)).to_be_visible()


def test_an_alias_moves_says_from_where_and_is_taken_back(lab, server, registered):
    view = show(lab, "iris", version="3")
    head = view.locator(".jk-VersionHead")
    head.get_by_role("button", name="Alias…").click()
    form = view.get_by_role("form", name="Set alias")
    field = form.get_by_label("Alias", exact=True)
    expect(field).to_have_value("champion")
    expect(form.get_by_text("It moves here from version 2.")).to_be_visible()
    field.fill("not an alias")
    expect(form.get_by_text("Letters, digits, - _ and . only.")).to_be_visible()
    expect(form.get_by_role("button", name="Set")).to_have_attribute("aria-disabled", "true")
    field.fill("staging")
    expect(form.get_by_text('.alias("staging")')).to_be_visible()
    field.press("Control+Enter")
    expect(line(view, "3")).to_contain_text("staging")
    head.get_by_role("button", name="Take away alias staging").click()
    expect(line(view, "3")).not_to_contain_text("staging")

    head.get_by_role("button", name="Promote").click()
    expect(line(view, "3")).to_contain_text("champion")
    expect(line(view, "2")).not_to_contain_text("champion")
    toast = lab.page.get_by_role("alert").filter(has_text="champion now means version 3 of iris")
    expect(toast).to_contain_text("before it was 2")
    toast.get_by_role("button", name="Undo").click()
    expect(line(view, "2")).to_contain_text("champion")
    assert python(server, 'print(registry.get("iris@champion").version)').strip() == "2"


def test_versions_side_by_side(lab, registered):
    view = show(lab, "iris")
    compare = view.get_by_role("button", name="Compare", exact=True)
    expect(compare).to_have_attribute("aria-disabled", "true")
    expect(compare).to_have_attribute("title", "Select at least two.")
    for version in ("1", "3"):
        view.get_by_role("checkbox", name=f"Select version {version}").check()
    compare.click()
    page = lab.page.locator(".jk-Compare:visible")
    expect(page.get_by_role("heading", level=1)).to_have_text("Comparing 2 versions")
    table = page.get_by_role("table")
    expect(table.get_by_role("columnheader", name=re.compile("iris:1"))).to_be_visible()
    rows = table.get_by_role("row")
    expect(rows.filter(has_text="accuracy")).to_contain_text("+0.1")
    expect(rows.filter(has=lab.page.get_by_role("rowheader", name=re.compile("^C")))).to_contain_text("10")
    page.get_by_role("button", name="Only differences").click()
    expect(table.get_by_role("row").filter(has_text="sklearn")).to_have_count(0)


def test_lineage_leads_to_the_run_that_made_it(lab, server):
    book = notebook(
        cell("# Blossom", kind="markdown"),
        cell("## Fit", kind="markdown"),
        cell(
            "from sklearn.dummy import DummyClassifier\n"
            "from jupyter_ext import registry\n"
            "model = DummyClassifier().fit([[0], [1]], [0, 1])\n"
            "registry.register(model, 'blossom', metrics={'accuracy': 0.5})"
        ),
    )
    path = lab.write("blossom.ipynb", book)
    run = server.post("kubeflow/v1/runs", {"path": path})["metadata"]["name"]
    server.settle([run], 120)
    view = show(lab, "blossom")
    line(view, "1").get_by_role("button", name=re.compile(re.escape(run))).click()
    expect(lab.view.get_by_role("heading", level=1)).to_contain_text("Blossom")
    view = show(lab, "blossom")
    picture = tab(view, "Lineage").get_by_role("group", name="Lineage of version 1")
    step = picture.get_by_role("button", name=re.compile("^Fit|^fit"))
    expect(step.first).to_be_visible()
    made = picture.get_by_role("button", name=re.compile(re.escape(run)))
    made.click()
    view.get_by_role("region", name=run).get_by_role("button", name="Open").click()
    expect(lab.view.get_by_role("heading", level=1)).to_contain_text("Blossom")

    # What a step left can be registered where it is shown.
    lab.node("fit").click()
    lab.view.get_by_role("tab", name="Inputs and outputs").click()
    lab.view.get_by_role("button", name="Register model as model…").click()
    form = lab.panel.get_by_role("form", name="Register model")
    expect(form.locator(".jk-Register-from")).to_contain_text(run)
    form.get_by_label("Model").fill("blossom")
    form.get_by_label("Alias").fill("again")
    form.get_by_role("button", name="Register", exact=True).click()
    view = lab.page.locator(".jk-ModelView:visible")
    expect(line(view, "2")).to_contain_text("again", timeout=60_000)
    expect(line(view, "2")).to_contain_text(run)
    server.delete("kubeflow/v1/registeredmodels/blossom")


def test_what_is_archived_is_out_of_the_way_and_comes_back(lab, registered):
    view = show(lab, "iris", version="1")
    line(view, "1").get_by_role("button", name="More actions for version 1").click()
    lab.page.get_by_role("menuitem", name="Archive", exact=True).click()
    expect(line(view, "1")).to_contain_text("Archived")
    line(view, "2").click()
    expect(line(view, "1")).to_have_count(0)
    view.get_by_role("button", name="Archived (1)").click()
    line(view, "1").get_by_role("button", name="More actions for version 1").click()
    lab.page.get_by_role("menuitem", name="Restore").click()
    expect(line(view, "1")).not_to_contain_text("Archived")

    view.get_by_role("toolbar", name="Actions on this model").get_by_role("button", name="Archive").click()
    expect(row(lab, "iris")).to_have_count(0)
    expect(view.locator(".jk-Header")).to_contain_text("Archived")
    lab.command("kubeflow:open-models")
    table = lab.page.get_by_role("grid", name="Models")
    expect(table.get_by_role("row").filter(has_text="iris")).to_contain_text("Archived")
    show(lab, "iris").get_by_role("button", name="Restore").click()
    expect(row(lab, "iris")).to_be_visible()


def test_a_filter_is_the_registrys_and_says_what_is_wrong(lab, server, registered):
    python(server, 'registry.register(fit(1.0), "other", metrics={"accuracy": 0.1})')
    found = lab.section("Models")
    expect(row(lab, "other")).to_be_visible()
    box = found.get_by_role("searchbox", name="Filter models")
    box.fill("accuracy > 0.92")
    expect(row(lab, "other")).to_have_count(0)
    expect(row(lab, "iris")).to_contain_text("met: 3")
    box.fill("accuracy > ")
    expect(box).to_have_attribute("aria-invalid", "true")
    expect(found.locator(".jk-Filter").get_by_role("status")).not_to_be_empty()
    box.fill("flowers leaves")
    expect(row(lab, "iris")).to_be_visible()
    expect(row(lab, "other")).to_have_count(0)
    found.get_by_role("button", name=re.compile("Show all")).click()
    page = lab.page.locator(".jk-Runs:visible")
    search = page.get_by_role("searchbox", name="Filter models")
    search.fill("name = 'other'")
    grid = page.get_by_role("grid", name="Models")
    expect(grid).to_have_attribute("aria-rowcount", "2")
    search.fill("name = ")
    expect(search).to_have_attribute("aria-invalid", "true")
    search.fill("")
    for name in ("iris", "other"):
        grid.get_by_role("checkbox", name=f"Select {name}").check()
    page.get_by_role("button", name="Compare").click()
    expect(lab.page.locator(".jk-Compare:visible").get_by_role("table")).to_contain_text("other:1")
    server.delete("kubeflow/v1/registeredmodels/other")


def test_a_file_is_registered_from_its_menu(lab, server):
    python(server, 'import joblib; joblib.dump(fit(3.0), "petal.joblib")')
    lab.command("filebrowser:activate")
    item = lab.page.locator(".jp-DirListing-item", has_text="petal.joblib")
    lab.command("filebrowser:refresh")
    item.click(button="right")
    lab.page.get_by_role("menuitem", name="Register as Model…").click()
    form = lab.panel.get_by_role("form", name="Register model")
    expect(form.get_by_label("File or folder")).to_have_value("petal.joblib")
    expect(form.get_by_label("Model")).to_have_value("petal")
    expect(form.locator(".jk-Form-fits")).to_contain_text("sklearn")
    expect(form.locator(".jk-Form-fits")).to_contain_text("may run code")
    form.get_by_label("Metrics").fill("accuracy = high")
    expect(form.get_by_text('accuracy is "high", not a number.')).to_be_visible()
    form.get_by_label("Metrics").fill("accuracy = 0.91")
    form.get_by_label("Alias").fill("champion")
    expect(form.get_by_label("The same as code")).to_contain_text("petal.joblib', 'petal', alias='champion'")
    form.get_by_label("Alias").press("Control+Enter")
    view = lab.page.locator(".jk-ModelView:visible")
    expect(view.get_by_role("heading", level=1)).to_have_text("petal")
    expect(line(view, "1")).to_contain_text("0.91")

    # A file that is not there is said under its field.
    lab.section("Models").get_by_role("button", name="Register model").click()
    form.get_by_label("File or folder").fill("nothing.pkl")
    expect(form.get_by_label("Model")).to_have_value("nothing")
    expect(form.locator(".jk-FieldError")).to_contain_text("nothing.pkl")
    form.get_by_role("button", name="Cancel").click()

    # Gone with one question, in its place.
    view.get_by_role("button", name="Delete").click()
    view.get_by_role("alertdialog").get_by_role("button", name="Delete").click()
    expect(row(lab, "petal")).to_have_count(0)


def test_the_card_is_read_and_written(lab, server, registered):
    view = show(lab, "iris")
    card = tab(view, "Card")
    expect(card.get_by_text("flowers", exact=True)).to_be_visible()
    card.get_by_role("button", name="Edit").click()
    text = card.get_by_role("textbox", name="About this model, in Markdown")
    expect(text).to_have_value("Tells *flowers* apart.")
    text.fill("Tells **petals** apart.")
    expect(card.get_by_role("region", name="Preview").get_by_text("petals")).to_be_visible()
    text.press("Control+Enter")
    expect(text).to_have_count(0)
    expect(card.get_by_text("petals", exact=True)).to_be_visible()
    assert python(server, 'print(registry.get("iris").readme)').strip() == "Tells **petals** apart."


def test_a_version_goes_by_keyboard(lab, registered):
    view = show(lab, "iris")
    first = versions(view).first.locator("[data-row]")
    first.focus()
    lab.page.keyboard.press("ArrowDown")
    expect(line(view, "2").locator("[data-row]")).to_be_focused()
    lab.page.keyboard.press("End")
    lab.page.keyboard.press("Enter")
    expect(view.get_by_role("heading", name="Version 1")).to_be_visible()
    view.get_by_role("tab", name="Summary").focus()
    lab.page.keyboard.press("ArrowRight")
    expect(view.get_by_role("tab", name="Lineage")).to_have_attribute("aria-selected", "true")


def test_long_and_right_to_left_names_fit(lab, server, registered, pictures):
    python(
        server,
        f"""
for name in ({LONG!r}, {HEBREW!r}, "50 % off: a/b?c#d"):
    registry.register(fit(1.0), name, version="2026-01-" + "x" * 60, alias="a-rather-long-alias", metrics={{"area under the curve (validation)": 0.5}})
""",
    )
    try:
        for name in (LONG, HEBREW, "50 % off: a/b?c#d"):
            expect(row(lab, name)).to_be_visible()
            row(lab, name).get_by_role("button").first.click()
            view = lab.page.locator(".jk-ModelView:visible")
            expect(view.get_by_role("heading", level=1)).to_have_text(name)
            expect(versions(view)).to_have_count(1)
            expect(view.get_by_role("heading", level=2).filter(has_text="2026-01-")).to_be_visible()
        wide = lab.panel.evaluate("node => node.scrollWidth - node.clientWidth")
        assert wide <= 0, "a name sticks out of the panel"
        wide = view.evaluate("node => node.scrollWidth - node.clientWidth")
        assert wide <= 0, "a name sticks out of the view"
        lab.page.screenshot(path=pictures / "models-long-names.png")
    finally:
        for name in (LONG, HEBREW, "50 % off: a/b?c#d"):
            server.delete(f"kubeflow/v1/registeredmodels/{quote(name, safe='')}")


def test_small_windows_and_a_server_that_goes_away(lab, server, registered, pictures):
    lab.show_panel()
    lab.section("Models")
    lab.page.set_viewport_size({"width": 640, "height": 400})  # as at a zoom of 200 %
    view = show(lab, "iris", version="3")
    expect(versions(view).first).to_be_visible()
    wide = view.evaluate("node => node.scrollWidth - node.clientWidth")
    assert wide <= 0, "something sticks out of a small view"
    lab.page.screenshot(path=pictures / "models-zoomed.png")
    lab.page.set_viewport_size({"width": 1280, "height": 800})
    lab.panel.evaluate("node => { node.parentElement.style.width = '240px'; node.style.width = '240px'; }")
    wide = lab.panel.evaluate("node => node.scrollWidth - node.clientWidth")
    assert wide <= 0, "something sticks out of a narrow panel"
    lab.page.screenshot(path=pictures / "models-narrow.png")
    lab.page.context.set_offline(True)
    lab.command("kubeflow:refresh")
    expect(view.get_by_text("The Jupyter server does not answer.")).to_be_visible()
    expect(versions(view)).to_have_count(3)
    lab.page.screenshot(path=pictures / "models-away.png")
    lab.page.context.set_offline(False)
    lab.command("kubeflow:refresh")
    expect(view.get_by_text("The Jupyter server does not answer.")).to_have_count(0)


def test_axe_finds_nothing_and_pictures_of_all(lab, registered, pictures):
    lab.section("Models")
    found = {}
    for dark in (False, True):
        lab.theme(dark=dark)
        for width, height in ((1280, 800), (1920, 1080)):
            lab.page.set_viewport_size({"width": width, "height": height})
            name = f"{'dark' if dark else 'light'}-{width}"
            view = show(lab, "iris", version="3")
            for text in ("Summary", "Lineage", "Signature", "Packages", "Card"):
                panel = tab(view, text)
                expect(panel.get_by_text("Loading…")).to_have_count(0)
                if text == "Card":
                    expect(panel.get_by_text("petals").or_(panel.get_by_text("Owner")).first).to_be_visible()
                    expect(panel.locator("th:empty")).to_have_count(0)
                found[f"{text}, {name}"] = violations(lab.page, ".jk-ModelView") if width == 1280 else []
                lab.page.screenshot(path=pictures / f"models-{text.lower()}-{name}.png")
            view.locator(".jk-VersionHead").get_by_role("button", name="Alias…").click()
            expect(view.get_by_role("form", name="Set alias")).to_be_visible()
            found[f"alias, {name}"] = violations(lab.page, ".jk-ModelView")
            lab.page.screenshot(path=pictures / f"models-alias-{name}.png")
            view.get_by_role("form", name="Set alias").get_by_role("button", name="Cancel").click()
            lab.command("kubeflow:compare-models", names=["iris:1", "iris:2", "iris:3"])
            expect(lab.page.locator(".jk-Compare:visible").get_by_role("table")).to_be_visible()
            found[f"compare, {name}"] = violations(lab.page, ".jk-Compare")
            lab.page.screenshot(path=pictures / f"models-compare-{name}.png")
            lab.command("kubeflow:open-models")
            expect(lab.page.get_by_role("grid", name="Models")).to_be_visible()
            found[f"table, {name}"] = violations(lab.page, ".jk-Runs")
            lab.section("Models").get_by_role("button", name="Register model").click()
            expect(lab.panel.get_by_role("form", name="Register model")).to_be_visible()
            found[f"panel, {name}"] = violations(lab.page, ".jk-Panel")
            lab.page.screenshot(path=pictures / f"models-table-{name}.png")
            lab.panel.get_by_role("form", name="Register model").get_by_role("button", name="Cancel").click()
    assert {place: texts for place, texts in found.items() if texts} == {}
