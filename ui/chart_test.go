package ui

import (
	"math"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/prinzbox/prinzbox/registry"
)

func history(n int, value func(i int) float64) []registry.Point {
	out := make([]registry.Point, n)
	for i := range out {
		out[i] = registry.Point{Step: int64(i), Timestamp: int64(i) * 10, Value: value(i)}
	}
	return out
}

// draw makes the chart of one history.
func draw(p plotting, history []registry.Point) chart {
	s := newSketch(p)
	for _, m := range history {
		s.take(m)
	}
	s.sort()
	axis := p.axis
	if axis == "" {
		axis = axisStep
	}
	return newChart("chart", "loss", axis, p, []source{{runID: "r", sketch: s}})
}

// line reads a polyline back; every point must lie in the picture.
func line(t *testing.T, polyline string) (out [][2]float64) {
	t.Helper()
	for pair := range strings.FieldsSeq(polyline) {
		xs, ys, ok := strings.Cut(pair, ",")
		x, err1 := strconv.ParseFloat(xs, 64)
		y, err2 := strconv.ParseFloat(ys, 64)
		if !ok || err1 != nil || err2 != nil || !(x >= 0 && x <= chartWidth && y >= 0 && y <= chartHeight) {
			t.Fatalf("bad point %q", pair)
		}
		out = append(out, [2]float64{x, y})
	}
	return out
}

// A peak of one point among 100,000 is drawn, in whatever order the points come.
func TestChartKeepsPeaks(t *testing.T) {
	ordered := history(100_000, func(i int) float64 {
		if i == 54_321 {
			return 100
		}
		return float64(i%7) / 10
	})
	mixed := slices.Clone(ordered)
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	for name, h := range map[string][]registry.Point{"in order": ordered, "mixed": mixed} {
		c := draw(plotting{}, h)
		points := line(t, c.series[0].line)
		if len(points) > 4*160 {
			t.Errorf("%s: %d points for 160 columns", name, len(points))
		}
		top := slices.MinFunc(points, func(a, b [2]float64) int { return int(math.Copysign(1, a[1]-b[1])) })
		if top[1] != chartPad || math.Abs(top[0]-(chartPad+(chartWidth-2*chartPad)*0.54321)) > 1 {
			t.Errorf("%s: the peak is drawn at %v", name, top)
		}
		if !slices.IsSortedFunc(points, func(a, b [2]float64) int { return int(math.Round(10 * (a[0] - b[0]))) }) {
			t.Errorf("%s: the line runs backwards", name)
		}
		if c.low != 0 || c.high != 100 || c.points != 100_000 || c.xs != [3]string{"0", "49999", "99999"} {
			t.Errorf("%s: low %v, high %v, points %d, axis %v", name, c.low, c.high, c.points, c.xs)
		}
	}
	// A zoom shows what lies in it only, and stays where it is.
	from, to := int64(54_000), int64(55_000)
	c := draw(plotting{from: &from, to: &to}, ordered)
	if c.points != 1001 || c.high != 100 || c.x0 != from || c.x1 != to {
		t.Errorf("zoomed: %d points up to %v, from %d to %d", c.points, c.high, c.x0, c.x1)
	}
}

func TestChartOfOddValues(t *testing.T) {
	nan, big := math.NaN(), math.MaxFloat64
	for name, c := range map[string]struct {
		values []float64
		points int
	}{
		"constant": {[]float64{3, 3, 3}, 3}, "only NaN": {[]float64{nan, nan}, 0}, "some NaN": {[]float64{1, nan, 2}, 2}, "extremes": {[]float64{-big, 0, big}, 3},
		"one point": {[]float64{nan, 5}, 2}, // as a short line
	} {
		for _, p := range []plotting{{}, {smooth: 0.9}, {log: true}} {
			n := 0
			for _, s := range draw(p, history(len(c.values), func(i int) float64 { return c.values[i] })).series {
				n = len(line(t, s.line))
				line(t, s.smooth)
			}
			if n != c.points && !p.log {
				t.Errorf("%s: %d points, want %d", name, n, c.points)
			}
		}
	}
	far := draw(plotting{}, []registry.Point{{Step: math.MinInt64, Value: 1}, {Step: 0, Value: 2}, {Step: math.MaxInt64, Value: 3}})
	if got := far.series[0].line; got != "6,114 160,60 314,6" {
		t.Errorf("the furthest steps: %s", got)
	}
	mixed := draw(plotting{}, []registry.Point{{Step: 2, Value: 2}, {Step: 0, Value: 0}, {Step: 1, Value: 1}})
	if got := mixed.series[0].line; got != "6,114 160,60 314,6" {
		t.Errorf("line %s", got)
	}
	same := draw(plotting{}, []registry.Point{{Value: 1}, {Value: 2}})
	if n := len(line(t, same.series[0].line)); n != 2 {
		t.Errorf("two points at one moment: %d drawn", n)
	}
	relative := draw(plotting{axis: axisRelative}, []registry.Point{{Timestamp: 1_000_000, Value: 1}, {Timestamp: 1_060_000, Value: 2}})
	if relative.xs != [3]string{"0 ms", "30.0 s", "1 min 0 s"} {
		t.Errorf("axis %v", relative.xs)
	}
}

