package peer_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/capstan-run/capstan/frameworks/bsp/peer"
	"github.com/capstan-run/capstan/shuffle/mesh"
)

// childEnv holds what a rank in a process of its own runs.
const childEnv = "PEER_TEST_RANK"

func TestMain(m *testing.M) {
	if doc := os.Getenv(childEnv); doc != "" {
		if err := child(doc); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

// job is what a gang of processes runs.
type job struct {
	Rank, Size int
	Dir        string
	Program    string
	Steps      int
	Bytes      int
	Arena      int
	Memory     int64
	Table      string
}

func (j job) join(ctx context.Context) (*mesh.Mesh, error) {
	places := make([]mesh.Place, j.Size)
	for r := range places {
		places[r].Host = "h"
	}
	return mesh.Join(ctx, mesh.Config{ID: "test", Rank: j.Rank, Size: j.Size, Places: places, Dir: j.Dir, Arena: j.Arena})
}

func (j job) run(ctx context.Context, m *mesh.Mesh, prog peer.Program) error {
	return peer.Run(ctx, peer.Config{Mesh: m, Arena: j.Arena, Memory: j.Memory, Scratch: j.Dir, Table: j.Table}, prog)
}

func child(doc string) error {
	var j job
	if err := json.Unmarshal([]byte(doc), &j); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	m, err := j.join(ctx)
	if err != nil {
		return err
	}
	return j.run(ctx, m, programs(j, func() {}, func() {}))
}

// programs are those that processes can be told to run. begin and end are
// called around what is measured.
func programs(j job, begin, end func()) peer.Program {
	return peer.Func(func(ctx context.Context, p *peer.Peer) error {
		block := make([]byte, j.Bytes)
		for i := range block {
			block[i] = byte(i * (p.Rank() + 1))
		}
		for step := range j.Steps + 20 {
			if step == 20 {
				begin()
			}
			switch {
			case j.Program == "blocks":
				for to := range p.Size() {
					if err := p.SendBlock(to, 0, block); err != nil {
						return err
					}
				}
			case j.Program == "messages":
				for i := 0; i+16 <= len(block); i += 16 {
					if err := p.Send(i/16%p.Size(), block[i:i+16]); err != nil {
						return err
					}
				}
			}
			if err := p.Sync(ctx); err != nil {
				return err
			}
			if err := sameBytes(p, j); err != nil {
				return err
			}
		}
		end()
		return nil
	})
}

func sameBytes(p *peer.Peer, j job) error {
	n := 0
	for b := range p.Blocks() {
		if len(b.Data) != j.Bytes || b.Data[len(b.Data)-1] != byte((len(b.Data)-1)*(b.From+1)) {
			return errors.New("a block holds other bytes than were sent")
		}
		n += len(b.Data)
	}
	if j.Program == "blocks" && n != j.Bytes*p.Size() {
		return fmt.Errorf("%d bytes in blocks", n)
	}
	n = 0
	for _, msg := range p.Messages() {
		n += len(msg)
	}
	if j.Program == "messages" && (n < (j.Bytes/16/p.Size()-1)*16*p.Size() || n > (j.Bytes/16/p.Size()+1)*16*p.Size()) {
		return fmt.Errorf("%d bytes in messages", n)
	}
	return nil
}

// processes runs a job on a gang of processes, of which this is rank 0.
func processes(t testing.TB, j job, begin, end func()) {
	t.Helper()
	j.Dir = t.TempDir()
	if j.Table != "" {
		j.Table = filepath.Join(j.Dir, j.Table)
	}
	children := make([]*exec.Cmd, j.Size)
	for r := 1; r < j.Size; r++ {
		j.Rank = r
		doc, err := json.Marshal(j)
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+string(doc))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		children[r] = cmd
	}
	j.Rank = 0
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	m, err := j.join(ctx)
	if err == nil {
		err = j.run(ctx, m, programs(j, begin, end))
	}
	if err != nil {
		t.Error(err)
	}
	for _, cmd := range children[1:] {
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}
}

// TestProcesses exchanges blocks and messages between processes that have
// little shared memory, and little of their own.
func TestProcesses(t *testing.T) {
	for _, table := range []string{"", "table"} {
		for _, program := range []string{"blocks", "messages"} {
			for _, n := range []int{100, 40_000, 1 << 20} {
				t.Run(fmt.Sprint(table, program, n), func(t *testing.T) {
					processes(t, job{Size: 3, Program: program, Steps: 5, Bytes: n, Arena: 4 << 20, Memory: 16 << 20, Table: table}, func() {}, func() {})
				})
			}
		}
	}
}

// BenchmarkSuperstep is an empty superstep of processes that meet over the
// mesh, or at a table.
func BenchmarkSuperstep(b *testing.B) {
	for _, table := range []string{"", "table"} {
		for _, size := range []int{2, 4, 8} {
			b.Run(fmt.Sprintf("way=%s/processes=%d", cmp.Or(table, "star"), size), func(b *testing.B) {
				processes(b, job{Size: size, Steps: b.N, Table: table}, b.ResetTimer, b.StopTimer)
			})
		}
	}
}

// BenchmarkBlocks sends a block from each process to each, itself included.
func BenchmarkBlocks(b *testing.B) {
	for _, size := range []int{2, 4} {
		for _, n := range []int{64 << 10, 1 << 20, 8 << 20} {
			b.Run(fmt.Sprintf("processes=%d/bytes=%d", size, n), func(b *testing.B) {
				b.SetBytes(int64(n * size * size))
				processes(b, job{Size: size, Steps: b.N, Program: "blocks", Bytes: n, Table: "table"}, b.ResetTimer, b.StopTimer)
			})
		}
	}
}

// BenchmarkSend sends messages of 16 bytes to all ranks in turn.
func BenchmarkSend(b *testing.B) {
	for _, size := range []int{1, 2} {
		b.Run(fmt.Sprint("processes=", size), func(b *testing.B) {
			const n = 8 << 20
			b.SetBytes(int64(n * size))
			processes(b, job{Size: size, Steps: b.N, Program: "messages", Bytes: n, Table: "table"}, b.ResetTimer, b.StopTimer)
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n*size/16), "ns/message")
		})
	}
}
