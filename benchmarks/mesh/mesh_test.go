package mesh

import (
	"fmt"
	"os"
	"testing"

	"github.com/capstan-run/capstan/benchmarks/result"
)

// The test binary is also the ranks that it starts.
const (
	rankArg      = "mesh-rank"
	containedArg = "mesh-contained"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case rankArg:
			exit(Rank(os.Args[2]))
		case containedArg:
			exit(runContained())
		}
	}
	os.Exit(m.Run())
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// TestMeasure makes one round: every series that this machine has gives a
// figure.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 10 GB")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	c := Config{Rank: []string{self, rankArg}, Cache: t.TempDir(), Repeat: 1, Log: t.Output()}
	err = Measure(t.Context(), c, func(f Figure) {
		got[fmt.Sprint(f.Series, " ", f.Bytes)] = f.Seconds
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []struct {
		series string
		bytes  int64
	}{{result.MeshShared, Small}, {result.MeshShared, Large}, {result.MeshHanded, Large}, {result.MeshTCP, Large}, {result.MeshMTLS, Large}} {
		if name := fmt.Sprint(key.series, " ", key.bytes); got[name] <= 0 {
			t.Errorf("%s: %v s", name, got[name])
		}
	}
}
