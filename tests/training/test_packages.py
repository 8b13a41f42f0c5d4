"""packages=: an environment on top of the notebook's, made once."""

from __future__ import annotations

import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.training import train
from jupyter_ext.training.packages import check


@pytest.fixture
def parcel(tmp_path):
    """A package on this machine, so that no index is asked."""
    place = tmp_path / "parcel"
    (place / "src" / "parcel_of_ours").mkdir(parents=True)
    (place / "src" / "parcel_of_ours" / "__init__.py").write_text("SIZE = 3\n")
    (place / "pyproject.toml").write_text(
        "[build-system]\nrequires = []\nbuild-backend = 'backend'\nbackend-path = ['.']\n"
        "[project]\nname = 'parcel-of-ours'\nversion = '1'\n"
    )
    # A build backend of a few lines: building needs nothing from an index either.
    (place / "backend.py").write_text(
        "import zipfile, os\n"
        "def build_wheel(folder, config_settings=None, metadata_directory=None):\n"
        "    name = 'parcel_of_ours-1-py3-none-any.whl'\n"
        "    info = 'parcel_of_ours-1.dist-info'\n"
        "    with zipfile.ZipFile(os.path.join(folder, name), 'w') as wheel:\n"
        "        wheel.write('src/parcel_of_ours/__init__.py', 'parcel_of_ours/__init__.py')\n"
        "        wheel.writestr(f'{info}/METADATA', 'Metadata-Version: 2.1\\nName: parcel-of-ours\\nVersion: 1\\n')\n"
        "        wheel.writestr(f'{info}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "        wheel.writestr(f'{info}/RECORD', '')\n"
        "    return name\n"
    )
    return f"parcel-of-ours @ file://{place}"


def test_what_the_notebook_has_is_used_from_there(cluster, folder):
    import cloudpickle

    def fit():
        import sys

        import cloudpickle

        return cloudpickle.__file__, sys.prefix

    job = train(fit, framework="plain", packages=["cloudpickle>=1"])
    import sys

    assert job.result(60) == (cloudpickle.__file__, sys.prefix)
    assert not (cluster.home / "environments").exists()


@pytest.mark.slow
def test_more_packages_come_on_top_and_are_installed_once(cluster, folder, parcel):
    def fit():
        import os

        import cloudpickle
        import parcel_of_ours

        return parcel_of_ours.SIZE, parcel_of_ours.__file__, cloudpickle.__file__, os.environ["PATH"]

    first = train(fit, framework="plain", packages=[parcel])
    size, place, library, _ = first.result(120)
    assert size == 3
    assert place.startswith(str(cluster.home / "environments"))
    assert not library.startswith(str(cluster.home))
    (environment,) = [path for path in (cluster.home / "environments").iterdir() if path.is_dir()]
    before = (environment / "complete").stat().st_mtime_ns
    assert train(fit, framework="plain", packages=[parcel]).result(60)[0] == 3
    assert (environment / "complete").stat().st_mtime_ns == before


@pytest.mark.slow
def test_what_cannot_be_installed_is_told(cluster, folder):
    job = train(lambda: 1, framework="plain", packages=["nothing-of-ours @ file:///nowhere"]).wait(120)
    assert job.phase == "FAILED"
    assert "could not be installed" in job.reason
    assert "nowhere" in job.reason
    assert "nowhere" in "".join(cluster.logs("TrainJob", job.name))
    assert [path for path in (cluster.home / "environments").iterdir() if (path / "complete").exists()] == []


@pytest.mark.parametrize("text", ["--upgrade", "-r x.txt", "git+ssh://x", "a b", "", "python"])
def test_only_requirements_are_packages(text):
    with pytest.raises(Invalid):
        check([text])
