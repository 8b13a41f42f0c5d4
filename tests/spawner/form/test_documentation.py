"""docs/spawner-form.md is true: its example is accepted, and every key and field there is one that is read."""

from __future__ import annotations

import re
from pathlib import Path

from spawner.form import settings
from spawner.form.answers import FIELDS
from spawner.form.choices import Home, Image, Prices, Range, Size, Unlisted, read_accelerator
from spawner.form.configuration import Reader

EXAMPLES = {
    "images": (Image.read, {"key": "k", "reference": "a"}),
    "image_other": (Unlisted.read, {"pattern": "."}),
    "sizes": (Size.read, {"key": "k", "cpu": "1", "memory": "1Gi"}),
    "size_other": (Range.read, {"most_cpu": "1", "most_memory": "1Gi"}),
    "home": (Home.read, {}),
    "prices": (Prices.read, {"currency": "€"}),
}


def page(repository: Path) -> str:
    return (repository / "docs/spawner-form.md").read_text()


def row(text: str, name: str) -> str:
    return next(
        line for line in text.splitlines() if line.startswith("| ") and f"`{name}`" in line.split("|")[1]
    )


def test_the_example_is_accepted(repository, capsys) -> None:
    code = re.search(r"```python\n(.*?)```", page(repository), re.DOTALL)
    assert code
    exec(compile(code[1], "docs/spawner-form.md", "exec"), {})
    assert "| `image` |" in capsys.readouterr().out


def test_every_setting_is_there_with_its_keys(repository) -> None:
    text = page(repository)
    assert all(row(text, name) for name in settings.SETTINGS)
    for name, (read, least) in EXAMPLES.items():
        reader = Reader(least, name)
        read(reader)
        missing = [key for key in reader._known if f"`{key}`" not in row(text, name)]
        assert not missing, (name, missing)
    for least in ({"match": "x"}, {"key": "k", "resource": "a.b/c"}):
        reader = Reader(least, "accelerators")
        read_accelerator(reader)
        assert not [key for key in reader._known if f"`{key}`" not in row(text, "accelerators")]


def test_every_field_is_there_in_the_words_of_the_schema(repository) -> None:
    text = page(repository)
    for name, words in FIELDS.items():
        assert f"| `{name}` | {words} |" in text
