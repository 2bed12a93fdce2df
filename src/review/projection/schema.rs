//! The tables of `review.db`.
//!
//! Enumerations stand as their numbers, instants as milliseconds since 1970, organisation codes as they are.
//! Whoever changes a table raises [`VERSION`]: a file of another version is deleted and filled anew.

/// Version of the tables, in `PRAGMA user_version`.
pub(super) const VERSION: i64 = 2;

/// What every sort of open cases is filtered by, behind its sort key: filtering 100,000 open cases reads one index
/// and no table.
macro_rules! filtered {
    () => {
        "rating_sequence, kind, bad, stars, channel, suspicion, escalated, department, district, since, \
         deadline, mask"
    };
}

/// All tables and their indices.
pub(super) const TABLES: &str = concat!(
    "
-- Where the fold stands: the next sequence to apply.
CREATE TABLE position (one INTEGER PRIMARY KEY CHECK (one = 0), next INTEGER NOT NULL) STRICT;
INSERT INTO position VALUES (0, 0);

-- One row a case, written anew from its entries whenever one of them is applied.
CREATE TABLE cases (
    rating_sequence INTEGER PRIMARY KEY,
    rating_id       TEXT NOT NULL UNIQUE,
    reference       TEXT NOT NULL,
    kind            INTEGER NOT NULL,  -- 0 hold, 1 second look, 2 appeal
    open            INTEGER NOT NULL,
    erased          INTEGER NOT NULL,
    control         INTEGER NOT NULL,
    bad             INTEGER NOT NULL,
    stars           INTEGER NOT NULL,
    channel         INTEGER NOT NULL,
    stage           INTEGER,
    day             INTEGER NOT NULL,
    department      TEXT NOT NULL,
    district        TEXT,
    hall            TEXT,
    window          TEXT,
    clerk           TEXT,
    matter          TEXT NOT NULL,
    submitted       INTEGER,
    since           INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    rank            INTEGER NOT NULL,  -- lower is more urgent
    volume          INTEGER NOT NULL,
    suspicion       INTEGER,
    risk            REAL,
    decision        INTEGER NOT NULL,
    revision        INTEGER NOT NULL,
    claim_by        TEXT,
    claim_until     INTEGER,
    first_by        TEXT,
    first_outcome   INTEGER,
    first_reason    TEXT,
    first_at        INTEGER,
    outcome         INTEGER,
    outcome_reason  TEXT,
    decided_at      INTEGER,
    closed_by       INTEGER,           -- 0 a person, 1 the clock, 2 another machine decision
    deciders        TEXT NOT NULL,     -- JSON list of names
    escalated       INTEGER NOT NULL,
    escalated_by    TEXT,
    callback        INTEGER NOT NULL,  -- 0 none, 1 asked, 2 to 5 answered
    callback_at     INTEGER,
    appealed        INTEGER NOT NULL,
    appeals         INTEGER NOT NULL,
    appeal_at       INTEGER,
    reasons         INTEGER NOT NULL,  -- how many
    last            INTEGER NOT NULL,  -- sequence of the latest entry about it
    mask            INTEGER NOT NULL   -- a bit for each reason, by the hash of its code
) STRICT;
CREATE INDEX cases_reference ON cases (reference);
CREATE INDEX cases_last ON cases (last);
CREATE INDEX open_rank ON cases (rank, ",
    filtered!(),
    ") WHERE open = 1;
CREATE INDEX open_since ON cases (since, ",
    filtered!(),
    ") WHERE open = 1;
CREATE INDEX open_deadline ON cases (deadline, ",
    filtered!(),
    ") WHERE open = 1;
CREATE INDEX open_claim ON cases (claim_by, claim_until) WHERE open = 1 AND claim_by IS NOT NULL;
CREATE INDEX decided_at ON cases (decided_at, ",
    filtered!(),
    ") WHERE open = 0 AND decided_at IS NOT NULL;

-- Why a case is suspect, strongest first.
CREATE TABLE case_reason (
    rating_sequence INTEGER NOT NULL,
    place           INTEGER NOT NULL,
    code            TEXT NOT NULL,
    source          INTEGER NOT NULL,
    weight          REAL NOT NULL,
    PRIMARY KEY (rating_sequence, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX case_reason_code ON case_reason (code, rating_sequence);

-- Cases by what the tabs are counted by; no row where there are none. Few rows: some for each office.
CREATE TABLE counter (
    standing INTEGER NOT NULL,         -- 0 never waited, 1 open, 2 decided
    kind INTEGER NOT NULL, bad INTEGER NOT NULL, escalated INTEGER NOT NULL, department TEXT NOT NULL,
    district TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (standing, kind, bad, escalated, department, district)
) STRICT, WITHOUT ROWID;
-- Open cases by deadline, which mostly is the end of a day.
CREATE TABLE deadline_counter (
    deadline INTEGER NOT NULL, department TEXT NOT NULL, district TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (deadline, department, district)
) STRICT, WITHOUT ROWID;
-- Open cases but second looks by suspicion.
CREATE TABLE suspicion_counter (suspicion INTEGER PRIMARY KEY, n INTEGER NOT NULL) STRICT;
-- Cases by reason: open ones but second looks, and all that people decided.
CREATE TABLE code_counter (
    code TEXT PRIMARY KEY, open INTEGER NOT NULL, cleared INTEGER NOT NULL, confirmed INTEGER NOT NULL,
    mistaken INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Ratings of an office in a month, so far.
CREATE TABLE volume (
    department TEXT NOT NULL, district TEXT NOT NULL, month INTEGER NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (department, district, month)
) STRICT, WITHOUT ROWID;

-- What was done about a case, in the order of the log.
CREATE TABLE history (
    sequence        INTEGER PRIMARY KEY,
    rating_sequence INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    who             TEXT NOT NULL,
    what            TEXT NOT NULL,
    reason          TEXT NOT NULL,
    words           TEXT,
    void            INTEGER NOT NULL   -- it came too late, and changed nothing
) STRICT;
CREATE INDEX history_rating ON history (rating_sequence, sequence);
CREATE INDEX history_who ON history (who, sequence);
CREATE INDEX history_what ON history (what, sequence);

-- Decisions of people that took effect.
CREATE TABLE decision (
    sequence        INTEGER PRIMARY KEY,
    rating_sequence INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    who             TEXT NOT NULL,
    voted           INTEGER NOT NULL,  -- what this person would have
    outcome         INTEGER NOT NULL,  -- what came of it
    reason          TEXT NOT NULL,
    label           INTEGER NOT NULL,
    first_by        TEXT,
    first_outcome   INTEGER,
    opened          INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    on_appeal       INTEGER NOT NULL,
    undone          INTEGER NOT NULL,
    overturned      INTEGER NOT NULL,  -- by a later decision, on appeal
    control         INTEGER NOT NULL,
    bad             INTEGER NOT NULL
) STRICT;
CREATE INDEX decision_rating ON decision (rating_sequence, sequence);
CREATE INDEX decision_at ON decision (at);

-- When a case was open: once, and again for each appeal.
CREATE TABLE spell (
    rating_sequence INTEGER NOT NULL,
    place           INTEGER NOT NULL,
    opened          INTEGER NOT NULL,
    deadline        INTEGER NOT NULL,
    closed          INTEGER,
    closed_by       INTEGER,
    appeal          INTEGER NOT NULL,
    PRIMARY KEY (rating_sequence, place)
) STRICT, WITHOUT ROWID;
CREATE INDEX spell_opened ON spell (opened);
CREATE INDEX spell_closed ON spell (closed, closed_by, deadline) WHERE closed IS NOT NULL;

-- Campaigns: who has each link, who belongs to which group, and what a group comes to.
CREATE TABLE link (
    kind INTEGER NOT NULL, key INTEGER NOT NULL, rating_sequence INTEGER NOT NULL, at INTEGER NOT NULL, lanes BLOB,
    PRIMARY KEY (kind, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX link_rating ON link (rating_sequence);
CREATE TABLE weak (key INTEGER NOT NULL, rating_sequence INTEGER NOT NULL, PRIMARY KEY (key, rating_sequence))
    STRICT, WITHOUT ROWID;
CREATE INDEX weak_rating ON weak (rating_sequence);
CREATE TABLE member (
    rating_sequence INTEGER PRIMARY KEY,
    grp             INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    rater           INTEGER,
    device          INTEGER,
    text            INTEGER,
    network         INTEGER,
    occasion        INTEGER,
    target          INTEGER NOT NULL,
    matched         INTEGER NOT NULL
) STRICT;
CREATE INDEX member_grp ON member (grp, rating_sequence);
CREATE TABLE grp (
    id       INTEGER PRIMARY KEY,
    first    INTEGER NOT NULL,         -- smallest sequence of a member: what the campaign is called by
    size     INTEGER NOT NULL,
    open     INTEGER NOT NULL DEFAULT 0,
    bad      INTEGER NOT NULL DEFAULT 0,
    began    INTEGER NOT NULL DEFAULT 0,
    ended    INTEGER NOT NULL DEFAULT 0,
    raters   INTEGER NOT NULL DEFAULT 0, with_rater   INTEGER NOT NULL DEFAULT 0,
    devices  INTEGER NOT NULL DEFAULT 0, with_device  INTEGER NOT NULL DEFAULT 0,
    texts    INTEGER NOT NULL DEFAULT 0, with_text    INTEGER NOT NULL DEFAULT 0,
    networks INTEGER NOT NULL DEFAULT 0, with_network INTEGER NOT NULL DEFAULT 0,
    targets  INTEGER NOT NULL DEFAULT 0,
    matched  INTEGER NOT NULL DEFAULT 0,
    rank     INTEGER NOT NULL DEFAULT 0,
    deadline INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX grp_rank ON grp (rank) WHERE open > 0 AND size >= 3;
-- Open members of a campaign by office.
CREATE TABLE grp_office (
    grp INTEGER NOT NULL, department TEXT NOT NULL, district TEXT NOT NULL, open INTEGER NOT NULL,
    PRIMARY KEY (grp, department, district)
) STRICT, WITHOUT ROWID;
"
);

/// Every table that the log decides, with an order of its rows: two projections of one log agree in all of them.
#[cfg(test)]
pub(super) const ALL: &[(&str, &str)] = &[
    ("position", "one"),
    ("cases", "rating_sequence"),
    ("case_reason", "rating_sequence, place"),
    ("counter", "standing, kind, bad, escalated, department, district"),
    ("deadline_counter", "deadline, department, district"),
    ("suspicion_counter", "suspicion"),
    ("code_counter", "code"),
    ("volume", "department, district, month"),
    ("history", "sequence"),
    ("decision", "sequence"),
    ("spell", "rating_sequence, place"),
    ("link", "kind, key"),
    ("weak", "key, rating_sequence"),
    ("member", "rating_sequence"),
    ("grp", "id"),
    ("grp_office", "grp, department, district"),
];
