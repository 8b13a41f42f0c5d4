"""The panel as narrow as people make it: nothing sticks out, nothing is out of reach, the focus is never lost."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect

from tests.ui.screen import Lab, cell, notebook

WIDTH = 240
LONG = "a-very-long-name-without-any-place-to-break-it-so-that-nothing-can-show-it-all"
SECTIONS = ("Pipelines", "Training", "Tuning", "Models", "Endpoints")
FORMS = {
    "Training": ("New training job", "New training job"),
    "Tuning": ("New experiment", "New experiment"),
    "Models": ("Register model", "Register model"),
    "Endpoints": ("New endpoint", "Serve a model"),
}
"""The button in a section's head, and the form that it opens."""

BAD_PLACES = """
panel => {
  const box = panel.getBoundingClientRect();
  const seen = [...panel.querySelectorAll('*')]
    .filter(node => node.checkVisibility() && !node.closest('svg, .jk-visuallyHidden, .jk-Progress'));
  const isInScrolled = node => {
    for (let at = node.parentElement; at && at !== panel; at = at.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(at).overflowX)) return true;
    }
    return false;
  };
  const sticksOut = node => {
    const { left, right, width } = node.getBoundingClientRect();
    return width > 1 && (right > box.right + 0.5 || left < box.left - 0.5) && !isInScrolled(node);
  };
  const isCutOff = node => {
    const { overflowX, textOverflow } = getComputedStyle(node);
    const clips = /hidden|clip/.test(overflowX) && textOverflow !== 'ellipsis';
    // One pixel wide is what only a screen reader shall find.
    return clips && node.clientWidth > 1 && node.scrollWidth > node.clientWidth + 1;
  };
  const words = node => `${node.tagName} ${node.className} ${(node.textContent || '').slice(0, 40)}`;
  return [
    ...seen.filter(sticksOut).map(node => `sticks out: ${words(node)}`),
    ...seen.filter(isCutOff).map(node => `is cut off: ${words(node)}`)
  ];
}
"""
FOCUSED = """
() => {
  const node = document.activeElement;
  const box = node.getBoundingClientRect();
  const panel = node.closest('.jk-Panel')?.getBoundingClientRect();
  let seen = 1;
  for (let at = node; at; at = at.parentElement) seen *= Number(getComputedStyle(at).opacity);
  return {
    name: node.getAttribute('aria-label') || node.textContent.slice(0, 60) || node.tagName,
    inPanel: Boolean(panel),
    inSight: Boolean(panel) && box.width > 0 && box.left >= panel.left - 1 && box.right <= panel.right + 1,
    // What cannot be used is pale, and the mark around it is pale with it.
    marked: getComputedStyle(node).outlineStyle !== 'none' && seen >= 0.5
  };
}
"""
STOPS = """
panel => [...panel.querySelectorAll('button, input, select, textarea, summary, a[href], [tabindex]')]
  .filter(node => node.checkVisibility() && node.tabIndex >= 0)
  .map(node => node.getAttribute('aria-label') || node.textContent.slice(0, 60) || node.tagName)
"""


def narrow(lab: Lab) -> Locator:
    """Drag the edge of the panel to where it is 240 pixels wide, in a window that is tall enough for all of it."""
    lab.page.set_viewport_size({"width": 1000, "height": 1700})
    lab.page.add_style_tag(content=f"body {{ --jp-sidebar-min-width: {WIDTH}px; }}")
    panel = lab.show_panel()
    for _ in range(2):  # what is shown anew is measured anew
        lab.command("application:toggle-left-area")
    expect(panel).to_be_visible()
    edge = panel.evaluate("node => node.getBoundingClientRect().right")
    lab.page.mouse.move(edge + 1, 400)
    lab.page.mouse.down()
    lab.page.mouse.move(100, 400, steps=4)
    lab.page.mouse.up()
    assert round(panel.evaluate("node => node.getBoundingClientRect().width")) == WIDTH
    for name in SECTIONS:
        lab.section(name)
    return panel


def until_focused(lab: Lab, wanted: Locator) -> None:
    """Says where the focus is instead, if it never comes."""
    try:
        expect(wanted).to_be_focused()
    except AssertionError as error:
        raise AssertionError(f"the focus is at {lab.page.evaluate(FOCUSED)}") from error


