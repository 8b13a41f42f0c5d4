"""The model card: what people wrote of a model, and what its newest version says of itself. Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_ext.errors import NotFound

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Model, Version


def card(model: Model) -> str:
    """The card of a model."""
    parts = [f"# {model.name}"]
    parts += [text for text in (model.description, model.readme) if text]
    facts = [
        (word, model.record.get(field))
        for word, field in (("License", "license"), ("Provider", "provider"), ("Maturity", "maturity"))
    ]
    facts += [
        (word, ", ".join(model.record.get(field) or []))
        for word, field in (("Tasks", "tasks"), ("Language", "language"))
    ]
    lines = [f"- {word}: {value}" for word, value in [("Owner", model.owner), *facts] if value]
    if model.archived:
        lines.append("- Archived")
    if lines:
        parts.append("\n".join(lines))
    try:
        parts.append(_of_version(model.version(model.aliases.get("champion"))))
    except NotFound:
        parts.append("No version yet.")
    return "\n\n".join(parts) + "\n"


def _of_version(version: Version) -> str:
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    parts = [f"## Version {version.version}{aliases}"]
    if version.description:
        parts.append(version.description)
    told = [f"Registered by {version.author or 'somebody'} on {version.created:%Y-%m-%d %H:%M} UTC."]
    lineage = version.lineage
    if "run" in lineage:
        told.append(
            f"Made by run {lineage['run']}" + (f", step {lineage['step']}." if "step" in lineage else ".")
        )
    if "commit" in lineage:
        told.append(f"Commit {str(lineage['commit'])[:12]}.")
    parts.append(" ".join(told))
    parts += _table("Metric", version.metrics)
    parts += _table("Parameter", version.parameters)
    parts += _table(
        "Data", {name: found.get("digest") or found.get("uri") or "" for name, found in version.data.items()}
    )
    signature = version.signature or {}
    for side, tensors in signature.items():
        parts += _table(
            side.capitalize(), {one["name"]: f"{one['datatype']} {one['shape']}" for one in tensors}
        )
    return "\n\n".join(parts)


def _table(word: str, rows: dict[str, object] | dict[str, float] | dict[str, str]) -> list[str]:
    if not rows:
        return []
    body = [f"| {_cell(name)} | {_cell(value)} |" for name, value in rows.items()]
    return ["\n".join([f"| {word} | |", "| --- | --- |", *body])]


def _cell(value: object) -> str:
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")
