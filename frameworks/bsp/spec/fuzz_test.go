package spec

import (
	"encoding/json"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// FuzzParse parses bodies that somebody may submit: each is refused as invalid,
// or can be checked, and is the same body after it was written again.
func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"input":{"path":["file:///a","s3://b/c*"],"format":"csv"},"graph":{"vertices":{"path":"v"}},"algorithm":{"use":"x","with":{"n":1e400}},"output":{"path":"s3://a/b"}}`))
	f.Add([]byte(`{"algorithm":{"exec":["./a"],"program":"artifact:zz"},"checkpoint":{"every":5,"period":"0s"},"output":{"path":"/x"},"files":["a","a"],"env":{"A":"b"}}`))
	f.Add([]byte(`{"preview":{"limit":-1},"repairs":1.5}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse(text)
		if err != nil {
			if core.KindOf(err) != core.Invalid {
				t.Errorf("it is not invalid, but %v", err)
			}
			return
		}
		for _, d := range Check(&core.Spec{Body: text}) {
			if d.Message == "" || d.Remedy == "" {
				t.Errorf("%+v says too little", d)
			}
		}
		_ = b.Shipped()
		first, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(first) {
			t.Errorf("%s\nis after a second time\n%s", first, second)
		}
	})
}