def check(lab: Lab, pictures, name: str) -> None:
    """Nothing sticks out in either theme; leaves a picture of each."""
    for dark in (True, False):
        lab.theme(dark=dark)
        lab.panel.screenshot(path=pictures / f"narrow-{name}-{'dark' if dark else 'light'}.png")
        assert lab.panel.evaluate(BAD_PLACES) == [], f"{name}, {'dark' if dark else 'light'}"


def begin(lab: Lab, section: str) -> Locator:
    """Open a section's form with the keyboard alone."""
    button, label = FORMS[section]
    lab.section(section).get_by_role("button", name=button, exact=True).first.press("Enter")
    form = lab.panel.get_by_role("form", name=label)
    expect(form).to_be_visible()
    return form


@pytest.fixture
def full(lab, server):
    """Work of all kinds with names and reasons that do not fit, the panel narrow."""
    lab.write(
        f"{LONG}.ipynb",
        notebook(
            cell(f"# {LONG}", kind="markdown"), cell("x = 1", "step:a"), cell("x[0]", "step:b", "prev:a")
        ),
    )
    runs = [server.post("kubeflow/v1/runs", {"path": f"{LONG}.ipynb"})["metadata"]["name"]]
    jobs = [
        server.post("kubeflow/v1/trainjobs", {"source": code, "framework": "plain", "name": name})[
            "metadata"
        ]["name"]
        for name, code in (
            (f"{LONG[:60]}-ok", "print(1)"),
            (f"{LONG[:60]}-no", "raise ValueError('the rate is too high for ' + 'x' * 200)"),
        )
    ]
    server.settle(runs)
    server.settle(jobs, plural="trainjobs")
    narrow(lab)
    for name in (*runs, *jobs):
        expect(lab.panel.locator(f'.jk-RunRow[data-run="{name}"]')).to_be_visible()
    yield lab
    for plural, names in (("runs", runs), ("trainjobs", jobs)):
        for name in names:
            server.delete(f"kubeflow/v1/{plural}/{name}")


def test_nothing_sticks_out_where_there_is_nothing_yet(lab, pictures):
    narrow(lab)
    check(lab, pictures, "empty")
    lab.panel.get_by_role("button", name=re.compile("This machine")).click()
    expect(lab.panel.get_by_text("Free now")).to_be_visible()
    check(lab, pictures, "where")


def test_forms_fit_and_give_the_focus_back(lab, pictures):
    narrow(lab)
    for section, (button, _) in FORMS.items():
        form = begin(lab, section)
        first = form.locator("textarea, select, input:not([type=radio])").first
        until_focused(lab, first)
        form.locator("summary").click()
        for box in form.locator("input[type=checkbox]").all():
            middle = (
                "node => { const { top, bottom } = node.getBoundingClientRect(); return (top + bottom) / 2; }"
            )
            words = box.evaluate(f"node => ({middle})(node.labels[0])")
            assert abs(box.evaluate(middle) - words) < 14, f"{section}: a box stands beside its words"
        check(lab, pictures, f"form-{section.lower()}")
        # Why it cannot be sent is said where somebody with a keyboard sees it.
        expect(form.locator(".jk-Form-fits")).not_to_be_empty()
        first.press("Escape")
        expect(form).to_have_count(0)
        head = lab.section(section).get_by_role("button", name=button, exact=True).first
        expect(head).to_be_focused()


def test_a_change_of_theme_does_not_take_the_focus_from_a_form(lab):
    """JupyterLab hides all of itself until the new theme is there; Chromium then lets go of what had the focus."""
    narrow(lab)
    form = begin(lab, "Tuning")
    field = form.locator("textarea, select, input:not([type=radio])").first
    until_focused(lab, field)
    lost = lab.page.evaluate(
        """async () => {
          const { shell } = window.jupyterapp;
          shell.hide();
          for (let frame = 0; frame < 3; frame++) {
            document.body.getBoundingClientRect();
            await new Promise(resolve => requestAnimationFrame(resolve));
          }
          const lost = document.activeElement === document.body;
          shell.show();
          return lost;
        }"""
    )
    assert lost
    until_focused(lab, field)


