"""What can be chosen: images, sizes, volumes, PodDefaults, queues, and what they cost; each read from a plain dict."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_DOWN, Decimal
from fnmatch import fnmatchcase
from typing import Any, Final

from spawner.form.accelerators import Accelerator
from spawner.form.configuration import ConfigError, Reader
from spawner.quantities import number, size_words, stored, typed, words

# github.com/distribution/reference: [host[:port]/]path[:tag][@digest], bounded. No two forms that mean the same.
IMAGE: Final = re.compile(
    r"(?=.{1,400}\Z)(?:(?:[A-Za-z0-9](?:[-A-Za-z0-9]{0,62})(?:\.[A-Za-z0-9][-A-Za-z0-9]{0,62}){0,9})(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*){0,9}"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?",
    re.ASCII,
)
RESOURCE: Final = re.compile(
    r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?", re.ASCII
)
PATH: Final = re.compile(r"(?:/[A-Za-z0-9_][-A-Za-z0-9_.]{0,99}){1,8}", re.ASCII)
# Labels by which other software finds, exempts or addresses pods: nobody puts these on a pod by choosing a PodDefault.
_TAKEN_DOMAINS: Final = (
    "kubernetes.io",
    "k8s.io",
    "jupyter.org",
    "istio.io",
    "kueue.x-k8s.io",
    "poddefault.admission.kubeflow.org",
)
_MOST_MADE: Final = 200
_TAKEN: Final = frozenset({"app", "component", "statefulset", "notebook-name", "heritage", "release"})


@dataclass(frozen=True)
class Image:
    """``contains`` is what a person looks for in it; ``prepulled`` is None when nobody knows."""

    key: str
    reference: str
    title: str
    description: str = ""
    contains: tuple[str, ...] = ()
    prepulled: bool | None = None
    vendors: tuple[str, ...] = ()
    is_default: bool = False

    @classmethod
    def read(cls, reader: Reader) -> Image:
        """One entry of ``images``."""
        key = reader.key()
        prepulled = reader.take("prepulled")
        if prepulled is not None and not isinstance(prepulled, bool):
            raise reader.fail("prepulled", "must be True, False or None (unknown)")
        return cls(
            key, reader.matching("reference", IMAGE, "an image reference"), reader.text("title", key),
            reader.text("description", "", 2000), reader.texts("contains"), prepulled, reader.texts("vendors"),
            reader.flag("default"),
        )  # fmt: skip


@dataclass(frozen=True)
class Size:
    """CPU and memory of a server. ``idle_minutes``: None takes the Hub's rule, 0 is never stopped when idle."""

    key: str
    title: str
    cpu: str
    memory: str
    cpu_limit: str = ""
    memory_limit: str = ""
    description: str = ""
    node_selector: tuple[tuple[str, str], ...] = ()
    tolerations: tuple[tuple[tuple[str, str], ...], ...] = ()
    idle_minutes: int | None = None
    is_default: bool = False

    @classmethod
    def read(cls, reader: Reader) -> Size:
        """One entry of ``sizes``; a limit that is not given equals the request, ``cpu_limit: "none"`` has none."""
        key, cpu, memory = reader.key(), reader.quantity("cpu"), reader.quantity("memory")
        unlimited = reader.take("cpu_limit")
        limit = (
            ""
            if unlimited == "none"
            else Reader({"cpu_limit": unlimited}, reader.path).quantity("cpu_limit", cpu)
        )
        memory_limit = reader.quantity("memory_limit", memory)
        for name, least, most in (("cpu_limit", cpu, limit), ("memory_limit", memory, memory_limit)):
            if most and typed(most) < typed(least):
                raise reader.fail(name, f"{most} is less than what is asked for, {least}")
        return cls(
            key, reader.text("title", key), cpu, memory, limit, memory_limit, reader.text("description", ""),
            reader.labels("node_selector"), reader.tolerations("tolerations"), reader.whole("idle_minutes"),
            reader.flag("default"),
        )  # fmt: skip

    @property
    def words(self) -> str:
        """``2 CPU, 4 GiB``."""
        return f"{words('cpu', typed(self.cpu))}, {size_words(typed(self.memory))}"


@dataclass(frozen=True)
class Range:
    """A size that the user types: the bounds of CPU and memory."""

    least_cpu: str
    most_cpu: str
    least_memory: str
    most_memory: str

    @classmethod
    def read(cls, reader: Reader) -> Range:
        """``size_other``."""
        found = cls(
            reader.quantity("least_cpu", "100m"), reader.quantity("most_cpu"),
            reader.quantity("least_memory", "256Mi"), reader.quantity("most_memory"),
        )  # fmt: skip
        for key, least, most in (
            ("most_cpu", found.least_cpu, found.most_cpu),
            ("most_memory", found.least_memory, found.most_memory),
        ):
            if typed(most) < typed(least):
                raise reader.fail(key, f"{most} is less than the least, {least}")
        return found


