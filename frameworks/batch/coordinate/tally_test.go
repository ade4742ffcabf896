package coordinate

import "testing"

// TestTallyIsSmall holds law B6: a long array costs nothing while it goes well.
func TestTallyIsSmall(t *testing.T) {
	var tally Tally
	for i := range int64(100_000) {
		tally.add((i*7919)%100_000, true)
	}
	b, err := tally.Encode()
	if err != nil || tally.Len() != 100_000 || len(b) > 100 {
		t.Fatalf("%d elements take %d bytes: %s, %v", tally.Len(), len(b), b, err)
	}
	back, err := DecodeTally(b)
	if err != nil || back.Len() != tally.Len() {
		t.Errorf("comes back as %v, %v", back, err)
	}
	for _, bad := range []string{"x", `{"ok":[[5,1]]}`, `{"failed":[[1,2],[2,3]]}`} {
		if _, err := DecodeTally([]byte(bad)); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