// A logarithmic scale puts equal ratios at equal distances, and says what it cannot show.
func TestLogarithmicScale(t *testing.T) {
	c := draw(plotting{log: true}, history(4, func(i int) float64 { return []float64{1, 0, 10, 100}[i] }))
	if got := c.series[0].line; got != "6,114 211.3,60 314,6" || c.left != 1 || c.ys != [3]string{"1", "10", "100"} {
		t.Errorf("line %s, %d left out, axis %v", got, c.left, c.ys)
	}
}

// Smoothing starts at the first value, not at zero, and follows the mean of what jumps about.
func TestSmoothing(t *testing.T) {
	a := average{weight: 0.9}
	if got := a.add(5); math.Abs(got-5) > 1e-12 {
		t.Errorf("the first value is %v", got)
	}
	got := 0.0
	for i := range 1000 {
		got = a.add(float64(i % 2))
	}
	if math.Abs(got-0.5) > 0.06 {
		t.Errorf("the average of 0 and 1 is %v", got)
	}
	if got := a.add(math.NaN()); !math.IsNaN(got) {
		t.Errorf("NaN is %v", got)
	}
	if got := a.add(0.5); math.IsNaN(got) {
		t.Error("NaN stays for good")
	}
}

func FuzzMarkdown(f *testing.F) {
	m := newMarkdown()
	for _, s := range []string{
		"# a\n\n| a | b |\n|:-:|--|\n| 1 | 2 |", "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://evil.example/x.png)", "<http://a.example>", "www.a.example",
		"- [x] done", "<img src=x onerror=alert(1)>", "[a](java\tscript:x)", "[![i](x)](data:text/html,x)", "~~a~~ **b** `c`\n\n    code\n\n> quote", "[a]: javascript:x\n\n[a]", "&lt;script&gt;",
		"<!-- x -->", "a<b onclick=x>c</b>", "[x](<java&#x09;script:alert(1)>)", "###### x\n# y",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, note string) {
		var b strings.Builder
		if err := m.html(note, 2).Render(t.Context(), &b); err != nil {
			t.Fatal(err)
		}
		tokens := html.NewTokenizer(strings.NewReader(b.String()))
		for {
			kind := tokens.Next()
			if kind == html.ErrorToken {
				break
			}
			if kind == html.CommentToken || kind == html.DoctypeToken {
				t.Fatalf("%q holds %s", b.String(), tokens.Raw())
			}
			if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
				continue
			}
			token := tokens.Token()
			if !slices.Contains(strings.Fields("p h2 h3 h4 h5 h6 a em strong del code pre ul ol li blockquote hr br table thead tbody tr th td"), token.Data) {
				t.Fatalf("%q holds <%s>", b.String(), token.Data)
			}
			for _, a := range token.Attr {
				ok := false
				switch a.Key {
				case "href":
					to, err := url.Parse(strings.TrimSpace(a.Val))
					ok = err != nil && safeLink(a.Val) || err == nil && slices.Contains([]string{"", "http", "https", "mailto"}, to.Scheme)
				case "rel", "title", "align", "class", "start":
					ok = true
				}
				if !ok {
					t.Fatalf("%q: <%s %s=%q>", b.String(), token.Data, a.Key, a.Val)
				}
			}
		}
	})
}

func FuzzPreview(f *testing.F) {
	for _, s := range []string{"a,b\n1,\"2", `{"columns": ["a"], "data": [[1, "x"], []]}`, "flavors:\n  sklearn: {}\nsignature: {inputs: '[{\"type\": \"double\"}]'}", "a\tb\n", "\ufeff;\n", "a: &a [*a]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, table := range []*table{csvTable(data, false, false), csvTable(data, true, true), splitTable(data)} {
			if table == nil {
				continue
			}
			if len(table.numbers) != len(table.head) || len(table.rows) > previewRows || len(table.head) > tableColumns {
				t.Fatalf("%d columns, %d of numbers, %d rows", len(table.head), len(table.numbers), len(table.rows))
			}
			for _, row := range table.rows {
				if len(row) != len(table.head) {
					t.Fatalf("%d cells below %d heads", len(row), len(table.head))
				}
			}
		}
		_ = modelFacts(data)
	})
}

func FuzzExample(f *testing.F) {
	for _, s := range []string{`{"columns":["a"],"data":[[1]]}`, `{"inputs":{"a":[1]}}`, `{"dataframe_split":{"data":[[null]]}}`, `[1]`, `{"predictions":[1.5]}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		about := Model{Inputs: []Field{{Name: "a", Type: "double"}, {Name: "b", Type: "string"}}, InputExample: data}
		form := newTryForm("m", "1", "http://localhost", about)
		if body, ok := form.body(); ok {
			if _, err := compactJSON(body); err != nil {
				t.Errorf("the form makes %s: %v", body, err)
			}
		}
		_ = headline(data)
		_ = indent(data)
	})
}
