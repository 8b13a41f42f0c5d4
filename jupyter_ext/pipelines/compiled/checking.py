"""What of a compiled pipeline cannot run on this machine, found before anything starts: each with its step and a way out."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster.local.devices import Request
from jupyter_ext.cluster.resource import parse_cpu, parse_memory
from jupyter_ext.errors import Invalid, KubeflowError, Unfit, Where
from jupyter_ext.pipelines.compiled import (
    bootstrap,
    condition,
    environments,
    platform,
    platform_checking,
    remote,
    volumes,
)
from jupyter_ext.pipelines.compiled.placeholders import Placeholders
from jupyter_ext.pipelines.compiled.plan import Leaf, Plan
from jupyter_ext.pipelines.compiled.spec import MISSING, Container, Dag, Importer, Specification, Task

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster

_CLOUD_TOOL: Final = re.compile(r"(?:^|[|;&(`])\s*(gsutil|gcloud|bq|kubectl|oc|aws|az|mc)\s", re.MULTILINE)
_OF_CLUSTERS: Final = {"codeflare_sdk": "makes a Ray cluster in Kubernetes"}
"""Libraries that do nothing without a cluster."""
REMOTE: Final = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
_GPU: Final = re.compile(r"(?:.*/gpu|NVIDIA[_-].*|nvidia.*)", re.IGNORECASE)
_RICH_SHELL: Final = re.compile(r"alpine|busybox|bash|ubi\d|redhat|fedora|centos|rocky")


def check(
    cluster: LocalCluster,
    spec: Specification,
    plan: Plan,
    platforms: Mapping[str, Any],
    folder: Path,
    given: Mapping[str, Any],
) -> None:
    """Raise Invalid or Unfit for the first thing that cannot run; ``given`` are the parameters of the run."""
    for error in problems(cluster, spec, plan, platforms, folder, given):
        raise error


def problems(
    cluster: LocalCluster,
    spec: Specification,
    plan: Plan,
    platforms: Mapping[str, Any],
    folder: Path,
    given: Mapping[str, Any],
) -> Iterator[KubeflowError]:
    """Everything that cannot run; ``folder`` is where relative paths begin."""
    yield from _references(spec)
    yield from _platform(cluster, platforms, plan, given)
    for leaf in plan.leaves.values():
        if isinstance(leaf.executor, Container):
            yield from _container(leaf, leaf.executor)
            yield from _resources(cluster, leaf, leaf.executor, given)
        else:
            yield from _importer(leaf, leaf.executor, folder, given)


def _references(spec: Specification) -> Iterator[KubeflowError]:
    """Inputs and outputs that name something which is not there; conditions that cannot be read."""
    for component in (spec.root, *spec.components.values()):
        if component.dag is None:
            continue
        for task in component.dag.tasks.values():
            yield from _task(
                spec, component.dag, task, component.inputs.parameters, component.inputs.artifacts
            )
        yield from _outputs(spec, component.name, component.dag)


def _task(
    spec: Specification, dag: Dag, task: Task, parameters: Mapping[str, Any], artifacts: Mapping[str, Any]
) -> Iterator[KubeflowError]:
    where = Where(object=f"step {task.name}")
    if task.component not in spec.components:
        return
    for kind, sources, around in (
        ("parameter", task.parameters, parameters),
        ("artifact", task.artifacts, artifacts),
    ):
        for name, source in sources.items():
            if source.kind == "input" and source.key not in around:
                yield Invalid(
                    f"The {kind} {name} is {source.key!r} of what is around it, which is not there",
                    where=where,
                )
            if source.kind == "task" and source.task in dag.tasks:
                maker = spec.component(dag.tasks[source.task])
                made = maker.outputs.parameters if kind == "parameter" else maker.outputs.artifacts
                if source.key not in made:
                    yield Invalid(
                        f"The {kind} {name} is {source.key!r} of {source.task}, which does not make it",
                        where=where,
                    )
            if source.selector:
                yield from _readable(source.selector, where)
    if task.condition:
        yield from _readable(task.condition, where)
    yield from _required(spec, task, where)


def _required(spec: Specification, task: Task, where: Where) -> Iterator[KubeflowError]:
    component = spec.component(task)
    item = task.iterator.item if task.iterator else None
    for name, parameter in component.inputs.parameters.items():
        if name in task.parameters or name == item or parameter.optional or parameter.type == "TASK_CONFIG":
            continue
        if parameter.default is MISSING:
            yield Invalid(f"The input {name} of {task.name} is given nothing", where=where)
    for name, artifact in component.inputs.artifacts.items():
        if name not in task.artifacts and name != item and not artifact.optional:
            yield Invalid(f"The input artifact {name} of {task.name} is given nothing", where=where)


def _outputs(spec: Specification, name: str, dag: Dag) -> Iterator[KubeflowError]:
    for outputs in (dag.parameters, dag.artifacts):
        for key, output in outputs.items():
            for task, made in output.choices:
                if task not in dag.tasks or (
                    made not in spec.component(dag.tasks[task]).outputs.parameters
                    and made not in spec.component(dag.tasks[task]).outputs.artifacts
                ):
                    yield Invalid(f"The output {key} of {name} is {made!r} of {task!r}, which is not there")


def _readable(text: str, where: Where) -> Iterator[KubeflowError]:
    try:
        condition.check(text)
    except Invalid as error:
        yield Invalid(error.what, where=where, hint="Compile the pipeline with KFP 2 again.")


def _platform(
    cluster: LocalCluster, platforms: Mapping[str, Any], plan: Plan, given: Mapping[str, Any]
) -> Iterator[KubeflowError]:
    try:
        found = platform.read(platforms)
    except Invalid as error:
        yield error
        found = platform.Platform()
    yield from platform_checking.problems(cluster, found, plan, given)


def _container(leaf: Leaf, container: Container) -> Iterator[KubeflowError]:
    where = Where(object=f"step {leaf.name}")
    if volumes.is_task(container.image):
        return
    function = bootstrap.read(container)
    if function is not None:
        yield from _function(leaf, container, function, where)
        return
    program = _program(container)
    if program is None:
        yield Unfit(
            f"Step {leaf.name} runs what the image {container.image} starts by itself, and that is not known here",
            where=where,
            hint="Give the component a command, or run it on a cluster.",
        )
    elif "{{$" not in program and program_of(program, container.image, search_path()) is None:
        yield Unfit(
            f"Step {leaf.name} runs {program!r} of the image {container.image}, and this machine has no such command",
            where=where,
            hint=f"Install {program}, or run it on a cluster.",
        )
    elif (tool := _missing_tool(container)) is not None:
        yield Unfit(
            f"Step {leaf.name} uses {tool} of the image {container.image}, and this machine has no such command",
            where=where,
            hint=f"Install {tool}, or run it on a cluster.",
        )
    else:
        yield from _module(leaf, container, where)


def _missing_tool(container: Container) -> str | None:
    """A program of a cloud or a cluster that a script calls, and that is not here."""
    scripts = "\n".join((*container.command, *container.args))
    found = (match[1] for match in _CLOUD_TOOL.finditer(scripts))
    return next((tool for tool in found if shutil.which(tool, path=search_path()) is None), None)


def _function(
    leaf: Leaf, container: Container, function: bootstrap.PythonFunction, where: Where
) -> Iterator[KubeflowError]:
    """A custom image brings libraries that nobody names: what the function imports must be here then."""
    for module in function.modules:
        if module in _OF_CLUSTERS and not _has_kubeconfig():
            yield Unfit(
                f"Step {leaf.name} {_OF_CLUSTERS[module]} ({module}), and this machine knows no cluster",
                where=where,
                hint="Run it on a cluster, or where a kubeconfig names one.",
            )
            return
    if is_plain_python(container.image) or function.requirements:
        return
    missing = [module for module in function.modules if not environments.importable(module)]
    if missing:
        yield Unfit(
            f"Step {leaf.name} imports {', '.join(missing[:3])}, which its image {container.image} has and this machine has not",
            where=where,
            hint="Install it here, name it in packages_to_install, or run it on a cluster.",
        )


def _has_kubeconfig() -> bool:
    return bool(os.environ.get("KUBECONFIG")) or Path("~/.kube/config").expanduser().exists()


def is_plain_python(image: str) -> bool:
    """Whether an image is Python and nothing else, so that an interpreter stands for it."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return name in ("python", "pypy") or name.startswith("python-3")


