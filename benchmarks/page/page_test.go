package page

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/capstan-run/capstan/benchmarks/machine"
	"github.com/capstan-run/capstan/benchmarks/result"
)

var rewrite = flag.Bool("rewrite", false, "write the golden page anew")

func TestRenderGolden(t *testing.T) {
	r, err := result.Read("testdata/results.json")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Render(r)
	if err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/results.html"
	if *rewrite {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("page changed; look at it and rewrite with -rewrite:\n%s", diff)
	}
	for _, outside := range []string{"http:", "https:", "<script", "src=", "@import", "url("} {
		if bytes.Contains(got, []byte(outside)) {
			t.Errorf("the page holds %q: it must need nothing from elsewhere", outside)
		}
	}
}

func TestRenderEmpty(t *testing.T) {
	got, err := Render(&result.Result{Machine: machine.Machine{CPU: "x"}})
	if err != nil || !strings.HasSuffix(string(got), "</html>\n") {
		t.Errorf("%.200s, %v", got, err)
	}
}

func TestPlotsEscapeNames(t *testing.T) {
	svg := string(bars(`a<b>&"c"`, []row{{name: "<x>", spread: result.Spread{Least: 1, Median: 2, Most: 3}}}))
	if strings.Contains(svg, "<x>") || strings.Contains(svg, "<b>") {
		t.Error(svg)
	}
	for dec := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := dec.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestFigureHasNoExponent(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.0123: "0.0123", 5.278: "5.28", 152.4: "152", 999.7: "1000", 1234.5: "1234", 20000: "20000"} {
		if got := figure(v); got != want {
			t.Errorf("figure(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestScaleHoldsTheMost(t *testing.T) {
	for _, most := range []float64{0, 0.003, 0.99, 1, 1.01, 7, 35, 142, 9999} {
		ticks := scale(most)
		if top := ticks[len(ticks)-1]; top < most || ticks[0] != 0 {
			t.Errorf("scale(%v) = %v", most, ticks)
		}
		if len(ticks) < 3 || len(ticks) > 8 {
			t.Errorf("scale(%v) has %d ticks", most, len(ticks))
		}
	}
}

func TestApartKeepsNamesReadable(t *testing.T) {
	got := apart([]end{{y: 100}, {y: 98}, {y: 99}, {y: 20}}, 15)
	for i := 1; i < len(got); i++ {
		if got[i].y-got[i-1].y < 15 {
			t.Errorf("%v", got)
		}
	}
}
