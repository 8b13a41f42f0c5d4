"""What a person does at JupyterLab, in their words: everything is found by role and name."""

from __future__ import annotations

import json
import re
import secrets
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect


class Lab:
    """One browser page with JupyterLab in it."""

    def __init__(self, page: Page, url: str, token: str, root: Path) -> None:
        self.page = page
        self.url = url
        self.token = token
        self.root = root
        self.workspace = ""

    # Getting there

    def open(self) -> None:
        """Open a workspace of its own, so that tests do not see each other's layout."""
        self.workspace = secrets.token_hex(4)
        self.page.goto(f"{self.url}/lab/workspaces/{self.workspace}?token={self.token}&reset")
        self.ready()

    def ready(self) -> None:
        self.page.wait_for_selector("#jupyterlab-splash", state="detached", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp && window.jupyterapp.restored", timeout=60_000)

    def command(self, name: str, **arguments: object) -> None:
        """Run a command of JupyterLab's registry, as its palette does."""
        self.page.evaluate(
            "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)",
            [name, arguments],
        )

    def theme(self, *, dark: bool) -> None:
        self.command("apputils:change-theme", theme="JupyterLab Dark" if dark else "JupyterLab Light")
        self.page.wait_for_selector(
            f'body[data-jp-theme-light="{"false" if dark else "true"}"]', state="attached"
        )
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    # Notebooks

    def write(self, name: str, notebook: dict | str) -> str:
        """Put a file where the server sees it; returns its path for the server."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook, indent=1))
        return name

    def notebook(self, path: str) -> Locator:
        """Open a notebook and wait until its cells are there; with the pipeline bar."""
        # Behind its spinner a notebook has one empty cell until the file's arrive.
        self.page.evaluate(
            "path => window.jupyterapp.commands.execute('docmanager:open', {path, factory: 'Notebook'})"
            ".then(panel => Promise.all([panel.context.ready, panel.revealed])).then(() => null)",
            path,
        )
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(panel.locator(".jp-Cell").first).to_be_visible()
        if not self.bar.is_visible():
            self.command("kubeflow:toggle-pipeline-bar")
        expect(self.bar).to_be_visible()
        return panel

    @property
    def bar(self) -> Locator:
        """The bar above the cells of the notebook in front."""
        return self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)").get_by_role(
            "region", name="Pipeline of this notebook"
        )

    def run(self) -> None:
        """Press *Run* in the bar, and wait until the panel lists the new run."""
        button = self.bar.get_by_role("button", name="Run", exact=True).first
        expect(button).to_be_enabled()
        before = self.runs.first.get_attribute("data-run") if self.runs.count() else ""
        button.click()
        expect(self.runs.first).not_to_have_attribute("data-run", before or "")

    def chip(self, step: str) -> Locator:
        """The first chip of a step in the margin of its cells."""
        return self.page.locator(f'.jp-NotebookPanel:not(.lm-mod-hidden) .jk-Chip[data-step="{step}"]').first

    # The panel

    def show_panel(self) -> Locator:
        if not self.panel.is_visible():
            self.page.get_by_role("tab", name="Kubeflow", exact=True).click()
        expect(self.panel).to_be_visible()
        return self.panel

    def section(self, name: str) -> Locator:
        """A section of the panel, unfolded: which ones are open is remembered from the test before."""
        found = self.show_panel().get_by_role("region", name=name, exact=True)
        head = found.get_by_role("button", name=re.compile(f"^{name}")).first
        if head.get_attribute("aria-expanded") == "false":
            head.click()
        return found

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("region", name="Kubeflow", exact=True)

    @property
    def runs(self) -> Locator:
        """The list of the last runs in the panel."""
        return self.panel.get_by_role("list", name="Runs", exact=True).get_by_role("listitem")

    def newest(self, title: str) -> Locator:
        """The newest run in the list with that title."""
        return self.runs.filter(has_text=title).first

    # The run's view

    def open_run(self, title: str) -> Locator:
        self.newest(title).get_by_role("button", name=re.compile(re.escape(title))).first.click()
        return self.view

    @property
    def view(self) -> Locator:
        """The run's view in front."""
        return self.page.locator(".jk-RunView:visible")

    def node(self, step: str) -> Locator:
        return self.view.locator(f'.jk-Node-head[data-node="{step}"]')


def settled(row: Locator, state: str, timeout: float = 60_000) -> None:
    """Wait until a row of the list or a node of the graph shows this state."""
    expect(row).to_have_attribute("data-state", state, timeout=timeout)


def violations(page: Page, root: str) -> list[str]:
    """What axe-core finds wrong below a place of the page."""
    found = Axe().run(page, context=root, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{item['id']}: {item['help']}: {node['html'][:160]}" for item in found for node in item["nodes"]]


def cell(source: str, *tags: str, kind: str = "code") -> dict:
    """A cell as nbformat 4.5 writes it."""
    body = {
        "id": secrets.token_hex(4),
        "cell_type": kind,
        "metadata": {"tags": list(tags)} if tags else {},
        "source": source,
    }
    return body | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def notebook(*cells: dict) -> dict:
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return {"cells": list(cells), "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def steps(title: str, **sources: str) -> dict:
    """A notebook with a title, and one heading and one cell for each step."""
    cells = [cell(f"# {title}", kind="markdown")]
    for name, source in sources.items():
        cells += [cell(f"## {name}", kind="markdown"), cell(source)]
    return notebook(*cells)
