"""A component that a notebook calls: it runs as a process of its own, here and now, in the cell that calls it.

    train = kf.pipelines.component("train.yaml")
    result = train(data=frame, lr=0.1)
    result.model.path, result.accuracy

In a run the process is part of the step: it ends with it, uses what the step was lent, and prints into its log.
"""

from __future__ import annotations

import inspect
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.errors import Invalid, KubeflowError, Unfit, Where
from jupyter_ext.pipelines.compiled import bootstrap, checking, environments, parsing, plan, results
from jupyter_ext.pipelines.compiled import values as parameters
from jupyter_ext.pipelines.compiled.placeholders import Placeholders
from jupyter_ext.pipelines.compiled.results import Results
from jupyter_ext.pipelines.compiled.spec import MISSING, Component, Container
from jupyter_ext.pipelines.components import reading
from jupyter_ext.pipelines.components.values import Artifact, Outputs, as_artifact

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.components.described import Described

_KEPT: Final = 7 * 24 * 3600
"""Seconds that the files of a call outside of runs are kept."""
_WORKLOAD: Final = "JUPYTER_KUBEFLOW_WORKLOAD"


def component(source: str | Path) -> Callable:
    """The component of a file (or text) of Kubeflow Pipelines, of version 1 or 2, as a function of its inputs.

    Raises NotFound, Invalid, and Unfit for what cannot run on this machine: its command, module or libraries are not here.
    """
    return Callable(reading.load(source))


class Callable:
    """A component as a function. Outputs that are values come back as values, others as ``Artifact``."""

    def __init__(self, described: Described) -> None:
        self._described = described
        self.__name__ = described.name
        self.__doc__ = described.description or f"The component {described.name} of {described.source}."
        self.__signature__ = _signature(self._spec()[0])

    def _spec(self) -> tuple[Component, Container]:
        """What it is in types; raises for what cannot run here."""
        from jupyter_ext.cluster import discover

        spec = parsing.read(self._described.document())
        steps = plan.make(spec)
        leaf = next(iter(steps.leaves.values()))
        executor = leaf.executor
        assert isinstance(executor, Container)
        where = Where(object=self._described.source)
        if self._described.platform:
            raise Unfit(
                f"Component {self._described.name} wants something of its pod ({', '.join(self._described.platform)})",
                where=where,
                hint="Run it as a pipeline: kf.pipelines.run(…).",
            )
        for error in checking.problems(discover.current(), spec, steps, {}, Path.cwd(), {}):
            text = error.what.replace(f"Step {leaf.name} ", f"Component {self._described.name} ")
            raise type(error)(text, where=where, hint=error.hint)
        return leaf.component, executor

    def __repr__(self) -> str:
        return f"<component {self._described.name}{self.__signature__} of {self._described.source}>"

    def __call__(self, **inputs: Any) -> Outputs:
        """Run it. Raises Invalid for inputs that are unknown, missing or of another type, KubeflowError if it fails."""
        from jupyter_ext.cluster import discover

        cluster = discover.current()
        found, container = self._spec()
        folder = _folder(cluster, self._described.name)
        results.make_folders(folder)
        given = self._given(found, inputs, folder)
        told = results.executor_input(given, found.outputs, folder)
        _run(cluster, self._described.name, container, told, folder)
        made = results.collect(told, found.outputs)
        _show(made)
        return Outputs(self._described.name, _outputs(made, self._described))

    def _given(self, found: Component, inputs: Mapping[str, Any], folder: Path) -> Results:
        artifacts = found.inputs.artifacts
        values = {name: value for name, value in inputs.items() if name not in artifacts}
        unknown = [name for name in inputs if name not in self._described.inputs]
        missing = [
            name
            for name, one in found.inputs.parameters.items()
            if name not in inputs and one.default is MISSING and not one.optional
        ]
        if unknown or missing:
            said = f"has no input {unknown[0]}" if unknown else f"needs its input {missing[0]}"
            raise Invalid(
                f"{self._described.name} {said}",
                where=Where(field=(unknown or missing)[0]),
                hint=f"It is {self._described.name}{self.__signature__}.",
            )
        bound = parameters.bind(found.inputs.parameters, values, self._described.inputs)
        known = {name: value for name, value in bound.items() if value is not None or name in values}
        files: dict[str, list[dict[str, Any]]] = {}
        for name, port in artifacts.items():
            if name in inputs and inputs[name] is not None:
                files[name] = [as_artifact(name, inputs[name], port.schema, folder / "inputs")]
            elif not port.optional:
                raise Invalid(
                    f"The input {name} is required (a file), and none was given", where=Where(field=name)
                )
        return Results(known, files)


def _signature(found: Component) -> inspect.Signature:
    listed = []
    for name, one in found.inputs.parameters.items():
        default = inspect.Parameter.empty if one.default is MISSING else one.default
        listed.append((name, None if one.optional and one.default is MISSING else default))
    for name, port in found.inputs.artifacts.items():
        listed.append((name, None if port.optional else inspect.Parameter.empty))
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Signature(
        [inspect.Parameter(name, kind, default=default) for name, default in listed if name.isidentifier()]
    )


