"""A server of S3's protocol that pods reach, and the Secret by which they may."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.cluster import Cluster
from tests.cluster.place import NODE_ADDRESS

BUCKET = "team"
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret", "AWS_REGION": "us-east-1"}


@contextmanager
def s3_server() -> Iterator[str]:
    """Its URL, at the node's address; it has the bucket."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address=NODE_ADDRESS, port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    url = "http://{}:{}".format(*server.get_host_and_port())
    boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    ).create_bucket(Bucket=BUCKET)
    yield url
    server.stop()


def have_credentials(cluster: Cluster, namespace: str, url: str) -> None:
    """The Secret of the namespace with what opens the server at ``url``."""
    values = {**KEYS, "AWS_ENDPOINT_URL": url}
    data = {name: base64.b64encode(value.encode()).decode() for name, value in values.items()}
    cluster.call(
        "POST",
        f"/api/v1/namespaces/{namespace}/secrets",
        {"metadata": {"name": "artifact-store"}, "data": data},
    )