def test_the_focus_goes_to_the_section_where_what_had_it_is_gone(lab):
    panel = narrow(lab)
    training = lab.section("Training")
    training.get_by_role("button", name="New training job", exact=True).last.press("Enter")
    form = panel.get_by_role("form", name="New training job")
    form.get_by_role("textbox", name="Name").press("Escape")
    expect(training.get_by_role("button", name=re.compile("^Training")).first).to_be_focused()
    panel.get_by_role("button", name="New schedule").press("Enter")
    field = panel.get_by_role("form", name="New schedule").get_by_role("textbox", name="Notebook")
    expect(field).to_be_focused()
    field.press("Escape")
    expect(panel.get_by_role("button", name="New schedule")).to_be_focused()


def test_long_names_and_failures_fit_and_all_is_reached_with_the_tab_key(full, pictures):
    lab = full
    check(lab, pictures, "full")
    for name in lab.panel.get_by_role("checkbox", name=re.compile("^Select")).all():
        name.check(force=True)
    check(lab, pictures, "selected")
    wanted = lab.panel.evaluate(STOPS)
    lab.panel.get_by_role("button", name=re.compile("This machine")).focus()
    lab.page.keyboard.press("Tab")
    lab.page.keyboard.press("Shift+Tab")
    reached = []
    for _ in range(len(wanted)):
        found = lab.page.evaluate(FOCUSED)
        if not found["inPanel"]:
            break
        assert found["inSight"], found
        assert found["marked"], found
        reached.append(found["name"])
        lab.page.keyboard.press("Tab")
    assert reached == wanted

    # The focus stays where a menu was opened, and where a row was.
    keyboard = lab.page.keyboard
    more = lab.panel.get_by_role("button", name=re.compile("^More actions for")).first
    more.press("Enter")
    expect(lab.page.get_by_role("menu").last).to_be_visible()
    keyboard.press("ArrowDown")
    keyboard.press("Escape")
    expect(more).to_be_focused()

    now = lab.panel.get_by_role("region", name="Now")
    rows = now.get_by_role("listitem")
    others = rows.filter(has_not_text=LONG[:20])
    for left in reversed(range(others.count())):
        others.first.get_by_role("button", name=re.compile("^Dismiss")).click()
        expect(others).to_have_count(left)
    expect(rows).to_have_count(2)
    rows.first.get_by_role("button", name=re.compile("^Dismiss")).press("Enter")
    expect(rows).to_have_count(1)
    expect(rows.first.locator("[data-row]")).to_be_focused()
    rows.first.get_by_role("button", name=re.compile("^Dismiss")).press("Enter")
    expect(now).to_contain_text("Nothing is running.")
    expect(lab.panel).to_be_focused()


def test_a_list_that_cannot_be_read_says_so_in_the_space_there_is(lab, pictures):
    words = f"The store {LONG}.sqlite cannot be read: {LONG}"
    lab.page.route(
        re.compile("kubeflow/v1/trainjobs"),
        lambda route: route.fulfill(status=500, json={"message": words, "what": words, "hint": "Try again."}),
    )
    lab.page.reload()
    lab.ready()
    panel = narrow(lab)
    expect(panel.get_by_text(words).first).to_be_visible()
    check(lab, pictures, "broken")


def test_what_the_machine_has_not_cannot_be_asked_for(lab, server):
    """These machines have no GPU; where one has, its field says which."""
    machine = server.get("kubeflow/v1/status")["machine"]
    narrow(lab)
    form = begin(lab, "Training")
    form.get_by_role("textbox", name="Code", exact=True).fill("print(1)")
    form.get_by_text("More", exact=True).click()
    cores = machine["cpuMilli"] / 1000
    cpu = form.get_by_role("textbox", name="CPU per node")
    expect(cpu).to_have_accessible_description(re.compile(rf"of {cores:g} are free now\.$"))
    gpus = form.get_by_role("textbox", name="GPUs per node")
    if machine["gpus"]:
        expect(gpus).to_have_accessible_description(re.compile("^This machine has"))
    else:
        expect(gpus).to_have_accessible_description("This machine has no GPU.")
        expect(gpus).not_to_be_editable()
    button = form.get_by_role("button", name="Train", exact=True)
    expect(button).to_be_enabled()
    cpu.fill("4000")
    expect(cpu).to_have_accessible_description(f"4000 cores cannot be had: this machine has {cores:g}.")
    expect(button).to_be_disabled()
    cpu.fill("")
    expect(button).to_be_enabled()
