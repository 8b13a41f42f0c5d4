"""The pipelines of this folder as their author wrote them: ``python sources.py FOLDER`` compiles each with the KFP SDK.

The contract tests compile them again and compare. Components say nothing that needs a package or the network.
"""

import sys
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from kfp import compiler, dsl
from kfp.dsl import Artifact, Dataset, HTML, Input, InputPath, Metrics, Model, Output, OutputPath


@dsl.component(base_image="python:3.11")
def add(a: int, b: int = 1) -> int:
    print(f"adding {a} and {b}")
    return a + b


@dsl.component(base_image="python:3.11")
def shout(text: str, times: int = 1, loud: bool = True) -> str:
    return (text.upper() if loud else text) * times


@dsl.component(base_image="python:3.11")
def describe(number: int, ratio: float, names: List[str], options: Dict[str, int], note: Optional[str] = None) -> str:
    assert type(number) is int and type(ratio) is float, (type(number), type(ratio))
    return f"{number} {ratio} {'+'.join(names)} {sorted(options.items())} {note}"


@dsl.pipeline(name="linear")
def linear(start: int = 2, ratio: float = 0.5, names: List[str] = ["x", "y"], word: str = "hi") -> str:
    first = add(a=start)
    second = add(a=first.output, b=10)
    said = shout(text=f"{word}-{second.output}-", times=2)
    last = describe(number=second.output, ratio=ratio, names=names, options={"a": 1, "b": 2})
    last.after(said)
    return last.output


@dsl.component(base_image="python:3.11")
def write(lines: int, data: Output[Dataset], metrics: Output[Metrics], page: Output[HTML]) -> NamedTuple("Made", [("count", int), ("label", str)]):
    Path_ = __import__("pathlib").Path
    Path_(data.path).write_text("".join(f"{n}\n" for n in range(lines)))
    data.metadata["rows"] = lines
    metrics.log_metric("accuracy", 0.75)
    Path_(page.path).write_text("<b>done</b>")
    from collections import namedtuple
    return namedtuple("Made", ["count", "label"])(lines, "written")


@dsl.component(base_image="python:3.11")
def train(data: Input[Dataset], model: Output[Model]):
    import os
    os.makedirs(model.path)
    with open(data.path) as source, open(os.path.join(model.path, "weights"), "w") as target:
        target.write(str(sum(map(int, source))))
    model.framework = "plain"
    model.metadata["rows"] = data.metadata["rows"]


@dsl.component(base_image="python:3.11")
def by_path(data_path: InputPath("Dataset"), total_path: OutputPath(int), copy_path: OutputPath("Dataset")):
    text = open(data_path).read()
    open(total_path, "w").write(str(len(text.split())))
    open(copy_path, "w").write(text)


@dsl.component(base_image="python:3.11")
def elsewhere(model: Input[Model], moved: Output[Artifact]) -> str:
    import os, tempfile
    place = os.path.join(tempfile.mkdtemp(), "moved")
    with open(place, "w") as file:
        file.write(open(os.path.join(model.path, "weights")).read() + "!")
    moved.set_path(place)
    return f"{model.metadata['rows']} {model.framework}"


@dsl.component(base_image="python:3.11")
def read(one: Input[Artifact]) -> str:
    return open(one.path).read()


@dsl.component(base_image="python:3.11")
def returned(text: str) -> Dataset:
    return Dataset(uri=dsl.get_uri(), metadata={"text": text})


@dsl.pipeline(name="artifacts")
def artifacts(lines: int = 4) -> NamedTuple("Out", [("weights", str), ("facts", str)]):
    made = write(lines=lines)
    trained = train(data=made.outputs["data"])
    copied = by_path(data_path=made.outputs["data"])
    add(a=copied.outputs["total_path"], b=made.outputs["count"]).set_display_name("sum of counts")
    moved = elsewhere(model=trained.outputs["model"])
    back = read(one=moved.outputs["moved"])
    read(one=copied.outputs["copy_path"])
    returned(text="mine")
    made_out = NamedTuple("Out", [("weights", str), ("facts", str)])
    return made_out(back.output, moved.outputs["Output"])


