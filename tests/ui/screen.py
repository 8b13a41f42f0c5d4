"""What a person does at JupyterLab, in their words: everything is found by role and name."""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from playwright.sync_api import Locator, Page, expect


class Lab:
    """One browser page with JupyterLab in it."""

    def __init__(self, page: Page, url: str, token: str, root: Path) -> None:
        self.page = page
        self.url = url
        self.token = token
        self.root = root

    def open(self, *, reset: bool = True) -> None:
        """Open a workspace of its own, so that tests do not see each other's layout."""
        if reset:
            self.workspace = secrets.token_hex(4)
        query = f"token={self.token}" + ("&reset" if reset else "")
        self.page.goto(f"{self.url}/lab/workspaces/{self.workspace}?{query}")
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

    def write(self, name: str, notebook: dict | str) -> str:
        """Put a file where the server sees it; returns its path for the server."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(notebook if isinstance(notebook, str) else json.dumps(notebook, indent=1))
        return name

    def notebook(self, path: str) -> Locator:
        """Open a notebook and wait until its cells are there."""
        self.command("docmanager:open", path=path, factory="Notebook")
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        expect(panel.locator(".jp-Cell").first).to_be_visible()
        return panel

    def theme(self, *, dark: bool) -> None:
        self.command("apputils:change-theme", theme="JupyterLab Dark" if dark else "JupyterLab Light")
        self.page.wait_for_selector(f'body[data-jp-theme-light="{"false" if dark else "true"}"]')


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


def steps(**sources: str) -> dict:
    """A notebook with one heading and one cell for each step."""
    cells = []
    for name, source in sources.items():
        cells += [cell(f"## {name}", kind="markdown"), cell(source)]
    return notebook(*cells)
