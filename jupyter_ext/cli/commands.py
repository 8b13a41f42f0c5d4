"""Commands that look at runs and notebooks, and those that tidy up."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Invalid, Where

from . import anything
from .progress import line
from .running import newest, writable, write_notebook
from .text import ago, as_json, number, one_line, say, seconds, table


def check(args: Namespace) -> int:
    """``jupyter kf check``: 2 if the notebook cannot run."""
    from jupyter_ext import pipelines

    pipeline = pipelines.check(args.file)
    if args.json:
        as_json(pipeline.to_dict(sources=False))
        return 2 if pipeline.errors else 0
    how = f"read from {pipeline.grammar}, in {pipeline.order} order"
    if pipeline.metadata.get("format") == "kfp":
        how = f"made by {pipeline.metadata.get('sdk') or 'somebody'}"
    say(f"{pipeline.name}: {len(pipeline.steps)} steps, {how}")
    after = {step.name: ", ".join(pipeline.parents(step.name)) for step in pipeline.steps}
    rows = [(f"  {step.name}", after[step.name] and f"after {after[step.name]}") for step in pipeline.steps]
    say(table(rows))
    for problem in pipeline.problems:
        say(f"{problem.severity}: {problem}")
    return 2 if pipeline.errors else 0


def compile_(args: Namespace) -> int:
    """``jupyter kf compile``."""
    from jupyter_ext import pipelines
    from jupyter_ext.pipelines.snippets import read_parameters

    text = pipelines.compile(args.file, args.output, parameters=read_parameters(args.parameters))
    say(f"Written: {args.output}" if args.output else text.rstrip("\n"))
    return 0


def convert(args: Namespace) -> int:
    """``jupyter kf convert``."""
    from jupyter_ext import pipelines

    found = pipelines.convert(args.file, args.output)
    say(f"Written: {found.path}")
    for note in found.notes:
        say(f"  {note}")
    return 0


def runs(args: Namespace) -> int:
    """``jupyter kf runs``."""
    from jupyter_ext import pipelines

    state = args.state.upper() if args.state else None
    found = [run.resource for run in pipelines.runs(limit=args.limit, state=state, pipeline=args.pipeline)]
    if args.json:
        as_json({"runs": [_brief(resource) for resource in found]})
        return 0
    if not found:
        say("No runs. Start one: jupyter kf run NOTEBOOK.ipynb")
        return 0
    rows = [
        (
            resource.name,
            resource.phase,
            ago(resource.created),
            seconds(resource.status.get("seconds")),
            Path(str(resource.spec.get("pipeline", {}).get("path", ""))).name,
            one_line(resource.reason, 80),
        )
        for resource in found
    ]
    say(table(rows, head=("RUN", "STATE", "STARTED", "TOOK", "NOTEBOOK", "REASON")))
    return 0


def _brief(resource: Any) -> dict[str, object]:
    pipeline = resource.spec.get("pipeline", {})
    return {
        "run": resource.name,
        "state": resource.phase,
        "reason": resource.reason,
        "created": resource.created,
        "seconds": resource.status.get("seconds"),
        "notebook": pipeline.get("path"),
        "metrics": resource.status.get("metrics", {}),
    }


def show(args: Namespace) -> int:
    """``jupyter kf show``."""
    if other := anything.of_another_kind(args.run):
        return anything.describe(Namespace(what=[other], json=args.json))
    run = newest(args.run)
    if args.json:
        as_json(run.to_json())
        return 0
    resource = run.resource
    status = resource.status
    say(f"{run.name}  {resource.phase}  {ago(resource.created)}  {seconds(status.get('seconds'))}".rstrip())
    if resource.reason:
        say(resource.reason)
    say(f"Notebook: {resource.spec.get('pipeline', {}).get('path', '')}")
    for name, value in (resource.spec.get("parameters") or {}).items():
        say(f"  {name} = {value!r}")
    steps = status.get("steps") or []
    width = max((len(str(step["name"])) + 2 * bool(step.get("parent")) for step in steps), default=0)
    for step in steps:
        say(line(step, width))
        if note := (step.get("cache") or {}).get("text"):
            say(f"{' ' * width}  {note}")
    if metrics := status.get("metrics"):
        say(table((f"  {name}", number(value)) for name, value in metrics.items()))
    for text in (status.get("error") or {}).get("traceback") or ():
        say(text.rstrip("\n"))
    return 0


def logs(args: Namespace) -> int:
    """``jupyter kf logs``."""
    import sys

    if other := anything.of_another_kind(args.run):
        return anything.logs(other, args)
    if args.rank is not None:
        raise Invalid(
            "a run has steps, not ranks", where=Where(field="--rank"), hint="Name the step instead."
        )
    run = newest(args.run)
    text = run.logs(args.step, tail=args.tail, follow=args.follow)
    for chunk in [text] if isinstance(text, str) else text:
        sys.stdout.write(chunk)
        sys.stdout.flush()
    return 0


def stop(args: Namespace) -> int:
    """``jupyter kf stop``."""
    if other := anything.of_another_kind(args.run):
        return anything.stop(other)
    run = newest(args.run)
    run.stop()
    say(f"{run.name}: {run.state}")
    return 0


def compare(args: Namespace) -> int:
    """``jupyter kf compare``."""
    from jupyter_ext import pipelines

    from . import serving

    if endpoint := serving.one(args.runs):
        return serving.compare(endpoint, args)
    if args.metric or args.against or args.since:
        raise Invalid("only the variants of an endpoint are compared by --metric, --against and --since")
    found = pipelines.compare(args.runs)
    if args.json:
        as_json(found.to_dict())
    else:
        say(str(found))
    return 0


def export(args: Namespace) -> int:
    """``jupyter kf export``."""
    if other := anything.of_another_kind(args.run):
        return _export_manifest(other, args.output)
    run = newest(args.run)
    kind = ".yaml" if run.compiled else ".ipynb"
    output = args.output or f"{run.name}{kind}"
    writable(output, (kind, ".zip"))
    if output.endswith(".zip"):
        run.export(output)
    elif run.compiled:
        Path(output).write_text(run.yaml(), encoding="utf-8")
    else:
        write_notebook(Path(output), run.executed())
    say(f"Written: {output}")
    return 0


def _export_manifest(reference: str, output: str | None) -> int:
    """Write the YAML that a cluster takes."""
    from jupyter_ext import resources

    writable(output, (".yaml", ".yml"))
    text = resources.export(reference)
    if output:
        Path(output).write_text(text, encoding="utf-8")
    say(f"Written: {output}" if output else text.rstrip("\n"))
    return 0


def open_(args: Namespace) -> int:
    """``jupyter kf open``."""
    found = newest(args.run).debug(args.step)
    if args.output:
        writable(args.output)
        write_notebook(Path(args.output), found["notebook"])
        say(f"Written: {args.output}. Open it and run the cell above step {found['step']}.")
    else:
        say(found["code"].rstrip("\n"))
    return 0


def gc(args: Namespace) -> int:
    """``jupyter kf gc``."""
    from jupyter_ext import pipelines

    report = pipelines.gc(dry_run=args.dry_run)
    if args.json:
        as_json(
            {
                "removed": report.removed,
                "bytes": report.bytes,
                "kept": report.kept,
                "environments": report.environments,
                "environmentsKept": report.environments_kept,
                "dryRun": args.dry_run,
            }
        )
        return 0
    from jupyter_ext.cluster.resource import say_memory

    would = "would be removed" if args.dry_run else "removed"
    counts = f"{report.removed} stored values" + (
        f" and {report.environments} environments" if report.environments or report.environments_kept else ""
    )
    say(f"{counts} {would}, {say_memory(report.bytes)}; {report.kept + report.environments_kept} are in use.")
    return 0


COMMANDS: dict[str, Callable[[Any], int]] = {
    "check": check,
    "compile": compile_,
    "convert": convert,
    "runs": runs,
    "show": show,
    "logs": logs,
    "stop": stop,
    "compare": compare,
    "export": export,
    "open": open_,
    "gc": gc,
}
