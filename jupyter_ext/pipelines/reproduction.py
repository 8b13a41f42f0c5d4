"""Run a run again and say of each of its outputs whether it came out identical."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jupyter_ext.pipelines.environment import packages
from jupyter_ext.pipelines.exchange import ValueRef

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.pipelines.handle import Run


@dataclass(frozen=True)
class Compared:
    """One output of one step, then and now. ``before`` and ``after`` are one line each."""

    step: str
    name: str
    identical: bool
    before: str
    after: str


@dataclass(frozen=True)
class Reproduction:
    """The verdict: outputs compared by content, and what differs in the environment."""

    run: str
    again: str
    state: str
    outputs: tuple[Compared, ...]
    environment: tuple[str, ...]

    @property
    def identical(self) -> bool:
        """Whether the new run succeeded and every output is the same, byte for byte."""
        return self.state == "SUCCEEDED" and all(item.identical for item in self.outputs)

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "run": self.run,
            "again": self.again,
            "state": self.state,
            "identical": self.identical,
            "outputs": [vars(item) for item in self.outputs],
            "environment": list(self.environment),
        }

    def __str__(self) -> str:
        same = sum(item.identical for item in self.outputs)
        lines = [f"{self.again} reproduces {self.run}: {same} of {len(self.outputs)} outputs are identical."]
        if self.state != "SUCCEEDED":
            lines = [f"{self.again}, the new run of {self.run}, ended {self.state}."]
        lines += [
            f"  differs: {o.step}.{o.name}: {o.before} → {o.after}" for o in self.outputs if not o.identical
        ]
        lines += [f"  environment: {text}" for text in self.environment]
        return "\n".join(lines)


def begin(cluster: LocalCluster, run: Run) -> Run:
    """Start a run of the notebook as submitted, with the same parameters and without the cache."""
    from jupyter_ext.pipelines.handle import Run as Handle
    from jupyter_ext.pipelines.submit import submit

    resource = run.resource
    spec = resource.spec
    options = {**spec["options"], "cache": False, "from": None, "lenient": False}
    values = {name: spec["parameters"][name] for name in spec.get("given", ()) if name in spec["parameters"]}
    path = spec["pipeline"]["path"] or None
    if "format" in spec["pipeline"]:
        from jupyter_ext.pipelines.compiled import steering

        return Handle(steering.again(cluster, resource, {"cache": False}, "reproduce").name, cluster)
    made = submit(cluster, path, run.notebook(), values, options, trigger="reproduce", resumes=run.name)
    return Handle(made.name, cluster)


def verdict(before: Mapping[str, Any], after: Mapping[str, Any]) -> Reproduction:
    """Compare two runs' resources; a function of values."""
    then, now = dict(_outputs(before)), dict(_outputs(after))
    compared = []
    for key, (content, line) in then.items():
        other, text = now.get(key, ("", "missing"))
        compared.append(Compared(key[0], key[1], content == other, line, text))
    environment = tuple(_environment(before["status"].get("environment", {})))
    names = before["metadata"]["name"], after["metadata"]["name"]
    return Reproduction(*names, after["status"].get("phase", ""), tuple(compared), environment)


def _outputs(run: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    for status in run["status"].get("steps", ()):
        if status.get("parent"):
            continue
        for item in status.get("outputs", ()):
            ref = ValueRef.from_dict(item)
            for name in ref.names:
                yield (status["name"], name), (ref.digest, ref.summary.get(name, ""))
        for name, number in status.get("metrics", {}).items():
            yield (status["name"], f"metric {name}"), (repr(number), f"{number:g}")


def _environment(then: Mapping[str, Any]) -> Iterator[str]:
    import platform

    if then.get("python") not in (None, platform.python_version()):
        yield f"Python {then['python']} → {platform.python_version()}"
    was: Mapping[str, str] = then.get("packages", {})
    if not was:
        return
    current = packages()
    for name in sorted({*was, *current}):
        if was.get(name) != current.get(name):
            yield f"{name} {was.get(name, 'absent')} → {current.get(name, 'absent')}"
