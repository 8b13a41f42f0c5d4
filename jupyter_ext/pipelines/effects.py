"""What a call touches beside its arguments: files, network, random generators, environment, settings.

Paths are given where the code shows them, relative as written and normalised; ``*`` stands for one that it
does not show. Printing is no effect, nor is sleeping.
"""

from __future__ import annotations

import posixpath
from functools import lru_cache
from pathlib import Path
from typing import Literal, NamedTuple, Protocol
from urllib.parse import urlsplit

from jupyter_ext.pipelines.knowledge import effects as tables
from jupyter_ext.pipelines.knowledge import modules

GENERATORS = frozenset({"numpy.random.Generator", "numpy.random.RandomState", "random.Random"})
"""Types of random generators that are objects: each draw changes them."""
LEARNS = frozenset({"fit", "fit_transform", "fit_predict", "partial_fit", "fit_resample"})
_FROZEN = frozenset({"pathlib.Path", "re.Pattern", "uuid.UUID", "decimal.Decimal", "datetime.datetime"})
_PATHS = frozenset({"pathlib.Path", "pathlib.PurePath", "pathlib.PosixPath"})


class Seen(NamedTuple):
    """An effect as the tables know it."""

    kind: Literal["file", "shell", "network", "rng", "env", "cwd", "settings", "stdin", "unknown"]
    mode: Literal["r", "w"]
    detail: str = "*"


class Value(Protocol):
    """What is known of an argument."""

    const: object

    @property
    def text(self) -> str | None:
        """The text it is, if known."""


class Arguments(Protocol):
    """The arguments of a call, as far as they are known."""

    def get(self, position: int, *names: str) -> Value | None:
        """The argument there or of one of the names."""

    def const(self, position: int, *names: str) -> object:
        """Its constant; None if it is not passed."""


def place(value: Value | None) -> tuple[str, str]:
    """Whether a path means a file or the network, and its normal form."""
    text = value.text if value is not None else None
    if not text:
        return "file", "*"
    if "://" in text:
        parts = urlsplit(text)
        return (
            ("file", posixpath.normpath(parts.path))
            if parts.scheme == "file"
            else ("network", parts.netloc or "*")
        )
    if any(mark in text for mark in "*?["):
        # A pattern: everything below its fixed part.
        text = posixpath.dirname(text[: min(text.find(mark) for mark in "*?[" if mark in text)]) or "*"
        if text == "*":
            return "file", "*"
    return "file", posixpath.normpath(str(Path(text).expanduser()) if text.startswith("~") else text)


def _file(value: Value | None, mode: Literal["r", "w"]) -> Seen:
    kind, detail = place(value)
    return Seen("network" if kind == "network" else "file", mode, detail)


def of_call(api: str, args: Arguments) -> list[Seen]:
    """Effects of calling a function or class of a known library."""
    return _of_call(api, args) if _has_effects(api) else []


@lru_cache(maxsize=8192)
def _has_effects(api: str) -> bool:
    """Whether the tables say anything of the API: most say nothing, and are asked about often."""
    if api.startswith(
        ("builtins.", "os.", "sys.", "io.", "pathlib.", "getpass.", "runpy.", "ctypes.", "contextlib.")
    ):
        return True
    if api.startswith(("gzip.", "bz2.", "lzma.", "codecs.", "urllib.", "sklearn.datasets.fetch_")) or _setter(
        api
    ):
        return True
    known = (tables.FILE_READERS, tables.FILE_WRITERS, tables.FILE_MOVERS, tables.FILE_COPIERS)
    if any(
        api in table for table in (*known, tables.NETWORK_READERS, tables.SHELL_CALLS, tables.ENV_WRITERS)
    ):
        return True
    if api.partition(".")[0] in tables.NETWORK_PACKAGES or api.startswith(tables.LASTING_SERVICES):
        return True
    return api.rpartition(".")[2].startswith(("read_", "scan_"))


