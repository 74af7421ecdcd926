"""The ledger's tables: what the targets acknowledged, and what was told about it.

Keys are BLOBs compared as bytes (see core.people). Every table that speaks of a customer starts with its
binding: (base URL, tenant, client), never the customer's local name. Rows are clustered by key, so a run
reads them in the order of the merge and acknowledgements write neighbouring pages. STRICT, so that a damaged
value of another type is found by the check at the start.
"""

from __future__ import annotations

APPLICATION_ID = 0x524F5354  # "ROST", at offset 68 of the file (sqlite.org/fileformat.html)
VERSION = 4

# Version 1: people, groupings, seats and how they came there.
DELIVERED = """
-- lineage (random, for life), serial (grows with every write), base_url, tenant, copy (set in backups), checked
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- One Orbix client. approved: a first delivery was let go; delivered: a run has ended 0 or 3.
CREATE TABLE binding (
  id INTEGER PRIMARY KEY, client TEXT NOT NULL UNIQUE, customer TEXT NOT NULL,
  approved INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0,
  people_active INTEGER NOT NULL DEFAULT 0, groups_active INTEGER NOT NULL DEFAULT 0,
  seats_active INTEGER NOT NULL DEFAULT 0,
  people_size INTEGER, groups_size INTEGER,            -- request sizes learnt from 413 answers
  paused_at REAL, paused_why TEXT
) STRICT;

-- state: active, doubt, tried, left, removed (see core.people); run: the run that wrote the row.
CREATE TABLE person (
  binding INTEGER NOT NULL, key BLOB NOT NULL, domain TEXT NOT NULL, logon TEXT NOT NULL,
  name TEXT NOT NULL, email TEXT NOT NULL, source TEXT NOT NULL, id TEXT NOT NULL, dn TEXT NOT NULL,
  state TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (binding, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE grouping (
  binding INTEGER NOT NULL, key BLOB NOT NULL, name TEXT NOT NULL, description TEXT NOT NULL,
  source TEXT NOT NULL, id TEXT NOT NULL, dn TEXT NOT NULL,
  state TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (binding, key)
) STRICT, WITHOUT ROWID;

-- key: the grouping's key, NUL, the person's key
CREATE TABLE seat (
  binding INTEGER NOT NULL, key BLOB NOT NULL, source TEXT NOT NULL,
  state TEXT NOT NULL, run INTEGER NOT NULL, PRIMARY KEY (binding, key)
) STRICT, WITHOUT ROWID;

-- Raw membership as the sources spell it: kept so that a change of one entry can be resolved to seats later.
CREATE TABLE edge (
  binding INTEGER NOT NULL, ref TEXT NOT NULL, handle BLOB NOT NULL, source TEXT NOT NULL,
  PRIMARY KEY (binding, ref, handle, source)
) STRICT, WITHOUT ROWID;

-- Refused and set-aside records. content: what was refused, in the plan's canonical form; told: a run that
-- ended 0 or 3 has reported it.
CREATE TABLE problem (
  binding INTEGER NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, bucket TEXT NOT NULL, shown TEXT NOT NULL,
  reason TEXT NOT NULL, content TEXT NOT NULL, since REAL NOT NULL, tried REAL NOT NULL,
  told INTEGER NOT NULL, PRIMARY KEY (binding, kind, key)
) STRICT, WITHOUT ROWID;

-- What a record was before a delivery changed it, and every refusal: with the current row, its whole history.
CREATE TABLE history (
  binding INTEGER NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, run INTEGER NOT NULL, seq INTEGER NOT NULL,
  change TEXT NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (binding, kind, key, run, seq)
) STRICT, WITHOUT ROWID;

-- Held plans, change by change. approved/expires: times, NULL until somebody approves.
CREATE TABLE plan (
  id INTEGER PRIMARY KEY, binding INTEGER NOT NULL, digest TEXT NOT NULL, made REAL NOT NULL, reasons TEXT NOT NULL,
  counts TEXT NOT NULL, pilot INTEGER NOT NULL, approved REAL, expires REAL, UNIQUE (binding, digest)
) STRICT;
CREATE TABLE plan_change (
  plan INTEGER NOT NULL, kind TEXT NOT NULL, key BLOB NOT NULL, change TEXT NOT NULL, PRIMARY KEY (plan, kind, key)
) STRICT, WITHOUT ROWID;

-- Requests. state: sending, acknowledged, failed, in doubt; records: what it carries, while that is open.
CREATE TABLE batch (
  id INTEGER PRIMARY KEY, binding INTEGER NOT NULL, run INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
  count INTEGER NOT NULL, records TEXT, started REAL NOT NULL, ended REAL, answer TEXT
) STRICT;
CREATE INDEX batch_open ON batch (state) WHERE state = 'sending';

CREATE TABLE run (
  id INTEGER PRIMARY KEY, binding INTEGER NOT NULL, started REAL NOT NULL, ended REAL,
  outcome TEXT, exit_code INTEGER, reason TEXT, document TEXT
) STRICT;
CREATE INDEX run_of ON run (binding, id);
"""

