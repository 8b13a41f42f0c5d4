"""What is tuned, as a trial template: a function, a cell, a file, a job, or a notebook."""

from __future__ import annotations

import difflib
import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.resource import Resource, format_cpu, parse_cpu, parse_memory
from jupyter_ext.errors import Invalid, NotFound, Unfit, Where
from jupyter_ext.training.spec import CODE, ENTRY, ORIGIN
from jupyter_ext.tuning import code as codes
from jupyter_ext.tuning.programs import command_job
from jupyter_ext.tuning.template import CONTAINER, JOBS, TRIAL, placeholders

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.training.snapshot import Code
    from jupyter_ext.tuning.space import Space

PRELOAD: Final = "jupyter-kubeflow.org/preload"
SOURCE: Final = "jupyter-kubeflow.org/source"
"""The text of the cell that is tuned, for people."""
_GPU: Final = "nvidia.com/gpu"
REMOTE: Final = ("python", "-m", "jupyter_ext.tuning.remote")


@dataclass(frozen=True)
class Subject:
    """The template of an experiment's trials, what is noted beside it, and a name for people."""

    name: str
    template: dict[str, Any]
    annotations: dict[str, str] = field(default_factory=dict)


def read(
    cluster: LocalCluster,
    what: Any,
    space: Space,
    *,
    function: str | None,
    namespace: Mapping[str, Any] | None,
    cell: Any,
    framework: str | None,
    resources: Mapping[str, Any],
    job: Mapping[str, Any],
    travels: bool = False,
) -> Subject:
    """Find out what ``what`` is, and store its code. Raises Invalid for what cannot be tuned.

    ``travels``: a script is taken along too, for there is no such file where its trials run.
    """
    if what is None:  # nothing but the options is to be examined
        return Subject(
            "draft",
            _template(command_job([*REMOTE, *_words(space)], amounts(resources), CONTAINER), space),
            {CODE: "draft", TRIAL: "function"},
        )
    if isinstance(what, Resource | Mapping):
        return _of_manifest(what, space)
    path = _path(what)
    if path is not None and path.suffix == ".ipynb":
        from jupyter_ext.tuning.runs import subject_of

        _refuse(job, framework)
        return subject_of(cluster, path, space, dict(resources))
    if path is not None and function is None and framework is None and not travels:
        _refuse(job, None)
        return _of_script(path, space, resources)
    if framework is not None:
        from jupyter_ext.tuning.jobs import subject_of as job_of

        return job_of(cluster, what, space, function, namespace, cell, framework, resources, job)
    _refuse(job, None)
    taken, folders = code_of(what, space, function, namespace, cell, {})
    preload = codes.imports(path.read_text(encoding="utf-8") if path is not None else what)
    digest = codes.take(cluster.blobs, taken, folders)
    words = [*REMOTE, *_words(space)]
    notes = {CODE: digest, TRIAL: "function", **noted(taken, what)}
    notes |= {PRELOAD: ",".join(preload)} if preload else {}
    return Subject(taken.name, _template(command_job(words, amounts(resources), CONTAINER), space), notes)


def _words(space: Space) -> list[str]:
    return [f"--{name}=${{trialParameters.{name}}}" for name in space]


def noted(taken: Code, what: Any) -> dict[str, str]:
    """What is told of the code beside it: the function's name, the file it is in, or the cell's text."""
    found = {ENTRY: taken.name} if taken.kind in ("function", "module") else {}
    found |= {ORIGIN: str(taken.origin)} if taken.origin else {}
    return found | ({SOURCE: what} if taken.kind == "source" else {})


def _refuse(job: Mapping[str, Any], framework: str | None) -> None:
    given = (
        ["framework"] if framework is not None else [name for name, value in job.items() if value is not None]
    )
    given = [name for name in given if not (name in ("nodes", "procs") and job.get(name) == 1)]
    if given:
        raise Invalid(
            f"{given[0]} is only for trials that are training jobs",
            where=Where(field=given[0]),
            hint='Add framework="plain", or another one.'
            if framework is None
            else "Leave it out for a notebook.",
        )


def _path(what: Any) -> Path | None:
    if isinstance(what, Path):
        return what.expanduser()
    if isinstance(what, str) and "\n" not in what and what.strip().endswith((".py", ".ipynb")):
        return Path(what.strip()).expanduser()
    return None


def code_of(
    what: Any,
    space: Space,
    function: str | None,
    namespace: Mapping[str, Any] | None,
    cell: Any,
    fixed: Mapping[str, Any],
) -> tuple[Code, list[Path]]:
    """The user's code, and the folders that its modules may be in. ``fixed`` are arguments that are not tuned."""
    from jupyter_ext.training import snapshot

    folders = [Path.cwd()]
    path = _path(what)
    if path is not None:
        return snapshot.of_file(path, function), [path.parent.resolve(), *folders]
    if function is not None:
        raise Invalid("Only a file has functions to choose from", where=Where(field="function"))
    if isinstance(what, str):
        names = _notebook() if namespace is None else namespace
        return snapshot.of_source(what, names, dict.fromkeys((*space, *fixed)), cell), folders
    if not callable(what):
        raise Invalid(
            f"A {type(what).__name__} cannot be tuned",
            where=Where(field="what"),
            hint="Give a function, the text of a cell, a .py file, a notebook, or a TrainJob.",
        )
    check_signature(what, {*space, *fixed})
    return snapshot.of_function(what, {}), folders


