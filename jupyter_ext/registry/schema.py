"""The tables of a registry's file, as a list of migrations that only ever grows."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[tuple[str, str], ...]] = (
    (
        "records, what they are attributed to, and their custom properties",
        """
        -- ``parent`` is the id of the record it belongs to, 0 at the top, and NULL where names may repeat.
        CREATE TABLE records (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL, family INTEGER NOT NULL, parent INTEGER, name TEXT NOT NULL,
            external_id TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,
            fields TEXT NOT NULL, custom TEXT NOT NULL,
            UNIQUE (kind, parent, name)
        );
        CREATE UNIQUE INDEX records_external ON records (external_id, family) WHERE external_id IS NOT NULL;
        CREATE INDEX records_id ON records (kind, id);
        CREATE INDEX records_created ON records (kind, created, id);
        CREATE INDEX records_updated ON records (kind, updated, id);
        CREATE INDEX records_siblings ON records (kind, parent, id);

        -- Artifacts of versions and runs, what an inference service served, the history of a run's metrics.
        CREATE TABLE attributions (
            context INTEGER NOT NULL, record INTEGER NOT NULL,
            PRIMARY KEY (context, record)
        ) WITHOUT ROWID;

        -- For filters only; the records hold them too. ``value`` has no affinity: it is what was given.
        CREATE TABLE properties (
            record INTEGER NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL, value,
            PRIMARY KEY (record, name)
        ) WITHOUT ROWID;
        CREATE INDEX properties_value ON properties (name, value, record);

        -- What this user registered from here, by the digest of its files: loading it needs no question.
        CREATE TABLE produced (digest TEXT PRIMARY KEY, time REAL NOT NULL) WITHOUT ROWID;
        """,
    ),
    (
        "which change each record had last, and what was removed: for those who follow",
        """
        ALTER TABLE records ADD COLUMN change INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX records_change ON records (change);
        CREATE TABLE removed (
            change INTEGER PRIMARY KEY, record INTEGER NOT NULL, kind TEXT NOT NULL, parent INTEGER, name TEXT NOT NULL
        );
        """,
    ),
)
