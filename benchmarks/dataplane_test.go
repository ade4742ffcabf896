package benchmarks

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestStoreRates(t *testing.T) {
	got := storeRates([]byte(`goos: linux
BenchmarkStore/64MiB/4-at-once-2   5   123456 ns/op   1000 minio-get-MB/s   500.0 minio-put-MB/s   0.9 gate-ranges-get-x   1.5 client-put-x   3 client-requests/object
PASS
`))
	want := map[string]float64{"get, minio-go": 1000, "put, minio-go": 500, "get, gate-ranges": 900, "put, client": 750}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got := storeRates([]byte("PASS\n")); len(got) > 0 {
		t.Errorf("rates of nothing: %v", got)
	}
}
