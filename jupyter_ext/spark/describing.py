"""From a function, a cell or a file to the resource of an application; nothing is created here."""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from jupyter_ext.cluster import discover
from jupyter_ext.cluster.resource import make_name, valid_name
from jupyter_ext.errors import Invalid, KubeflowError, Where
from jupyter_ext.spark import java as installed
from jupyter_ext.spark import manifest
from jupyter_ext.spark import spec as names
from jupyter_ext.training.containers import renamed

if TYPE_CHECKING:
    from jupyter_ext.cluster.local import LocalCluster
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.training.snapshot import Code

What = Callable[..., Any] | str | Path | object
NOT_STORED: Final = "b3:" + "0" * 64
"""Stands for the digest of code that is only looked at."""


def described(
    what: What,
    *,
    args: Mapping[str, Any] | None = None,
    arguments: Iterable[str] = (),
    name: str | None = None,
    cores: int = 1,
    executors: int = 1,
    memory: str = "1g",
    driver_memory: str = "1g",
    conf: Mapping[str, Any] | None = None,
    env: Mapping[str, Any] | None = None,
    main_class: str | None = None,
    jars: Iterable[str | Path] = (),
    py_files: Iterable[str | Path] = (),
    packages: Iterable[str] = (),
    retries: int = 0,
    labels: Mapping[str, str] | None = None,
    function: str | None = None,
    namespace: Mapping[str, Any] | None = None,
    store: bool = True,
) -> Resource:
    """The resource of what ``submit`` is asked for; its code is put into the blobs. Raises Invalid and NotFound.

    Without ``store`` the code is only looked at.
    """
    version = installed.spark().version
    code, file = _code(what, function, namespace, dict(args or {}))
    noted: dict[str, str] = {}
    if code is not None:
        digest = _stored(discover.current(), code) if store else NOT_STORED
        noted = {names.CODE: digest, names.ENTRY: code.name}
        noted |= {names.ORIGIN: str(code.origin)} if code.origin else {}
        noted |= {names.ARGS: json.dumps(dict(args))} if args and code.kind != "function" else {}
    deps = {"jars": [_path(item) for item in jars], "pyFiles": [_path(item) for item in py_files]}
    deps |= {"packages": list(packages)}
    resource = manifest.application(
        valid_name(name) if name else make_name(code.name if code else Path(file).stem),
        file=file,
        version=version,
        cores=cores,
        executors=executors,
        memory=memory,
        driver_memory=driver_memory,
        conf=conf or {},
        env=env or {},
        arguments=tuple(arguments),
        deps={key: value for key, value in deps.items() if value},
        retries=retries,
        noted=noted,
        labels=labels or {},
    )
    if main_class:
        resource.spec["mainClass"] = main_class
    return resource


def _path(item: str | Path) -> str:
    return str(Path(item).expanduser().absolute())


_KEYWORDS: Final = {
    "spec.executor.memory": "memory",
    "spec.driver.memory": "driver_memory",
    "spec.server.memory": "driver_memory",
    "spec.executor.cores": "cores",
    "spec.executor.instances": "executors",
    "spec.sparkConf": "conf",
    "spec.mainApplicationFile": "what",
    "spec.mainClass": "main_class",
    "spec.deps.jars": "jars",
    "spec.deps.pyFiles": "py_files",
    "spec.deps.packages": "packages",
    "spec.arguments": "arguments",
    "cpu": "cores",
}


def keyword(error: KubeflowError) -> KubeflowError:
    """The error with the keyword of ``submit`` and ``session`` in the place of the resource's field."""
    return renamed(error, _KEYWORDS)


def _code(
    what: What, function: str | None, namespace: Mapping[str, Any] | None, args: dict[str, Any]
) -> tuple[Code | None, str]:
    """The snapshot, and what the resource names as its file."""
    from jupyter_ext.training import snapshot
    from jupyter_ext.training.arguments import require_fit

    if isinstance(what, str) and "\n" not in what and what.endswith((".py", ".jar")):
        what = Path(what)
    if isinstance(what, Path):
        what = what.expanduser().absolute()
        if what.suffix == ".jar":
            return None, str(what)
        code = snapshot.of_file(what, function)
        if args and function is None:
            hint = "Give arguments=[…], its command line, or name a function of it."
            raise Invalid("A file takes no args", where=Where(field="args"), hint=hint)
    elif isinstance(what, str):
        code = snapshot.of_source(what, namespace or {}, args, None)
    elif callable(what):
        code = snapshot.of_function(what, args)
    else:
        hint = "Give a function, the text of a cell, or the path of a .py or .jar file."
        raise Invalid(f"A {type(what).__name__} cannot be run by Spark", where=Where(field="what"), hint=hint)
    if code.signature is not None and inspect.isroutine(what) | (function is not None):
        require_fit(code, args, {})
    return code, f"local://{what}" if isinstance(what, Path) else "local:///snapshot.py"


def _stored(cluster: LocalCluster, code: Code) -> str:
    from jupyter_ext.training import snapshot

    folders = [Path.cwd()]
    book = os.environ.get("JPY_SESSION_NAME", "")
    if book and Path(book).parent.is_dir():
        folders.append(Path(book).parent)
    return cluster.blobs.put_bytes(snapshot.pack(code, folders))
