package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Job returns what was last committed of a job, or an error of kind NotFound.
func (j *Journal) Job(ctx context.Context, id core.JobID) (core.Job, error) {
	var doc []byte
	err := j.read.QueryRowContext(ctx, `SELECT doc FROM jobs WHERE id = ?`, string(id)).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return core.Job{}, core.Errorf(core.NotFound, "no job is called %q", id).Do("capstan list shows the jobs there are")
	}
	if err != nil {
		return core.Job{}, translate(j.path, "read a job", err)
	}
	return j.decode(doc)
}

func (j *Journal) decode(doc []byte) (core.Job, error) {
	var job core.Job
	if err := json.Unmarshal(doc, &job); err != nil {
		return core.Job{}, &core.Error{Kind: core.Internal, Where: j.path, What: "read a job", Err: errors.Join(ErrDamaged, err)}
	}
	return job, nil
}

// Jobs returns at most limit jobs (0: all), the last submitted first; only
// those in a state, unless it is "".
func (j *Journal) Jobs(ctx context.Context, state core.State, limit int) ([]core.Job, error) {
	if limit <= 0 {
		limit = -1 // SQLite's word for no limit
	}
	rows, err := j.read.QueryContext(ctx, `SELECT doc FROM jobs WHERE ?1 = '' OR state = ?1
		ORDER BY submitted DESC, id DESC LIMIT ?2`, string(state), limit)
	if err != nil {
		return nil, translate(j.path, "list jobs", err)
	}
	defer rows.Close()
	var jobs []core.Job
	for rows.Next() {
		var doc []byte
		if err := rows.Scan(&doc); err != nil {
			return nil, translate(j.path, "list jobs", err)
		}
		job, err := j.decode(doc)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, job)
	}
	return jobs, translate(j.path, "list jobs", rows.Err())
}

// Events returns at most limit (0: all) of a job's records after sequence
// number after, in order.
func (j *Journal) Events(ctx context.Context, job core.JobID, after int64, limit int) ([]Record, error) {
	if limit <= 0 {
		limit = -1
	}
	return j.records(ctx, `SELECT seq, time, job, kind, data, text FROM records
		WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?`, string(job), after, limit)
}

// Replay calls f with every record in order, until f or a read returns an
// error. Records committed meanwhile are included.
func (j *Journal) Replay(ctx context.Context, f func(Record) error) error {
	// By pages: a read that stays open would keep the log from being folded
	// into the file.
	const page = 1000
	for after := int64(0); ; {
		records, err := j.records(ctx, `SELECT seq, time, job, kind, data, text FROM records
			WHERE seq > ? ORDER BY seq LIMIT ?`, after, page)
		if err != nil {
			return err
		}
		for _, r := range records {
			if err := f(r); err != nil {
				return err
			}
			after = r.Seq
		}
		if len(records) < page {
			return nil
		}
	}
}

func (j *Journal) records(ctx context.Context, query string, args ...any) ([]Record, error) {
	rows, err := j.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, translate(j.path, "read records", err)
	}
	defer rows.Close()
	var out []Record
	for rows.Next() {
		var r Record
		var nanos int64
		if err := rows.Scan(&r.Seq, &nanos, (*string)(&r.Job), &r.Kind, &r.Data, &r.Text); err != nil {
			return nil, translate(j.path, "read records", err)
		}
		r.Time = time.Unix(0, nanos).UTC()
		out = append(out, r)
	}
	return out, translate(j.path, "read records", rows.Err())
}

// Saved returns the last state saved for an attempt, or an error of kind
// NotFound. The caller owns it.
func (j *Journal) Saved(ctx context.Context, job core.JobID, epoch core.Epoch) ([]byte, error) {
	var state []byte
	err := j.read.QueryRowContext(ctx, `SELECT state FROM saves WHERE job = ? AND epoch = ?`, string(job), int64(epoch)).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, core.Errorf(core.NotFound, "attempt %d of job %s has no saved state", epoch, job)
	}
	return state, translate(j.path, "read saved state", err)
}

// Meta returns a value of the host's own, or an error of kind NotFound.
func (j *Journal) Meta(ctx context.Context, key string) ([]byte, error) {
	var value []byte
	err := j.read.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = ?`, key).Scan(&value)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, core.Errorf(core.NotFound, "the journal has no %q", key)
	}
	return value, translate(j.path, "read "+key, err)
}

// MetaUnder returns the values of the host's own whose keys begin with prefix.
func (j *Journal) MetaUnder(ctx context.Context, prefix string) (map[string][]byte, error) {
	rows, err := j.read.QueryContext(ctx, `SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1`, prefix)
	if err != nil {
		return nil, translate(j.path, "read "+prefix, err)
	}
	defer rows.Close()
	values := map[string][]byte{}
	for rows.Next() {
		var key string
		var value []byte
		if err := rows.Scan(&key, &value); err != nil {
			return nil, translate(j.path, "read "+prefix, err)
		}
		values[key] = value
	}
	return values, translate(j.path, "read "+prefix, rows.Err())
}
