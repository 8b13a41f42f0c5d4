"""What an endpoint of a Kubernetes cluster cannot do, because our gateway is not before it: each says so by name."""

from __future__ import annotations

from typing import Any, NoReturn

from jupyter_ext.cluster.kube.handle import refused

_WHY = "is for endpoints on this machine: on a cluster requests do not go through our gateway"


def _not(field: str, hint: str) -> NoReturn:
    raise refused(field, f"{field} {_WHY}", hint)


class WithoutGateway:
    """The calls that need the gateway's records. All raise Unfit."""

    def explain(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        _not("explain", "Explain with the model itself.")

    def feedback(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        _not("feedback", "Keep outcomes where you compare them.")

    def compare(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        _not("compare", "Read the pods' /metrics with Prometheus.")

    def requests(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        _not("requests", "KServe logs to a URL: spec.predictor.logger.")

    request = replay = requests

    def drift(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        _not("drift", "It is measured of requests that are kept.")

    def curves(self, *_: Any, **__: Any) -> NoReturn:
        """Refused."""
        _not("curves", "Read the pods' /metrics with Prometheus.")
