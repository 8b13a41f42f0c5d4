"""The formats of models: which one it is, how it is written and read, and whether reading it can run code.

Names are those that KServe's runtimes know. Libraries are imported only to write or read a model of theirs.
"""

from __future__ import annotations

import importlib
import json
import pickletools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jupyter_ext.errors import Invalid, Unavailable, Unfit, Where

_PICKLE: Final = "it is a pickle, and a pickle can run any code while it is read"


@dataclass(frozen=True)
class Format:
    """``packages`` are those whose objects it writes; ``danger`` says why reading a path may run code, or None."""

    name: str
    packages: tuple[str, ...]
    save: Callable[[Any, Path], None]
    load: Callable[[Path], Any]
    danger: Callable[[Path], str | None]

    @property
    def version(self) -> str | None:
        """That of the library, if it is loaded."""
        for package in self.packages:
            found = getattr(sys.modules.get(package), "__version__", None)
            if isinstance(found, str):
                return found
        return None


def _library(name: str, package: str | None = None) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise Unavailable(
            f"{name} is needed for this model and is not installed ({error})",
            hint=f"pip install {package or name}",
        ) from None


def safe(_: Path) -> None:
    """Of formats that hold no code."""


def _pickled(_: Path) -> str:
    return _PICKLE


def _load_joblib(path: Path) -> Any:
    if path.suffix == ".pkl":
        return _load_pickle(path)
    return _library("joblib").load(path)


def _save_pickle(model: Any, folder: Path) -> None:
    import cloudpickle

    try:
        (folder / "model.pkl").write_bytes(cloudpickle.dumps(model))
    except Exception as error:
        raise Invalid(
            f"the model cannot be pickled ({type(error).__name__}: {error})"[:300],
            hint="Save it to a file in a format of its own and register that path.",
        ) from error


def _load_pickle(path: Path) -> Any:
    import cloudpickle

    with path.open("rb") as file:
        return cloudpickle.load(file)


def _save_xgboost(model: Any, folder: Path) -> None:
    model.save_model(folder / "model.ubj")


def _load_xgboost(path: Path) -> Any:
    xgboost = _library("xgboost")
    booster = xgboost.Booster()
    booster.load_model(path)
    about = json.loads(booster.attr("scikit_learn") or "{}")
    wrapper = {"classifier": "XGBClassifier", "regressor": "XGBRegressor", "ranker": "XGBRanker"}
    name = wrapper.get(about.get("_estimator_type", ""))
    if name is None:
        return booster
    model = getattr(xgboost, name)()
    model.load_model(path)
    return model


def _save_lightgbm(model: Any, folder: Path) -> None:
    getattr(model, "booster_", model).save_model(str(folder / "model.txt"))


def _load_lightgbm(path: Path) -> Any:
    return _library("lightgbm").Booster(model_file=str(path))


def _save_torch(model: Any, folder: Path) -> None:
    torch = _library("torch")
    if isinstance(model, torch.jit.ScriptModule):
        torch.jit.save(model, folder / "model.torchscript")
    else:
        import cloudpickle

        # Classes of a notebook go by value: the name __main__ means something else where it is read.
        torch.save(model, folder / "model.pt", pickle_module=cloudpickle)


def _load_torch(path: Path) -> Any:
    torch = _library("torch")
    if path.suffix == ".torchscript":
        return torch.jit.load(path, map_location="cpu")
    return torch.load(path, map_location="cpu", weights_only=False)


def _save_weights(model: Any, folder: Path) -> None:
    _library("torch").save(model, folder / "weights.pt")


def _load_weights(path: Path) -> Any:
    return _library("torch").load(path, map_location="cpu", weights_only=True)


def _save_keras(model: Any, folder: Path) -> None:
    model.save(folder / "model.keras")


def _load_keras(path: Path) -> Any:
    return _library("keras").models.load_model(path, safe_mode=True)


def _keras_danger(path: Path) -> str | None:
    return None if path.suffix == ".keras" else "this form of a Keras model can hold code"


def _save_tensorflow(model: Any, folder: Path) -> None:
    _library("tensorflow").saved_model.save(model, str(folder / "saved_model"))


def _load_tensorflow(path: Path) -> Any:
    found = path if (path / "saved_model.pb").exists() else path / "saved_model"
    return _library("tensorflow").saved_model.load(str(found))


def _tensorflow_danger(_: Path) -> str:
    return "a SavedModel is a program that can read and write files"


def _save_onnx(model: Any, folder: Path) -> None:
    (folder / "model.onnx").write_bytes(model.SerializeToString())


def _load_onnx(path: Path) -> Any:
    return _library("onnxruntime").InferenceSession(str(path))


def _save_transformers(model: Any, folder: Path) -> None:
    model.save_pretrained(folder / "model")


def _load_transformers(path: Path) -> Any:
    transformers = _library("transformers")
    found = path if (path / "config.json").exists() else path / "model"
    about = json.loads((found / "config.json").read_bytes())
    architecture = (about.get("architectures") or ["AutoModel"])[0]
    return getattr(transformers, architecture, transformers.AutoModel).from_pretrained(found)


