"""Spark in the panel and in a view: a real session is started, used, watched and ended."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.conftest import Server
from tests.ui.screen import cell, notebook, settled, violations
from tests.waiting import processes_of, until

PATIENCE = 200_000
"""Milliseconds that a JVM may take on a machine that does other things; less than a test may take, to say what is missing."""
KINDS = ("sparkapplications", "sparkconnects", "scheduledsparkapplications")
SMALL = {"cores": 1, "memory": "512m", "driverMemory": "512m"}
BACKEND = "CoarseGrainedExecutorBackend"
LONG = "a-very-long-name-for-an-application-that-fits-nowhere-at-all-00"
FAILS = 'print("the log of it")\nraise ValueError("the column “delay” of flights.parquet is text: " + "n/a, " * 120)'
USES = """import jupyter_ext as kf

spark = kf.spark.session("shared")
spark.range(0, 1000, numPartitions=8).repartition(4).selectExpr("sum(id) AS total").show()"""


@dataclass(frozen=True)
class Work:
    """What all tests of this module look at: each start of a JVM takes seconds."""

    failed: str
    session: str


def clear(server: Server) -> None:
    for plural in KINDS:
        items = server.get(f"kubeflow/v1/{plural}?limit=500")["items"]
        names = [item["metadata"]["name"] for item in items]
        if plural != "scheduledsparkapplications":
            for item in items:
                if item["status"]["phase"] not in {"SUCCEEDED", "FAILED", "CANCELED"}:
                    server.post(f"kubeflow/v1/{plural}/{item['metadata']['name']}:stop", {})
            server.settle(names, PATIENCE / 1000, plural)
        for name in names:
            server.delete(f"kubeflow/v1/{plural}/{name}")


@pytest.fixture(scope="module")
def work(server: Server) -> Iterator[Work]:
    """An application that failed, and a session of two executors."""
    failed = {"name": LONG, "source": FAILS, **SMALL}
    server.post("kubeflow/v1/sparkapplications", failed)
    server.settle([LONG], PATIENCE / 1000, "sparkapplications")
    server.post("kubeflow/v1/sparkconnects", {"name": "shared", "executors": 2, **SMALL})
    status = until(lambda: running(server, "shared"))
    assert status["phase"] == "RUNNING", status
    yield Work(LONG, "shared")
    clear(server)


def running(server: Server, name: str) -> dict | None:
    """The status of a session, when its driver tells of its executors or it has ended."""
    status = server.get(f"kubeflow/v1/sparkconnects/{name}")["status"]
    told = {"0", "1"} <= {each["id"] for each in status.get("executors", ())}
    return status if told or status["phase"] in {"FAILED", "CANCELED"} else None


def row(lab, name: str) -> Locator:
    return lab.section("Spark").locator(f'[data-run="{name}"]')


def opened(lab, name: str) -> Locator:
    row(lab, name).locator("[data-row]").click()
    return lab.page.locator(".jk-Spark:visible")


def form(lab, what: str) -> Locator:
    part = lab.section("Spark")
    part.get_by_role("button", name="New Spark session or application", exact=True).first.click()
    found = part.get_by_role("form")
    found.get_by_role("radio", name=what, exact=True).check()
    return found


def test_an_empty_section_teaches_the_first_step(lab, server):
    clear(server)  # other tests' runs used Spark, too
    lab.write("first.ipynb", notebook(cell("x = 1")))
    part = lab.section("Spark")
    expect(part.get_by_text(re.compile("Nothing of Spark yet"))).to_be_visible()
    expect(part.get_by_text("a cell that begins with %%spark")).to_be_visible()
    expect(part.get_by_text("spark = kf.spark.session()")).to_be_visible()
    insert = part.get_by_role("button", name="Insert into notebook")
    expect(insert).to_be_disabled()
    panel = lab.notebook("first.ipynb")
    expect(insert).to_be_enabled()
    insert.click()
    # A notebook draws its cells when the page has nothing else to do.
    made = panel.locator(".jp-Cell").filter(has_text="spark = kf.spark.session()")
    expect(made).to_be_visible(timeout=PATIENCE)
    lab.command("docmanager:save")


def test_the_form_says_what_is_wrong_before_it_is_sent(lab):
    page = form(lab, "Session")
    start = page.get_by_role("button", name="Start", exact=True)
    memory = page.get_by_role("textbox", name="Memory of each")
    memory.fill("100m")
    expect(memory).to_have_accessible_description(re.compile("Too little for Spark"))
    expect(start).to_be_disabled()
    memory.fill("512m")
    cores = page.get_by_role("textbox", name="Cores of each")
    cores.fill("4000")
    expect(cores).to_have_accessible_description(re.compile("4000 cores cannot be had"))
    cores.fill("1")
    page.get_by_text("More", exact=True).click()
    settings = page.get_by_role("textbox", name="Settings of Spark")
    settings.fill("spark.master = local")
    # This one only the server knows.
    expect(settings).to_have_accessible_description(re.compile("spark.master"), timeout=PATIENCE)
    settings.fill("spark.sql.shuffle.partitions = 8")
    code = page.get_by_label("The same as code")
    expect(code).to_contain_text("kf.spark.session(", timeout=PATIENCE)
    expect(code).to_contain_text("'spark.sql.shuffle.partitions': '8'")

    page.get_by_role("radio", name="File", exact=True).check()
    submit = page.get_by_role("button", name="Submit", exact=True)
    expect(submit).to_be_disabled()
    page.get_by_role("textbox", name="File", exact=True).fill("missing.py")
    expect(page.get_by_role("textbox", name="File", exact=True)).to_have_accessible_description(
        re.compile("missing.py"), timeout=PATIENCE
    )
    page.get_by_role("button", name="Cancel").click()
    expect(page).to_have_count(0)


def test_a_session_is_started_from_the_form_and_stopped(lab, server):
    page = form(lab, "Session")
    page.get_by_role("textbox", name="Name").fill("from-the-form")
    page.get_by_role("textbox", name="Cores of each").fill("1")
    memory = page.get_by_role("textbox", name="Memory of each")
    memory.fill("512m")
    expect(page.get_by_label("The same as code")).to_contain_text("from-the-form", timeout=PATIENCE)
    # At the field: JupyterLab's launcher takes the focus when it is done with itself.
    memory.press("Control+Enter")
    expect(page).to_have_count(0, timeout=PATIENCE)
    row(lab, "from-the-form").get_by_role("button", name="Stop from-the-form").click()
    settled(row(lab, "from-the-form"), "CANCELED", PATIENCE)
    server.delete("kubeflow/v1/sparkconnects/from-the-form")
    expect(row(lab, "from-the-form")).to_have_count(0)


def test_a_cell_is_scheduled_from_the_form(lab, server):
    lab.write("cell.ipynb", notebook(cell("%%spark\nspark.range(3).show()")))
    lab.notebook("cell.ipynb")
    lab.page.locator(".jp-NotebookPanel .cm-content").first.click()
    lab.command("kubeflow:submit-cell-to-spark")
    page = lab.section("Spark").get_by_role("form", name="Submit a Spark application")
    expect(page.get_by_role("textbox", name="Code", exact=True)).to_have_value("spark.range(3).show()")
    page.get_by_role("combobox", name="When").select_option("clock")
    page = lab.section("Spark").get_by_role("form", name="Schedule a Spark application")
    page.get_by_role("textbox", name="Name").fill("at-night")
    when = page.get_by_role("textbox", name="Schedule", exact=True)
    when.fill("every night")
    expect(when).to_have_accessible_description(re.compile("Five fields"))
    when.fill("0 3 1 1 *")
    when.press("Control+Enter")
    expect(page).to_have_count(0, timeout=PATIENCE)

    part = lab.section("Spark")
    part.get_by_role("button", name=re.compile("^Scheduled applications")).click()
    line = part.get_by_role("list", name="Schedules of Spark applications").locator('[data-run="at-night"]')
    expect(line).to_contain_text("0 3 1 1 *")
    expect(line.get_by_text("Scheduled")).to_be_attached()
    line.get_by_role("button", name="More actions").click()
    lab.page.get_by_role("menuitem", name="Pause").click()
    expect(line.get_by_text("Paused")).to_be_attached()
    server.delete("kubeflow/v1/scheduledsparkapplications/at-night")
    expect(line).to_have_count(0)


@pytest.mark.slow
def test_a_failed_application_says_why(lab, work, pictures):
    settled(row(lab, work.failed), "FAILED")
    page = opened(lab, work.failed)
    error = page.get_by_role("region", name="Error")
    expect(error).to_contain_text("the column “delay” of flights.parquet is text")
    error.get_by_text("Traceback", exact=True).click()
    expect(error).to_contain_text("raise ValueError")
    error.get_by_role("button", name="Show log").click()
    expect(page.get_by_role("log", name="Log")).to_contain_text("the log of it")
    expect(page.get_by_role("button", name="Spark UI")).to_be_disabled()
    page.get_by_role("tab", name="Settings").click()
    expect(page.get_by_role("region", name="Asked for")).to_contain_text("512m")
    expect(page.get_by_role("region", name="As code")).to_contain_text("kf.spark.submit")
    lab.page.screenshot(path=pictures / "spark-failed.png")


@pytest.mark.slow
def test_a_session_is_used_watched_and_loses_an_executor(lab, work, server, pictures):
    lab.write("uses.ipynb", notebook(cell(USES)))
    lab.notebook("uses.ipynb")
    lab.command("notebook:run-all-cells")
    output = lab.page.locator(".jp-NotebookPanel .jp-OutputArea-output")
    expect(output.filter(has_text="499500").first).to_be_visible(timeout=PATIENCE)

    page = opened(lab, work.session)
    stages = page.get_by_role("list", name="Stages of the driver")
    first = stages.locator("[data-stage]").last
    expect(first).to_have_attribute("data-state", "SUCCEEDED", timeout=PATIENCE)
    expect(first).to_contain_text("8 of 8")
    expect(first.get_by_role("progressbar")).to_have_attribute(
        "aria-valuetext", re.compile("8 of 8 tasks done")
    )
    executors = page.get_by_role("table", name="Driver and executors")
    for name in ("driver", "0", "1"):
        expect(executors.locator(f'[data-executor="{name}"]')).to_have_attribute("data-state", "RUNNING")
    lab.page.screenshot(path=pictures / "spark-session.png")

    # Spark's own pages are another's: they open apart from this one.
    with lab.page.context.expect_page() as other:
        page.get_by_role("button", name="Spark UI").click()
    expect(other.value.get_by_text(re.compile("Spark Jobs")).first).to_be_visible()
    other.value.close()

    uid = server.get("kubeflow/v1/sparkconnects/shared")["metadata"]["uid"]
    backends = [each for each in processes_of(uid) if BACKEND in " ".join(each.cmdline())]
    backends[0].kill()
    lost = executors.locator('tr[data-state="FAILED"]')
    expect(lost).to_have_count(1, timeout=PATIENCE)
    expect(page.get_by_text("An executor was lost")).to_be_visible()
    expect(executors.locator('[data-executor="2"]')).to_have_attribute(
        "data-state", "RUNNING", timeout=PATIENCE
    )
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_role("log", name="Log")).not_to_be_empty()
    lab.page.screenshot(path=pictures / "spark-executor-lost.png")


@pytest.mark.slow
def test_axe_finds_nothing_and_nothing_sticks_out(lab, work, pictures):
    found: dict[str, list[str]] = {}
    for dark in (False, True):
        lab.theme(dark=dark)
        word = "dark" if dark else "light"
        for name in (work.failed, work.session):
            page = opened(lab, name)
            for tab in ("Log", "Events", "Settings", "Executors"):
                page.get_by_role("tab", name=tab).click()
                expect(page.get_by_role("tabpanel", name=tab)).to_be_visible()
                found[f"{name[:8]}, {tab}, {word}"] = violations(lab.page, ".jk-Spark")
            lab.page.screenshot(path=pictures / f"spark-{name[:6]}-{word}.png")
        page = form(lab, "Code")
        found[f"form, {word}"] = violations(lab.page, ".jk-Panel")
        lab.page.screenshot(path=pictures / f"spark-form-{word}.png")
        page.get_by_role("button", name="Cancel").click()
    assert {place: texts for place, texts in found.items() if texts} == {}


@pytest.mark.slow
def test_a_session_by_keyboard(lab, work):
    lab.section("Spark").get_by_role("searchbox", name="Filter Spark sessions and applications").focus()
    keys = lab.page.keyboard
    keys.type("session")
    keys.press("Tab")  # the row's checkbox
    keys.press("Tab")
    keys.press("Enter")
    page = lab.page.locator(".jk-Spark:visible")
    expect(page.get_by_role("heading", name=work.session)).to_be_visible()
    page.get_by_role("tab", name="Executors").focus()
    keys.press("ArrowRight")
    expect(page.get_by_role("log", name="Log")).to_be_visible()
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    expect(page.get_by_role("region", name="Asked for")).to_contain_text("512m")
