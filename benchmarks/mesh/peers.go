package mesh

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed mpi/pingpong.c
var pingPongSource []byte

// MPICH's compiler and launcher.
const (
	mpicc   = "mpicc.mpich"
	mpiexec = "mpiexec.hydra"
)

// peers is what of them this machine has.
type peers struct {
	pingPong string // the compiled MPI program; empty without MPICH
	iperf    bool
}

func findPeers(ctx context.Context, c Config) peers {
	var p peers
	var err error
	if p.pingPong, err = buildPingPong(ctx, c.Cache); err != nil {
		fmt.Fprintf(c.Log, "MPICH is left out: %v (packages mpich and libmpich-dev)\n", err)
	}
	_, err = exec.LookPath("iperf3")
	if p.iperf = err == nil; err != nil {
		fmt.Fprintf(c.Log, "iperf3 is left out: %v (package iperf3)\n", err)
	}
	return p
}

// buildPingPong compiles the MPI program into the cache.
func buildPingPong(ctx context.Context, cache string) (string, error) {
	// By the names that are MPICH's alone: another MPI may own mpicc and mpiexec.
	for _, tool := range []string{mpicc, mpiexec} {
		if _, err := exec.LookPath(tool); err != nil {
			return "", err
		}
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	source, program := filepath.Join(cache, "pingpong.c"), filepath.Join(cache, "pingpong")
	if err := os.WriteFile(source, pingPongSource, 0o644); err != nil {
		return "", err
	}
	if out, err := exec.CommandContext(ctx, mpicc, "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf(mpicc+": %w\n%s", err, out)
	}
	return program, nil
}

func mpichPlayer(ctx context.Context, program, dir string) (*player, error) {
	prefix := filepath.Join(dir, "mpich")
	p, err := newPlayer(prefix)
	if err != nil {
		return nil, err
	}
	return p, p.start(exec.CommandContext(ctx, mpiexec, "-n", "2", program, prefix))
}

// iperf sends as many bytes as a run of ours over so many connections, and
// returns the nanoseconds of 64 MiB.
func iperf(ctx context.Context, streams int) (float64, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	server := exec.CommandContext(ctx, "iperf3", "-s", "-1", "-p", port, "-B", "127.0.0.1", "--forceflush")
	said, err := server.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := server.Start(); err != nil {
		return 0, err
	}
	defer server.Wait()
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
	}
	go func() {
		for lines.Scan() {
		}
	}()
	out, err := exec.CommandContext(ctx, "iperf3", "-c", "127.0.0.1", "-p", port, "-n", fmt.Sprint(streamed*Large),
		"-P", fmt.Sprint(streams), "-J").Output()
	if err != nil {
		return 0, errors.Join(err, server.Process.Kill())
	}
	var report struct {
		End struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Rate == 0 {
		return 0, fmt.Errorf("report of iperf3: %w", err)
	}
	return Large * 8e9 / report.End.Received.Rate, nil
}