@dataclass(frozen=True)
class Unlisted:
    """An image that the user types: what all of its text must match, and the sentence that says so."""

    pattern: re.Pattern[str]
    help: str = ""

    @classmethod
    def read(cls, reader: Reader) -> Unlisted:
        """``image_other``."""
        try:
            pattern = re.compile(reader.text("pattern"), re.ASCII)
        except re.error as error:
            raise reader.fail("pattern", f"is not a regular expression: {error}") from error
        return cls(pattern, reader.text("help", ""))


@dataclass(frozen=True)
class Home:
    """The volume that stays when the server stops.

    ``claim_size`` is what it has already, empty while there is none; ``fixed`` says why it cannot grow, empty when it can.
    """

    mount: str = "/home/jovyan"
    size: str = "10Gi"
    sizes: tuple[str, ...] = ("10Gi",)
    storage_class: str = ""
    optional: bool = True
    claim_size: str = ""
    fixed: str = ""

    @property
    def larger(self) -> tuple[str, ...]:
        """The sizes to which what is there can grow."""
        if not self.claim_size or self.fixed:
            return ()
        now = stored(self.claim_size)
        return tuple(sorted((each for each in self.sizes if typed(each) > now), key=typed))

    @property
    def growth(self) -> Decimal:
        """By how many bytes the volume that is there has to grow to what was chosen."""
        return max(Decimal(0), stored(self.size) - stored(self.claim_size)) if self.claim_size else Decimal(0)

    @classmethod
    def read(cls, reader: Reader) -> Home:
        """``home``: ``size`` is the default, ``sizes`` what may be chosen."""
        size = reader.quantity("size", "10Gi")
        sizes = reader.texts("sizes") or (size,)
        for index, each in enumerate(sizes):
            try:
                typed(each)
            except ValueError as error:
                raise ConfigError(f"{reader.path}.sizes[{index}]: {error}, not {each!r}") from error
        if size not in sizes:
            raise reader.fail("size", f"{size!r} is not among sizes")
        return cls(
            reader.matching("mount", PATH, "an absolute path", "/home/jovyan"), size, sizes,
            reader.text("storage_class", ""), reader.flag("optional", default=True),
        )  # fmt: skip


@dataclass(frozen=True)
class Claim:
    """A PersistentVolumeClaim of the profile that can be mounted as data. ``reason`` says why not."""

    name: str
    size: str = ""
    modes: tuple[str, ...] = ()
    note: str = ""
    reason: str = ""

    @property
    def only_reads(self) -> bool:
        """Whether the volume cannot be written from a pod at all."""
        return bool(self.modes) and set(self.modes) == {"ReadOnlyMany"}


@dataclass(frozen=True)
class DataMount:
    """A chosen data volume; the path is ours, not the user's."""

    claim: str
    mount: str
    read_only: bool = False


@dataclass(frozen=True)
class PodDefaultChoice:
    """A PodDefault of the profile: choosing it puts its labels on the pod, and the webhook does the rest.

    ``makes`` is what it adds to the pod, each thing with a text that differs where two of them contradict.
    """

    name: str
    title: str
    labels: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    makes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> PodDefaultChoice:
        """From the resource. What cannot be chosen says why."""
        name = str((resource.get("metadata") or {}).get("name", ""))
        spec = resource.get("spec") or {}
        selector = spec.get("selector") or {}
        labels = {str(key): str(value) for key, value in (selector.get("matchLabels") or {}).items()}
        reason = ""
        for rule in selector.get("matchExpressions") or ():
            if rule.get("operator") == "Exists":
                labels.setdefault(str(rule.get("key", "")), "true")
            elif rule.get("operator") == "In" and rule.get("values"):
                labels.setdefault(str(rule.get("key", "")), str(rule["values"][0]))
        taken = next((key for key in labels if _is_taken(key)), "")
        if taken:
            reason = f"It asks for the label {taken}, which is not for users to set."
        elif not labels:
            reason = "It applies to every pod of the profile by itself."
        labelled = tuple(sorted(labels.items()))
        return cls(name, str(spec.get("desc") or name)[:300], labelled, reason, tuple(_made(spec)))

    @property
    def is_always(self) -> bool:
        """Whether it applies to every pod of the profile."""
        return not self.labels


