"""What depends on the version of an installed library."""

from __future__ import annotations

from functools import cache


@cache
def copies_on_write() -> bool:
    """Whether what pandas derives from a frame is never changed with it (since pandas 3)."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return int(version("pandas").partition(".")[0]) >= 3
    except (PackageNotFoundError, ValueError):
        return False
