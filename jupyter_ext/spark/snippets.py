"""The same batch, schedule or session in Python, as a magic and on the command line: every form shows these lines.

Functions of values. What a form holds goes in under the keywords of ``submit``, ``schedule`` and ``session``, with one of
``path`` (a file, with ``function`` one of its functions) or ``source`` (a cell), or ``function`` alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.spark.options import flags
from jupyter_ext.training.snippets import applied, subject

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource

Spec = Mapping[str, Any]

BATCH: Final = (
    *(
        "name",
        "cores",
        "executors",
        "memory",
        "driver_memory",
        "conf",
        "args",
        "arguments",
        "env",
        "packages",
    ),
    *("jars", "py_files", "main_class", "retries"),
)
CLOCK: Final = ("timezone", "concurrency", "suspend", "keep", "keep_failed")
SESSION: Final = ("name", "cores", "executors", "memory", "driver_memory", "conf", "idle")
_USUAL: Final[dict[str, Any]] = {
    "executors": 1,
    "memory": "1g",
    "driver_memory": "1g",
    "retries": 0,
    "concurrency": "Allow",
    "keep": 1,
    "keep_failed": 1,
    "idle": "12h",
}


def said(spec: Spec, keywords: tuple[str, ...], usual: Spec = _USUAL) -> dict[str, Any]:
    """The keywords that are not what is so anyway."""
    empty: tuple[object, ...] = (None, {}, [], "", False)
    return {
        name: spec[name]
        for name in keywords
        if spec.get(name) not in empty and (name not in usual or spec[name] != usual[name])
    }


def batch(spec: Spec) -> dict[str, str]:
    """A batch, or with ``cron`` a schedule, as ``{"python", "magic", "cli"}``."""
    keywords = BATCH + CLOCK if spec.get("cron") else BATCH
    asked = said(spec, keywords, {**_USUAL, "cores": 1})
    head, what = subject(spec)
    function = "schedule" if spec.get("cron") else "submit"
    words = [what, *([repr(spec["cron"])] if spec.get("cron") else [])]
    if "Path(" in what and ", function=" in what:  # the expression stands before the keyword
        file, _, named = what.partition(", ")
        words = [file, *words[1:], named]
    words += [f"{name}={value!r}" for name, value in asked.items()]
    variable = "nightly" if spec.get("cron") else "app"
    python = f"import jupyter_ext as kf\n{head}{variable} = kf.spark.{function}({', '.join(words)})"
    line = _line(spec, asked)
    return {"python": python, "magic": f"%kf {line}", "cli": f"jupyter kf {line}"}


def _line(spec: Spec, asked: Spec) -> str:
    file = str(spec.get("path") or "FILE.py")
    words = [
        "spark",
        "schedule" if spec.get("cron") else "submit",
        f"./{file}" if file.startswith("-") else file,
    ]
    if spec.get("function"):
        words += ["--function", str(spec["function"])]
    if spec.get("cron"):
        words.append(f"--cron={spec['cron']}")
    words += flags(asked)
    if spec.get("arguments"):
        words += ["--", *map(str, spec["arguments"])]
    return shlex.join(words)


def session(spec: Spec) -> dict[str, str]:
    """A session, as ``{"python", "magic", "cli"}``."""
    asked = said(spec, SESSION)
    name = asked.pop("name", "spark")
    words = [
        *([repr(name)] if name != "spark" else []),
        *(f"{key}={value!r}" for key, value in asked.items()),
    ]
    own = [name] if name != "spark" else []
    short: dict[str, Any] = {key: asked[key] for key in ("cores", "executors", "memory") if key in asked}
    return {
        "python": f"import jupyter_ext as kf\nspark = kf.spark.session({', '.join(words)})",
        "magic": f"{shlex.join(['%%spark', *own, *flags(short)])}\nspark.range(10).show()",
        "cli": shlex.join(["jupyter", "kf", "spark", "session", *own, *flags(asked)]),
    }


def of(resource: Resource) -> dict[str, str]:
    """What there is, as code and as YAML; ``refused`` says why it has no YAML that a cluster takes."""
    from jupyter_ext.errors import KubeflowError
    from jupyter_ext.spark.handle import exported

    try:
        found = {"yaml": exported(resource), "refused": ""}
    except KubeflowError as error:
        found = {"yaml": "", "refused": str(error)}
    return {**_code(resource), **found}


def _code(resource: Resource) -> dict[str, str]:
    from jupyter_ext.spark.spec import IDLE

    spec = resource.spec
    if resource.kind == "SparkConnect":
        asked = {**sizes(spec, "server"), "name": resource.name}
        if IDLE in resource.annotations:
            asked["idle"] = resource.annotations[IDLE]
        return session(asked)
    clock: dict[str, Any] = {}
    if resource.kind == "ScheduledSparkApplication":
        clock = {
            "cron": spec.get("schedule"),
            "timezone": spec.get("timeZone"),
            "concurrency": spec.get("concurrencyPolicy"),
            "suspend": spec.get("suspend"),
            "keep": spec.get("successfulRunHistoryLimit"),
            "keep_failed": spec.get("failedRunHistoryLimit"),
        }
        spec = spec.get("template") or {}
    what = _what(resource, spec)
    return (
        batch({**sizes(spec, "driver"), **what, **clock, "name": resource.name})
        if what
        else applied(resource.name)
    )


def sizes(spec: Spec, role: str) -> dict[str, Any]:
    """The keywords that say how large it is."""
    executor, driver = spec.get("executor") or {}, spec.get(role) or {}
    return {
        "cores": executor.get("cores"),
        "executors": executor.get("instances"),
        "memory": executor.get("memory"),
        "driver_memory": driver.get("memory"),
        "conf": spec.get("sparkConf"),
    }


def _what(resource: Resource, spec: Spec) -> dict[str, Any]:
    """What it runs, in the keywords of ``submit``; empty for what they cannot say."""
    import json

    from jupyter_ext.cluster.discover import current
    from jupyter_ext.spark.spec import ARGS, CODE
    from jupyter_ext.training.exporting import program

    file = str(spec.get("mainApplicationFile") or "").removeprefix("local://").removeprefix("file://")
    deps = spec.get("deps") or {}
    restarts = spec.get("restartPolicy") or {}
    found = {
        "arguments": spec.get("arguments"),
        "main_class": spec.get("mainClass"),
        "env": {one["name"]: one.get("value", "") for one in (spec.get("driver") or {}).get("env") or ()},
        "jars": deps.get("jars"),
        "py_files": deps.get("pyFiles"),
        "packages": deps.get("packages"),
        "retries": restarts.get("onFailureRetries") if restarts.get("type") == "OnFailure" else None,
    }
    if CODE not in resource.annotations:
        return {**found, "path": file}
    return {
        **found,
        "args": json.loads(resource.annotations.get(ARGS) or "{}"),
        **program(current(), resource.annotations),
    }
