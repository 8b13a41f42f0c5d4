"""The process of one lightweight component: ``python -P run_component.py REQUEST.json``.

It does what ``kfp.dsl.executor_main`` does, with the installed KFP SDK or with the stand-in beside this file, and writes
down how the function failed. Standard library only: it runs in environments that have nothing else.
"""

import json
import os
import sys
from importlib import import_module, util
from typing import Any


def main(path: str) -> int:
    """Returns the exit status."""
    with open(path, encoding="utf-8") as file:
        request = json.load(file)
    if request["sdk"]:
        sys.path.insert(0, request["sdk"])
    try:
        executor = import_module("kfp.dsl.executor")
        function = getattr(_module(request["source"]), request["function"])
        executor.Executor(executor_input=request["input"], function_to_execute=function).execute()
    except BaseException as error:
        import traceback

        traceback.print_exc()
        _report(request, error)
        code = error.code if isinstance(error, SystemExit) else 1
        return code if isinstance(code, int) else 1
    return 0


def _module(path: str) -> Any:
    folder, name = os.path.split(path)
    sys.path.insert(0, folder)
    name = name[: -len(".py")]
    spec = util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _report(request: Any, error: BaseException) -> None:
    import traceback

    frames = traceback.extract_tb(error.__traceback__)
    own = [frame.lineno for frame in frames if frame.filename == request["source"]]
    told = {
        "type": type(error).__name__,
        "message": str(error),
        "line": own[-1] if own else None,
        "traceback": traceback.format_exception(type(error), error, error.__traceback__)[-60:],
    }
    with open(request["error"], "w", encoding="utf-8") as file:
        json.dump(told, file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