def _program(container: Container) -> str | None:
    first = next(iter((*container.command, *container.args)), None)
    if not container.command or first is None:
        return None
    if first.lstrip().startswith("{"):
        import json

        try:
            structure = json.loads(first)
        except ValueError:
            return first
        return _first_word(structure)
    return first


def _first_word(structure: Any) -> str | None:
    while not isinstance(structure, str):
        if isinstance(structure, list):
            structure = structure[0] if structure else ""
        elif isinstance(structure, dict):
            choice = structure.get("IfPresent") or {}
            structure = structure.get("Concat") or choice.get("Then") or ""
        else:
            return None
    return structure or None


def search_path() -> str:
    """Where programs are looked for: this interpreter's own first, so that ``python3`` is it."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def program_of(word: str, image: str, path: str) -> str | None:
    """The program that stands for a word of an image's command. The shell of some images is more than POSIX asks for."""
    if word in ("sh", "/bin/sh") and _RICH_SHELL.search(image) and (bash := shutil.which("bash", path=path)):
        return bash
    return shutil.which(word, path=path)


def _module(leaf: Leaf, container: Container, where: Where) -> Iterator[KubeflowError]:
    """``python -m MODULE`` of an image needs that module here; a script of the image is not here at all."""
    words = [*container.command, *container.args]
    name = Path(words[0]).name
    if name.startswith("python") and "-m" in words[:-1]:
        module = words[words.index("-m") + 1].partition(".")[0]
        if module == "kfp" or not environments.importable(module):
            what = "code that was built into" if module == "kfp" else f"the module {module} of"
            yield Unfit(
                f"Step {leaf.name} runs {what} the image {container.image}, which is not here",
                where=where,
                hint="Run it on a cluster, or make it a lightweight component.",
            )
    script = next((word for word in words[1:] if not word.startswith("-")), "")
    alone = name in ("sh", "bash") or name.startswith("python")
    if (
        alone
        and "-c" not in words
        and re.fullmatch(r"[\w./-]+\.(?:sh|py)", script)
        and not Path(script).exists()
    ):
        yield Unfit(
            f"Step {leaf.name} runs {script} of the image {container.image}, which is not here",
            where=where,
            hint="Run it on a cluster.",
        )