def _made(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What upstream's webhook merges by name, and refuses where two of one name are not the same."""
    kinds = (
        ("env", "name", "the environment variable"),
        ("volumes", "name", "the volume"),
        ("volumeMounts", "name", "the mount of the volume"),
        ("volumeMounts", "mountPath", "the mount at"),
    )
    for kind, key, words_of in kinds:
        for each in list(spec.get(kind) or ())[:_MOST_MADE]:
            if isinstance(each, Mapping) and each.get(key):
                yield f"{words_of} {str(each[key])[:200]}", json.dumps(each, sort_keys=True, default=str)


def _is_taken(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    return key in _TAKEN or any(domain == each or domain.endswith(f".{each}") for each in _TAKEN_DOMAINS)


@dataclass(frozen=True)
class Queue:
    """A Kueue LocalQueue of the profile. ``waiting`` and ``admitted`` count workloads; None when it does not say."""

    name: str
    cluster_queue: str = ""
    waiting: int | None = None
    admitted: int | None = None
    is_default: bool = False
    reason: str = ""

    @classmethod
    def of(cls, resource: Mapping[str, Any]) -> Queue:
        """From the resource."""
        spec, status = resource.get("spec") or {}, resource.get("status") or {}
        stopped = str(spec.get("stopPolicy") or "None") != "None"
        return cls(
            str((resource.get("metadata") or {}).get("name", "")), str(spec.get("clusterQueue", "")),
            status.get("pendingWorkloads"), status.get("admittedWorkloads"),
            reason="This queue is stopped." if stopped else "",
        )  # fmt: skip


@dataclass(frozen=True)
class Prices:
    """Money per hour: of one CPU, of one GiB, and of one accelerator by key, product or resource."""

    currency: str = ""
    cpu: Decimal = Decimal(0)
    memory: Decimal = Decimal(0)
    accelerators: Mapping[str, Decimal] = field(default_factory=dict)

    @classmethod
    def read(cls, reader: Reader) -> Prices:
        """``prices``."""
        currency = reader.text("currency", longest=10)
        cpu, memory = reader.price("cpu"), reader.price("memory")
        kinds = reader.take("accelerators") or {}
        part = Reader(kinds, f"{reader.path}.accelerators")
        listed = {key: part.price(key) for key in list(kinds)}
        return cls(
            currency,
            cpu or Decimal(0),
            memory or Decimal(0),
            {k: v for k, v in listed.items() if v is not None},
        )

    def of_accelerator(self, accelerator: Accelerator) -> Decimal | None:
        """Of one device an hour; None when nobody set it."""
        names = (accelerator.key, accelerator.product, accelerator.resource)
        return next((self.accelerators[name] for name in names if name in self.accelerators), None)

    def words(self, amount: Decimal) -> str:
        """``about 2.35 € an hour``."""
        shown = f"{amount.quantize(Decimal('0.01'), ROUND_DOWN)}" if amount >= 1 else number(amount, 3)
        return f"about {shown} {self.currency} an hour"


@dataclass(frozen=True)
class AcceleratorRule:
    """How discovered accelerators are offered: matched by key with ``*`` and ``?``; the first rule that fits."""

    match: str
    title: str = ""
    most: int | None = None
    hidden: bool = False
    idle_minutes: int | None = None

    def apply(self, accelerator: Accelerator) -> Accelerator | None:
        """The accelerator as it is offered; None when it is not."""
        if self.hidden:
            return None
        counts = tuple(n for n in accelerator.counts if self.most is None or n <= self.most)
        return replace(
            accelerator,
            title=self.title or accelerator.title,
            counts=counts or accelerator.counts[:1],
            idle_minutes=self.idle_minutes,
            reason=accelerator.reason
            if counts
            else "It is given out only as a whole, which is more than is allowed here.",
        )


def read_accelerator(reader: Reader) -> Accelerator | AcceleratorRule:
    """One entry of ``accelerators``: with ``match`` a rule for discovered ones, with ``resource`` a kind of its own."""
    match = reader.text("match", "")
    if match:
        return AcceleratorRule(
            match, reader.text("title", ""), reader.whole("most", least=1, most=1024), reader.flag("hidden"),
            reader.whole("idle_minutes"),
        )  # fmt: skip
    key, resource = (
        reader.key(),
        reader.matching("resource", RESOURCE, "an extended resource such as nvidia.com/gpu"),
    )
    if resource.partition("/")[0].endswith("kubernetes.io"):
        raise reader.fail("resource", f"{resource!r} is Kubernetes' own, not an accelerator")
    counts = reader.take("counts") or (1,)
    if not isinstance(counts, list | tuple) or not all(type(n) is int and 0 < n <= 1024 for n in counts):
        raise reader.fail("counts", "must be a list of whole numbers from 1 to 1024")
    memory = reader.quantity("memory", "0")
    return Accelerator(
        key, reader.text("title", key), resource, reader.text("vendor", ""), reader.text("product", ""),
        int(typed(memory)), note=reader.text("note", ""), node_selector=reader.labels("node_selector"),
        tolerations=reader.tolerations("tolerations"), counts=tuple(sorted(set(counts))),
        idle_minutes=reader.whole("idle_minutes"),
    )  # fmt: skip


def ruled(found: list[Accelerator], rules: tuple[AcceleratorRule, ...]) -> tuple[Accelerator, ...]:
    """Discovered accelerators as the administrator wants them offered."""
    offered = []
    for each in found:
        rule = next((rule for rule in rules if fnmatchcase(each.key, rule.match)), None)
        kept = rule.apply(each) if rule else each
        if kept:
            offered.append(kept)
    return tuple(offered)