def _transformers_danger(path: Path) -> str | None:
    for file in sorted(path.rglob("*")):
        if file.suffix == ".py":
            return f"it brings code of its own ({file.name})"
        if file.suffix in {".bin", ".pt", ".pth", ".pkl", ".ckpt", ".h5"}:
            return f"its weights are pickled ({file.name})"
    return None


FORMATS: Final[dict[str, Format]] = {
    form.name: form
    for form in (
        Format("sklearn", ("sklearn",), _save_pickle, _load_joblib, _pickled),
        Format("xgboost", ("xgboost",), _save_xgboost, _load_xgboost, safe),
        Format("lightgbm", ("lightgbm",), _save_lightgbm, _load_lightgbm, safe),
        Format(
            "huggingface", ("transformers",), _save_transformers, _load_transformers, _transformers_danger
        ),
        Format("keras", ("keras", "tf_keras"), _save_keras, _load_keras, _keras_danger),
        Format("pytorch", ("torch",), _save_torch, _load_torch, _pickled),
        Format("pytorch-weights", (), _save_weights, _load_weights, safe),
        Format("tensorflow", ("tensorflow",), _save_tensorflow, _load_tensorflow, _tensorflow_danger),
        Format("onnx", ("onnx",), _save_onnx, _load_onnx, safe),
        Format("python", (), _save_pickle, _load_pickle, _pickled),
    )
}


def known(name: str) -> Format:
    """The format of this name; raises Unfit with the names there are."""
    if name not in FORMATS:
        raise Unfit(
            f"{name!r} is no format of models that can be read here",
            where=Where(field="format"),
            hint=f"One of {', '.join(FORMATS)}.",
        )
    return FORMATS[name]


def of_object(model: Any) -> Format:
    """The format for an object: that of the library its class comes from, else a pickle."""
    if isinstance(model, dict) and model and all(_is_tensor(value) for value in model.values()):
        return FORMATS["pytorch-weights"]
    for base in type(model).__mro__:
        package = base.__module__.partition(".")[0]
        for form in FORMATS.values():
            if package in form.packages:
                return form
    return FORMATS["python"]


def _is_tensor(value: object) -> bool:
    return type(value).__module__.startswith("torch") and hasattr(value, "dtype")


_ENDINGS: Final = {
    ".joblib": "sklearn", ".ubj": "xgboost", ".bst": "xgboost", ".onnx": "onnx", ".keras": "keras",
    ".h5": "keras", ".pt": "pytorch", ".pth": "pytorch", ".torchscript": "pytorch", ".pkl": "python",
    ".pickle": "python",
}  # fmt: skip


def of_path(path: Path) -> Format | None:
    """The format of a file or folder, from names and first bytes; nothing in it is run. None: not known."""
    if path.is_dir():
        return _of_folder(path)
    name = _ENDINGS.get(path.suffix.lower())
    if name in {"sklearn", "python"}:
        name = _pickled_library(path) or name
    elif path.suffix == ".json":
        name = "xgboost" if b'"learner"' in _head(path) else None
    elif path.suffix == ".txt":
        name = "lightgbm" if _head(path).startswith(b"tree\n") else None
    return FORMATS.get(name or "")


def _of_folder(folder: Path) -> Format | None:
    if (folder / "saved_model.pb").exists():
        return FORMATS["tensorflow"]
    if (folder / "config.json").exists() and b'"model_type"' in _head(folder / "config.json"):
        return FORMATS["huggingface"]
    found = {form.name: form for path in folder.iterdir() if (form := of_path(path)) is not None}
    return next(iter(found.values())) if len(found) == 1 else None


def _head(path: Path, size: int = 1 << 16) -> bytes:
    with path.open("rb") as file:
        return file.read(size)


def _pickled_library(path: Path) -> str | None:
    """The library whose class a pickle names first; its instructions are read, not followed."""
    try:
        with path.open("rb") as file:
            texts: list[str] = []
            for number, (code, argument, _) in enumerate(pickletools.genops(file)):
                if code.name == "GLOBAL":
                    module = str(argument).partition(" ")[0]
                elif code.name == "STACK_GLOBAL" and len(texts) > 1:
                    module = texts[-2]
                else:
                    if isinstance(argument, str):
                        texts.append(argument)
                    if number > 5000:
                        return None
                    continue
                package = module.partition(".")[0]
                for form in FORMATS.values():
                    if package in form.packages and form.name in {"sklearn", "python"}:
                        return form.name
    except (ValueError, OSError):
        return None
    return None


def the_file(path: Path) -> Path:
    """What a format reads of a stored model: the one file of a folder that looks like a model, else the path."""
    if not path.is_dir():
        return path
    found = [file for file in sorted(path.iterdir()) if file.is_file() and of_path(file) is not None]
    return found[0] if len(found) == 1 else path
