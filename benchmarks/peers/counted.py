"""The requests that a peer's client of Kubernetes sends: importing this counts them from then on."""

import urllib3

sent: list[str] = []
_urlopen = urllib3.HTTPConnectionPool.urlopen


def _counted(
    self: urllib3.HTTPConnectionPool, method: str, url: str, *args: object, **options: object
) -> object:
    """As urllib3 does; both these clients and ours send their requests with it."""
    sent.append(f"{method} {url}")
    return _urlopen(self, method, url, *args, **options)


urllib3.HTTPConnectionPool.urlopen = _counted
