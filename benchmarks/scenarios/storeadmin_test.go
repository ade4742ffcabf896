package scenarios

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/capstan-run/capstan/core"
)

// TestStoreGarbage lays objects into the store that no journal knows, beside the
// map output of a job that runs. The first are found and removed; the job's are
// not, and it goes on.
func TestStoreGarbage(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	want := l.fill(4, 3000, map[int]string{2: "@pass r"})
	doc := l.held("held", partitions, "")
	l.write("held.yaml", strings.Replace(read(t, doc), "shuffle: {", "shuffle: {durability: s3-sync, ", 1))
	r := l.begin("run", doc, "--id", "held")
	l.until("the job", func() bool { _, err := l.client.Get(t.Context(), "held"); return err == nil })
	l.logged("held", "holding r")
	object := l.write("object", "x")
	for _, path := range []string{"s3://capstan/jobs/ghost/1/exchange/map-0", "s3://capstan/jobs/ghost/2/out/part-0"} {
		l.ok("store", "put", object, path)
	}
	kept := l.ok("store", "ls", "s3://capstan/jobs/held/", "-o", "name")
	if !strings.Contains(kept, "/exchange/") {
		t.Errorf("the job has no map output in the store: %q", kept)
	}
	if found := l.ok("store", "gc", "-o", "name"); found != "" {
		t.Errorf("what is younger than a day was removed: %q", found)
	}
	const ghosts = "s3://capstan/jobs/ghost/1/\ns3://capstan/jobs/ghost/2/\n"
	for _, args := range [][]string{{"--dry-run"}, nil} {
		if found := l.ok(append([]string{"store", "gc", "--older", "0s", "-o", "name"}, args...)...); found != ghosts {
			t.Errorf("%q found %q", args, found)
		}
	}
	if left := l.ok("store", "ls", "s3://capstan/jobs/", "-o", "name"); left != kept {
		t.Errorf("there are %q, and there were %q", left, kept)
	}
	l.letGo("r")
	l.finish("held", want, r)
}

// TestStoreShare reads an object by its link, without a token, and finds the link
// dead once its time is over, or a letter of it is changed.
func TestStoreShare(t *testing.T) {
	t.Parallel()
	l := open(t, "process")
	const name = "s3://results/a b+é%"
	l.ok("store", "put", l.write("object", "of great worth"), name)
	link := strings.TrimSpace(l.ok("store", "share", name, "--for", "1h"))
	if code, body := visit(t, link); code != http.StatusOK || body != "of great worth" {
		t.Errorf("the link answers %d with %q", code, body)
	}
	for what, other := range map[string]string{
		"another object's": strings.Replace(link, "/results/a", "/results/b", 1),
		"a longer one":     strings.Replace(link, "Expires=3600", "Expires=3601", 1),
		"an unsigned one":  link[:strings.IndexByte(link, '?')],
	} {
		if code, body := visit(t, other); code != http.StatusForbidden {
			t.Errorf("%s: answers %d with %q", what, code, body)
		}
	}
	short := strings.TrimSpace(l.ok("store", "share", name, "--for", "1s"))
	l.until("the end of the link", func() bool {
		code, body := visit(t, short)
		return code == http.StatusForbidden && strings.Contains(body, "expired")
	})
	for _, c := range []struct {
		args []string
		code core.ErrKind
		says string
	}{
		{[]string{"s3://results/none"}, core.NotFound, "results/none"},
		{[]string{"s3://results/"}, core.Invalid, "names no object"},
		{[]string{name, "--for", "200h"}, core.Invalid, "1s to 168h"},
		{[]string{name, "--for", "0s"}, core.Invalid, "1s to 168h"},
	} {
		r := l.do(append([]string{"store", "share"}, c.args...)...)
		if r.code != c.code.ExitCode() || !strings.Contains(r.err, c.says) || !strings.Contains(r.err, "fix:") || r.out != "" {
			t.Errorf("capstan store share %q: %s", c.args, r)
		}
	}
}

// visit gets a URL as anybody may.
func visit(t *testing.T, url string) (code int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
