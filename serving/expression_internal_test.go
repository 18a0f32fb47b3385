package serving

import (
	"math"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// TestExpression computes formulas; the values are Python's (and numpy's for a division by zero).
func TestExpression(t *testing.T) {
	row := map[string]any{"a": int64(7), "b": -2.5, "s": "wine", "n": nil, "x": math.NaN(), "t": true, "fixed acidity": int64(3)}
	for text, want := range map[string]any{
		"1 + 2 * 3":                         int64(7),
		"(1 + 2) * 3":                       int64(9),
		"2 ** 3 ** 2":                       int64(512),
		"-2 ** 2":                           int64(-4),
		"2 ** -1":                           0.5,
		"- - a":                             int64(7),
		"a - 1 - 1":                         int64(5),
		"a / 2":                             3.5,
		"a // 2":                            int64(3),
		"-a // 2":                           int64(-4),
		"-a % 3":                            int64(2),
		"a % -3":                            int64(-2),
		"b // 1":                            -3.0,
		"b % 1":                             0.5,
		"a / 0":                             math.Inf(1),
		"0 / 0":                             math.NaN(),
		"`fixed acidity` * a":               int64(21),
		"1e3":                               1000.0,
		".5 + 1.":                           1.5,
		"a > 3 and b < 0":                   true,
		"a > 3 and s":                       "wine",
		"n or 5":                            int64(5),
		"not a":                             false,
		"not a == 7":                        false,
		"a == 7.0":                          true,
		"s == 'wine'":                       true,
		"s != \"beer\"":                     true,
		"s < 'x'":                           true,
		"s == 1":                            false,
		"n == None":                         true,
		"x == x":                            false,
		"x != x":                            true,
		"t + 1":                             int64(2),
		"s + 's'":                           "wines",
		"'big' if a > 5 else 'small'":       "big",
		"1 if a > 9 else 2 if a > 8 else 3": int64(3),
		"abs(b)":                            2.5,
		"abs(-a)":                           int64(7),
		"min(a, b, 3)":                      -2.5,
		"max(a, 9)":                         int64(9),
		"round(2.5)":                        int64(2),
		"round(b)":                          int64(-2),
		"round(1.23456, 2)":                 1.23,
		"floor(b)":                          int64(-3),
		"ceil(b)":                           int64(-2),
		"int('12') + 1":                     int64(13),
		"int(-2.9)":                         int64(-2),
		"float('1_0.5')":                    10.5,
		"str(b) + s":                        "-2.5wine",
		"bool('')":                          false,
		"len('süß')":                        int64(3),
		"isnull(n) and isnull(x) and not isnull(a)": true,
		"sqrt(16) + exp(0) + log(1) + log10(100)":   7.0,
		"sqrt(-1)":                math.NaN(),
		"9007199254740993 + 0":    9007199254740992.0,
		"9223372036854775807 * 2": 18446744073709551614.0,
		"None":                    nil,
	} {
		e, err := compileExpression(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		var values []any
		for _, name := range e.names {
			values = append(values, row[name])
		}
		got, err := e.root(values)
		if f, ok := want.(float64); ok && math.IsNaN(f) {
			if g, ok := got.(float64); !ok || !math.IsNaN(g) || err != nil {
				t.Errorf("%s: %v %v, want nan", text, got, err)
			}
			continue
		}
		if err != nil || got != want {
			t.Errorf("%s: %v (%T) %v, want %v (%T)", text, got, got, err, want, want)
		}
	}
	for text, reason := range map[string]string{
		"":           "at character 1: it ends too early",
		"a b":        "at character 3: 'b' is not expected",
		"a $":        "'$' is not expected",
		"(a":         "')' is missing",
		"a)":         "')' is not expected",
		"a < b < 3":  "do not chain",
		"1 if a":     "'else' is missing",
		"foo(1)":     "there is no function foo; there are abs, bool",
		"abs()":      "abs takes 1 argument",
		"abs(1, 2)":  "abs takes 1 argument",
		"round(":     "it ends too early",
		"round(1 2)": "',' or ')' is missing",
		"'x":         "does not end",
		"1.2.3":      "no number",
		"if":         "'if' is not expected",
		"a.b":        "'.' is not expected",
		"a[0]":       "'[' is not expected",
		"lambda: 1":  "':' is not expected",
		strings.Repeat("(", 600) + "1" + strings.Repeat(")", 600): "nests deeper",
		strings.Repeat("-", 600) + "1":                            "nests deeper",
		strings.Repeat("not ", 600) + "1":                         "nests deeper",
		"1" + strings.Repeat("+1", 600):                           "nests deeper",
		"1" + strings.Repeat("**1", 600):                          "nests deeper",
		"1" + strings.Repeat(" if 1 else 1", 300):                 "",
		strings.Repeat("1", 5000):                                 "the limit is 4096",
	} {
		_, err := compileExpression(text)
		if reason == "" {
			if err != nil {
				t.Errorf("%.40s: %v", text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%.40s: %v, want %s", text, err, reason)
		}
	}
}

// FuzzExpression compiles and computes any text: no panic, and errors that a user can read.
func FuzzExpression(f *testing.F) {
	for _, seed := range []string{"a + 1", "1 if a > 2 else 'x' * 2", "round(a / 3, 2) ** 2 // 5 % 3", "not (a and `b c`) or str(a) + 'y'", "max(min(a, 1), -0.5e-3)", "0.1.2", "ü_1 == None"} {
		f.Add(seed, 1.5, "t", int64(3))
	}
	f.Fuzz(func(t *testing.T, text string, x float64, s string, n int64) {
		e, err := compileExpression(text)
		if err != nil {
			return
		}
		values := []any{x, s, n, nil, true}
		row := make([]any, len(e.names))
		for i := range row {
			row[i] = values[i%len(values)]
		}
		v, err := e.root(row)
		if err != nil {
			if _, ok := err.(*frame.PredictError); !ok { //nolint:errorlint // nothing wraps it
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		switch v.(type) {
		case nil, bool, int64, float64, string:
		default:
			t.Fatalf("%q: %T", text, v)
		}
	})
}
