"""stub"""

from __future__ import annotations


def carried(resource):
    return None