def _folder(cluster: LocalCluster, name: str) -> Path:
    """Where a call leaves its files: with the run whose step calls, else in the profile, for a week."""
    from jupyter_ext.cluster.resource import make_name

    uid = os.environ.get(_WORKLOAD)
    base = cluster.work_folder(uid) / "calls" if uid else cluster.home / "calls"
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not uid:
        _sweep(base)
    slug = "".join(letter if letter.isalnum() else "-" for letter in name.lower()).strip("-")[:40]
    return base / make_name(slug or "component")


def _sweep(base: Path) -> None:
    import shutil

    for folder in base.iterdir():
        with suppress(OSError):
            if folder.stat().st_mtime < time.time() - _KEPT:
                shutil.rmtree(folder)


def _run(cluster: LocalCluster, name: str, container: Container, told: dict[str, Any], folder: Path) -> None:
    """Run the component's command to its end. Raises KubeflowError with what it said, if it fails."""
    facts = _facts(name, folder)
    placeholders = Placeholders(told, facts)
    function = bootstrap.read(container)
    words = (*container.command, *container.args)
    place = (
        environments.of_function(cluster, function) if function else environments.of_command(cluster, words)
    )
    if not place.ready:
        request = folder / "environment.json"
        request.write_text(json.dumps(place.request()), encoding="utf-8")
        program = str(environments.RUNTIME / "make_environment.py")
        if _process([sys.executable, "-P", program, str(request)], dict(os.environ), folder):
            raise KubeflowError(f"What component {name} asks for could not be installed; see above")
    env: dict[str, str] = {
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "PATH": os.pathsep.join([str(Path(place.python).parent), os.environ.get("PATH", os.defpath)]),
        **{key: placeholders.text(value) for key, value in container.env.items()},
    }
    if function:
        source = folder / "ephemeral_component.py"
        source.write_text(placeholders.text(function.source), encoding="utf-8")
        request = folder / "request.json"
        asked = {
            "source": str(source), "function": function.function, "input": told,
            "error": str(folder / "error.json"), "sdk": place.sdk,
        }  # fmt: skip
        request.write_text(json.dumps(asked), encoding="utf-8")
        command = [place.python, "-P", str(environments.RUNTIME / "run_component.py"), str(request)]
        env["_KFP_RUNTIME"] = "true"
    else:
        for port in told["outputs"]["parameters"].values():
            Path(port["outputFile"]).parent.mkdir(parents=True, exist_ok=True)
        command = placeholders.words(words)
        command[0] = checking.program_of(command[0], container.image, env["PATH"]) or command[0]
    status = _process(command, env, folder / "scratch")
    if status:
        raise KubeflowError(_failure(name, status, folder), hint="What it printed is above.")


def _facts(name: str, folder: Path) -> dict[str, str]:
    from jupyter_ext.cluster.resource import now

    moment = now()
    names = ("job_name", "job_resource_name", "job_id", "task_id")
    return {
        **dict.fromkeys(names, folder.name), "task_name": name, "root": str(folder), "created": moment,
        "scheduled": moment, "workspace": str(folder / "scratch"),
    }  # fmt: skip


def _failure(name: str, status: int, folder: Path) -> str:
    with suppress(OSError, ValueError, KeyError):
        error = json.loads((folder / "error.json").read_text(encoding="utf-8"))
        return f"Component {name} failed: {error['type']}: {error['message']}"
    if status < 0:
        return f"Component {name} was ended by {signal.Signals(-status).name}"
    return f"Component {name} ended with exit status {status}"


def _process(words: list[str], env: dict[str, str], cwd: Path) -> int:
    """Run a process, what it prints going to the cell; it ends with the cell."""
    try:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=env, cwd=cwd,
            text=True, encoding="utf-8", errors="replace", start_new_session=not os.environ.get(_WORKLOAD),
        )  # fmt: skip
    except (OSError, ValueError) as error:
        raise KubeflowError(f"{words[0]} could not be started ({error})") from None
    assert process.stdout is not None
    try:
        for line in process.stdout:
            sys.stdout.write(line)
        return process.wait()
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                if os.environ.get(_WORKLOAD):
                    process.kill()
                else:
                    os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()


def _outputs(made: Results, described: Described) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in described.outputs:
        if name in made.parameters:
            found[name] = made.parameters[name]
        else:
            one = made.artifacts[name][0]
            kind = str(one.get("type", {}).get("schemaTitle") or "system.Artifact")
            found[name] = Artifact(str(one["name"]), str(one["uri"]), kind, one.get("metadata") or {})
    return found


def _show(made: Results) -> None:
    """Metrics are the step's metrics; what is to be looked at is shown."""
    from jupyter_ext.pipelines import display

    for name, listed in made.artifacts.items():
        one = listed[0]
        title = one.get("type", {}).get("schemaTitle")
        numbers = {
            key: float(value)
            for key, value in (one.get("metadata") or {}).items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        if title == "system.Metrics" and numbers:
            display.metrics(**numbers)
        elif title == "system.HTML" and Path(one["uri"]).is_file():
            from IPython.display import HTML

            display.artifact(name, HTML(filename=one["uri"]))
