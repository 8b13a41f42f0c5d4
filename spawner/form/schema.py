"""The one schema of the start form: what is offered, what an answer must look like, and what it means for the pod.

The form is drawn from it, answers are checked by it, the documentation is written from it. What a user sends is
hostile typed input: it is only ever compared with what is listed, matched whole, or parsed as a quantity.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from spawner.form import answers
from spawner.form.accelerators import Accelerator
from spawner.form.answers import FIELDS, refused, shown
from spawner.form.choices import (
    IMAGE,
    AcceleratorRule,
    Claim,
    DataMount,
    Home,
    Image,
    PodDefaultChoice,
    Prices,
    Queue,
    Range,
    Size,
    Unlisted,
    ruled,
)
from spawner.form.options import SHARED, Options
from spawner.quantities import memory, size_words, stored, typed, written
from spawner.refused import Refused

_NAMESPACE: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Schema:
    """All that is offered to one user in one profile. Frozen: every form and every check sees the same."""

    images: tuple[Image, ...]
    sizes: tuple[Size, ...]
    image_other: Unlisted | None = None
    size_other: Range | None = None
    accelerators: tuple[Accelerator, ...] = ()
    rules: tuple[AcceleratorRule, ...] = ()
    home: Home | None = field(default_factory=Home)
    data_mount: str = "/data"
    claims: tuple[Claim, ...] = ()
    pod_defaults: tuple[PodDefaultChoice, ...] = ()
    queues: tuple[Queue, ...] = ()
    queue_needed: bool = False
    sharing: bool = False
    prices: Prices | None = None
    profiles: tuple[str, ...] = ()
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[tuple[tuple[str, str], ...], ...] = ()
    when_busy: str = "refuse"

    def extended(
        self,
        *,
        profiles: Sequence[str] = (),
        accelerators: Iterable[Accelerator] = (),
        pod_defaults: Iterable[PodDefaultChoice] = (),
        claims: Iterable[Claim] = (),
        queues: Iterable[Queue] = (),
        home: Home | None = None,
    ) -> Schema:
        """With what the cluster adds for one profile; the administrator's own accelerators stay first."""
        own = {each.key for each in self.accelerators}
        found = ruled([each for each in accelerators if each.key not in own], self.rules)
        return replace(
            self, profiles=tuple(profiles), accelerators=(*self.accelerators, *found),
            pod_defaults=tuple(pod_defaults), claims=tuple(claims), queues=tuple(queues), home=home or self.home,
        )  # fmt: skip

    # What is chosen when nothing is

    @property
    def default_image(self) -> Image:
        """The one marked as default, or the first."""
        return next((each for each in self.images if each.is_default), self.images[0])

    @property
    def default_size(self) -> Size:
        """The one marked as default, or the first."""
        return next((each for each in self.sizes if each.is_default), self.sizes[0])

    @property
    def default_queue(self) -> str:
        """None where a server may start without; else the one marked, or the first that is open."""
        open_ones = [each for each in self.queues if not each.reason]
        marked = next((each.name for each in open_ones if each.is_default), "")
        return marked or (open_ones[0].name if self.queue_needed and open_ones else "")

    # Answers

    def check(self, user_options: object, *, also: Iterable[str] = ()) -> Options:
        """The typed answer. Keys in ``also`` are others' and not read. Raises Refused (400) naming the field."""
        answer = answers.read(user_options, frozenset(also))
        accelerator, count = self._accelerator(answer)
        image = self._image(answer, accelerator)
        size = self._size(answer)
        clash = dict(self.node_selector) | dict(size.node_selector)
        if accelerator and any(clash.get(key, value) != value for key, value in accelerator.node_selector):
            raise refused(
                "accelerator", f"{accelerator.title} is not on the machines of the size {size.title}"
            )
        plain = Options(
            self._namespace(answer),
            image,
            size,
            home=self._home(answer),
            data=self._data(answer),
            pod_defaults=self._pod_defaults(answer),
            queue=self._queue(answer),
            shared=self._shared(answer),
        )
        return self.placed(plain, size, accelerator, count)

    def placed(self, options: Options, size: Size, accelerator: Accelerator | None, count: int) -> Options:
        """The same answer with another size and accelerator, and the nodes that this means."""
        selector = dict(self.node_selector) | dict(size.node_selector)
        tolerations = (*self.tolerations, *size.tolerations)
        if accelerator:
            selector |= dict(accelerator.node_selector)
            tolerations = (*tolerations, *accelerator.tolerations)
        return replace(
            options,
            size=size,
            accelerator=accelerator,
            count=count,
            node_selector=selector,
            without=accelerator.without if accelerator else (),
            tolerations=tuple(dict.fromkeys(tolerations)),
        )

    def recall(self, before: object, *, also: Iterable[str] = ()) -> tuple[dict[str, Any], list[str]]:
        """What was chosen before, as far as it still stands, and a sentence for each choice that does not."""
        kept: dict[str, Any] = {"namespace": self.profiles[0]} if self.profiles else {}
        said: list[str] = []
        if not isinstance(before, Mapping):
            return self.check(kept).to_json(), said
        for group in _GROUPS:
            part = {key: before[key] for key in group if key in before and key not in also}
            if not part:
                continue
            try:
                self.check({**kept, **part})
            except Refused as refused:
                said.append(f"{refused.message.rstrip('.')}. The default is chosen instead.")
            else:
                kept |= part
        return self.check(kept).to_json(), said

    def _namespace(self, answer: Mapping[str, Any]) -> str:
        name = str(answer.get("namespace", "") or (self.profiles[0] if len(self.profiles) == 1 else ""))
        if not self.profiles and not name:
            return ""
        if not name:
            raise refused("namespace", f"Choose one of your {len(self.profiles)} profiles")
        if not _NAMESPACE.fullmatch(name) or name not in self.profiles:
            raise refused("namespace", f"{shown(name)} is not one of your profiles")
        return name

    def _image(self, answer: Mapping[str, Any], accelerator: Accelerator | None) -> Image:
        key, other = answer.get("image", self.default_image.key), answer.get("image_other", "")
        if key == "other" and self.image_other:
            if not other:
                raise refused("image_other", "Write which image", self.image_other.help)
            if not self.image_other.pattern.fullmatch(other) or not IMAGE.fullmatch(other):
                hint = self.image_other.help or "Write it as host/name:tag."
                raise refused("image_other", f"{shown(other)} is not an image that is allowed here", hint)
            return Image("other", other, other)
        if other:
            raise refused("image_other", "An image of your own needs the choice 'other'" if self.image_other else
                           "Only the listed images can be started here")  # fmt: skip
        image = next((each for each in self.images if each.key == key), None)
        if image is None:
            raise refused("image", f"{shown(key)} is not one of the images", _one_of(self.images))
        if accelerator and image.vendors and accelerator.vendor not in image.vendors:
            raise refused("image", f"{image.title} is made for {' and '.join(image.vendors)}, not for {accelerator.title}",
                           "Choose another image or another accelerator.")  # fmt: skip
        return image

    def _size(self, answer: Mapping[str, Any]) -> Size:
        key = answer.get("size", self.default_size.key)
        if key == "other" and self.size_other:
            least, most = self.size_other.least_cpu, self.size_other.most_cpu
            cpu = written(_between("cpu", answer.get("cpu", ""), least, most))
            least, most = self.size_other.least_memory, self.size_other.most_memory
            asked = memory(_between("memory", answer.get("memory", ""), least, most))
            return Size("other", "Own size", cpu, asked, cpu, asked)
        for name in ("cpu", "memory"):
            if answer.get(name):
                raise refused(name, f"The size {shown(key)} has its own {name}", "Leave the field empty.")
        size = next((each for each in self.sizes if each.key == key), None)
        if size is None:
            raise refused("size", f"{shown(key)} is not one of the sizes", _one_of(self.sizes))
        return size

    def _accelerator(self, answer: Mapping[str, Any]) -> tuple[Accelerator | None, int]:
        key, asked = answer.get("accelerator", "none"), answer.get("count", "")
        if asked and not re.fullmatch(r"[0-9]{1,4}", asked, re.ASCII):
            raise refused("count", f"{shown(asked)} is not a whole number of accelerators")
        if key in {"none", ""}:
            if asked and int(asked) > 1:
                raise refused(
                    "count", f"{int(asked)} accelerators of which kind?", "Choose an accelerator, or none."
                )
            return None, 0
        found = next((each for each in self.accelerators if each.key == key), None)
        if found is None:
            raise refused(
                "accelerator", f"{shown(key)} is not one of the accelerators", _one_of(self.accelerators)
            )
        if found.reason:
            raise refused("accelerator", f"{found.title}: {found.reason}")
        count = int(asked) if asked else found.counts[0]
        if count not in found.counts:
            numbers = ", ".join(map(str, found.counts))
            raise refused("count", f"{found.title} can be had in these numbers: {numbers}; not {count}")
        return found, count

    def _home(self, answer: Mapping[str, Any]) -> Home | None:
        choice, size = answer.get("home", "keep" if self.home else "none"), answer.get("home_size", "")
        if choice not in {"keep", "none"} or (choice == "keep" and not self.home):
            raise refused("home", f"{shown(choice)} cannot be chosen here", "It is 'keep' or 'none'.")
        if choice == "none" and self.home and not self.home.optional:
            raise refused("home", "A server here always keeps its home folder")
        if not self.home:
            return None
        if size and size not in (*self.home.sizes, self.home.claim_size):
            raise refused(
                "home_size",
                f"{shown(size)} is not one of the sizes",
                f"It is one of {', '.join(self.home.sizes)}.",
            )
        if choice == "none":
            return None
        return replace(self.home, size=self._home_size(self.home, size))

    def _home_size(self, home: Home, asked: str) -> str:
        """What is there stays, or grows where it can; a smaller size is none to be had, and changes nothing."""
        if not home.claim_size:
            return asked or home.size
        if asked in home.larger:
            return asked
        if asked and stored(asked) > stored(home.claim_size):
            raise refused(
                "home_size",
                f"Your home folder has {size_words(stored(home.claim_size))} and cannot grow",
                home.fixed,
            )
        return home.claim_size

    def _data(self, answer: Mapping[str, Any]) -> tuple[DataMount, ...]:
        claims = {each.name: each for each in self.claims}
        chosen, reads = answer.get("data", []), answer.get("data_read_only", [])
        for name in chosen:
            if name not in claims:
                raise refused("data", f"{shown(name)} is not one of the data volumes of this profile")
            if claims[name].reason:
                raise refused("data", f"{name}: {claims[name].reason}")
        for name in reads:
            if name not in chosen:
                raise refused(
                    "data_read_only",
                    f"{shown(name)} is to be only read but is not chosen",
                    "Choose it under data.",
                )
        return tuple(
            DataMount(name, f"{self.data_mount}/{name}", name in reads or claims[name].only_reads)
            for name in chosen
        )

    def _pod_defaults(self, answer: Mapping[str, Any]) -> tuple[PodDefaultChoice, ...]:
        known = {each.name: each for each in self.pod_defaults}
        labels: dict[str, tuple[str, str]] = {}
        for name in answer.get("pod_defaults", []):
            if name not in known:
                raise refused("pod_defaults", f"{shown(name)} is not one of the PodDefaults of this profile")
            if known[name].reason:
                raise refused("pod_defaults", f"{name}: {known[name].reason}")
            for key, value in known[name].labels:
                other, had = labels.setdefault(key, (name, value))
                if had != value:
                    raise refused(
                        "pod_defaults",
                        f"{name} and {other} want different values of the label {key}",
                        "Choose one of them.",
                    )
        self._agree([known[name] for name in answer.get("pod_defaults", [])])
        return tuple(known[name] for name in answer.get("pod_defaults", []))

    def _agree(self, chosen: Sequence[PodDefaultChoice]) -> None:
        """Raises Refused for two that put different things of one name into the pod: the webhook refuses such a pod."""
        made: dict[str, tuple[str, str]] = {}
        for each in (*(one for one in self.pod_defaults if one.is_always), *chosen):
            for what, text in each.makes:
                other, had = made.setdefault(what, (each.name, text))
                if had != text and each in chosen:
                    hint = (
                        "Choose one of them."
                        if any(one.name == other for one in chosen)
                        else "Choose without it."
                    )
                    raise refused("pod_defaults", f"{other} and {each.name} set {what} differently", hint)

    def _queue(self, answer: Mapping[str, Any]) -> str:
        name = answer.get("queue", self.default_queue)
        if not name:
            if self.queue_needed:
                raise refused("queue", "A server of this profile starts through a queue", "Choose one.")
            return ""
        queue = next((each for each in self.queues if each.name == name), None)
        if queue is None:
            raise refused("queue", f"{shown(name)} is not one of the queues of this profile")
        if queue.reason:
            raise refused("queue", f"{name}: {queue.reason}")
        return queue.name

    def _shared(self, answer: Mapping[str, Any]) -> bool:
        choice = answer.get("shared", "")
        if choice not in {"", SHARED}:
            raise refused("shared", f"{shown(choice)} cannot be chosen", f"It is '{SHARED}' or empty.")
        if choice and not self.sharing:
            raise refused("shared", "Servers are not shared here", "Leave the field empty.")
        return bool(choice)

    def docs(self) -> str:
        """The fields and what they take, in Markdown."""
        rows = [f"| `{key}` | {text} | {self._takes(key)} |" for key, text in FIELDS.items()]
        return "\n".join(["| Field | What it is | What it takes |", "|---|---|---|", *rows]) + "\n"

    def _takes(self, key: str) -> str:
        bounds = self.size_other
        names: dict[str, Iterable[str]] = {
            "namespace": self.profiles or ("your profiles",),
            "image": [each.key for each in self.images] + (["other"] if self.image_other else []),
            "image_other": [self.image_other.pattern.pattern] if self.image_other else ["nothing here"],
            "size": [each.key for each in self.sizes] + (["other"] if bounds else []),
            "cpu": [f"{bounds.least_cpu} to {bounds.most_cpu}"] if bounds else ["nothing here"],
            "memory": [f"{bounds.least_memory} to {bounds.most_memory}"] if bounds else ["nothing here"],
            "accelerator": ["none", *(each.key for each in self.accelerators if not each.reason)],
            "count": sorted({str(n) for each in self.accelerators for n in each.counts}, key=int)
            or ["nothing here"],
            "home": ["keep", "none"]
            if self.home and self.home.optional
            else ["keep"]
            if self.home
            else ["none"],
            "home_size": self.home.sizes if self.home else ["nothing here"],
            "data": [each.name for each in self.claims] or ["volumes of the profile"],
            "data_read_only": ["a part of data"],
            "pod_defaults": [each.name for each in self.pod_defaults] or ["PodDefaults of the profile"],
            "queue": [each.name for each in self.queues] or ["queues of the profile"],
            "shared": [SHARED] if self.sharing else ["nothing here"],
        }
        return ", ".join(f"`{name}`" for name in names[key]).replace("|", "\\|")


# Fields that stand or fall together when an old answer is read again; later ones may depend on earlier ones.
_GROUPS: Final = (
    ("namespace",),
    ("size", "cpu", "memory"),
    ("accelerator", "count"),
    ("image", "image_other"),
    ("home", "home_size"),
    ("data", "data_read_only"),
    ("pod_defaults",),
    ("queue",),
    ("shared",),
)


def _one_of(choices: Sequence[Image | Size | Accelerator]) -> str:
    return f"It is one of {', '.join(each.key for each in choices[:8])}." if choices else ""


def _between(name: str, text: str, least: str, most: str) -> Any:
    try:
        amount = typed(text)
    except ValueError as error:
        raise refused(name, f"{shown(text)} {error}") from error
    if not typed(least) <= amount <= typed(most):
        raise refused(name, f"{shown(text)} is outside of {least} to {most}")
    return amount
