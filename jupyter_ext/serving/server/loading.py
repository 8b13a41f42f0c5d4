"""Reading a model of any format, or of a file with a class of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

from jupyter_ext.errors import Invalid, KubeflowError, NotFound, Unavailable, Where
from jupyter_ext.serving.server.config import ModelConfig


class Untrusted(KubeflowError):
    """Reading the model may run code of somebody else."""

    status = 403


def add_paths() -> None:
    """Make the user's own modules importable, after the standard library."""
    try:
        wanted = json.loads(os.environ.get("JUPYTER_KUBEFLOW_PATHS", "[]"))
    except ValueError:
        return
    sys.path += [path for path in wanted if isinstance(path, str) and path not in sys.path]


def fetch(uri: str, folder: Path) -> Path:
    """Bring a model's files from a store, with the credentials that this process was given; what is there is whole."""
    from jupyter_ext import store

    place, _, name = uri.rstrip("/").rpartition("/")
    target = folder / name
    return target if target.exists() else store.at(place).download(name, target)


def load(config: ModelConfig) -> tuple[Any, str]:
    """The model and its format. Raises KubeflowError, and whatever reading it raises."""
    path = Path(config.path)
    if not path.exists():
        raise NotFound("the files of the model are not there", where=Where(object=str(path)))
    source = _source(path, config.format)
    if source is not None:
        _trusted(config, "it is a file of Python, and reading it runs it")
        return _from_source(source), "python"
    from jupyter_ext.registry import formats

    form = formats.known(config.format) if config.format else formats.of_path(path)
    if form is None:
        raise Invalid(
            "the format of the model cannot be told from its files",
            where=Where(object=str(path)),
            hint=f"Name it: one of {', '.join(formats.FORMATS)}.",
        )
    path = formats.the_file(path)
    danger = form.danger(path)
    if danger:
        _trusted(config, danger)
    return form.load(path), form.name


def _trusted(config: ModelConfig, danger: str) -> None:
    if not config.trusted:
        raise Untrusted(
            f"{config.name} was not registered by you from here, and {danger}",
            hint="If you trust whoever registered it, serve it with trust=True.",
        )


def _source(path: Path, form: str | None) -> Path | None:
    """A file of Python, or the only one of a folder that has no other model."""
    if path.suffix == ".py":
        return path
    if form not in {None, "python"} or not path.is_dir():
        return None
    if any(each.suffix in {".pkl", ".pickle", ".joblib"} for each in path.iterdir()):
        return None  # the model is there, and the source beside it is what it needs
    named = path / "model.py"
    if named.exists():
        return named
    found = list(path.glob("*.py"))
    return found[0] if len(found) == 1 and len(list(path.iterdir())) == 1 else None


def _from_source(path: Path) -> Any:
    """The name ``model`` of the file, else its one class that predicts."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Unavailable("the file of the model cannot be read", where=Where(object=str(path)))
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.append(str(path.parent))
    spec.loader.exec_module(module)
    if hasattr(module, "model"):
        return module.model
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and value.__module__ == path.stem
        and callable(getattr(value, "predict", None))
    ]
    if len(found) != 1:
        raise Invalid(
            f"the file has {len(found)} classes with a predict method and no name 'model'",
            where=Where(object=str(path)),
            hint="Name the one to serve: model = MyModel().",
        )
    return found[0]
