"""The options of ``jupyter kf tune`` and ``%%tune``, stated once, and what they mean to ``tuning.tune``."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from jupyter_ext.training import options as training
from jupyter_ext.training.options import Option, count, literal, nodes, pairs
from jupyter_ext.training.spec import FRAMEWORKS

OPTIONS: tuple[Option, ...] = (
    Option(
        ("-p", "--param"),
        {
            "action": "append",
            "default": [],
            "dest": "space",
            "metavar": "NAME=SPACE",
            "help": "a parameter and its space, for example 'lr=double(1e-4,1e-1,log)', 'n=int(1,8)', "
            "'opt=categorical(sgd,adam)' or 'batch=discrete(16,32)' (repeat for more)",
        },
    ),
    Option(("--objective",), {"default": "loss:min", "metavar": "METRIC:min|max[:GOAL]", "help": "default: loss:min"}),
    Option(("--algorithm",), {"default": "random", "help": "by its name in Katib (default: random)"}),
    Option(
        ("--setting",),
        {"action": "append", "default": [], "dest": "settings", "metavar": "NAME=VALUE",
         "help": "a setting of the algorithm (repeat for more)"},
    ),
    Option(("--trials",), {"type": count, "metavar": "N", "help": "greatest number of trials (default: 20)"}),
    Option(("--parallel",), {"type": count, "metavar": "N", "help": "trials at the same time"}),
    Option(("--early-stopping",), {"metavar": "NAME", "help": "stop poor trials early: medianstop"}),
    Option(("--max-failed",), {"type": count, "metavar": "N", "help": "give up after so many failed trials"}),
    Option(
        ("--metric",),
        {"action": "append", "default": [], "dest": "additional", "metavar": "NAME",
         "help": "another metric to keep (repeat for more)"},
    ),
    Option(("--register",), {"metavar": "MODEL[@ALIAS]", "help": "register the best trial's model as this one"}),
    Option(("--name",), {"help": "name of the experiment; one is made up without it"}),
    Option(("--framework",), {"choices": FRAMEWORKS, "help": "each trial is a training job of this framework"}),
    Option(("--nodes",), {"type": nodes, "metavar": "N", "help": "nodes of each trial's job"}),
    Option(("--procs",), {"type": count, "metavar": "M", "help": "processes on each node of a trial's job"}),
    Option(("--cpu",), {"metavar": "CORES", "help": "cores of each trial"}),
    Option(("--memory",), {"metavar": "AMOUNT", "help": "memory of each trial, for example 4Gi"}),
    Option(("--gpu",), {"metavar": "COUNT", "help": "GPUs of each trial"}),
    Option(
        ("--resume-policy",),
        {"choices": ("LongRunning", "Never", "FromVolume"), "dest": "resume", "help": "default: LongRunning"},
    ),
)  # fmt: skip


def given(args: Any) -> dict[str, Any]:
    """Give the keywords of ``tuning.tune`` that were said, without the space."""
    settings = pairs(args.settings, "--setting")
    found: dict[str, Any] = {
        "objective": args.objective,
        "algorithm": args.algorithm,
        "settings": {name: literal(text) for name, text in settings.items()},
        "trials": args.trials,
        "parallel": args.parallel,
        "early_stopping": args.early_stopping,
        "max_failed": args.max_failed,
        "additional": list(args.additional),
        "name": args.name,
        "framework": args.framework,
        "nodes": args.nodes,
        "procs": args.procs,
        "resources": training.resources(args),
        "resume": args.resume,
        "register": args.register,
    }
    return {name: value for name, value in found.items() if value not in (None, {}, [])}


def entry(path: Path, function: str | None) -> str | None:
    """Give the function of a file that is tuned: the one that was said, else ``objective``, else None for a script.

    A function ``train`` is taken too where the file does nothing by itself (``if __name__ == "__main__"``).
    """
    if function or path.suffix != ".py":
        return function
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError, RecursionError):
        return None
    names = {item.name for item in body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
    if "objective" in names:
        return "objective"
    runs = any(isinstance(item, ast.If) and "__name__" in ast.unparse(item.test) for item in body)
    return "train" if "train" in names and not runs else None


def space(args: Any) -> dict[str, str]:
    """Give the space as it was typed; the library reads it. Raises Invalid for other words than NAME=SPACE."""
    return pairs(args.space, "--param")
