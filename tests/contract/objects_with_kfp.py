"""Run, check and compile what the KFP SDK makes: ``python objects_with_kfp.py SDK_PACKAGES SOURCES_FOLDER``.

Prints one JSON object. The SDK is that of another environment, whose packages come after this one's.
"""

import json
import sys

sys.path += sys.argv[1:3]

import sources
from kfp import dsl

import jupyter_ext as kf


@dsl.component(base_image="python:3.11")
def join(words: list, times: int = 2) -> str:
    """Written here: its source is read from this file."""
    return "-".join(words) * times


def main() -> None:
    """Everything that takes a path takes an object as well."""
    pipeline = kf.pipelines.run(sources.linear, start=4, wait=True)
    component = kf.pipelines.run(join, words=["a", "b"], wait=True)
    try:
        kf.pipelines.run(join, words=3)
        refused = ""
    except kf.errors.Invalid as error:
        refused = str(error)
    told = {
        "pipeline": [pipeline.state, pipeline.resource.status.get("outputs")],
        "component": [component.state, component.resource.status.get("outputs")],
        "refused": refused,
        "checked": [len(kf.pipelines.check(sources.linear).steps), len(kf.pipelines.check(join).problems)],
        "compiled": kf.pipelines.compile(sources.linear),
        "reproduced": component.reproduce().identical,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main()