def lease_request(container: Container | Importer, text: Any = str) -> Request:
    """What a step asks of the machine; ``text`` puts values into placeholders. Raises Invalid or Unfit."""
    if isinstance(container, Importer):
        return Request(cpu_milli=0)
    asked = container.resources
    cpu, memory = text(asked.cpu), text(asked.memory)
    kind, count = text(asked.accelerator), text(asked.accelerators)
    gpus = 0
    if kind and count not in ("", "0"):
        if not _GPU.fullmatch(kind):
            raise Unfit(
                f"This machine cannot lend {kind}", where=Where(field=kind), hint="Run it on a cluster."
            )
        if not count.isdecimal():
            raise Invalid(f"{count!r} is not a number of GPUs", where=Where(field=kind))
        gpus = int(count)
    return Request(parse_cpu(cpu) if cpu else 1000, parse_memory(memory) if memory else 0, gpus)


def _known(leaf: Leaf, given: Mapping[str, Any]) -> Callable[[str], str]:
    """Puts what is known before the run into placeholders; what is not stays one."""
    told = {"inputs": {"parameterValues": leaf.known(given), "artifacts": {}}, "outputs": {"parameters": {}}}
    placeholders = Placeholders(told, {})

    def text(template: str) -> str:
        try:
            return placeholders.text(placeholders.text(template))
        except (KeyError, Invalid):
            return template

    return text


def _resources(
    cluster: LocalCluster, leaf: Leaf, container: Container, given: Mapping[str, Any]
) -> Iterator[KubeflowError]:
    asked, text = container.resources, _known(leaf, given)
    texts = [text(each) for each in (asked.cpu, asked.memory, asked.accelerator, asked.accelerators)]
    if not any(texts) or any("{{$" in each for each in texts):
        return
    try:
        cluster.leases.check(lease_request(container, text))
    except (Invalid, Unfit) as error:
        field = error.where.field if error.where else None
        hint = f"Ask for less in this run, for example --limit {leaf.name}:{field or 'cpu'}:0, or run it on a cluster."
        yield type(error)(error.what, where=Where(field=field, object=f"step {leaf.name}"), hint=hint)


def _importer(
    leaf: Leaf, importer: Importer, folder: Path, given: Mapping[str, Any]
) -> Iterator[KubeflowError]:
    uri = importer.uri
    if uri is None:
        known = leaf.known(given)
        uri = str(known[importer.uri_input]) if importer.uri_input in known else None
    uri = None if uri is None else _known(leaf, given)(uri)
    if uri is not None and "{{$" not in uri:
        try:
            if remote.scheme_of(uri):
                remote.require(uri)
            else:
                local_path(uri, folder)
        except KubeflowError as error:
            yield type(error)(error.what, where=Where(object=f"step {leaf.name}"), hint=error.hint)


def local_path(uri: str, folder: Path) -> Path:
    """The file or folder that an address names. Raises Unfit for one that is elsewhere, Invalid where nothing is."""
    scheme = REMOTE.match(uri)
    if scheme and scheme[1].lower() != "file":
        raise Unfit(
            f"{uri} is not on this machine",
            where=Where(field="artifactUri"),
            hint="Fetch it, and import the local path instead.",
        )
    path = Path(uri[len("file://") :] if scheme else uri).expanduser()
    path = path if path.is_absolute() else folder / path
    if not path.exists():
        raise Invalid(f"There is no file {path} to import", where=Where(field="artifactUri"))
    return path
