package work

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func cut(set charset, p []byte) []string {
	t := &tokenizer{set: set}
	var out []string
	for at := 0; at < len(p); {
		var words []span
		words, at = t.next(p, at)
		for _, w := range words {
			out = append(out, string(p[w.start:w.end]))
		}
	}
	return out
}

func runs(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return !letters.has(r) })
}

func TestWordsAreFields(t *testing.T) {
	for _, s := range []string{
		"", " ", "a", " a ", "a b", "a\u00a0b", "a\u0085b", "\u2003a\u2003", "a\x00b\x1fc \x0b \x0c d\r\n",
		strings.Repeat("x", 63) + "\u3000y", strings.Repeat("x", 62) + "\u3000y", strings.Repeat("x", 64),
		strings.Repeat("wide ", 700), strings.Repeat("long", 5000) + " b " + strings.Repeat("c", 100000),
		"a\xc2", "\xe2\x80", "\xff\xfe a", strings.Repeat("é", 70) + " " + strings.Repeat(" ü", 200),
	} {
		checkWords(t, s)
	}
}

func checkWords(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string) {
	t.Helper()
	if got, want := cut(fields, []byte(s)), strings.Fields(s); !slices.Equal(got, want) {
		t.Fatalf("fields of %.80q:\ngot  %.300q\nwant %.300q", s, got, want)
	}
	if got, want := cut(letters, []byte(s)), runs(s); !slices.Equal(got, want) {
		t.Fatalf("letters of %.80q:\ngot  %.300q\nwant %.300q", s, got, want)
	}
}

func TestWordsProperty(t *testing.T) {
	piece := rapid.OneOf(
		rapid.StringMatching(`[a-z_0-9]{0,40}`),
		rapid.SampledFrom([]string{" ", "\n\t\t", "\u00a0", "\u2003", "\u3000", "é", "世界", "\xff", "\xc2", "\x00", "\u1680"}),
		rapid.String(),
	)
	rapid.Check(t, func(t *rapid.T) {
		checkWords(t, strings.Join(rapid.SliceOfN(piece, 0, 80).Draw(t, "pieces"), ""))
	})
}

func FuzzWords(f *testing.F) {
	f.Add([]byte("the quick\u2003brown\tfox\r\n\xff\xc2 over"))
	f.Fuzz(func(t *testing.T, p []byte) { checkWords(t, string(p)) })
}

func TestClassify(t *testing.T) {
	check := func(t *rapid.T, w [64]byte) {
		for _, set := range []charset{fields, letters} {
			in, wide := classify(set, &w)
			portable, portableWide := classifyWords(set, &w)
			if wide != portableWide || in&^wide != portable&^wide {
				t.Fatalf("set %d of %x: in %x, wide %x; portably %x, %x", set, w, in, wide, portable, portableWide)
			}
			for i, c := range w {
				if c < utf8.RuneSelf && (in>>i&1 == 1) != set.has(rune(c)) || (wide>>i&1 == 1) != (c >= utf8.RuneSelf) {
					t.Fatalf("set %d: byte %#x is misjudged", set, c)
				}
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var w [64]byte
		first := rapid.Byte().Draw(t, "first")
		for i := range w {
			w[i] = first + byte(i) // four windows hold every byte
		}
		check(t, w)
		copy(w[:], rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "bytes"))
		check(t, w)
	})
}

func TestCutLines(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.StringMatching(`[a-z\t\r\x00\x0b\x8a]{0,20}`), 0, 60).Draw(t, "lines")
		p := []byte(strings.Join(append(lines, ""), "\n"))
		spans := make([]span, rapid.IntRange(8, 40).Draw(t, "room"))
		var got []string
		for at := 0; at < len(p); {
			n, next := cutLines(p, at, spans)
			if n == 0 || next <= at {
				t.Fatalf("stuck at %d of %q", at, p)
			}
			for _, s := range spans[:n] {
				got = append(got, string(p[s.start:s.end]))
			}
			at = next
		}
		if !slices.Equal(got, lines) {
			t.Fatalf("got  %q\nwant %q", got, lines)
		}
	})
}

// sourceText is real text: the Go files of the standard library, n bytes.
func sourceText(tb testing.TB, n int) []byte {
	tb.Helper()
	var text []byte
	_ = filepath.WalkDir(filepath.Join(runtime.GOROOT(), "src"), func(path string, d os.DirEntry, err error) error {
		if err != nil || len(text) >= n {
			return filepath.SkipAll
		}
		if strings.HasSuffix(path, ".go") {
			b, _ := os.ReadFile(path)
			text = append(text, b...)
		}
		return nil
	})
	for len(text) > 0 && len(text) < n {
		text = append(text, text[:min(len(text), n-len(text))]...)
	}
	if len(text) == 0 {
		tb.Fatal("no Go source to read under GOROOT")
	}
	return text[:n]
}

func BenchmarkWords(b *testing.B) {
	text := sourceText(b, 64<<20)
	b.Run("map", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			counts := map[string]int64{}
			for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
				for _, w := range bytes.FieldsFunc(s.Bytes(), unicode.IsSpace) {
					counts[string(w)]++
				}
			}
		}
	})
	b.Run("tokenizer", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		tok := &tokenizer{}
		for b.Loop() {
			for at := 0; at < len(text); {
				_, at = tok.next(text, at)
			}
		}
	})
	b.Run("tally", func(b *testing.B) {
		b.SetBytes(int64(len(text)))
		tok, tally := &tokenizer{}, NewTally(FoldSum, &Partitioner{parts: 4}, 1<<30)
		for b.Loop() {
			tally.Reset()
			for at := 0; at < len(text); {
				var words []span
				words, at = tok.next(text, at)
				tally.countSpans(text, words)
			}
			tally.Fold()
		}
	})
}