def _of_call(api: str, args: Arguments) -> list[Seen]:
    found = _files(api, args)
    if api in tables.NETWORK_READERS or api.startswith("sklearn.datasets.fetch_"):
        kind, detail = place(args.get(0, "url"))
        found.append(Seen("network", "r", detail if kind == "network" else "*"))
    elif _is_service(api):
        found.append(Seen("network", "w"))
    if api in tables.SHELL_CALLS:
        found.append(Seen("shell", "w"))
    if api in tables.ENV_WRITERS:
        text = args.get(0)
        found.append(Seen("env", "w", text.text or "*" if text is not None else "*"))
    elif api in {"os.getenv", "os.environ.get", "os.environ.copy", "os.environ.items", "os.environ.keys"}:
        text = args.get(0)
        found.append(Seen("env", "r", text.text or "*" if text is not None else "*"))
    elif api in {"os.chdir", "os.fchdir", "contextlib.chdir"}:
        found.append(Seen("cwd", "w"))
    elif api in {"os.getcwd", "pathlib.Path.cwd"}:
        found.append(Seen("cwd", "r"))
    elif api in {"getpass.getpass", "sys.stdin.read", "sys.stdin.readline"}:
        found.append(Seen("stdin", "r", api))
    elif api in {"runpy.run_path", "runpy.run_module", "ctypes.CDLL"}:
        found.append(Seen("unknown", "w", f"{api}()"))
    setting = _setter(api)
    if setting:
        found.append(Seen("settings", "w", setting))
    return found


def _is_service(api: str) -> bool:
    if api.startswith(tables.LASTING_SERVICES):
        return True
    return api.partition(".")[0] in tables.NETWORK_PACKAGES and not api.startswith("requests.exceptions")


def _files(api: str, args: Arguments) -> list[Seen]:
    if api in tables.FILE_READERS:
        position, names = tables.FILE_READERS[api]
        return [_file(args.get(position, *names), "r")]
    if api in {"builtins.open", "io.open", "gzip.open", "bz2.open", "lzma.open", "codecs.open", "os.open"}:
        return _open(args, 1)
    if api in tables.FILE_WRITERS:
        position, names = tables.FILE_WRITERS[api]
        value = args.get(position, *names)
        if api in {"zipfile.ZipFile", "tarfile.open", "h5py.File"} and args.const(1, "mode") in {
            None,
            "r",
            "r:gz",
        }:
            return [_file(value, "r")]
        if value is not None and value.text == ":memory:":
            return []
        return [_file(value, "w")]
    if api in tables.FILE_MOVERS:
        return [_file(args.get(0, "src"), "w"), _file(args.get(1, "dst"), "w")]
    if api in tables.FILE_COPIERS:
        return [_file(args.get(0, "src"), "r"), _file(args.get(1, "dst"), "w")]
    if api == "urllib.request.urlretrieve":
        return [_file(args.get(1, "filename"), "w")]
    head, _, name = api.rpartition(".")
    if head in {"pandas", "polars", "dask.dataframe", "geopandas"} and name.startswith(("read_", "scan_")):
        if name in {"read_clipboard", "read_json_lines"}:
            return []
        value = args.get(0, "filepath_or_buffer", "path", "io", "source", "path_or_buf")
        return [_file(value, "r")]
    return []


def _open(args: Arguments, position: int) -> list[Seen]:
    mode = args.const(position, "mode")
    value = args.get(0, "file", "filename") if position else None
    if mode is None:
        return [_file(value, "r")]
    if not isinstance(mode, str):
        return [_file(value, "r"), _file(value, "w")]
    found = []
    if "r" in mode or "+" in mode or "a" in mode:
        found.append(_file(value, "r"))
    if any(letter in mode for letter in "wax+"):
        found.append(_file(value, "w"))
    return found


