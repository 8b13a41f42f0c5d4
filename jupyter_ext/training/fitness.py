"""Whether a job can run here at all: everything that can be known before any process of it exists."""

from __future__ import annotations

import importlib.util
import re
import shutil
import socket
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from jupyter_ext.errors import Invalid, Unavailable, Unfit, Where
from jupyter_ext.training import frameworks
from jupyter_ext.training.frameworks import ranks
from jupyter_ext.training.frameworks.tensorflow import ROLES

if TYPE_CHECKING:
    from jupyter_ext.training.spec import JobSpec

_PORTS: Final = ("MASTER_PORT", "PET_MASTER_PORT", "DMLC_TRACKER_PORT")
"""Variables by which a user chooses a port."""


def check(job: JobSpec) -> None:
    """Raise Invalid, Unfit or Unavailable with the remedy."""
    framework = frameworks.load(job.framework)
    _sizes(job)
    _roles(job)
    if job.elastic and not framework.ELASTIC:
        raise Unfit(
            f"{job.framework} cannot change its number of nodes while it runs",
            where=Where(field="nodes"),
            hint=f"Give one number, such as nodes={job.nodes_max}, or use torch.",
        )
    _installed(job, framework)
    _gpus(job)
    _command(job)
    for variable in _PORTS:
        if variable in job.env:
            _port(variable, job.env[variable])


def missing(framework: frameworks.Framework, brought: tuple[str, ...] = ()) -> str | None:
    """The first module that a framework needs and this interpreter lacks; ``brought`` come with the job."""
    for module in framework.PACKAGES:
        if not _found(module) and not any(_named(module, package) for package in brought):
            return module
    return None


def _found(module: str) -> bool:
    if module in sys.modules:
        return sys.modules[module] is not None
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _named(module: str, package: str) -> bool:
    """Whether a requirement such as ``tensorflow-cpu>=2`` brings a module."""
    name = re.split(r"[^\w.-]", package.strip().lower(), maxsplit=1)[0]
    return name == module or name.startswith((f"{module}-", f"{module}_"))


def _installed(job: JobSpec, framework: frameworks.Framework) -> None:
    lacking = None if job.command else missing(framework, job.packages)
    if lacking:
        raise Unavailable(
            f"{lacking} is not installed",
            where=Where(field="framework"),
            hint=f"pip install {framework.INSTALL if lacking == framework.PACKAGES[-1] else lacking}",
        )


def _sizes(job: JobSpec) -> None:
    for value, field in ((job.nodes_min, "nodes"), (job.procs, "procs")):
        if value < 1:
            raise Invalid(f"{value} is less than one", where=Where(field=field))
    if job.nodes_max < job.nodes_min:
        what = f"At least {job.nodes_min} and at most {job.nodes_max} nodes cannot be had"
        raise Invalid(what, where=Where(field="nodes"), hint="Write the smaller number first.")
    if job.restarts < 0:
        raise Invalid(f"{job.restarts} is less than nothing", where=Where(field="restarts"))


def _roles(job: JobSpec) -> None:
    if job.roles is None:
        return
    if job.framework != "tensorflow":
        raise Unfit(
            f"{job.framework} has no roles",
            where=Where(field="roles"),
            hint="Give nodes and procs; roles are tensorflow's.",
        )
    unknown = sorted(set(job.roles) - set(ROLES))
    if unknown:
        raise Invalid(
            f"There is no role {unknown[0]!r}",
            where=Where(field="roles"),
            hint=f"There are {', '.join(ROLES)}.",
        )
    if any(count < 0 for count in job.roles.values()) or job.roles.get("chief", 0) > 1:
        raise Invalid(
            "A cluster has at most one chief, and of no role less than none", where=Where(field="roles")
        )
    if job.roles.get("evaluator", 0) > 1:
        raise Invalid("A cluster has at most one evaluator", where=Where(field="roles"))
    if not job.roles.get("chief") and not job.roles.get("worker"):
        raise Invalid(
            "Without a chief or a worker nobody trains",
            where=Where(field="roles"),
            hint='Such as {"chief": 1, "worker": 2}.',
        )


def _gpus(job: JobSpec) -> None:
    """A framework that was built without CUDA would train on the processor and say nothing."""
    if not job.gpus or job.command or job.framework not in {"torch", "deepspeed"}:
        return
    built = _torch_build()
    if built and not any(_named("torch", package) for package in job.packages):
        raise Unfit(
            f"torch {built} is built without support for GPUs",
            where=Where(field="gpu"),
            hint="Install a build of torch for CUDA (pytorch.org has the command), or ask for no GPU.",
        )


@lru_cache(maxsize=1)
def _torch_build() -> str | None:
    """The version of a torch that knows neither CUDA nor ROCm, read from its files; None for any other."""
    try:
        spec = importlib.util.find_spec("torch")
        places = (spec and spec.submodule_search_locations) or ()
        text = (Path(next(iter(places))) / "version.py").read_text("utf-8")
    except (ImportError, OSError, StopIteration, ValueError):
        return None
    found = dict(re.findall(r"^(__version__|cuda|hip)\b[^=\n]*= *(.*)$", text, re.MULTILINE))
    without = found.get("cuda", "").strip() == "None" and found.get("hip", "None").strip() == "None"
    return found.get("__version__", "").strip(" '\"") if without else None


def _command(job: JobSpec) -> None:
    commands = [job.command] if job.command else [replica.command for replica in job.replicas or ()]
    for command in commands:
        first = ranks.resolved(command, sys.executable)[0]
        place = Path(job.cwd, first) if "/" in first else None
        if not (place.is_file() if place else shutil.which(first, path=job.env.get("PATH"))):
            raise Unfit(
                f"There is no program {first} on this machine",
                where=Where(field="command"),
                hint="It may be in the job's image only. Install it here, or run the job on a cluster.",
            )


def _port(variable: str, text: str) -> None:
    """Refuse a port that somebody listens at."""
    if not text.isdecimal() or not 0 < int(text) < 1 << 16:
        what = f"{variable}={text} is not a port"
        raise Invalid(what, where=Where(field="env"), hint="Give a number from 1 to 65535.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ranks.HOST, int(text)))
        except PermissionError as error:
            what = f"Port {text} ({variable}) is for the administrator only"
            raise Unfit(what, where=Where(field="env"), hint="Give one above 1023, or none.") from error
        except OSError as error:
            raise Unfit(
                f"Port {text} ({variable}) is in use",
                where=Where(field="env"),
                hint=f"Leave {variable} out: a free port is chosen.",
            ) from error