@dsl.container_component
def concat(first: str, result: dsl.OutputPath(str), data: Output[Dataset], second: str = "none", third: Optional[str] = None):
    return dsl.ContainerSpec(
        image="alpine:3.20",
        command=["sh", "-c", 'mkdir -p "$(dirname "$0")" "$(dirname "$1")"; shift 0; printf %s "$*" > "$0"; printf data > "$1"'],
        args=[
            result, data.path, dsl.ConcatPlaceholder(["--first=", first, ";", second]),
            dsl.IfPresentPlaceholder("third", then=["--third", third], else_=["--no-third"]),
        ],
    )


@dsl.pipeline(name="containers")
def containers(word: str = "a b"):
    one = concat(first=word)
    concat(first=one.outputs["result"], second="x", third="y").set_env_variable("MODE", "fast")
    read(one=one.outputs["data"])


@dsl.pipeline(name="imported")
def imported(uri: str):
    found = dsl.importer(artifact_uri=uri, artifact_class=Dataset, reimport=False, metadata={"from": "here"})
    read(one=found.output)


@dsl.pipeline(name="inner")
def inner(a: int, scale: int = 3) -> int:
    once = add(a=a, b=scale)
    return add(a=once.output, b=once.output).output


@dsl.pipeline(name="nested")
def nested(a: int = 1) -> int:
    first = inner(a=a)
    second = inner(a=first.output, scale=a)
    return add(a=second.output, b=0).output


@dsl.component(base_image="python:3.11")
def numbers(count: int) -> List[int]:
    return list(range(count))


@dsl.component(base_image="python:3.11")
def people() -> List[Dict[str, str]]:
    return [{"who": "ann", "job": "x"}, {"who": "bob", "job": "y"}]


@dsl.component(base_image="python:3.11")
def total(values: List[int]) -> int:
    return sum(values)


@dsl.component(base_image="python:3.11")
def save(number: int, data: Output[Dataset]):
    open(data.path, "w").write(f"<{number}>")


@dsl.component(base_image="python:3.11")
def join(parts: Input[List[Dataset]]) -> str:
    return "".join(open(part.path).read() for part in parts)


@dsl.pipeline(name="loops")
def loops(count: int = 3) -> NamedTuple("Out", [("sum", int), ("joined", str)]):
    with dsl.ParallelFor([1, 2, 3], parallelism=2) as item:
        each = add(a=item, b=100)
    made = numbers(count=count)
    with dsl.ParallelFor(made.output, name="over-numbers") as number:
        saved = save(number=number)
        twice = add(a=number, b=number)
    with dsl.ParallelFor([{"who": "ann", "age": 3}, {"who": "bob", "age": 4}]) as person:
        shout(text=person.who)
    known = people()
    with dsl.ParallelFor(known.output) as person:
        shout(text=person.who).set_display_name("of a task")
    with dsl.ParallelFor(["a", "b"]) as letter:
        with dsl.ParallelFor([1, 2]) as times:
            shout(text=letter, times=times)
    add(a=total(values=dsl.Collected(each.output)).output, b=0)
    summed = total(values=dsl.Collected(twice.output))
    joined = join(parts=dsl.Collected(saved.outputs["data"]))
    with dsl.ParallelFor(numbers(count=0).output) as nothing:
        add(a=nothing)
    out = NamedTuple("Out", [("sum", int), ("joined", str)])
    return out(summed.output, joined.output)


@dsl.pipeline(name="branches")
def branches(number: int = 5, word: str = "left", deep: bool = True) -> str:
    with dsl.If(word == "left"):
        a = shout(text="went left")
    with dsl.Elif(word == "right"):
        b = shout(text="went right")
    with dsl.Else():
        c = shout(text="stayed")
    chosen = dsl.OneOf(a.output, b.output, c.output)
    made = add(a=number, b=0)
    with dsl.If(made.output > 3):
        with dsl.If(deep == True):
            shout(text="deep")
        with dsl.If(made.output < 4):
            add(a=made.output)
    with dsl.If(made.output <= 3):
        d = save(number=1)
    with dsl.Else():
        e = save(number=2)
    read(one=dsl.OneOf(d.outputs["data"], e.outputs["data"]))
    return shout(text=chosen, loud=False).output


@dsl.component(base_image="python:3.11")
def fail(message: str) -> str:
    raise ValueError(message)


@dsl.component(base_image="python:3.11")
def report(marker: str, status: dsl.PipelineTaskFinalStatus):
    with open(marker, "w") as file:
        file.write(f"{status.state} {status.pipeline_task_name} {status.error_message or ''}")


