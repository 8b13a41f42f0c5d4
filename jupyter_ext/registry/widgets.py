"""Models and versions in a notebook's output: tables, a version with its lineage, a table with a search box."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_ext.display import look
from jupyter_ext.errors import KubeflowError, Unavailable
from jupyter_ext.registry.picture import lineage_svg

if TYPE_CHECKING:
    from jupyter_ext.registry.handles import Model, Version
    from jupyter_ext.registry.registry import Registry

MOST = 50
"""Rows of a table."""


def version_html(version: Version) -> str:
    """A version as one block: what it is, metrics, parameters, and where it comes from and went."""
    aliases = f" ({', '.join(version.aliases)})" if version.aliases else ""
    facts = [
        version.format if version.is_whole else "no files",
        version.author,
        f"{version.created:%Y-%m-%d %H:%M} UTC",
    ]
    head = (
        f"<div><b>{escape(version.name)}</b>{escape(aliases)} "
        f"{escape(', '.join(fact for fact in facts if fact))}{' (archived)' if version.archived else ''}</div>"
    )
    parameters = look.table(
        "Parameters", (), [(escape(name), escape(str(value))) for name, value in version.parameters.items()]
    )
    side = "".join([look.metrics(version.metrics), parameters])
    return look.block(
        head,
        f"<div>{escape(version.description)}</div>" if version.description else "",
        f'<div style="display:flex;gap:24px;align-items:flex-start;flex-wrap:wrap">{side}</div>'
        if side
        else "",
        lineage_svg(version.trace()),
    )


def model_html(model: Model) -> str:
    """A model as one block: what it is and its newest versions."""
    owner = f" {escape(model.owner)}" if model.owner else ""
    head = f"<div><b>{escape(model.name)}</b>{owner}{' (archived)' if model.archived else ''}</div>"
    return look.block(
        head,
        f"<div>{escape(model.description)}</div>" if model.description else "",
        versions_html(model.versions(limit=MOST, archived=True)),
    )


def versions_html(versions: Sequence[Version]) -> str:
    """Versions as a table, with a column for each metric that several have."""
    metrics = list(dict.fromkeys(name for version in versions for name in version.metrics))[:8]
    rows = [
        (
            f"<code>{escape(version.name)}</code>{' (archived)' if version.archived else ''}",
            escape(", ".join(version.aliases)),
            escape(version.format) if version.is_whole else "",
            *(
                escape(look.number(version.metrics[name])) if name in version.metrics else ""
                for name in metrics
            ),
            escape(str(version.lineage.get("run") or version.lineage.get("notebook") or "")),
            escape(f"{version.created:%Y-%m-%d %H:%M}"),
        )
        for version in versions
    ]
    head = ("Version", "Aliases", "Format", *metrics, "Made by", "Created (UTC)")
    return look.table("Versions", head, rows) or "<div>No version.</div>"


def models_html(models: Sequence[Model]) -> str:
    """Models as a table."""
    rows = []
    for model in models:
        newest = next(iter(model.versions(limit=1)), None)
        metrics = "  ".join(
            f"{name} {look.number(value)}" for name, value in (newest.metrics if newest else {}).items()
        )
        rows.append(
            (
                f"<code>{escape(model.name)}</code>",
                escape(newest.version if newest else ""),
                escape(", ".join(f"{alias} → {version}" for alias, version in model.aliases.items())),
                escape(metrics[:120]),
                escape(model.owner),
                escape(model.description[:120]),
            )
        )
    head = ("Model", "Newest", "Aliases", "Metrics", "Owner", "Description")
    return look.table("Models", head, rows) or "<div>No models.</div>"


class ModelsView:
    """A list of models as a notebook shows it; indexing gives them."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)

    def __len__(self) -> int:
        return len(self.models)

    def __getitem__(self, position: int) -> Model:
        return self.models[position]

    def __repr__(self) -> str:
        return "\n".join(_line(model) for model in self.models) or "No models."

    def _repr_html_(self) -> str:
        return models_html(self.models)


def _line(model: Model) -> str:
    newest = next(iter(model.versions(limit=1)), None)
    aliases = ", ".join(f"{alias}={version}" for alias, version in model.aliases.items())
    return "  ".join(
        part for part in (model.name, newest.version if newest else "", aliases, model.description) if part
    )


class VersionsView:
    """A list of versions as a notebook shows it; indexing gives them."""

    def __init__(self, versions: Sequence[Version]) -> None:
        self.versions = tuple(versions)

    def __len__(self) -> int:
        return len(self.versions)

    def __getitem__(self, position: int) -> Version:
        return self.versions[position]

    def __repr__(self) -> str:
        lines = [
            "  ".join(
                [
                    version.name,
                    *version.aliases,
                    *(f"{n}={look.number(v)}" for n, v in version.metrics.items()),
                ]
            )
            for version in self.versions
        ]
        return "\n".join(lines) or "No version fits."

    def _repr_html_(self) -> str:
        return versions_html(self.versions)


class Browser:
    """A table of models with a search box: words, or a filter over models and versions. ``.models`` is what it shows.

    Raises Unavailable without ipywidgets.
    """

    def __init__(self, registry: Registry, text: str = "") -> None:
        try:
            import ipywidgets as w
        except ImportError:
            raise Unavailable("the search box needs ipywidgets", hint="pip install ipywidgets") from None
        self._registry = registry
        self.models: list[Model] = []
        self._field = w.Text(
            value=text, description="Search", placeholder="words, or accuracy > 0.9 AND owner = 'ada'",
            continuous_update=False, layout=w.Layout(width="40em"),
        )  # fmt: skip
        self._note = w.HTML()
        self._table = w.HTML()
        self._field.observe(self._typed, names="value")
        self.box = w.VBox([self._field, self._note, self._table])
        self._typed(None)

    def _typed(self, _: object) -> None:
        try:
            self.models = self._registry.search(self._field.value, limit=MOST)
        except KubeflowError as error:
            self._note.value = f'<span role="alert" style="color:var(--jp-error-color1, #d32f2f)">{escape(str(error))}</span>'
            return
        self._note.value = ""
        self._table.value = models_html(self.models)

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> Any:
        del include, exclude
        from jupyter_ext.display.live import WIDGET, view_of

        return {
            "text/plain": repr(ModelsView(self.models)),
            "text/html": models_html(self.models),
            WIDGET: view_of(self.box).get(WIDGET),
        }
