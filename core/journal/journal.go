package journal

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/capstan-run/capstan/core"
)

// Journal is an open journal. Its methods are safe for concurrent use.
type Journal struct {
	path  string
	lock  *Lock
	write *sql.DB // one connection, the writer's
	read  *sql.DB
	stmts statements

	queue   chan *work
	closing chan struct{}
	done    chan struct{} // closed when the writer has ended
	once    sync.Once
	closed  error
}

// Open opens or makes the journal in the file path, whose directory exists.
// The error is a *core.Error: of kind Conflict if another host has it, and see
// ErrFull and ErrDamaged.
func Open(path string) (*Journal, error) { return open(path, nil) }

// open also runs the pragmas on the writer's connection; tests use that.
func open(path string, pragmas []string) (*Journal, error) {
	l, err := Acquire(path)
	if err != nil {
		return nil, err
	}
	return l.open(pragmas)
}

// Open opens or makes the journal whose lock l is, once. The journal gives the
// lock back, also if it does not open. For the error see [Open].
func (l *Lock) Open() (*Journal, error) { return l.open(nil) }

func (l *Lock) open(pragmas []string) (*Journal, error) {
	l.mu.Lock()
	l.opened = true
	l.mu.Unlock()
	j := &Journal{
		path: l.path, lock: l,
		queue: make(chan *work), closing: make(chan struct{}), done: make(chan struct{}),
	}
	if err := j.connect(pragmas); err != nil {
		j.disconnect()
		// The pid stays in the lock file if the last end was unclean: the
		// check of law J6 is still owed.
		l.release(!l.unclean)
		return nil, translate(l.path, "open the journal", err)
	}
	go j.run()
	return j, nil
}

func (j *Journal) connect(pragmas []string) error {
	if err := touch(j.path); err != nil {
		return err
	}
	var err error
	if j.write, err = sql.Open("sqlite", dsn(j.path, append([]string{"journal_size_limit(16777216)"}, pragmas...))); err != nil {
		return err
	}
	j.write.SetMaxOpenConns(1)
	if j.read, err = sql.Open("sqlite", dsn(j.path, []string{"query_only(1)"})); err != nil {
		return err
	}
	j.read.SetMaxOpenConns(4)
	if j.lock.unclean {
		if err := check(j.write); err != nil {
			return err
		}
	}
	if err := migrate(j.write); err != nil {
		return err
	}
	return j.stmts.prepare(j.write)
}

func (j *Journal) disconnect() error {
	var errs []error
	j.stmts.close()
	for _, db := range []*sql.DB{j.read, j.write} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

// touch makes the file, for its owner only, and its name durable. SQLite gives
// the files beside it the same mode.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func dsn(path string, pragmas []string) string {
	q := url.Values{
		"_txlock": {"immediate"},
		"_pragma": append([]string{"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)"}, pragmas...),
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: q.Encode()}).String()
}

// check looks for damage after an unclean end (law J6).
func check(db *sql.DB) error {
	var found string
	if err := db.QueryRow("PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return &core.Error{
			Kind: core.Internal, What: "the journal is damaged", Detail: found, Err: ErrDamaged,
			Remedy: "move it with its -wal and -shm files aside and put back a copy; without one the host starts with an empty history",
		}
	}
	return nil
}

// Close waits for what is being written, refuses the rest and gives the
// journal up. It may be called again.
func (j *Journal) Close() error {
	j.once.Do(func() {
		close(j.closing)
		<-j.done
		err := j.disconnect()
		j.closed = translate(j.path, "close the journal", errors.Join(err, j.lock.release(err == nil)))
	})
	return j.closed
}

// Commit writes tx and returns when it is durable (laws J1 and J2); then
// tx.Records carry their Seq. A record without a time gets the present one.
// If ctx ends first the error is ctx's, and tx may or may not be written;
// tx is not touched any more. Otherwise an error means that nothing was
// written.
func (j *Journal) Commit(ctx context.Context, tx Tx) error {
	w, err := prepare(tx)
	if err != nil {
		return err
	}
	for i := range w.records {
		if w.records[i].Time.IsZero() {
			w.records[i].Time = time.Now()
		}
	}
	select {
	case j.queue <- w:
	case <-j.closing:
		return &core.Error{Kind: core.Internal, Where: j.path, What: "write to the journal", Err: ErrClosed}
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err = <-w.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return translate(j.path, "write to the journal", err)
	}
	copy(tx.Records, w.records)
	return nil
}

// Append is Commit of records alone.
func (j *Journal) Append(ctx context.Context, records ...Record) error {
	return j.Commit(ctx, Tx{Records: records})
}

// DropSaved forgets the saved state of one attempt, if there is one.
func (j *Journal) DropSaved(ctx context.Context, job core.JobID, epoch core.Epoch) error {
	return j.Commit(ctx, Tx{Drops: []Drop{{job, epoch}}})
}

// SetMeta keeps a small value of the host's own; nil removes it.
func (j *Journal) SetMeta(ctx context.Context, key string, value []byte) error {
	return j.Commit(ctx, Tx{Meta: map[string][]byte{key: value}})
}
