"""Python that makes the same endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_ext.serving import spec as names

if TYPE_CHECKING:
    from jupyter_ext.cluster.resource import Resource
    from jupyter_ext.serving.spec import Predictor, Service


def python(resource: Resource) -> str:
    """Statements that lead to what the endpoint is asked to be now."""
    service = names.read(resource)
    if not all(each.facts.get("model") for each in service.variants):
        return f"import jupyter_ext as kf\n\n{_by_yaml(resource)}"
    lines = ["import jupyter_ext as kf", ""]
    first = [_model(service.stable), repr(resource.name), *_arguments(service.stable), *_about(service)]
    lines.append(f"endpoint = kf.serving.serve({', '.join(first)})")
    for each in service.variants[1:]:
        more = [_model(each), repr(resource.name), f"variant={each.name!r}", f"percent={each.percent}"]
        lines.append(f"kf.serving.serve({', '.join(more)})")
    if service.mirror:
        lines.append(f"endpoint.mirror({service.mirror['variant']!r}, percent={service.mirror['percent']})")
    return "\n".join(lines) + "\n"


def _model(predictor: Predictor) -> str:
    return repr(f"{predictor.facts['model']}:{predictor.facts['version']}")


def _arguments(predictor: Predictor) -> list[str]:
    found: list[str] = []
    if (predictor.least, predictor.most) != (1, 1):
        same = predictor.least == predictor.most
        found.append(f"replicas={predictor.least if same else f'{predictor.least}:{predictor.most}'!r}")
    asked = (predictor.model.get("resources") or {}).get("requests")
    if asked:
        found.append(
            f"resources={ ({('gpu' if key == 'nvidia.com/gpu' else key): value for key, value in asked.items()})!r}"
        )
    if predictor.env:
        found.append(f"env={predictor.env!r}")
    if predictor.timeout != names.TIMEOUT:
        found.append(f"timeout={predictor.timeout}")
    if predictor.batch:
        found.append(f"batch={predictor.batch!r}")
    if predictor.grpc:
        found.append("grpc=True")
    return found


def _about(service: Service) -> list[str]:
    given: dict[str, Any] = {
        "sticky": service.sticky,
        "log": service.log,
        "rules": list(service.rules) or None,
    }
    if service.idle != names.IDLE_SECONDS:
        given["idle"] = service.idle
    return [f"{name}={value!r}" for name, value in given.items() if value is not None]


def _by_yaml(resource: Resource) -> str:
    from jupyter_ext.serving.export import export

    text = export(resource, strict=False).replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'kf.resources.apply("""\n{text}""")\n'
