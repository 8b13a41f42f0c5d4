"""How a refusal reaches the Hub: in its own form, and never as a failure of the Hub.

JupyterHub 6 has ``SpawnException``, which it shows and does not count. On JupyterHub 5 every exception of a start
counts towards ``consecutive_failure_limit``, at which the Hub ends itself: five bad sets of options of one user in
a row would restart it for all. There the count that is about to be added is taken off first.
"""

from __future__ import annotations

from typing import Any

from spawner.refused import Refused
from spawner.starts.reasons import Reason


def of_refused(refused: Refused) -> Reason:
    """The same as a reason."""
    code = "options" if refused.status == 400 else "refused"
    field = f" (field {refused.field})" if refused.field else ""
    what = f"{refused.message.rstrip('.')}{field}."
    return Reason(code, what, "", refused.hint, is_hopeless=True, status=refused.status)


def spawn_error(reason: Reason, spawner: Any) -> Exception:
    """The exception to raise from a start."""
    try:
        from jupyterhub.spawner import SpawnException
    except ImportError:
        return _of_hub_5(reason, spawner)
    error: Exception = SpawnException(
        reason.text(), reason=reason.code, message_html=reason.html(), status_code=reason.status
    )
    return error


def _of_hub_5(reason: Reason, spawner: Any) -> Exception:
    from tornado import web

    settings = getattr(getattr(spawner, "user", None), "settings", None)
    if isinstance(settings, dict):
        settings["failure_count"] = settings.get("failure_count", 0) - 1
    error = web.HTTPError(reason.status, reason.text(), reason=reason.code)
    vars(error).update(jupyterhub_message=reason.text(), jupyterhub_html_message=reason.html())
    return error
