"""Spark on this machine: batches, and sessions that stay up between cells and kernels.

    import jupyter_ext as kf
    spark = kf.spark.session()
    spark.read.parquet("flights.parquet").groupBy("origin").count().show()
    kf.spark.submit("prepare.py", cores=2, memory="2g").wait()

The names below load on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from jupyter_ext.spark.connecting import session
    from jupyter_ext.spark.forms import form
    from jupyter_ext.spark.handle import (
        Application,
        ApplicationFailed,
        Session,
        applications,
        delete,
        get,
        session_of,
        sessions,
    )
    from jupyter_ext.spark.scheduling import (
        Schedule,
        check_schedule,
        schedule,
        schedule_of,
        schedules,
        submit_schedule,
        update_schedule,
    )
    from jupyter_ext.spark.submission import (
        check,
        check_session,
        start,
        start_session,
        submit,
        submit_resource,
    )

_HOME: Final = {
    "Application": "handle",
    "ApplicationFailed": "handle",
    "Schedule": "scheduling",
    "Session": "handle",
    "applications": "handle",
    "check": "submission",
    "check_schedule": "scheduling",
    "check_session": "submission",
    "delete": "handle",
    "get": "handle",
    "schedule": "scheduling",
    "schedule_of": "scheduling",
    "schedules": "scheduling",
    "session": "connecting",
    "session_of": "handle",
    "sessions": "handle",
    "start": "submission",
    "start_session": "submission",
    "form": "forms",
    "submit": "submission",
    "submit_resource": "submission",
    "submit_schedule": "scheduling",
    "update_schedule": "scheduling",
}
__all__ = [  # noqa: RUF022 - in the order of use
    "session", "submit", "start", "form", "Application", "ApplicationFailed", "Session", "get", "applications", "sessions",
    "session_of", "delete", "check", "submit_resource", "check_session", "start_session",
    "schedule", "Schedule", "schedule_of", "schedules", "check_schedule", "submit_schedule", "update_schedule",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
