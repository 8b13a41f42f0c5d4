"""The form as plain data: what the page draws, what the refresh answers, what the documentation shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from spawner.form import quota, verdicts
from spawner.form.accelerators import Accelerator
from spawner.form.capacity import Fleet
from spawner.form.kueue import Quota
from spawner.form.options import Options
from spawner.form.schema import Schema
from spawner.form.verdicts import Situation, Verdict
from spawner.quantities import size_words, stored, typed
from spawner.refused import Refused

Json = Mapping[str, Any]


NOWHERE: Final = "There is nowhere to start a server yet"


class Choosable(Protocol):
    """A profile as the form needs it; `spawner.profiles.membership.Profile` is one."""

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def role(self) -> str: ...  # noqa: D102

    @property
    def reason(self) -> str: ...  # noqa: D102

    @property
    def may_start(self) -> bool: ...  # noqa: D102


@dataclass
class Offer:
    """Everything that one showing of the form needs.

    ``quotas`` and ``limit_ranges`` are the profile's own objects. ``note`` and ``hint`` are the words for somebody
    without a profile, or about it. ``namespace`` is the profile that all of it is about. ``also`` are fields of others that answers may carry.
    """

    schema: Schema
    fleet: Fleet | None = None
    quotas: Sequence[Json] = ()
    user: str = ""
    profiles: Sequence[Choosable] = ()
    note: str = ""
    hint: str = ""
    limit_ranges: Sequence[Json] = ()
    free_devices: Mapping[str, int] = field(default_factory=dict)
    also: Sequence[str] = ()
    needs_profile: bool = False
    namespace: str = ""
    queues: Mapping[str, Quota] = field(default_factory=dict)
    shared_with: Sequence[Mapping[str, str]] = ()

    @property
    def situation(self) -> Situation:
        """What the verdicts are given over."""
        lines = quota.lines(self.quotas)
        return Situation(self.fleet, lines, self.limit_ranges, self.free_devices, queues=self.queues)

    @property
    def is_empty(self) -> bool:
        """Whether there is nowhere to start a server."""
        return (self.needs_profile or bool(self.note)) and not any(each.may_start for each in self.profiles)


def view(offer: Offer, before: object, refused: Refused | None = None) -> dict[str, Any]:
    """Every choice with its words, for what was chosen before as far as that still stands."""
    if offer.is_empty:
        note = offer.note or "You have no profile to start a server in."
        return {
            "empty": {"title": NOWHERE, "note": note, "hint": offer.hint},
            "shared_with": offer.shared_with,
        }
    about = {"namespace": offer.namespace} if offer.namespace else {}
    given = {**before, **about} if isinstance(before, Mapping) else about
    choices, said = offer.schema.recall(given, also=offer.also)
    options = offer.schema.check(choices)
    schema, situation = offer.schema, offer.situation
    verdict = situation.judge(schema, options)
    return {
        "choices": choices,
        "note": " ".join(filter(None, (offer.note, offer.hint))),
        "said": [] if refused else said,
        "refused": {"text": _sentence_of(refused), "field": refused.field} if refused else None,
        "profiles": _profiles(offer, options),
        "shared_with": offer.shared_with,
        "shared": {"checked": options.shared} if schema.sharing else None,
        "image": _images(schema, options),
        "image_other": {"help": schema.image_other.help, "text": _given(given, "image_other")} if schema.image_other else None,
        "size": _sizes(situation, schema, options),
        "size_other": _size_other(schema, given),
        "accelerator": _accelerators(situation, schema, options),
        "count": _counts(situation, schema, options),
        "home": _home(schema, options),
        "data": _data(schema, options),
        "pod_defaults": [
            {"key": each.name, "title": each.title, "reason": each.reason, "disabled": bool(each.reason),
             "checked": each in options.pod_defaults}
            for each in schema.pod_defaults
        ],
        "queue": _queues(situation, schema, options),
        "quota": [*quota.bars(situation.quotas), *_queue_bars(situation, schema, options)],
        "summary": {
            "words": options.words(), "price": verdicts.price(schema, options), **_state(verdict),
            "verdict": _verdict_words(verdict, options),
        },
        "link": urlencode([(f"opt-{key}", text) for key, text in _pairs(choices)]),
        "code": _code(offer.user, choices),
    }  # fmt: skip


def fragment(whole: Mapping[str, Any]) -> dict[str, Any]:
    """The part that changes without a choice being made: what a refresh brings."""
    if "empty" in whole:
        return dict(whole)
    wanted = (
        "key",
        "title",
        "description",
        "text",
        "reason",
        "disabled",
        "level",
        "price",
        "counts",
        "checked",
    )
    return {
        **{
            name: [{key: each[key] for key in wanted if key in each} for each in whole[name]]
            for name in ("image", "size", "accelerator")
        },
        **{name: whole[name] for name in ("count", "quota", "summary", "link", "code", "said")},
    }


def problem(offer: Offer, given: object) -> dict[str, str] | None:
    """What is wrong with an answer as it is being typed; None when it could be sent."""
    if offer.is_empty:
        return None
    try:
        offer.schema.check(given, also=offer.also)
    except Refused as refused:
        return {"field": refused.field, "text": _sentence_of(refused)}
    return None


def _sentence_of(refused: Refused) -> str:
    """Without the name of the field: it is shown there."""
    return " ".join(filter(None, (f"{refused.message.rstrip('.')}.", refused.hint)))


def _state(verdict: Verdict) -> dict[str, Any]:
    return {
        "level": verdict.level,
        "text": verdict.text,
        "reason": verdict.reason,
        "disabled": verdict.disabled,
    }


def _verdict_words(verdict: Verdict, options: Options) -> str:
    if verdict.level == "fits":
        return f"This fits: {verdict.text}." if verdict.text else "This fits."
    if verdict.level == "unknown":
        return "Whether this fits now is not known here; it is when the server starts."
    if verdict.level == "busy" and not verdict.disabled:
        where = f" in the queue {options.queue}" if options.queue else ""
        return f"This has to wait{where}. {verdict.reason}"
    return f"This cannot be had now. {verdict.reason}"


def _given(given: Mapping[Any, Any], name: str) -> str:
    value = given.get(name, "")
    value = value[0] if isinstance(value, list) and value else value
    return value if isinstance(value, str) and len(value) <= 500 else ""


def _profiles(offer: Offer, options: Options) -> list[dict[str, Any]]:
    words = {"owner": "yours", "edit": "you may edit", "view": "you may only look"}
    return [
        {"key": each.name, "title": f"{each.name} ({words.get(each.role, each.role)})" if each.role else each.name,
         "reason": each.reason, "disabled": not each.may_start, "checked": each.name == options.namespace}
        for each in offer.profiles
    ]  # fmt: skip


def _images(schema: Schema, options: Options) -> list[dict[str, Any]]:
    judged = verdicts.images(schema, options)
    badge = {True: "Already on the nodes", False: "Pulled at the start", None: ""}
    cards = [
        {**_CARD, "key": each.key, "title": each.title, "description": each.description, "contains": list(each.contains),
         "reference": each.reference, "badge": badge[each.prepulled], "price": "", "checked": each == options.image,
         **_state(judged[each.key])}
        for each in schema.images
    ]  # fmt: skip
    if schema.image_other:
        cards.append(_other("Another image", checked=options.image.key == "other"))
    return cards


_CARD: Final[Json] = {
    "description": "",
    "badge": "",
    "price": "",
    "contains": (),
    "reference": "",
    "counts": (),
}
"""What every card has, so that one template draws all."""


def _other(title: str, *, checked: bool) -> dict[str, Any]:
    return {**_CARD, "key": "other", "title": title, "checked": checked, **_state(Verdict())}


def _sizes(situation: Situation, schema: Schema, options: Options) -> list[dict[str, Any]]:
    judged = verdicts.sizes(situation, schema, options)
    cards = [
        {**_CARD, "key": each.key, "title": each.title, "description": ". ".join(filter(None, (each.words, each.description))),
         "badge": _idle_words(each.idle_minutes), "price": verdicts.size_price(schema, each),
         "checked": each == options.size, **_state(judged[each.key])}
        for each in schema.sizes
    ]  # fmt: skip
    return [*cards, _other("Own size", checked=options.size.key == "other")] if schema.size_other else cards


def _size_other(schema: Schema, given: Mapping[Any, Any]) -> dict[str, str] | None:
    bounds = schema.size_other
    if bounds is None:
        return None
    return {
        "cpu": _given(given, "cpu"), "memory": _given(given, "memory"),
        "cpu_help": f"From {bounds.least_cpu} to {bounds.most_cpu}, for example 500m or 2",
        "memory_help": f"From {bounds.least_memory} to {bounds.most_memory}, for example 4Gi",
    }  # fmt: skip


def _accelerators(situation: Situation, schema: Schema, options: Options) -> list[dict[str, Any]]:
    if not schema.accelerators:
        return []
    judged = verdicts.accelerators(situation, schema, options)
    none = {**_CARD, "key": "none", "title": "None", "description": "CPU only", "badge": "", "price": "", "counts": [],
            "checked": options.accelerator is None, **_state(Verdict())}  # fmt: skip
    cards = [
        {**_CARD, "key": each.key, "title": each.title, "description": _sentence(each), "badge": _idle_words(each.idle_minutes),
         "price": _each_price(schema, each), "counts": list(each.counts), "checked": each == options.accelerator,
         **_state(judged[each.key])}
        for each in schema.accelerators
    ]  # fmt: skip
    return [none, *cards]


def _sentence(accelerator: Accelerator) -> str:
    return accelerator.note[:1].upper() + accelerator.note[1:]


def _each_price(schema: Schema, accelerator: Accelerator) -> str:
    price = verdicts.accelerator_price(schema, accelerator)
    return f"{price} each" if price and accelerator.counts != (1,) else price


def _idle_words(minutes: int | None) -> str:
    if minutes is None:
        return ""
    return f"Stopped after {minutes} idle minutes" if minutes else "Not stopped when idle"


def _counts(situation: Situation, schema: Schema, options: Options) -> list[dict[str, Any]]:
    judged = verdicts.counts(situation, schema, options)
    return [
        {"key": key, "checked": key == str(options.count), **_state(each)} for key, each in judged.items()
    ]


def _home(schema: Schema, options: Options) -> dict[str, Any] | None:
    home = schema.home
    if home is None:
        return None
    size = size_words(stored(home.claim_size or home.size))
    can = "It can grow, and never shrinks." if home.larger else home.fixed
    there = (
        " ".join(filter(None, (f"Your files are there already, {size}.", can)))
        if home.claim_size
        else f"Files under {home.mount} stay when the server stops."
    )
    chosen = options.home.size if options.home else home.size
    return {
        "keep": options.home is not None, "optional": home.optional, "words": there,
        "sizes": [
            {"key": each, "title": size_words(stored(each)), "checked": each == chosen}
            for each in ((home.claim_size, *home.larger) if home.claim_size else home.sizes)
        ],
    }  # fmt: skip


def _data(schema: Schema, options: Options) -> list[dict[str, Any]]:
    mounts = {each.claim: each for each in options.data}
    return [
        {"key": each.name, "title": f"{each.name} ({_claim_size(each.size)})" if each.size else each.name,
         "mount": f"{schema.data_mount}/{each.name}", "note": each.note, "reason": each.reason, "disabled": bool(each.reason),
         "only_reads": each.only_reads, "checked": each.name in mounts,
         "read_only": each.name in mounts and mounts[each.name].read_only}
        for each in schema.claims
    ]  # fmt: skip


def _claim_size(text: str) -> str:
    try:
        return size_words(typed(text))
    except ValueError:
        return text


def _queue_bars(situation: Situation, schema: Schema, options: Options) -> list[dict[str, str]]:
    """What is left behind the chosen queue."""
    behind = next((each.cluster_queue for each in schema.queues if each.name == options.queue), "")
    found = situation.queues.get(behind) if options.queue else None
    return found.bars(options.queue) if found else []


_QUEUE_WORDS: Final = {"busy": "no room now", "never": "too small for these choices"}


def _queues(situation: Situation, schema: Schema, options: Options) -> list[dict[str, Any]]:
    none = [] if schema.queue_needed or not schema.queues else [
        {"key": "", "title": "None: start at once or not at all", "disabled": False, "checked": not options.queue}
    ]  # fmt: skip
    found = []
    for each in schema.queues:
        waiting = f", {each.waiting} waiting" if each.waiting is not None else ""
        behind = situation.queues.get(each.cluster_queue)
        level = behind.judge(options)[0] if behind and not each.reason else ""
        words = each.reason or _QUEUE_WORDS.get(level, "")
        disabled = (bool(each.reason) or level == "never") and each.name != options.queue
        found.append({"key": each.name, "title": f"{each.name}{waiting}" + (f": {words}" if words else ""),
                      "disabled": disabled, "checked": each.name == options.queue})  # fmt: skip
    return [*none, *found]


def _pairs(choices: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for key, value in choices.items():
        if key == "namespace":
            continue  # a link is for others too, and their profile is not mine
        found += [(key, str(each)) for each in value] if isinstance(value, list) else [(key, str(value))]
    return [(key, text) for key, text in found if text]


def _code(user: str, choices: Mapping[str, Any]) -> str:
    """The same start through JupyterHub's REST interface; the token and the address are the reader's own."""
    body = json.dumps(choices, indent=4, ensure_ascii=True).replace("\n", "\n    ")
    return (
        "import json, os, urllib.parse, urllib.request\n\n"
        'hub = os.environ["JUPYTERHUB_API_URL"]  # such as https://hub.example/hub/api\n'
        f'user = urllib.parse.quote({json.dumps(user)}, safe="")\n'
        "request = urllib.request.Request(\n"
        '    f"{hub}/users/{user}/server",\n'
        f"    json.dumps({body}).encode(),\n"
        '    {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]},\n'
        ")\n"
        "urllib.request.urlopen(request)\n"
    )
