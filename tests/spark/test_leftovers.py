"""What a killed driver left half-written is found by its notes; what is whole is let be."""

from __future__ import annotations

import os

import pytest

from jupyter_ext.spark import leftovers

JOB = "JobContextImpl{jobId=job_202611221919405819712724946198886_0003}"
TASK = f"TaskAttemptContextImpl{{{JOB}; taskId=attempt_20261122191940_0003_m_000000_0, status=''}}"


def note(folder: object, context: str = JOB) -> str:
    """A line of Hadoop's committer, as it stands in the file."""
    made = (
        "outputPath=null, workPath=null, algorithmVersion=0, skipCleanup=false, ignoreCleanupFailures=false"
    )
    name = "org.apache.hadoop.mapreduce.lib.output.FileOutputCommitter@3a7da319"
    return (
        f"Instantiating committer FileOutputCommitter{{PathOutputCommitter{{context={context}; {name}}}; {made}}}"
        f" with output path file:{folder} and job context {context}\n"
    )


def begin(folder, part="part-00000"):
    """As Spark begins to write: the folder for what is not finished, and a part in it."""
    attempt = folder / "_temporary" / "0" / "_temporary" / "attempt_1"
    attempt.mkdir(parents=True)
    (attempt / part).write_text("half")


def names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("name", ["out", "with space", "a, b", "über", "100%25", "x and job context"])
def test_only_the_unfinished_goes(tmp_path, name):
    half, whole, grown = (tmp_path / kind / name for kind in ("half", "whole", "grown"))
    whole.mkdir(parents=True)
    (whole / "part-00000").touch()
    grown.mkdir(parents=True)
    (grown / "part-0.parquet").touch()
    os.utime(grown / "part-0.parquet", (1, 1))
    begin(half)
    begin(grown)
    notes = tmp_path / "writing.log"
    notes.write_text(note(whole) + note(half) + note(half, TASK) + note(grown, TASK))
    assert leftovers.clean(notes) == [str(half), str(grown)]
    assert not half.exists()
    assert names(grown) == ["part-0.parquet"]
    assert names(whole) == ["part-00000"]
    assert leftovers.clean(notes) == []


def test_parts_that_were_moved_already_go_too(tmp_path):
    """Killed while the parts are moved to their place, one by one."""
    folder = tmp_path / "out"
    (folder / "day=1").mkdir(parents=True)
    (folder / "day=1" / "part-old.parquet").touch()
    os.utime(folder / "day=1" / "part-old.parquet", (1, 1))
    begin(folder)
    for name in ("part-new.parquet", ".part-new.parquet.crc"):
        (folder / "day=1" / name).touch()
    (folder / "day=2").mkdir()
    (folder / "day=2" / "part-new.parquet").touch()
    (folder / "mine.txt").touch()
    (tmp_path / "writing.log").write_text(note(folder))
    assert leftovers.clean(tmp_path / "writing.log") == [str(folder)]
    assert names(folder) == ["day=1/part-old.parquet", "mine.txt"]
    assert not (folder / "day=2").exists()


def test_partitions_that_were_to_replace_others_are_let_be(tmp_path):
    staging = tmp_path / "out" / ".spark-staging-77"
    begin(staging)
    (tmp_path / "out" / "day=1").mkdir()
    (tmp_path / "out" / "day=1" / "part-0").touch()
    (tmp_path / "writing.log").write_text(note(staging))
    assert leftovers.clean(tmp_path / "writing.log") == [str(staging)]
    assert names(tmp_path / "out") == ["day=1/part-0"]


@pytest.mark.parametrize(
    "text", ["", "nonsense\n", note("/nowhere/at/all"), "Instantiating committer x with output path hdfs:/a"]
)
def test_what_is_not_there_is_nothing_to_do(tmp_path, text):
    (tmp_path / "writing.log").write_text(text)
    assert leftovers.clean(tmp_path / "writing.log") == []
    assert leftovers.clean(tmp_path / "absent") == []
