"""Headings of a markdown cell, and names made from them.

What CommonMark calls a heading counts: ATX (``## Title``), setext (underlined with ``===`` or ``---``), and
``<h2>`` as many notebooks have it. Fenced and indented code, comments and front matter do not.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_ATX = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))??(?:[ \t]+#+)?[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})(.*)$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)[ \t]*$")
_HTML = re.compile(r"<h([1-6])(?:\s[^>]*)?>(.*?)</h\1\s*>", re.IGNORECASE | re.DOTALL)
_NOT_PARAGRAPH = re.compile(r"^ {0,3}(?:[-*+]\s|\d+[.)]\s|>|\||<!--|<[a-zA-Z/])|^(?: {4}|\t)|^\s*$")
_NUMBERING = re.compile(r"^\s*(?:\d+(?:\.\d+)+\.?|\d+[.)])\s+")
_TRANSLITERATION = """
аa бb вv гg дd еe ёe жzh зz иi йy кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щshch ыy эe юyu яya іi їyi єye
ґg αa βb γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo
ßss æae œoe øo łl đd ðd þth ıi
"""
_LETTERS = {pair[0]: pair[1:] for pair in _TRANSLITERATION.split()}
_SILENT = "ъь’ʼ"
_LENGTH = 50


@dataclass(frozen=True)
class Heading:
    """A heading's level (1 to 6), its text without markup, and its line, from 1."""

    level: int
    title: str
    line: int


def find(text: str) -> list[Heading]:
    """Every heading of a markdown cell, from top to bottom."""
    if "#" not in text and "=" not in text and "-" not in text and "<h" not in text.lower():
        return []
    found = []
    lines = text.split("\n")
    number, fence, paragraph = _front_matter(lines), "", 0
    while number < len(lines):
        line = lines[number]
        number += 1
        if fence:
            closing = _FENCE.match(line)
            if closing and closing.group(1).startswith(fence) and not closing.group(2).strip():
                fence = ""
            continue
        opening = _FENCE.match(line)
        if opening:
            fence, paragraph = opening.group(1), 0
            continue
        if "<!--" in line and "-->" not in line:
            number = _after_comment(lines, number)
            continue
        heading = _heading(lines, number, paragraph)
        if heading and heading.title:
            found.append(heading)
        paragraph = 0 if heading or _NOT_PARAGRAPH.match(line) else paragraph + 1
    return found


def _front_matter(lines: list[str]) -> int:
    if lines[0].strip() != "---":
        return 0
    for number, line in enumerate(lines[1:], 1):
        if line.strip() in {"---", "..."}:
            return number + 1
    return 1


def _after_comment(lines: list[str], number: int) -> int:
    while number < len(lines):
        number += 1
        if "-->" in lines[number - 1]:
            break
    return number


def _heading(lines: list[str], number: int, paragraph: int) -> Heading | None:
    """The heading that line ``number`` ends, if it ends one; ``paragraph`` lines of text stand before it."""
    line = lines[number - 1]
    atx = _ATX.match(line)
    if atx:
        return Heading(len(atx.group(1)), plain(atx.group(2) or ""), number)
    underline = _UNDERLINE.match(line)
    if underline and paragraph:
        title = " ".join(item.strip() for item in lines[number - 1 - paragraph : number - 1])
        return Heading(1 if underline.group(1)[0] == "=" else 2, plain(title), number - paragraph)
    html = _HTML.search(line)
    if html:
        return Heading(int(html.group(1)), plain(html.group(2)), number)
    return None


def plain(text: str) -> str:
    """A heading's text without inline markup."""
    text = re.sub(r"!\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)|\[([^\]]*)\]\[[^\]]*\]", r"\1\2", text)
    text = re.sub(r"<[^>]+>|\{#[^}]*\}", "", text)
    text = re.sub(r"(\*\*|__|~~|`+)(.+?)\1", r"\2", text)
    text = re.sub(r"(?<!\w)([*_])(\S(?:.*?\S)?)\1(?!\w)", r"\2", text)
    text = re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)
    return " ".join(text.split())


def slug(title: str) -> str:
    """A name of the form RFC 1123 asks for (lower-case letters, digits, ``-``), or empty if none is left."""
    title = _NUMBERING.sub("", title) or title
    words = re.split(r"[^a-z0-9]+", "".join(_ascii(letter) for letter in title.lower()))
    name = ""
    for word in filter(None, words):
        longer = f"{name}-{word}" if name else word[:_LENGTH]
        if len(longer) > _LENGTH:
            break
        name = longer
    return name


def _ascii(letter: str) -> str:
    if letter.isascii():
        return "" if letter in "'`" else letter
    known = _LETTERS.get(letter)
    if known:
        return known
    if letter in _SILENT:
        return ""
    base = unicodedata.normalize("NFKD", letter)
    stripped = "".join(part for part in base if not unicodedata.combining(part))
    if stripped and stripped.isascii():
        return stripped.lower()
    if stripped and stripped[0] in _LETTERS:
        return _LETTERS[stripped[0]]
    name = unicodedata.name(letter, "")
    if name.startswith(("HANGUL SYLLABLE", "HIRAGANA LETTER", "KATAKANA LETTER")):
        return name.rsplit(" ", 1)[-1].lower()
    return " "


def distinct(name: str, taken: set[str]) -> str:
    """The name itself, or with ``-2``, ``-3`` … until nobody has it; it is added to ``taken``."""
    result, count = name, 1
    while result in taken:
        count += 1
        result = f"{name}-{count}"
    taken.add(result)
    return result