@lru_cache(maxsize=8192)
def _setter(api: str) -> str:
    if api in tables.SETTERS:
        return tables.SETTERS[api]
    if api in tables.QUIET_SETTERS:
        return ""
    return next((name for prefix, name in tables.SETTER_PREFIXES if api.startswith(prefix)), "")


def of_method(kind: str, name: str, args: Arguments, base: Value) -> list[Seen]:
    """Effects of a method of an object of the given type, empty if that is unknown."""
    family = kind.partition(".")[0]
    if kind in _PATHS:
        return _path_method(name, args, base)
    if name in tables.FILE_WRITING_METHODS and family not in {"numpy", "random"}:
        value = args.get(0, *tables.FILE_WRITING_METHODS[name])
        return [_file(value, "w")] if value is not None and value.const is not None else []
    if name in tables.FILE_READING_METHODS:
        return [_file(args.get(0, *tables.FILE_READING_METHODS[name]), "r")]
    if name == "to_sql" or (family == "sqlite3" and name.startswith("execute")):
        return [Seen("file", "w")]
    if (family in tables.NETWORK_PACKAGES and kind) or kind.startswith(tables.LASTING_SERVICES):
        return [Seen("network", "w")]
    if name in tables.LOGGER_METHODS and family in {"logging", "tensorflow", ""}:
        return [Seen("settings", "w", "logging")]
    if kind == "joblib.Memory":
        return [Seen("file", "w")]
    return []


def _path_method(name: str, args: Arguments, base: Value) -> list[Seen]:
    if name == "open":
        mode = args.const(0, "mode")
        text = mode if isinstance(mode, str) else "r" if mode is None else "r+"
        return [_file(base, "w" if any(letter in text for letter in "wax+") else "r")]
    if name in {"rename", "replace"}:
        return [_file(base, "w"), _file(args.get(0, "target"), "w")]
    if name in tables.PATH_WRITERS:
        return [_file(base, "w")]
    return [_file(base, "r")] if name in tables.PATH_READERS else []


def of_attribute(api: str) -> Seen | None:
    """Effect of merely naming an attribute of a module."""
    return Seen("stdin", "r", "sys.stdin") if api == "sys.stdin" else None


def of_item(api: str, key: object, mode: Literal["r", "w"]) -> Seen | None:
    """Effect of reading or setting an element of something in a module."""
    if api == "os.environ":
        return Seen("env", mode, key if isinstance(key, str) else "*")
    if mode == "w":
        return Seen("settings", "w", setting(api))
    return None


def setting(api: str) -> str:
    """Whose setting it is, for an attribute or element of a module that is set."""
    return _setter(api) or api


def constant(api: str) -> str | None:
    """The text that an attribute of a module is."""
    return {"os.sep": "/", "os.curdir": ".", "os.devnull": "/dev/null"}.get(api)


def draws(api: str, args: Arguments) -> str:
    """The global generator that a call draws from, ``seed`` if it sets one, empty if neither."""
    if api in tables.SEEDERS:
        return "seed"
    head, _, name = api.rpartition(".")
    if head in {"numpy.random", "numpy.random.mtrand"}:
        return "" if name in tables.NUMPY_OBJECTS or name[:1].isupper() else "numpy"
    if head == "random":
        return "" if name in tables.STDLIB_RANDOM_OBJECTS else "random"
    family = api.partition(".")[0]
    if family in {"sklearn", "imblearn"}:
        if name in tables.SKLEARN_RANDOM_FUNCTIONS and not is_seeded(args):
            unshuffled = name == "train_test_split" and args.const(-1, "shuffle") is False
            return "" if unshuffled else "numpy"
        return ""
    if family == "scipy" and name in {"rvs", "random", "rand", "differential_evolution", "dual_annealing"}:
        return "" if is_seeded(args) else "numpy"
    if family in modules.STATEFUL and name not in tables.QUIET_STATEFUL:
        return generator_of(family)
    if family == "networkx" and ("random" in name or name in {"gnp_random_graph", "barabasi_albert_graph"}):
        return "" if is_seeded(args) else "numpy"
    return ""


