package result

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJudgeDataPlane(t *testing.T) {
	r := new(Result)
	add := func(workload, series string, bytes int64, walls ...float64) {
		for rep, w := range walls {
			r.Samples = append(r.Samples, Sample{Key: Key{Workload: workload, Series: series, Bytes: bytes}, Repetition: rep + 1, Wall: w, Input: 1e9, CPU: w})
		}
	}
	// The machine slows down between repetitions: the pairs tell, not the medians.
	add(Mesh, MeshShared, 8, 1.5e-6, 3e-6, 15e-6)
	add(Mesh, MPICH, 8, 1e-6, 2e-6, 5e-6)
	add(Mesh, MeshHanded, 64<<20, 1)
	add(Mesh, MPICH, 64<<20, 0.5)
	add(Mesh, MeshTCP, 64<<20, 1)
	add(Mesh, IPerf, 64<<20, 0.85)
	add(Mesh, MeshMTLS, 64<<20, 4)
	add(Store, "put, minio-go", 1e6, 1)
	add(Store, "put, gate", 1e6, 1.2)
	add(Exchange, ArenaExchange, 1e6, 0.8)
	add(Exchange, Wide(ArenaExchange), 1e6, 1.12)
	add(Exchange, DiskExchange, 2e6, 2)
	add(Exchange, RawDisk, 2e6, 3)
	add(Exchange, RawDevice, 2e6, 1.6)
	add(Exchange, Shuffle, 3e6, 1, 2)
	add(Exchange, SparkRDDShuffle, 3e6, 9, 18)
	add(Exchange, SparkFrameShuffle, 3e6, 6, 12)
	add(Sweep, "file, 20 partitions, codec lz4", 1e6, 1)
	for _, n := range []float64{8, 9, 7} {
		r.Samples = append(r.Samples, Sample{Key: Key{Workload: Exchange, Series: "PUT " + Requests + ", 4 executors, 2 waves"}, Count: n, Limit: 8})
	}
	got := map[string]bool{}
	for _, v := range r.Judge() {
		got[v.Measured] = v.Kept
	}
	want := map[string]bool{"1.50×": true, "1.40×": false, "2.00×": false, "85 %": false, "25 %": true, "83 %": true, "1250 MB per CPU-second": true,
		"150 %": true, "80 %": false, "6.0×": true, "9": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
