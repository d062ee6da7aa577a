"""Tables of the store and the migrations between its versions.

Primary tables hold what cannot be made again: the exact bytes of the audit entries, keys, sealed identities.
Derived tables (`DERIVED_DDL`) are made from the entries alone and may be dropped at any time.
Migrations are hand-written, go forward only, and never touch the bytes of an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["DERIVED_DDL", "DERIVED_TABLES", "MIGRATIONS", "PRIMARY_DDL", "VERSION", "derived_script"]

PRIMARY_DDL = """
CREATE TABLE entry(
    idx INTEGER PRIMARY KEY, note BLOB NOT NULL, type TEXT NOT NULL, patient TEXT, utc TEXT NOT NULL
) STRICT;
CREATE INDEX entry_patient ON entry(patient, idx) WHERE patient IS NOT NULL;
CREATE INDEX entry_type ON entry(type, idx);
CREATE TABLE head(
    id INTEGER PRIMARY KEY CHECK (id = 1), size INTEGER NOT NULL CHECK (size >= 0),
    frontier BLOB NOT NULL CHECK (length(frontier) % 32 = 0), checkpoint BLOB NOT NULL
) STRICT;
CREATE TABLE ckpt(
    size INTEGER PRIMARY KEY, note BLOB NOT NULL, kept INTEGER NOT NULL CHECK (kept IN (0, 1))
) STRICT;
CREATE TABLE cosig(
    size INTEGER NOT NULL, witness TEXT NOT NULL, line BLOB NOT NULL, PRIMARY KEY (size, witness)
) STRICT, WITHOUT ROWID;
CREATE TABLE peer_entry(
    origin TEXT NOT NULL, idx INTEGER NOT NULL, note BLOB NOT NULL, PRIMARY KEY (origin, idx)
) STRICT;
CREATE TABLE peer_head(
    origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note BLOB NOT NULL
) STRICT;
CREATE TABLE evidence(id INTEGER PRIMARY KEY, kind TEXT NOT NULL, notes BLOB NOT NULL) STRICT;
CREATE TABLE patient(ref TEXT PRIMARY KEY, sealed BLOB) STRICT;
CREATE TABLE patient_key(
    kid TEXT NOT NULL, patient TEXT NOT NULL REFERENCES patient(ref), wrapped BLOB NOT NULL,
    PRIMARY KEY (kid, patient)
) STRICT;
CREATE TABLE pump_link(
    tag TEXT PRIMARY KEY, patient TEXT NOT NULL REFERENCES patient(ref), model TEXT NOT NULL,
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE store_key(user TEXT PRIMARY KEY, wrapped BLOB NOT NULL) STRICT;
CREATE TABLE meta(key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT;
"""

DERIVED_DDL: Mapping[str, str] = MappingProxyType(
    {
        "patient_log": """
            CREATE TABLE patient_log(
                ref TEXT PRIMARY KEY, first_idx INTEGER NOT NULL, last_idx INTEGER NOT NULL,
                last_utc TEXT NOT NULL
            ) STRICT""",
        "pump": """
            CREATE TABLE pump(
                tag TEXT PRIMARY KEY, patient TEXT, model TEXT NOT NULL, receipt_key TEXT NOT NULL,
                linked_idx INTEGER NOT NULL, linked_utc TEXT NOT NULL, unlinked_idx INTEGER
            ) STRICT""",
        "reading": """
            CREATE TABLE reading(
                idx INTEGER PRIMARY KEY, patient TEXT, tag TEXT, epoch INTEGER, chain TEXT, utc TEXT NOT NULL,
                boot TEXT NOT NULL, boot_us INTEGER NOT NULL, pump_time_ms INTEGER NOT NULL,
                rtt_us INTEGER NOT NULL, reservoir_nl INTEGER, battery_mv INTEGER NOT NULL,
                eri INTEGER NOT NULL, program_digest TEXT, last_order TEXT, tablet_tag TEXT,
                alarms TEXT NOT NULL
            ) STRICT""",
        "intent": """
            CREATE TABLE intent(
                txid TEXT PRIMARY KEY, idx INTEGER NOT NULL, patient TEXT, tag TEXT, utc TEXT NOT NULL,
                actor TEXT NOT NULL, kind TEXT NOT NULL, base_epoch INTEGER NOT NULL, digest TEXT,
                order_digest TEXT, program TEXT NOT NULL, total_24h_ng INTEGER,
                state TEXT NOT NULL, closed_idx INTEGER
            ) STRICT""",
        "program": """
            CREATE TABLE program(
                idx INTEGER PRIMARY KEY, txid TEXT NOT NULL, intent_idx INTEGER NOT NULL, patient TEXT,
                tag TEXT, epoch INTEGER, utc TEXT NOT NULL, actor TEXT NOT NULL, kind TEXT NOT NULL,
                digest TEXT, total_24h_ng INTEGER, program TEXT NOT NULL
            ) STRICT""",
        "measurement": """
            CREATE TABLE measurement(
                idx INTEGER PRIMARY KEY, patient TEXT, tag TEXT, utc TEXT NOT NULL, class TEXT NOT NULL,
                method TEXT NOT NULL, withdrawn_nl INTEGER, expected_nl INTEGER, discarded_nl INTEGER
            ) STRICT""",
        "refill": """
            CREATE TABLE refill(
                idx INTEGER PRIMARY KEY, patient TEXT, tag TEXT, utc TEXT NOT NULL, actor TEXT NOT NULL,
                injected_nl INTEGER NOT NULL, concentration_ng_per_ml INTEGER NOT NULL, lot TEXT,
                expires TEXT, refill_by TEXT, alarm_guarded TEXT, alarm_nominal TEXT,
                in_pump INTEGER NOT NULL, txid TEXT, measured_idx INTEGER
            ) STRICT""",
        "alarm": """
            CREATE TABLE alarm(
                idx INTEGER PRIMARY KEY, patient TEXT, tag TEXT, utc TEXT NOT NULL, code TEXT NOT NULL,
                priority TEXT NOT NULL, state TEXT NOT NULL, pump_time_ms INTEGER, acknowledged_idx INTEGER
            ) STRICT""",
        "plan": """
            CREATE TABLE plan(
                idx INTEGER PRIMARY KEY, patient TEXT, utc TEXT NOT NULL, actor TEXT NOT NULL,
                rows TEXT NOT NULL
            ) STRICT""",
        "visit": """
            CREATE TABLE visit(
                idx INTEGER PRIMARY KEY, actor TEXT NOT NULL, role TEXT NOT NULL, utc TEXT NOT NULL,
                locked_idx INTEGER, closed_idx INTEGER, closed_utc TEXT, cause TEXT
            ) STRICT""",
        "discrepancy": """
            CREATE TABLE discrepancy(
                idx INTEGER PRIMARY KEY, patient TEXT, utc TEXT NOT NULL, actor TEXT NOT NULL,
                about_origin TEXT, about_idx INTEGER, cause TEXT NOT NULL, decision TEXT NOT NULL
            ) STRICT""",
        "correction": """
            CREATE TABLE correction(
                idx INTEGER PRIMARY KEY, target INTEGER NOT NULL, patient TEXT, utc TEXT NOT NULL,
                actor TEXT NOT NULL, field TEXT NOT NULL, old TEXT NOT NULL, new TEXT NOT NULL,
                reason TEXT NOT NULL
            ) STRICT""",
    }
)
"""One CREATE statement for each derived table."""

DERIVED_TABLES: tuple[str, ...] = tuple(DERIVED_DDL)

_DERIVED_INDEXES: Mapping[str, str] = MappingProxyType(
    {
        "reading": "CREATE INDEX reading_patient ON reading(patient, idx)",
        "program": "CREATE INDEX program_patient ON program(patient, idx)",
        "refill": "CREATE INDEX refill_patient ON refill(patient, idx)",
        "measurement": "CREATE INDEX measurement_patient ON measurement(patient, idx)",
        "alarm": "CREATE INDEX alarm_patient ON alarm(patient, idx)",
        "correction": "CREATE INDEX correction_target ON correction(target, idx)",
        "intent": "CREATE INDEX intent_open ON intent(idx) WHERE closed_idx IS NULL",
    }
)


def derived_script() -> str:
    """All statements that make the empty derived tables and their indexes."""
    return ";\n".join([*DERIVED_DDL.values(), *_DERIVED_INDEXES.values()]) + ";"


MIGRATIONS: tuple[str, ...] = (PRIMARY_DDL,)
"""`MIGRATIONS[n]` leads from `user_version` n to n + 1; an empty file has version 0.

The derived tables are no part of it: they are made anew after each migration.
"""

VERSION = len(MIGRATIONS)
"""The `user_version` this program writes."""
