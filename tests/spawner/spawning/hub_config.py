"""Configuration of the Hubs of these tests, from one JSON variable.

Pods on paper answer nobody: `get_pod_url` leads to a small server of the test that answers for all of them.
"""

import json
import os

from tests.spawner.bare_hub import configure

SETTINGS = json.loads(os.environ["TEST_HUB"])
c = get_config()  # noqa: F821
configure(c, SETTINGS)
c.JupyterHub.allow_named_servers = True
c.JupyterHub.log_level = "INFO"
c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 5}
c.KubeSpawner.get_pod_url = lambda _spawner, _pod: f"http://127.0.0.1:{SETTINGS['port'] + 2}"
c.KubeSpawner.http_timeout = 20
for name, value in SETTINGS["traits"].items():
    setattr(c.KubeSpawner, name, value)
