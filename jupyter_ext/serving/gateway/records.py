"""What is recorded of the traffic: the shapes of it, and the tables that keep it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from jupyter_ext.serving.gateway.histogram import Histogram

MIGRATIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        "windows, the log of requests, outcomes",
        """
        CREATE TABLE windows (
            uid TEXT, seconds INTEGER, start INTEGER, variant TEXT,
            requests INTEGER NOT NULL, errors INTEGER NOT NULL, rejected INTEGER NOT NULL,
            in_flight INTEGER NOT NULL, bytes_in INTEGER NOT NULL, bytes_out INTEGER NOT NULL,
            same INTEGER NOT NULL, different INTEGER NOT NULL, latency BLOB NOT NULL,
            PRIMARY KEY (uid, seconds, start, variant)
        ) WITHOUT ROWID;
        CREATE TABLE activity (uid TEXT PRIMARY KEY, last REAL NOT NULL) WITHOUT ROWID;
        CREATE TABLE wanted (uid TEXT, variant TEXT, time REAL NOT NULL, PRIMARY KEY (uid, variant)) WITHOUT ROWID;
        CREATE TABLE requests (
            number INTEGER PRIMARY KEY AUTOINCREMENT, uid TEXT NOT NULL, id TEXT NOT NULL, time REAL NOT NULL,
            variant TEXT NOT NULL, path TEXT NOT NULL, status INTEGER NOT NULL, seconds REAL NOT NULL,
            unit TEXT, error TEXT, request BLOB, response BLOB
        );
        CREATE INDEX requests_of ON requests (uid, number);
        CREATE INDEX requests_id ON requests (uid, id);
        -- Ids that senders chose. Those that the gateway makes say themselves what is here.
        CREATE TABLE served (
            uid TEXT, id TEXT, variant TEXT NOT NULL, unit TEXT, time REAL NOT NULL, PRIMARY KEY (uid, id)
        ) WITHOUT ROWID;
        CREATE INDEX served_age ON served (time);
        CREATE TABLE outcomes (
            uid TEXT, request TEXT, name TEXT, variant TEXT NOT NULL, unit TEXT NOT NULL,
            value REAL NOT NULL, time REAL NOT NULL, PRIMARY KEY (uid, request, name)
        ) WITHOUT ROWID;
        CREATE INDEX outcomes_of ON outcomes (uid, name, time);
        """,
    ),
)


class Window(NamedTuple):
    """What went through a variant from ``start`` (seconds since the epoch) for ``seconds``.

    ``errors`` are answers of 500 and above and lost ones, ``rejected`` those from 400 to 499; ``requests`` has both.
    ``in_flight`` is the most at once. ``same`` and ``different`` count mirrored answers beside the user's.
    """

    start: float
    seconds: float
    variant: str
    requests: int
    errors: int
    rejected: int
    latency: Histogram
    in_flight: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    same: int = 0
    different: int = 0


class Logged(NamedTuple):
    """A request that was logged; bodies only where the endpoint keeps them."""

    id: str
    time: float
    variant: str
    path: str
    status: int
    seconds: float
    sticky_key_digest: str | None
    request: bytes | None
    response: bytes | None
    error: str | None


class Outcome(NamedTuple):
    """What came of a request. ``unit`` is whom the split follows: the sticky key's digest, else the request's id."""

    variant: str
    unit: str
    value: float
    time: float
    name: str
    request: str


@dataclass(slots=True)
class Counts:
    """What is counted within one second, for one variant."""

    requests: int = 0
    errors: int = 0
    rejected: int = 0
    in_flight: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    same: int = 0
    different: int = 0
    latency: Histogram = field(default_factory=Histogram)

    def merge(self, other: Counts) -> None:
        """Add another's counts; of what is in flight the greater stays."""
        self.requests += other.requests
        self.errors += other.errors
        self.rejected += other.rejected
        self.in_flight = max(self.in_flight, other.in_flight)
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out
        self.same += other.same
        self.different += other.different
        self.latency.merge(other.latency)


@dataclass
class Batch:
    """What the gateway writes at once."""

    counts: dict[tuple[str, int, str], Counts] = field(default_factory=dict)
    """By UID, second and variant."""
    active: dict[str, float] = field(default_factory=dict)
    """When each endpoint was last asked something by a user."""
    logged: list[tuple[str, Logged]] = field(default_factory=list)
    served: list[tuple[str, str, str, str | None, float]] = field(default_factory=list)
    """UID, id, variant, unit and time of requests whose sender chose the id."""
    keep: dict[str, int] = field(default_factory=dict)
    """How many logged requests of each endpoint are kept."""


def make_id(random: str, variant: str, unit: str | None) -> str:
    """The id that the gateway gives a request.

    It says which variant answered, so that nothing has to be kept for feedback to find it.
    """
    return f"{random}.{unit or ''}.{variant}"


def read_id(id: str) -> tuple[str, str | None] | None:  # noqa: A002
    """Variant and unit of a request, from an id that the gateway made; None for any other."""
    random, _, rest = id.partition(".")
    unit, dot, variant = rest.partition(".")
    good = len(random) == 16 and len(unit) in {0, 16} and dot and 0 < len(variant) <= 63
    if not good or not _HEX.issuperset(random) or not _HEX.issuperset(unit):
        return None
    return variant, unit or None


_HEX: Final = frozenset("0123456789abcdef")
