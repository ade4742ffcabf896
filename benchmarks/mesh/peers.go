package main

import (
	"bufio"
	"bytes"
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

// contenders are the programs that measure what.
func contenders(ctx context.Context, what, cache string) ([]contender, []verdict, error) {
	switch what {
	case "shm":
		list := []contender{
			{"mesh", func(ctx context.Context) (samples, error) { return ranks(ctx, "shm") }},
		}
		mpi, err := buildPingPong(ctx, cache)
		if err != nil {
			fmt.Fprintln(os.Stderr, "MPICH is left out:", err)
		} else {
			list = append(list, contender{"mpich", func(ctx context.Context) (samples, error) { return mpich(ctx, mpi) }})
		}
		return list, []verdict{
			{"8 B round trip", "shm 8 B, mesh", "shm 8 B, mpich", 2},
			{"64 MiB sent", "shm 64 MiB, mesh, sent", "shm 64 MiB, mpich", 1},
			{"64 MiB handed over", "shm 64 MiB, mesh, handed", "shm 64 MiB, mpich", 1},
		}, nil
	case "tcp":
		list := []contender{
			{"mesh", func(ctx context.Context) (samples, error) { return ranks(ctx, "tcp") }},
			{"mesh with mTLS", func(ctx context.Context) (samples, error) { return ranks(ctx, "mtls") }},
		}
		if _, err := exec.LookPath("iperf3"); err != nil {
			fmt.Fprintln(os.Stderr, "iperf3 is left out:", err)
		} else {
			list = append(list, contender{"iperf3", iperf})
		}
		return list, []verdict{
			{"64 MiB, mTLS off", "tcp 64 MiB, mesh", "tcp 64 MiB, iperf3", 1 / 0.9},
			{"64 MiB, mTLS on", "tcp 64 MiB, mesh, mTLS", "tcp 64 MiB, mesh", 0},
		}, nil
	}
	return nil, nil, fmt.Errorf("-only %s: shm and tcp are known", what)
}

// buildPingPong compiles the MPI program into the cache.
func buildPingPong(ctx context.Context, cache string) (string, error) {
	for _, tool := range []string{"mpicc", "mpiexec"} {
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
	if out, err := exec.CommandContext(ctx, "mpicc", "-O2", "-o", program, source).CombinedOutput(); err != nil {
		return "", fmt.Errorf("mpicc: %w\n%s", err, out)
	}
	return program, nil
}

func mpich(ctx context.Context, program string) (samples, error) {
	out, err := exec.CommandContext(ctx, "mpiexec", "-n", "2", program).Output()
	if err != nil {
		return nil, err
	}
	return parse(out, map[string]string{"8": "shm 8 B, mpich", fmt.Sprint(large): "shm 64 MiB, mpich"})
}

// parse reads lines of a name and a number.
func parse(out []byte, names map[string]string) (samples, error) {
	s := samples{}
	for sc := bufio.NewScanner(bytes.NewReader(out)); sc.Scan(); {
		var ns float64
		name, value, _ := strings.Cut(sc.Text(), " ")
		if _, err := fmt.Sscan(value, &ns); err != nil || names[name] == "" {
			return nil, fmt.Errorf("line %q is no batch", sc.Text())
		}
		s[names[name]] = append(s[names[name]], ns)
	}
	if len(s) != len(names) {
		return nil, errors.New("not all sizes were measured")
	}
	return s, nil
}

// iperf sends as many bytes as a run of ours, and counts as one batch.
func iperf(ctx context.Context) (samples, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	server := exec.CommandContext(ctx, "iperf3", "-s", "-1", "-p", port, "-B", "127.0.0.1", "--forceflush")
	said, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer server.Wait()
	lines := bufio.NewScanner(said)
	for lines.Scan() && !strings.Contains(lines.Text(), "listening") {
	}
	go func() {
		for lines.Scan() {
		}
	}()
	out, err := exec.CommandContext(ctx, "iperf3", "-c", "127.0.0.1", "-p", port, "-n", fmt.Sprint(streamed*large), "-J").Output()
	if err != nil {
		return nil, errors.Join(err, server.Process.Kill())
	}
	var report struct {
		End struct {
			Received struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	if err := json.Unmarshal(out, &report); err != nil || report.End.Received.Rate == 0 {
		return nil, fmt.Errorf("report of iperf3: %w", err)
	}
	return samples{"tcp 64 MiB, iperf3": {large * 8e9 / report.End.Received.Rate}}, nil
}
