"""The thread of fsspec stays in the network in which it began; a test on a cluster is in that of the cluster."""

from __future__ import annotations


def own_thread() -> None:
    """Begin a new one with the next request."""
    import s3fs
    from fsspec import asyn

    asyn.iothread[0] = asyn.loop[0] = None
    s3fs.S3FileSystem.clear_instance_cache()
