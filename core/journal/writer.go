package journal

import (
	"database/sql"
	"maps"
	"slices"
)

// group is how many Tx at most share an fsync.
const group = 256

// run is the writer: it gathers what callers have ready into one transaction.
func (j *Journal) run() {
	defer close(j.done)
	for {
		select {
		case <-j.closing:
			return
		case w := <-j.queue:
			j.flush(j.gather(w))
		}
	}
}

// gather takes all who wait to be written at this moment.
func (j *Journal) gather(first *work) []*work {
	works := []*work{first}
	for len(works) < group {
		select {
		case w := <-j.queue:
			works = append(works, w)
		default:
			return works
		}
	}
	return works
}

// flush writes works in one transaction and answers each.
func (j *Journal) flush(works []*work) {
	err := j.transact(works)
	if err != nil && len(works) > 1 {
		// One of them may have been too large for what is left of the disk, or
		// otherwise at fault: the others need not suffer (law J2).
		for _, w := range works {
			w.done <- j.transact([]*work{w})
		}
		return
	}
	for _, w := range works {
		w.done <- err
	}
}

func (j *Journal) transact(works []*work) error {
	tx, err := j.write.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, w := range works {
		if err := j.stmts.apply(tx, w); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// statements are the writer's, prepared once.
type statements struct {
	job, record, save, drop, meta, unset  *sql.Stmt
	forgetJob, forgetRecords, forgetSaves *sql.Stmt
}

func (s *statements) all() []**sql.Stmt {
	return []**sql.Stmt{
		&s.job, &s.record, &s.save, &s.drop, &s.meta, &s.unset, &s.forgetJob, &s.forgetRecords, &s.forgetSaves,
	}
}

func (s *statements) prepare(db *sql.DB) error {
	for _, p := range []struct {
		to  **sql.Stmt
		sql string
	}{
		{&s.job, `INSERT INTO jobs (id, state, submitted, doc) VALUES (?, ?, ?, ?)
			ON CONFLICT (id) DO UPDATE SET state = excluded.state, submitted = excluded.submitted, doc = excluded.doc`},
		{&s.record, `INSERT INTO records (time, job, kind, data, text) VALUES (?, ?, ?, ?, ?)`},
		{&s.save, `INSERT INTO saves (job, epoch, state) VALUES (?, ?, ?)
			ON CONFLICT (job, epoch) DO UPDATE SET state = excluded.state`},
		{&s.drop, `DELETE FROM saves WHERE job = ? AND epoch = ?`},
		{&s.meta, `INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`},
		{&s.unset, `DELETE FROM meta WHERE key = ?`},
		{&s.forgetJob, `DELETE FROM jobs WHERE id = ?`},
		{&s.forgetRecords, `DELETE FROM records WHERE job = ?`},
		{&s.forgetSaves, `DELETE FROM saves WHERE job = ?`},
	} {
		stmt, err := db.Prepare(p.sql)
		if err != nil {
			return err
		}
		*p.to = stmt
	}
	return nil
}

func (s *statements) close() {
	for _, stmt := range s.all() {
		if *stmt != nil {
			(*stmt).Close()
		}
	}
}

func (s *statements) apply(tx *sql.Tx, w *work) error {
	for _, id := range w.forget {
		for _, stmt := range []*sql.Stmt{s.forgetJob, s.forgetRecords, s.forgetSaves} {
			if _, err := tx.Stmt(stmt).Exec(string(id)); err != nil {
				return err
			}
		}
	}
	for _, r := range w.jobs {
		if _, err := tx.Stmt(s.job).Exec(string(r.id), string(r.state), r.submitted, r.doc); err != nil {
			return err
		}
	}
	for i := range w.records {
		r := &w.records[i]
		done, err := tx.Stmt(s.record).Exec(r.Time.UnixNano(), string(r.Job), r.Kind, r.Data, r.Text)
		if err != nil {
			return err
		}
		if r.Seq, err = done.LastInsertId(); err != nil {
			return err
		}
	}
	for _, v := range w.saves {
		if _, err := tx.Stmt(s.save).Exec(string(v.Job), int64(v.Epoch), blob(v.State)); err != nil {
			return err
		}
	}
	for _, v := range w.drops {
		if _, err := tx.Stmt(s.drop).Exec(string(v.Job), int64(v.Epoch)); err != nil {
			return err
		}
	}
	return s.applyMeta(tx, w.meta)
}

func (s *statements) applyMeta(tx *sql.Tx, meta map[string][]byte) error {
	for _, key := range slices.Sorted(maps.Keys(meta)) {
		var err error
		if value := meta[key]; value == nil {
			_, err = tx.Stmt(s.unset).Exec(key)
		} else {
			_, err = tx.Stmt(s.meta).Exec(key, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blob keeps an empty state apart from none, which the table refuses.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
