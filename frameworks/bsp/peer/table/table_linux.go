package table

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/capstan-run/capstan/core"
)

const (
	offSize     = 0
	offSaid     = 64
	offAnswered = 128
	offAnswer   = 192
	offHeard    = 200
	offLengths  = 256
	line        = 64

	wordRoom   = 16 << 10
	answerRoom = 128 << 10
)

// Table is one rank's place. It is used by one goroutine.
type Table struct {
	path       string
	rank, size int
	mem        []byte
	round      uint32
	looks      int
	words      [][]byte
	side       map[string]bool // files of this rank beside the table
}

// Open takes a rank's place at the table in a file, which whoever comes first
// makes. All ranks give the same path, of a file that no other table has had.
func Open(path string, rank, size int) (*Table, error) {
	if rank < 0 || rank >= size {
		return nil, core.Errorf(core.Invalid, "rank %d of %d", rank, size).At(path)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := offLengths + size*(line+wordRoom) + answerRoom
	// Memory that the file system may not have would kill who writes to it.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(n)); err != nil {
		if !errors.Is(err, unix.EOPNOTSUPP) {
			return nil, &os.PathError{Op: "fallocate", Path: path, Err: err}
		}
		if err := f.Truncate(int64(n)); err != nil {
			return nil, err
		}
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: path, Err: err}
	}
	t := &Table{path: path, rank: rank, size: size, mem: mem, words: make([][]byte, size), side: map[string]bool{}}
	if size <= runtime.NumCPU() {
		t.looks = 1 << 15
	}
	if had := t.word32(offSize); !had.CompareAndSwap(0, uint32(size)) && had.Load() != uint32(size) {
		defer t.Close()
		return nil, core.Errorf(core.Conflict, "a table for %d ranks, not %d", had.Load(), size).At(path)
	}
	return t, nil
}

// Close leaves the table. Whoever waits for this rank waits on.
func (t *Table) Close() {
	for name := range t.side {
		_ = os.Remove(name)
	}
	if t.mem != nil {
		_ = unix.Munmap(t.mem)
		t.mem = nil
	}
}

func (t *Table) word32(off int) *atomic.Uint32 { return (*atomic.Uint32)(unsafe.Pointer(&t.mem[off])) }
func (t *Table) word64(off int) *atomic.Uint64 { return (*atomic.Uint64)(unsafe.Pointer(&t.mem[off])) }

func (t *Table) wordAt(rank int) []byte {
	at := offLengths + t.size*line + rank*wordRoom
	return t.mem[at : at+wordRoom]
}

func (t *Table) answerAt() []byte { return t.mem[len(t.mem)-answerRoom:] }

// Meet says word, waits until all ranks have said theirs, and appends the
// answer to out. The rank that comes last calls judge with the words by rank,
// which are valid until judge returns, for the answer. Where giveUp returns an
// error while this rank waits, that is Meet's, and the table is of no more use.
func (t *Table) Meet(word, out []byte, judge func(words [][]byte) []byte, giveUp func() error) ([]byte, error) {
	t.round++
	if err := t.put(t.wordAt(t.rank), t.word64(offLengths+t.rank*line), strconv.Itoa(t.rank), word); err != nil {
		return out, err
	}
	if t.word64(offSaid).Add(1) == uint64(t.size)*uint64(t.round) {
		return t.preside(out, judge)
	}
	if err := t.wait(giveUp); err != nil {
		return out, err
	}
	return t.hear(out)
}

func (t *Table) preside(out []byte, judge func([][]byte) []byte) ([]byte, error) {
	for r := range t.words {
		var err error
		if t.words[r], err = t.view(t.wordAt(r), t.word64(offLengths+r*line), strconv.Itoa(r)); err != nil {
			return out, err
		}
	}
	answer := judge(t.words)
	clear(t.words)
	if err := t.put(t.answerAt(), t.word64(offAnswer), "answer", answer); err != nil {
		return out, err
	}
	if len(answer) > answerRoom && t.size > 1 {
		// Its readers may be slower than this rank's end: the last one removes it.
		delete(t.side, t.path+".answer")
		t.word32(offHeard).Store(0)
	}
	t.word32(offAnswered).Store(t.round)
	futexWake(t.word32(offAnswered))
	if t.round == 1 {
		_ = os.Remove(t.path)
	}
	return append(out, answer...), nil
}

// recheck is how long a rank sleeps at most before it looks whether to give up.
const recheck = 20 * time.Millisecond

func (t *Table) wait(giveUp func() error) error {
	answered := t.word32(offAnswered)
	for range t.looks {
		if answered.Load() == t.round {
			return nil
		}
	}
	for answered.Load() != t.round {
		if err := giveUp(); err != nil {
			return err
		}
		futexWait(answered, t.round-1, recheck)
	}
	return nil
}

// put lays b into room, or into a file where it has no room.
func (t *Table) put(room []byte, length *atomic.Uint64, name string, b []byte) error {
	if len(b) > len(room) {
		path := t.path + "." + name
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return err
		}
		t.side[path] = true
	} else {
		copy(room, b)
	}
	length.Store(uint64(len(b)))
	return nil
}

func (t *Table) view(room []byte, length *atomic.Uint64, name string) ([]byte, error) {
	n := length.Load()
	if n <= uint64(len(room)) {
		return room[:n], nil
	}
	return os.ReadFile(t.path + "." + name)
}

// hear appends the answer to out.
func (t *Table) hear(out []byte) ([]byte, error) {
	b, err := t.view(t.answerAt(), t.word64(offAnswer), "answer")
	if len(b) > answerRoom && t.word32(offHeard).Add(1) == uint32(t.size-1) {
		_ = os.Remove(t.path + ".answer")
	}
	return append(out, b...), err
}

const (
	opWait = 0
	opWake = 1
)

// futexWait sleeps while w is v, until woken, or for d. What ends it does not
// matter: whoever calls looks again.
func futexWait(w *atomic.Uint32, v uint32, d time.Duration) {
	ts := unix.NsecToTimespec(d.Nanoseconds())
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWait, uintptr(v), uintptr(unsafe.Pointer(&ts)), 0, 0)
}

func futexWake(w *atomic.Uint32) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(w)), opWake, 1<<30, 0, 0, 0)
}
