package executor

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/capstan-run/capstan/core"
)

func TestCleanLine(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext ü 日本": "plain\ttext ü 日本",
		"\x1b[2Jgone":      `\x1b[2Jgone`,
		"a\rb\nc\x00":      `a\rb\nc\x00`,
		"bad \xff byte":    `bad \xff byte`,
		"bidi \u202e text": `bidi \u202e text`,
		"\u009b31m":        `\u009b31m`,
	} {
		if got := cleanLine(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := cleanLine(strings.Repeat("x", maxLine+1)); len(got) > maxLine || !strings.HasSuffix(got, cutMark) {
		t.Errorf("a long line becomes %d bytes ending in %q", len(got), got[len(got)-20:])
	}
}

func FuzzCleanLine(f *testing.F) {
	f.Add("\x1b]0;title\x07")
	f.Add("\xf0\x9f\x98")
	f.Fuzz(func(t *testing.T, s string) {
		got := cleanLine(s)
		if len(got) > maxLine || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q", s, got)
		}
		for _, r := range got {
			if !harmless(r) {
				t.Errorf("%q lets %q through", s, r)
			}
		}
		if again := cleanLine(got); again != got {
			t.Errorf("cleaning twice changes %q to %q", got, again)
		}
	})
}

func FuzzBootstrap(f *testing.F) {
	f.Add([]byte(`{"id":"a","address":"unix:///x","ca":"y","token":"z"}`))
	f.Add([]byte(`{"id":"a","address":"tcp://h:1","ca":"y","token":"z","orphanAfter":"1s"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := parseBootstrap(data)
		if err != nil {
			return
		}
		if _, _, err := b.dialTarget(); err != nil || b.OrphanAfter <= 0 || b.ServerName == "" {
			t.Errorf("%s is taken as %+v", data, b)
		}
	})
}

func FuzzIdentity(f *testing.F) {
	f.Add("capstan://executor/a.b?epoch=1&gang=main&job=x&rank=3")
	f.Fuzz(func(t *testing.T, s string) {
		u, err := url.Parse(s)
		if err != nil {
			return
		}
		id, err := parseIdentity(u)
		if err != nil {
			return
		}
		again, err := url.Parse(id.uri().String())
		if err != nil {
			t.Fatalf("%+v has the URI %s: %v", id, id.uri(), err)
		}
		if back, err := parseIdentity(again); err != nil || back != id {
			t.Errorf("%+v comes back as %+v, %v", id, back, err)
		}
	})
}

func TestIdentity(t *testing.T) {
	want := identity{id: "x-1.main.3", rank: core.Rank{Job: "x-1", Epoch: 7, Gang: "main", Rank: 3}}
	if got, err := parseIdentity(want.uri()); err != nil || got != want {
		t.Errorf("%+v, %v", got, err)
	}
}
