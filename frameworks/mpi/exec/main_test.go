package exec

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMainCommand(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{nil, 2, "Run a program in C, Python or another language"},
		{[]string{"--help"}, 0, "Run a program in C, Python or another language"},
		{[]string{"--faster", "x"}, 2, "option --faster is not known: see capstan mpi-rank --help"},
		{[]string{"--client"}, 2, "a client is for one of: c, python"},
		{[]string{"--client", "../c"}, 2, "a client is for one of: c, python"},
		{[]string{"--client", "c", dir}, 0, "capstan_mpi.c\n" + dir + "/capstan_mpi.h\n"},
		{[]string{"--client", "c", dir}, 0, "capstan_mpi.h\n"}, // the same again
		{[]string{"--client", "python", dir}, 0, "capstan_mpi.py\n"},
		{[]string{"--client", "python", dir + "/no"}, 2, "name a folder that is there"},
	} {
		var out bytes.Buffer
		if code := Main(t.Context(), c.args, &out, &out); code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%q: %d\n%s", c.args, code, out.String())
		}
	}
	name := filepath.Join(dir, "capstan_mpi.py")
	if err := os.WriteFile(name, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if code := Main(t.Context(), []string{"--client", "python", dir}, &out, &out); code != 9 || !strings.Contains(out.String(), "is there, and is another: remove it") {
		t.Errorf("%d\n%s", code, out.String())
	}
}

// The folder of the Python client is nobody else's.
func TestClientFolder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	env, err := importable([]string{"A=b", "PYTHONPATH=/x"})
	if err != nil || len(env) != 2 || !strings.HasPrefix(env[1], "PYTHONPATH=/x:"+os.TempDir()) {
		t.Fatalf("%q, %v", env, err)
	}
	dir := strings.TrimPrefix(env[1], "PYTHONPATH=/x:")
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := importable(nil); err == nil || !strings.Contains(err.Error(), "is not ours alone") {
		t.Errorf("%v", err)
	}
}
