"""YAML that a stranger may have written: its depth, and mappings that merge mappings, do not make it larger than it looks."""

from __future__ import annotations

from typing import Any, Final, cast

_DEEPEST: Final = 200
_MOST_MERGED: Final = 10_000


def check_depth(text: str) -> None:
    """Before anything is made of it: the parser's time grows with the square of the depth, and its stack with it.

    Raises ``yaml.MarkedYAMLError``; what else is wrong with it is for its reader to say.
    """
    import yaml

    depth, mark = 0, None
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > _DEEPEST:
                    mark = cast("yaml.Mark | None", event.start_mark)
                    break
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
        else:
            return
    except yaml.YAMLError:
        return
    what = f"it is nested more than {_DEEPEST} deep"
    raise yaml.MarkedYAMLError(problem=what, problem_mark=mark)


def loader() -> Any:
    """A safe loader that leaves dates as they are written, as Kubernetes does; each ``<<`` does not multiply the one before."""
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    resolvers = {
        letter: [(tag, pattern) for tag, pattern in found if tag != "tag:yaml.org,2002:timestamp"]
        for letter, found in base.yaml_implicit_resolvers.items()
    }

    def flatten_mapping(self: Any, node: yaml.MappingNode) -> None:
        base.flatten_mapping(self, node)
        if len(node.value) > _MOST_MERGED:
            raise yaml.MarkedYAMLError(problem="it merges too many mappings", problem_mark=node.start_mark)

    return type("Loader", (base,), {"flatten_mapping": flatten_mapping, "yaml_implicit_resolvers": resolvers})
