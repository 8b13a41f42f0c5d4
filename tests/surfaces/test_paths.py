from __future__ import annotations

import pytest

from jupyter_ext.errors import Invalid
from jupyter_ext.server.paths import clean, server_path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a.ipynb", "a.ipynb"),
        ("/deep/er/a b.ipynb", "deep/er/a b.ipynb"),
        ("RTC:deep/a.ipynb", "deep/a.ipynb"),
        ("RTC:/a.py", "a.py"),
        ("..a/b...ipynb", "..a/b...ipynb"),
        ("ü/笔记.ipynb", "ü/笔记.ipynb"),
    ],
)
def test_paths_of_the_server(path, found):
    assert clean(path) == found


@pytest.mark.parametrize(
    "path",
    [
        "", "/", ".", "..", "../a.ipynb", "a/../../b.ipynb", "a/./b.ipynb", "a//b.ipynb", "a\0.ipynb",
        "..\\a.ipynb", "a/..", "S3:bucket/a.ipynb", "C:/a.ipynb", "a.txt", "a.ipynb/..", "RTC:../a.ipynb", "etc/passwd",
    ],
)  # fmt: skip
def test_what_leaves_the_root_or_is_no_notebook_is_refused(path):
    with pytest.raises(Invalid):
        clean(path)


def test_a_file_below_the_root_has_a_path_of_the_server():
    assert server_path("/home/me/work/a.ipynb", "/home/me") == "work/a.ipynb"
    assert server_path("/home/me/a.ipynb", "/home/me/") == "a.ipynb"
    assert server_path("/home/you/a.ipynb", "/home/me") is None
    assert server_path("/home/me2/a.ipynb", "/home/me") is None
    assert server_path("/home/me/..a.ipynb", "/home/me") == "..a.ipynb"
    assert server_path(None, "/home/me") is None
    assert server_path("/home/me/a.ipynb", None) is None