@dsl.pipeline(name="exits")
def exits(marker: str, message: str = "no"):
    done = report(marker=marker).set_caching_options(False)
    with dsl.ExitHandler(done, name="guarded"):
        with dsl.If(message != ""):
            fail(message=message)
        add(a=1)


@dsl.pipeline(name="ignoring")
def ignoring(message: str = "no"):
    failed = fail(message=message)
    after = shout(text=failed.output)
    del after
    shout(text="anyway", times=1, loud=True).after(failed).ignore_upstream_failure()
    add(a=2)


@dsl.component(base_image="python:3.11")
def flaky(counter: str, until: int) -> int:
    with open(counter, "a") as file:
        file.write(".")
    tries = len(open(counter).read())
    if tries < until:
        raise RuntimeError(f"try {tries}")
    return tries


@dsl.pipeline(name="retries")
def retries(counter: str, until: int = 3):
    flaky(counter=counter, until=until).set_caching_options(False).set_retry(2, backoff_duration="0s", backoff_factor=1.0)


@dsl.pipeline(name="caches")
def caches(counter: str, other: str):
    first = flaky(counter=counter, until=0)
    flaky(counter=other, until=0).set_caching_options(False).after(first)


@dsl.component(base_image="python:3.11")
def facts(name: str, task: str, run: str, root: str) -> str:
    return f"{name}|{task}|{run}|{root}"


@dsl.pipeline(name="placeholders")
def placeholders():
    facts(
        name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER, task=f"task {dsl.PIPELINE_TASK_NAME_PLACEHOLDER}",
        run=dsl.PIPELINE_JOB_ID_PLACEHOLDER, root=dsl.PIPELINE_ROOT_PLACEHOLDER,
    )


@dsl.component(base_image="python:3.11")
def optional(data: Optional[Input[Dataset]] = None, text: Optional[str] = None, number: int = 7) -> str:
    return f"{data} {text} {number}"


@dsl.pipeline(name="optional")
def optionals(text: Optional[str] = None, number: Optional[int] = None):
    optional()
    optional(text=text, number=number)


@dsl.component(base_image="python:3.11")
def wait_for(mine: str, theirs: str):
    import os, time
    open(mine, "w").close()
    deadline = time.monotonic() + 80
    while not os.path.exists(theirs):
        assert time.monotonic() < deadline, "the other branch never ran"
        time.sleep(0.01)


@dsl.pipeline(name="together")
def together(one: str, two: str):
    """Two branches that both end only if they run at the same time."""
    wait_for(mine=one, theirs=two).set_cpu_request("100m")
    wait_for(mine=two, theirs=one).set_cpu_request("100m").set_memory_limit("64M")


@dsl.component(base_image="python:3.11", packages_to_install=["packaging>=20"])
def with_packages() -> str:
    from packaging.version import Version
    return str(Version("1.0") < Version("2.0"))


@dsl.component(base_image="python:3.11")
def sleepy(marker: str, go: str) -> str:
    import os, time
    with open(marker, "a") as file:
        file.write("x")
    deadline = time.monotonic() + 80
    while not os.path.exists(go):
        assert time.monotonic() < deadline, "nobody let it go on"
        time.sleep(0.01)
    return "awake"


@dsl.pipeline(name="killed")
def killed(before: str, marker: str, go: str):
    with dsl.ParallelFor([1, 2], parallelism=1) as number:
        first = flaky(counter=before, until=0).set_caching_options(False)
        second = sleepy(marker=marker, go=go).after(first).set_caching_options(False)
        add(a=number).after(second)


@dsl.component(base_image="python:3.11")
def nap(seconds: float) -> float:
    import time
    time.sleep(seconds)
    return seconds


@dsl.pipeline(name="naps")
def naps(seconds: float = 1.0):
    for _ in range(4):
        nap(seconds=seconds).set_cpu_request("100m").set_caching_options(False)


PIPELINES = [
    linear, artifacts, containers, imported, nested, loops, branches, exits, ignoring, retries, caches, placeholders, optionals,
    together, killed, naps,
]


@dsl.pipeline(name="packages")
def packages():
    with_packages()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for each in [*PIPELINES, packages]:
        compiler.Compiler().compile(each, str(folder / f"{each.name}.yaml"))
