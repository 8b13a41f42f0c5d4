"""Each choice of the form with what is left, what fits now, what it costs, and why it cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from spawner.form import quota
from spawner.form.accelerators import Accelerator
from spawner.form.capacity import ENOUGH, Demand, Fleet, Room
from spawner.form.choices import Size
from spawner.form.kueue import Quota
from spawner.form.options import Options
from spawner.form.schema import Schema
from spawner.quantities import number, stored, typed
from spawner.refused import Refused

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Verdict:
    """``level``: fits, busy, quota, never, or unknown where nobody can say. ``text`` is shown in either case."""

    level: str = "unknown"
    text: str = ""
    reason: str = ""
    disabled: bool = False


@dataclass
class Situation:
    """What a profile can draw on at this moment; ``fleet`` is None where nodes may not be read."""

    fleet: Fleet | None = None
    quotas: Sequence[quota.Left] = ()
    limit_ranges: Sequence[Json] = ()
    free_devices: Mapping[str, int] = field(default_factory=dict)
    new_home: bool = True
    queues: Mapping[str, Quota] = field(default_factory=dict)

    def judge(self, schema: Schema, options: Options) -> Verdict:
        """One whole answer."""
        short = quota.shortage(
            self.quotas, options, new_home=self.new_home and not (options.home and options.home.claim_size)
        )
        short = short or quota.ranges(self.limit_ranges, options)
        if short:
            return Verdict("quota", "", short, disabled=True)
        level, waits = self._queue(schema, options)
        if level == "never":
            return Verdict("never", "", waits, disabled=True)
        room = self._room(options)
        if waits and (room is None or room.level != "never"):
            return Verdict("busy", "", waits)
        if room is None:
            return Verdict()
        refused = room.level == "never" or (
            room.level == "busy" and schema.when_busy == "refuse" and not options.queue
        )
        return Verdict(room.level, _words(room, options), room.reason, disabled=refused)

    def _queue(self, schema: Schema, options: Options) -> tuple[str, str]:
        """What the quota behind the chosen queue says: the level, and the sentence where there is no room."""
        behind = next((each.cluster_queue for each in schema.queues if each.name == options.queue), "")
        found = self.queues.get(behind) if options.queue else None
        return found.judge(options) if found else ("unknown", "")

    def _room(self, options: Options) -> Room | None:
        claim = options.claim
        if claim:
            free = self.free_devices.get(claim["device_class"])
            if free is not None and free < options.count:
                reason = f"{free} devices of this class are free; {options.count} are asked for."
                return Room("busy", free=free, reason=reason)
        if self.fleet is None:
            return None
        demand = Demand.of(options.requests(), options.node_selector, options.tolerations, options.without)
        device = options.accelerator.resource if options.accelerator and not claim else ""
        return self.fleet.room(demand, device, options.namespace)


def recheck(situation: Situation, schema: Schema, options: Options) -> None:
    """Once more at the moment of the start. Raises Refused (409) for what cannot be had."""
    verdict = situation.judge(schema, options)
    if verdict.disabled:
        name = "accelerator" if options.accelerator else "size"
        hint = "Choose a smaller one, or stop a server of yours." if verdict.level == "quota" else (
            "Choose another, or try again later." if verdict.level == "busy" else "Choose another.")  # fmt: skip
        raise Refused(409, f"{options.words()} cannot be had now. {verdict.reason}", hint=hint, field=name)


def sizes(situation: Situation, schema: Schema, options: Options) -> dict[str, Verdict]:
    """Each size, with the accelerator as chosen; disabled only when it cannot be had with any."""
    found = {}
    for size in schema.sizes:
        mine = schema.placed(options, size, options.accelerator, options.count)
        verdict = situation.judge(schema, mine)
        if verdict.disabled and options.accelerator:
            alone = situation.judge(schema, schema.placed(options, size, None, 0))
            if not alone.disabled:
                verdict = replace(
                    verdict, disabled=False, reason=f"Not with {options.accelerator.title}: {verdict.reason}"
                )
        found[size.key] = verdict
    return found


def accelerators(situation: Situation, schema: Schema, options: Options) -> dict[str, Verdict]:
    """Each accelerator in its least number, with the size as chosen; disabled only when no size can have it."""
    least = min(schema.sizes, key=lambda each: (typed(each.memory), typed(each.cpu)))
    found = {}
    for each in schema.accelerators:
        if each.reason:
            found[each.key] = Verdict("never", "", each.reason, disabled=True)
            continue
        verdict = situation.judge(schema, schema.placed(options, options.size, each, each.counts[0]))
        if verdict.disabled and options.size.key != least.key:
            small = situation.judge(schema, schema.placed(options, least, each, each.counts[0]))
            if not small.disabled:
                verdict = replace(
                    small, level="busy", reason=f"Not with the size {options.size.title}: {verdict.reason}"
                )
            else:
                verdict = small
        left = quota.left_of(situation.quotas, each.resource)
        rest = f"{number(left)} left in your quota" if left is not None else ""
        found[each.key] = replace(verdict, text=", ".join(filter(None, (verdict.text, rest))))
    return found


def counts(situation: Situation, schema: Schema, options: Options) -> dict[str, Verdict]:
    """Each number of the chosen accelerator."""
    chosen = options.accelerator
    if chosen is None:
        return {}
    return {
        str(n): situation.judge(schema, schema.placed(options, options.size, chosen, n))
        for n in chosen.counts
    }


def images(schema: Schema, options: Options) -> dict[str, Verdict]:
    """Each image, with the accelerator as chosen."""
    found = {}
    for image in schema.images:
        reason = ""
        if options.accelerator and image.vendors and options.accelerator.vendor not in image.vendors:
            reason = f"It is made for {' and '.join(image.vendors)}, not for {options.accelerator.title}."
        found[image.key] = Verdict("unknown", "", reason)
    return found


def price(schema: Schema, options: Options) -> str:
    """What an hour costs, in words; empty where no price is set."""
    prices = schema.prices
    if prices is None:
        return ""
    amount = prices.cpu * stored(options.size.cpu) + prices.memory * stored(options.size.memory) / 2**30
    if options.accelerator:
        one = prices.of_accelerator(options.accelerator)
        if one is None:
            return (
                f"{prices.words(amount)}, without the accelerator, whose price is not set" if amount else ""
            )
        amount += one * options.count
    return prices.words(amount) if amount else ""


def accelerator_price(schema: Schema, accelerator: Accelerator) -> str:
    """What one device costs an hour; empty where it is not set."""
    one = schema.prices.of_accelerator(accelerator) if schema.prices else None
    return schema.prices.words(one) if schema.prices and one is not None else ""


def size_price(schema: Schema, size: Size) -> str:
    """What CPU and memory of a size cost an hour."""
    if schema.prices is None:
        return ""
    amount: Decimal = (
        schema.prices.cpu * stored(size.cpu) + schema.prices.memory * stored(size.memory) / 2**30
    )
    return schema.prices.words(amount) if amount else ""


def _words(room: Room, options: Options) -> str:
    """``3 of 24 free; fits now on 2 nodes (a2-highgpu-1g)``."""
    parts = []
    if options.accelerator and room.total:
        parts.append(f"{room.free} of {room.total} free")
    if room.servers:
        where = f" ({', '.join(room.on)})" if room.on else ""
        if room.servers >= ENOUGH:
            parts.append(f"room for {ENOUGH} or more now{where}")
        else:
            parts.append(
                f"room for {room.servers} now on {room.nodes} {'node' if room.nodes == 1 else 'nodes'}{where}"
            )
    return ", ".join(parts)
