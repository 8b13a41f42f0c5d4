"""The schedules of a Kubeflow Pipelines server, its recurring runs, kept up to date as its runs are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_ext.pipelines.kfp import schedules
from jupyter_ext.pipelines.kfp.following import PATIENCE, Following, Line

if TYPE_CHECKING:
    from jupyter_ext.pipelines.kfp.server import Json, Server


class FollowingSchedules(Following):
    """As ``Following``. A schedule never ends, and its next time is told anew when it has passed."""

    kind: ClassVar[str] = "RecurringRun"
    what: ClassVar[str] = "schedules"
    identity: ClassVar[str] = "recurring_run_id"

    def _page(self, server: Server, size: int, token: str = "") -> tuple[list[Json], str]:
        return server.recurring_page(size, token, PATIENCE)

    def _is_busy(self, server: Server, found: list[Json]) -> bool:
        del server, found
        return False

    def _goes_on_below(self, found: list[Json]) -> bool:
        del found
        return False

    def _line(self, server: Server, run: Mapping[str, Any]) -> Line:
        made = schedules.resource(server, dict(run)).with_(name=str(run[self.identity]))
        return Line(made, json.dumps([run, made.status.get("nextTime")], sort_keys=True))
