-- No number of a dead letter is given twice: somebody may have noted one down, to drop or replay that letter.
CREATE TABLE dead_letter_numbered (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT    NOT NULL,
    body   TEXT    NOT NULL
) STRICT;

INSERT INTO dead_letter_numbered (seq, plugin, body) SELECT seq, plugin, body FROM dead_letter;
DROP TABLE dead_letter;
ALTER TABLE dead_letter_numbered RENAME TO dead_letter;
CREATE INDEX dead_letter_plugin ON dead_letter (plugin, seq);