def is_seeded(args: Arguments) -> bool:
    """Whether a call is given a seed or generator of its own."""
    for name in ("random_state", "seed"):
        value = args.get(-1, name)
        if value is not None:
            objs = getattr(value, "objs", ())
            return isinstance(value.const, int) or any(getattr(obj, "type", "") in GENERATORS for obj in objs)
    return False


def draws_by_itself(api: str, args: Arguments) -> str:
    """The global generator that an object of this class draws from when it works, empty if from none."""
    head = api.partition(".")[0]
    name = api.rsplit(".", 1)[-1]
    if head in modules.STATEFUL:
        return generator_of(head) if name in {"DataLoader", "RandomSampler", "Dropout"} else ""
    if head not in {"sklearn", "imblearn"} or is_seeded(args):
        return ""
    if name in tables.SKLEARN_RANDOM:
        return "numpy"
    if name in tables.SKLEARN_RANDOM_IF:
        argument, values = tables.SKLEARN_RANDOM_IF[name]
        const = args.const(-1, argument)
        known = const is None or isinstance(const, str | bool | int | float)
        return "numpy" if not known or const in values else ""
    return ""


def generator_of(family: str) -> str:
    """The name of the package's global generator."""
    known = {
        "torchvision": "torch",
        "torchaudio": "torch",
        "pytorch_lightning": "torch",
        "lightning": "torch",
    }
    known |= {"transformers": "torch", "accelerate": "torch", "sklearn": "numpy", "keras": "tensorflow"}
    return known.get(family, family)


@lru_cache(maxsize=8192)
def type_of(api: str) -> str | None:
    """The type of what a call of the API gives, as far as it matters here."""
    head, _, name = api.rpartition(".")
    family = api.partition(".")[0]
    if api == "numpy.random.default_rng":
        return "numpy.random.Generator"
    if api in {"sklearn.utils.check_random_state", "numpy.random.RandomState"}:
        return "numpy.random.RandomState"
    if api in {"logging.getLogger", "tensorflow.get_logger"}:
        return "logging.Logger"
    if head == "pathlib" or api in {"pathlib.Path.cwd", "pathlib.Path.home"}:
        return "pathlib.Path"
    if api in tables.UNPASSABLE_TYPES or modules.is_class(api) or api.startswith(tables.LASTING_SERVICES):
        return api
    if family in {
        "json",
        "pickle",
        "collections",
        "builtins",
        "itertools",
        "csv",
        "yaml",
        "toml",
        "tomllib",
        "copy",
    }:
        return None if family in {"pickle", "copy", "csv"} else "builtins.object"
    if family == "sklearn":
        return "numpy" if ".metrics." in api or name == "train_test_split" else "sklearn"
    if family == "seaborn":
        return "pandas" if name == "load_dataset" else "matplotlib"
    if api == "joblib.load" or name in {"load_model", "from_pretrained"}:
        return None
    return family


def is_frozen(kind: str | None) -> bool:
    """Whether objects of the type cannot be changed."""
    return kind in _FROZEN or kind in _PATHS


def gives_immutable(kind: str, name: str) -> bool:
    """Whether the method of an object of the type gives a number or text."""
    if kind in _PATHS:
        return name in tables.PATH_READERS - {"iterdir", "glob", "rglob", "resolve", "walk"} or name in {
            "as_posix",
            "is_absolute",
            "as_uri",
        }
    return name in {"score", "item", "isoformat", "strftime", "total_seconds", "hexdigest", "count", "index"}


def path_text(api: str, args: Arguments) -> str | None:
    """The path that ``Path("a", "b")`` is."""
    if api not in _PATHS:
        return None
    texts = []
    for position in range(9):
        value = args.get(position)
        if value is None:
            break
        if value.text is None:
            return None
        texts.append(value.text)
    return posixpath.join(*texts) if texts else "."
