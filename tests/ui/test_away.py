"""The server goes away and comes back; the page says so and keeps what it shows."""

from __future__ import annotations

import re
import signal

from playwright.sync_api import expect

from tests.ui.screen import settled, steps


def test_a_killed_server_loses_nothing(lab, server, tmp_path):
    killed = tmp_path / "killed"
    wait = f"import os, time\nwhile not os.path.exists({str(killed)!r}):\n    time.sleep(0.05)\n"
    lab.write("away.ipynb", steps("Away", work=wait + "result = 42", show="print(result)"))
    lab.show_panel()
    lab.notebook("away.ipynb")
    lab.run()
    expect(lab.chip("work")).to_have_attribute("data-state", "RUNNING")
    server.stop(signal.SIGKILL)
    killed.touch()
    expect(lab.panel.get_by_text(re.compile("does not answer"))).to_be_visible(timeout=30_000)
    expect(lab.newest("Away")).to_be_visible()

    server.start()
    # The run went on meanwhile; the page finds that out by itself.
    settled(lab.newest("Away"), "SUCCEEDED", timeout=60_000)
    expect(lab.panel.get_by_text(re.compile("does not answer"))).to_have_count(0)
