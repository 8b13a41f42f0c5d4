"""Configuration of the Hub of test_hub.py, from one JSON variable. Its proxy only keeps routes: the test knows the pod."""

import json
import os

from tests.spawner.bare_hub import configure

SETTINGS = json.loads(os.environ["TEST_HUB"])
c = get_config()  # noqa: F821
configure(c, SETTINGS)
c.ProfileSpawner.images = [{"key": "ours", "reference": SETTINGS["image"], "title": "Ours", "default": True}]
c.ProfileSpawner.sizes = [{"key": "small", "title": "Small", "cpu": "100m", "memory": "1Gi", "default": True}]
c.ProfileSpawner.home = False
c.ProfileSpawner.start_timeout = 120
c.ProfileSpawner.http_timeout = 120
c.ProfileSpawner.environment = SETTINGS.get("environment", {})
