"""The tables of the store, as a list of migrations that only ever grows."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        "resources, events, small collections, workloads and leases",
        """
        CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        INSERT INTO counters VALUES ('resource_version', 0), ('tombstone_floor', 0);

        -- Light columns first: a summary is read without touching the pages of a large spec or status.
        CREATE TABLE resources (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            api_version TEXT NOT NULL, kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
            uid TEXT NOT NULL UNIQUE,
            resource_version INTEGER NOT NULL UNIQUE, created_version INTEGER NOT NULL,
            generation INTEGER NOT NULL, created TEXT NOT NULL, owner TEXT,
            phase TEXT NOT NULL, search TEXT NOT NULL,
            labels TEXT NOT NULL, annotations TEXT NOT NULL,
            summary TEXT, spec TEXT NOT NULL, status TEXT NOT NULL,
            UNIQUE (kind, namespace, name)
        );
        CREATE INDEX resources_newest ON resources (kind, namespace, id);
        CREATE INDEX resources_phase ON resources (kind, namespace, phase, id);

        -- The change log is resources.resource_version itself, and for what was deleted this table.
        CREATE TABLE tombstones (resource_version INTEGER PRIMARY KEY, kind TEXT NOT NULL, last TEXT NOT NULL);

        CREATE TABLE events (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, time TEXT NOT NULL,
            type TEXT NOT NULL, reason TEXT NOT NULL, message TEXT NOT NULL
        );
        CREATE INDEX events_of ON events (kind, namespace, name, id);

        CREATE TABLE entries (
            collection TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
            PRIMARY KEY (collection, key)
        );

        -- One row for each detached process that reconciles a resource, kept while the resource is.
        CREATE TABLE workloads (
            uid TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL,
            controller TEXT NOT NULL, lost TEXT, restart TEXT NOT NULL, max_restarts INTEGER NOT NULL,
            python TEXT NOT NULL, cwd TEXT NOT NULL, environment TEXT,
            token TEXT NOT NULL, claimed REAL NOT NULL, claimer TEXT NOT NULL,
            process TEXT, running_since REAL, oom_kills INTEGER, boot TEXT, log_start INTEGER NOT NULL DEFAULT 0,
            restarts INTEGER NOT NULL DEFAULT 0, stop_by REAL, ended TEXT, outcome TEXT
        );
        CREATE INDEX workloads_open ON workloads (uid) WHERE ended IS NULL;

        -- What was granted and what waits; the id is the place in the queue.
        CREATE TABLE leases (
            id INTEGER PRIMARY KEY AUTOINCREMENT, granted INTEGER NOT NULL,
            holder TEXT NOT NULL, holder_name TEXT NOT NULL, unit TEXT NOT NULL,
            cpu INTEGER NOT NULL, memory INTEGER NOT NULL, gpus INTEGER NOT NULL,
            devices TEXT NOT NULL, seen REAL NOT NULL,
            UNIQUE (holder, unit)
        );
        """,
    ),
    (
        "resources by their owner, and leases within another's lease",
        """
        CREATE INDEX resources_owner ON resources (owner, kind, id) WHERE owner IS NOT NULL;
        -- "holder/unit" of the lease that this one may use the share of.
        ALTER TABLE leases ADD COLUMN inside TEXT;
        """,
    ),
)