# Version 2: who has access elsewhere.
ACCESS = """
-- Everybody the directory shows or showed, delivered or not; emails: case-folded, one a line.
CREATE TABLE account (
  binding INTEGER NOT NULL, key BLOB NOT NULL, shown TEXT NOT NULL, name TEXT NOT NULL, emails TEXT NOT NULL,
  state TEXT NOT NULL, note TEXT NOT NULL, source TEXT NOT NULL, since REAL NOT NULL, PRIMARY KEY (binding, key)
) STRICT, WITHOUT ROWID;

-- Sources and places: when they were last read whole (NULL: never), and why not since ("": they were).
CREATE TABLE place (
  binding INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, whole REAL,
  reason TEXT NOT NULL, entries INTEGER NOT NULL, consistent INTEGER NOT NULL, PRIMARY KEY (binding, kind, id)
) STRICT, WITHOUT ROWID;

-- Who had access to a place when it was last read whole. number: tells entries without a subject apart.
CREATE TABLE holder (
  binding INTEGER NOT NULL, kind TEXT NOT NULL, place TEXT NOT NULL, subject TEXT NOT NULL, number INTEGER NOT NULL,
  name TEXT NOT NULL, email TEXT NOT NULL, level TEXT NOT NULL, via TEXT NOT NULL, since TEXT NOT NULL,
  grouped INTEGER NOT NULL, PRIMARY KEY (binding, kind, place, subject, number)
) STRICT, WITHOUT ROWID;

-- Registrations with 3D printers, never asked for twice. key: printer, NUL, e-mail, folded. state: issued, doubt,
-- again (somebody allowed another try). code is a secret. person: as shown. handed: when it was handed out.
CREATE TABLE registration (
  binding INTEGER NOT NULL, key BLOB NOT NULL, printer TEXT NOT NULL, email TEXT NOT NULL, person TEXT NOT NULL,
  state TEXT NOT NULL, code TEXT NOT NULL, issued TEXT NOT NULL, at REAL NOT NULL, run INTEGER NOT NULL, handed REAL,
  PRIMARY KEY (binding, key)
) STRICT, WITHOUT ROWID;

-- What the last written report said, thing by thing, so that the next one can say what changed.
CREATE TABLE reported (
  binding INTEGER NOT NULL, what TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, said TEXT NOT NULL,
  first REAL NOT NULL, PRIMARY KEY (binding, what, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE report (
  binding INTEGER NOT NULL, made REAL NOT NULL, digest TEXT NOT NULL, counts TEXT NOT NULL, changes TEXT NOT NULL,
  PRIMARY KEY (binding, made)
) STRICT, WITHOUT ROWID;
"""

# Version 3: the service.
# When the service's jobs are due. binding: 0 for the service's own; due: owed from then on, until the job is done;
# rule: the fingerprint of the schedule it was reckoned by.
AGENDA = """
CREATE TABLE agenda (
  binding INTEGER NOT NULL, job TEXT NOT NULL, due REAL NOT NULL, rule TEXT NOT NULL, PRIMARY KEY (binding, job)
) STRICT, WITHOUT ROWID;
"""

# Version 4: directories whose changes are followed.
FOLLOWING = """
-- What to go on from. cookie: the source's own; settings: a fingerprint of what it was read by; compared: when
-- everything was last read. Without a row everything is read.
CREATE TABLE followed (
  binding INTEGER NOT NULL, source TEXT NOT NULL, cookie TEXT NOT NULL, settings TEXT NOT NULL, compared REAL NOT NULL,
  PRIMARY KEY (binding, source)
) STRICT, WITHOUT ROWID;

-- Each entry as it was last read, so that a change of one is resolved to the keys it affects. kind: person, group;
-- id: the directory's stable id; key: of the person or grouping; data: see rosterd.mirror.
CREATE TABLE entry (
  binding INTEGER NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, key BLOB NOT NULL,
  data TEXT NOT NULL, PRIMARY KEY (binding, source, kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_key ON entry (binding, source, kind, key);

-- How groups may name an entry.
CREATE TABLE entry_ref (
  binding INTEGER NOT NULL, source TEXT NOT NULL, ref TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,
  PRIMARY KEY (binding, source, ref, kind, id)
) STRICT, WITHOUT ROWID;

-- Raw membership by the entry that tells of it: a group of its members, a person of a primary group.
CREATE TABLE entry_edge (
  binding INTEGER NOT NULL, source TEXT NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, ref TEXT NOT NULL,
  handle BLOB NOT NULL, PRIMARY KEY (binding, source, kind, id, ref, handle)
) STRICT, WITHOUT ROWID;
CREATE INDEX entry_edge_ref ON entry_edge (binding, source, ref);

-- Whatever is in doubt is looked for before every followed change, and seldom there.
CREATE INDEX person_doubt ON person (binding) WHERE state = 'doubt' OR state = 'tried';
CREATE INDEX grouping_doubt ON grouping (binding) WHERE state = 'doubt' OR state = 'tried';
CREATE INDEX seat_doubt ON seat (binding) WHERE state = 'doubt' OR state = 'tried';
"""

TABLES = DELIVERED + ACCESS + AGENDA + FOLLOWING

# Each step leads from the version that is its index + 1 to the next.
MIGRATIONS: tuple[str, ...] = (ACCESS, AGENDA, FOLLOWING)
