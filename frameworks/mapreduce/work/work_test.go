package work

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

const wordCount = `{"input":{"path":"file:///x"},"map":{"use":"words"},"reduce":{"use":"sum"},"output":{"path":"file:///y"}}`

// someText is words of several lengths, Zipf-like, in lines.
func someText(words int) string {
	r := rand.New(rand.NewPCG(1, 2))
	z := rand.NewZipf(r, 1.1, 2, 20000)
	var b strings.Builder
	for i := range words {
		n := z.Uint64()
		fmt.Fprintf(&b, "w%d%s", n, strings.Repeat("x", int(n%23)))
		if i%11 == 10 {
			b.WriteByte('\n')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func TestWordCountIsTheSameHoweverItRuns(t *testing.T) {
	text := someText(60000)
	want := countWords(text)
	for _, tr := range []trial{
		{splits: 1, parts: 1}, {splits: 1, parts: 7}, {splits: 5, parts: 3},
		{splits: 4, parts: 2, budget: 1}, {splits: 40, parts: 4}, {splits: 1, parts: 300},
	} {
		tr.body, tr.text = wordCount, text
		got := tr.run(t)
		if tr.parts == 1 && got.text != want || sortedLines(got.text) != want {
			t.Errorf("%d splits, %d partitions, budget %d: another answer", tr.splits, tr.parts, tr.budget)
		}
	}
}
