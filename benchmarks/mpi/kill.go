package mpi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// kill ends one rank of a running program by SIGKILL: how long until the user has
// been told, and until nothing of it is left.
func kill(ctx context.Context, l *lab, r *report) error {
	if l.program == "" {
		return nil
	}
	theirs, err := l.killedAll(ctx, []string{l.hydra, "-n", "4", l.hosted, "wait"})
	if err != nil {
		return err
	}
	for _, launcher := range launchers() {
		h, err := l.open(ctx, launcher)
		if h == nil {
			if err != nil {
				return err
			}
			continue
		}
		ours, err := l.killedAll(ctx, h.mpiexec(l.work, "-n", "4", "-ppn", "2", l.hosted, "wait"))
		if err := errors.Join(err, h.close()); err != nil {
			return fmt.Errorf("%s: %w", launcher, err)
		}
		for i, what := range []string{"mpiexec has told and ended", "no rank is left"} {
			r.add(Row{What: launcher + ", one of 4 ranks killed: " + what, Unit: "s", Ours: ours[i].median() / 1e9, Theirs: theirs[i].median() / 1e9,
				Goal: 1, Absolute: true, Note: fmt.Sprintf("median of %d", len(ours[i]))})
		}
	}
	return nil
}

// killedAll kills several times; the series are until told, and until gone.
func (l *lab) killedAll(ctx context.Context, argv []string) (both [2]series, err error) {
	for i := range max(1, l.Rounds/4) {
		mark := fmt.Sprintf("mark-%d-%d-%d", os.Getpid(), l.started, i)
		told, gone, err := killed(ctx, append(argv[:len(argv):len(argv)], mark), mark)
		if err != nil {
			return both, err
		}
		both[0], both[1] = append(both[0], float64(told)), append(both[1], float64(gone))
	}
	l.started++
	return both, nil
}

func killed(ctx context.Context, argv []string, mark string) (told, gone time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.WaitDelay = time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return 0, 0, err
	}
	if _, err := out.Read(make([]byte, 64)); err != nil { // all are past MPI_Init
		return 0, 0, errors.Join(fmt.Errorf("%s did not begin: %s", mark, said.String()), err, cmd.Wait())
	}
	victims := marked(mark)
	if len(victims) == 0 {
		cancel()
		return 0, 0, errors.Join(fmt.Errorf("no rank with %s is to be seen", mark), cmd.Wait())
	}
	began := time.Now()
	if err := syscall.Kill(victims[len(victims)-1], syscall.SIGKILL); err != nil {
		return 0, 0, err
	}
	_, _ = out.Read(make([]byte, 64)) // its end
	if err := cmd.Wait(); err == nil {
		return 0, 0, fmt.Errorf("a rank was killed, and %s ended as if nothing had been", argv[0])
	}
	told = time.Since(began)
	if said.Len() == 0 && filepath.Base(argv[0]) != "mpiexec.hydra" {
		return 0, 0, fmt.Errorf("a rank was killed, and the user was told nothing")
	}
	for len(marked(mark)) > 0 {
		if ctx.Err() != nil {
			return 0, 0, fmt.Errorf("ranks are left a minute after one was killed: %w", ctx.Err())
		}
		time.Sleep(5 * time.Millisecond) // a process that is none of ours ends without telling us
	}
	return told, time.Since(began), nil
}

// marked are the processes of this machine, also those in containers, that run the
// hosted program and have the mark.
func marked(mark string) []int {
	var pids []int
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range all {
		line, err := os.ReadFile(path)
		words := bytes.Split(bytes.TrimRight(line, "\x00"), []byte{0})
		if err != nil || len(words) != 3 || string(words[2]) != mark || filepath.Base(string(words[0])) != "hosted" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
