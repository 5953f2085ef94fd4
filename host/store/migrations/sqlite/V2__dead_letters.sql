-- Messages of clients that no plugin could read, with what came of it. The oldest have the least numbers.
CREATE TABLE dead_letter (
    seq    INTEGER PRIMARY KEY,
    plugin TEXT    NOT NULL,
    body   TEXT    NOT NULL
) STRICT;

CREATE INDEX dead_letter_plugin ON dead_letter (plugin, seq);
