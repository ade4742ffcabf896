package journal

import (
	"database/sql"
	"fmt"

	"github.com/capstan-run/capstan/core"
)

// version is the layout this code reads and writes, kept as user_version.
const version = 1

const schema = `
CREATE TABLE meta (
	key   TEXT PRIMARY KEY,
	value BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE jobs (
	id        TEXT PRIMARY KEY,
	state     TEXT NOT NULL,
	submitted INTEGER NOT NULL, -- Unix nanoseconds
	doc       BLOB NOT NULL     -- core.Job as JSON
);
CREATE INDEX jobs_by_time ON jobs (submitted);
CREATE TABLE records (
	seq  INTEGER PRIMARY KEY AUTOINCREMENT,
	time INTEGER NOT NULL,      -- Unix nanoseconds
	job  TEXT NOT NULL,
	kind TEXT NOT NULL,
	data BLOB,
	text TEXT NOT NULL
);
CREATE INDEX records_by_job ON records (job, seq);
CREATE TABLE saves (
	job   TEXT NOT NULL,
	epoch INTEGER NOT NULL,
	state BLOB NOT NULL,
	PRIMARY KEY (job, epoch)
);
`

// migrate makes the tables of a new file and refuses the layout of a newer
// Capstan.
func migrate(db *sql.DB) error {
	var have int
	if err := db.QueryRow("PRAGMA user_version").Scan(&have); err != nil {
		return err
	}
	switch have {
	case version:
		return nil
	case 0:
	default:
		return core.Errorf(core.Conflict, "the journal has layout %d; this Capstan knows up to %d", have, version).
			Do("run the Capstan that wrote it, or a newer one")
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(schema); err != nil {
		return err
	}
	if _, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", version)); err != nil {
		return err
	}
	return tx.Commit()
}
