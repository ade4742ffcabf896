package peers

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestShuffles(t *testing.T) {
	got, err := Shuffles([]byte("Welcome\nshuffled rdd in 2.500 s records 5 sum 6\nshuffled rdd in 1.250 s records 5 sum 6\nshuffled dataframe in 3.000 s records 5 sum 6\n"))
	want := map[string][]Shuffle{"rdd": {{2.5, 5, 6}, {1.25, 5, 6}}, "dataframe": {{3, 5, 6}}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, printed := range []string{"", "java.lang.OutOfMemoryError", "shuffled rdd", "shuffled rdd in x s records 5 sum 6"} {
		if got, err := Shuffles([]byte(printed)); err == nil {
			t.Errorf("%q is %v", printed, got)
		}
	}
}