def _notebook() -> Mapping[str, Any]:
    """The names of the notebook, or of the program that calls."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell.user_ns if shell is not None else vars(sys.modules["__main__"])


def check_signature(function: Callable[..., Any], space: Collection[str]) -> None:
    """Raise Invalid if the function does not take what the space gives it, or needs more."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return
    name = getattr(function, "__name__", type(function).__name__)
    kinds = inspect.Parameter
    named = {
        key: one
        for key, one in parameters.items()
        if one.kind in (kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY)
    }
    anything = any(one.kind is kinds.VAR_KEYWORD for one in parameters.values())
    for tuned in space:
        if tuned not in named and not anything:
            near = difflib.get_close_matches(tuned, named, n=1)
            known = f"It has: {', '.join(named)}." if named else "It has none."
            raise Invalid(
                f"{name}() has no parameter {tuned!r}",
                where=Where(field=f"space.{tuned}"),
                hint=f"Did you mean {near[0]}? {known}" if near else known,
            )
    missing = [
        key for key, one in parameters.items()
        if one.default is kinds.empty and key not in space and one.kind not in (kinds.VAR_KEYWORD, kinds.VAR_POSITIONAL)
    ]  # fmt: skip
    if missing:
        raise Invalid(
            f"{name}() needs {missing[0]!r}, which the space does not have",
            where=Where(field=f"space.{missing[0]}"),
            hint=f"Add {missing[0]} to the space, or give it a default.",
        )


def _of_script(path: Path, space: Space, resources: Mapping[str, Any]) -> Subject:
    full = path.resolve()
    if not full.is_file():
        raise NotFound(f"There is no file {path.name}", where=Where(field="path", object=str(path)))
    try:
        compile(full.read_text(encoding="utf-8"), str(full), "exec", dont_inherit=True)
    except SyntaxError as error:
        where = Where(line=error.lineno, object=path.name)
        raise Invalid(f"It is not valid Python: {error.msg}", where=where) from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise Invalid(f"{path.name} cannot be read ({error})", where=Where(field="path")) from None
    words = [sys.executable, str(full), *_words(space)]
    template = _template(command_job(words, amounts(resources), CONTAINER), space)
    return Subject(path.stem, template, {ORIGIN: str(full)})


def _of_manifest(what: Resource | Mapping[str, Any], space: Space) -> Subject:
    manifest = dict(what.manifest() if isinstance(what, Resource) else what)
    kind = str(manifest.get("kind"))
    if kind not in {*JOBS, "Job"}:
        raise Invalid(
            f"A {kind} cannot be a trial",
            where=Where(field="kind"),
            hint=f"It may be a Job, {', '.join(sorted(JOBS))}.",
        )
    metadata = dict(manifest.get("metadata") or {})
    name = str(metadata.pop("name", "") or kind.lower())
    annotations = dict(metadata.pop("annotations", None) or {})
    manifest["metadata"] = metadata
    if not metadata:
        del manifest["metadata"]
    used = placeholders(manifest)
    idle = [one for one in space if one not in used]
    ours = {key: value for key, value in annotations.items() if key.startswith("jupyter-kubeflow.org/")}
    if idle and CODE not in ours:
        raise Invalid(
            f"The {kind} does not use {idle[0]}",
            where=Where(field=f"space.{idle[0]}"),
            hint=f"Write ${{trialParameters.{idle[0]}}} where its value is to stand.",
        )
    container = "node" if kind == "TrainJob" else CONTAINER
    return Subject(name, _template(manifest, space, container, used), ours)


def _template(
    manifest: dict[str, Any], space: Space, container: str = CONTAINER, used: set[str] | None = None
) -> dict[str, Any]:
    listed = [{"name": name, "reference": name} for name in space if used is None or name in used]
    return {"primaryContainerName": container, "trialParameters": listed, "trialSpec": manifest}


def amounts(resources: Mapping[str, Any]) -> dict[str, str]:
    """``{"cpu": 2, "memory": "4Gi", "gpu": 1}`` in Kubernetes' words. Raises Invalid, Unfit."""
    found: dict[str, str] = {}
    for name, amount in resources.items():
        if name == "cpu":
            found[name] = format_cpu(parse_cpu(amount, "resources.cpu"))
        elif name == "memory":
            parse_memory(amount, "resources.memory")
            found[name] = str(amount)
        elif name in ("gpu", _GPU):
            found[_GPU] = str(amount)
        else:
            hint = "There are cpu, memory and gpu."
            raise Unfit(f"This machine cannot lend {name}", where=Where(field=f"resources.{name}"), hint=hint)
    return found
