package ui

import (
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// number shows a metric with six significant digits; fullNumber is what stands behind it.
func number(v registry.Float) string {
	f := float64(v)
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}

func fullNumber(v registry.Float) string { return strconv.FormatFloat(float64(v), 'g', -1, 64) }

// shortNumber shows a number as metrics are shown, and cuts any other text.
func shortNumber(s string) string {
	if f, err := strconv.ParseFloat(s, 64); err == nil {
		return number(registry.Float(f))
	}
	return shorten(s, 24)
}

func bytesText(n int64) string {
	switch {
	case n < 1024:
		return strconv.FormatInt(n, 10) + " B"
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/1024)
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// moment is a time of the store, for <time>.
type moment struct {
	iso, exact, ago string
}

// when describes a time in milliseconds since 1970; the zero moment is "no time".
func (u *UI) when(ms int64) moment {
	if ms <= 0 {
		return moment{}
	}
	t := time.UnixMilli(ms).UTC()
	return moment{iso: t.Format(time.RFC3339Nano), exact: t.Format("2006-01-02 15:04:05 UTC"), ago: ago(u.cfg.Clock().Sub(t), t)}
}

func ago(d time.Duration, t time.Time) string {
	unit := func(n int, name string) string {
		if n == 1 {
			return "1 " + name + " ago"
		}
		return strconv.Itoa(n) + " " + name + "s ago"
	}
	switch {
	case d < -time.Minute || d >= 30*24*time.Hour:
		return t.Format("2 Jan 2006")
	case d < 10*time.Second:
		return "just now"
	case d < time.Minute:
		return unit(int(d/time.Second), "second")
	case d < time.Hour:
		return unit(int(d/time.Minute), "minute")
	case d < 24*time.Hour:
		return unit(int(d/time.Hour), "hour")
	}
	return unit(int(d/(24*time.Hour)), "day")
}

// lasted is the duration of a run; empty while it goes on.
func lasted(start int64, end *int64) string {
	if end == nil || start <= 0 || *end < start {
		return ""
	}
	return span(time.Duration(*end-start) * time.Millisecond)
}

// span shows a duration with two units at most.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d/time.Minute), int(d%time.Minute/time.Second))
	case d < 24*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d/time.Hour), int(d%time.Hour/time.Minute))
	}
	return fmt.Sprintf("%d d %d h", int(d/(24*time.Hour)), int(d%(24*time.Hour)/time.Hour))
}

// shellQuote makes one word of a POSIX shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@%+=,") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// text reads an optional description.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func tagValue(tags []registry.KeyValue, key string) string {
	for _, t := range tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// userTags leaves out the tags that MLflow's clients write for themselves.
func userTags(tags []registry.KeyValue) (out []registry.KeyValue) {
	for _, t := range tags {
		if !strings.HasPrefix(t.Key, "mlflow.") {
			out = append(out, t)
		}
	}
	return out
}

// keyValue and alias are short names for the templates.
type (
	keyValue = registry.KeyValue
	alias    = registry.Alias
)

func itoa(n int) string { return strconv.Itoa(n) }

func itoa64(n int64) string { return strconv.FormatInt(n, 10) }

// shorten cuts a text to n characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

func base(p string) string { return path.Base(p) }

// countText tells how many rows a page has; more tells that other pages exist.
func countText(n int, what string, more bool) string {
	if n != 1 {
		what += "s"
	}
	if more {
		return strconv.Itoa(n) + " " + what + " on this page"
	}
	return strconv.Itoa(n) + " " + what
}

// typeText is a field's type with the shape of a tensor.
func typeText(f Field) string {
	if f.Shape == nil {
		return f.Type
	}
	dims := make([]string, len(f.Shape))
	for i, d := range f.Shape {
		dims[i] = strconv.Itoa(d)
	}
	return f.Type + " (" + strings.Join(dims, ", ") + ")"
}

// chartText tells a chart to those who cannot see it.
func chartText(c chart) string {
	text := c.key + " over " + strings.ToLower(axisName(c.axis))
	if len(c.series) == 0 {
		return text + ": nothing to draw"
	}
	text += fmt.Sprintf(" from %s to %s: least %s, greatest %s", xText(c.axis, c.x0, 0), xText(c.axis, c.x1, 0), number(c.low), number(c.high))
	if len(c.series) == 1 {
		return text + ", last " + number(c.last)
	}
	return text + ", " + strconv.Itoa(len(c.series)) + " runs"
}

func isNumber(s string) bool {
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

// plainNumber shows a number for people, signedNumber one that is a difference.
func plainNumber(v float64) string { return number(registry.Float(v)) }

func signedNumber(v float64) string {
	text := strconv.FormatFloat(v, 'g', 4, 64)
	switch {
	case v == 0:
		return "0"
	case v > 0:
		return "+" + text
	}
	return text
}

// apart tells how far the second of two answers is from the first; empty unless both are one number.
func apart(own, beside *tryResult) string {
	if own == nil || beside == nil {
		return ""
	}
	x, err1 := strconv.ParseFloat(own.headline, 64)
	y, err2 := strconv.ParseFloat(beside.headline, 64)
	if err1 != nil || err2 != nil {
		return ""
	}
	return "Version " + beside.version + " answers " + signedNumber(y-x) + " beside version " + own.version + "."
}

// latencyText is a time with three digits.
func latencyText(d time.Duration) string {
	if d >= time.Second {
		return strconv.FormatFloat(d.Seconds(), 'g', 3, 64) + " s"
	}
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'g', 3, 64) + " ms"
}
