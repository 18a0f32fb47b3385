// Package faults makes an environment fail as networks and servers do: late, wrong, cut off, too often. Rules choose calls and say what happens
// to them; chance comes from a seed.
package faults

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// Rule says what happens to which calls. Of what is empty in When and Match, all calls are meant. Times are in milliseconds.
type Rule struct {
	// ID names the rule; it is made where it is empty.
	ID    string `json:"id"`
	Match Match  `json:"match"`
	When  When   `json:"when"`

	// Latency delays the call before anything else happens to it.
	Latency *Latency `json:"latency,omitempty"`
	// RateLimit refuses calls beyond a rate, and lets those below it be.
	RateLimit *RateLimit `json:"rate_limit,omitempty"`
	// Error answers in place of the environment.
	Error *Error `json:"error,omitempty"`
	// Reset breaks the connection instead of an answer.
	Reset bool `json:"reset,omitempty"`
	// Body slows the answer's body, or cuts it off.
	Body *Body `json:"body,omitempty"`

	// Matched counts the calls that the rule is for, Fired those that it changed.
	Matched int64 `json:"matched"`
	Fired   int64 `json:"fired"`
}

// Match chooses calls by what they are for. In all but Kind and Method a * stands for anything, slashes too.
type Match struct {
	Kind      calls.Kind `json:"kind,omitempty"`
	Method    string     `json:"method,omitempty"`
	Path      string     `json:"path,omitempty"`
	Operation string     `json:"operation,omitempty"`
	Model     string     `json:"model,omitempty"`
	Bucket    string     `json:"bucket,omitempty"`
	Key       string     `json:"key,omitempty"`
	Client    string     `json:"client,omitempty"`
}

// When chooses among the calls that match. What is given must all hold.
type When struct {
	// First fires on the first so many; Nth on that one only, from 1; Every on each so-manieth; Skip leaves out the first so many, before the
	// others count.
	First int64 `json:"first,omitempty"`
	Nth   int64 `json:"nth,omitempty"`
	Every int64 `json:"every,omitempty"`
	Skip  int64 `json:"skip,omitempty"`
	// Probability, above 0 and up to 1, fires by chance; 0 means always.
	Probability float64 `json:"probability,omitempty"`
}

// Latency is a time, or a distribution of times, in milliseconds.
type Latency struct {
	// Kind is fixed (MS), uniform (MinMS to MaxMS), normal (MeanMS, StdDevMS; never below 0) or lognormal (MedianMS, Sigma). Empty means fixed.
	Kind     string  `json:"kind,omitempty"`
	MS       float64 `json:"ms,omitempty"`
	MinMS    float64 `json:"min_ms,omitempty"`
	MaxMS    float64 `json:"max_ms,omitempty"`
	MeanMS   float64 `json:"mean_ms,omitempty"`
	StdDevMS float64 `json:"stddev_ms,omitempty"`
	MedianMS float64 `json:"median_ms,omitempty"`
	Sigma    float64 `json:"sigma,omitempty"`
}

// Error is an answer, in the form of the protocol: MLflow's and scoring's JSON, S3's XML, plain text for the rest.
type Error struct {
	// Status is the HTTP status, 400 to 599; 0 means that of the code, or 500.
	Status int `json:"status,omitempty"`
	// Code is MLflow's error_code or S3's Code; empty means one that goes with the status.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// RetryAfterS, in seconds, is told in Retry-After where it is not 0.
	RetryAfterS int `json:"retry_after_s,omitempty"`
}

// RateLimit lets so many Calls pass in each PerMS milliseconds, and refuses the others with Status 429 or 503 (when 0: 503 for S3, as AWS's
// SlowDown; 429 for the others) and Retry-After.
type RateLimit struct {
	Calls  int     `json:"calls"`
	PerMS  float64 `json:"per_ms"`
	Status int     `json:"status,omitempty"`
}

// Body is what happens to an answer's body.
type Body struct {
	// BytesPerSecond slows it.
	BytesPerSecond int64 `json:"bytes_per_second,omitempty"`
	// TruncateAfter breaks the connection behind so many bytes; a body that is not longer comes whole.
	TruncateAfter *int64 `json:"truncate_after,omitempty"`
}

// maxDelay bounds a latency: more is a mistake in a unit.
const maxDelay = 10 * time.Minute

// FieldError says which field of a rule is wrong, and what it takes.
type FieldError struct{ Field, Message string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

func wrong(field, format string, args ...any) error {
	return &FieldError{field, fmt.Sprintf(format, args...)}
}

// Check finds what is wrong with a rule.
func (r *Rule) Check() error {
	if len(r.ID) > 100 {
		return wrong("id", "at most 100 characters")
	}
	if r.Match.Kind != "" && !slices.Contains(calls.Kinds(), r.Match.Kind) {
		return wrong("match.kind", "%.40q: use mlflow, s3, scoring, static, gui or control", r.Match.Kind)
	}
	if r.Latency == nil && r.RateLimit == nil && r.Error == nil && !r.Reset && r.Body == nil {
		return wrong("rule", "it does nothing: give latency, rate_limit, error, reset or body")
	}
	if r.Error != nil && r.Reset {
		return wrong("reset", "a call is answered with an error or its connection is reset: give one of them")
	}
	for _, check := range []error{r.When.check(), r.Latency.check(), r.Error.check(), r.RateLimit.check(), r.Body.check()} {
		if check != nil {
			return check
		}
	}
	return nil
}

func (w *When) check() error {
	for field, n := range map[string]int64{"when.first": w.First, "when.nth": w.Nth, "when.every": w.Every, "when.skip": w.Skip} {
		if n < 0 {
			return wrong(field, "%d: give a number from 1 on, or leave it out", n)
		}
	}
	if !(w.Probability >= 0 && w.Probability <= 1) {
		return wrong("when.probability", "%v: give a number above 0 and up to 1", w.Probability)
	}
	return nil
}

func (l *Latency) check() error {
	if l == nil {
		return nil
	}
	for field, v := range map[string]float64{
		"latency.ms": l.MS, "latency.min_ms": l.MinMS, "latency.max_ms": l.MaxMS, "latency.mean_ms": l.MeanMS, "latency.stddev_ms": l.StdDevMS, "latency.median_ms": l.MedianMS,
	} {
		if !(v >= 0 && v <= milliseconds(maxDelay)) {
			return wrong(field, "%v: give milliseconds from 0 to %v (%v)", v, milliseconds(maxDelay), maxDelay)
		}
	}
	if !(l.Sigma >= 0 && l.Sigma <= 10) {
		return wrong("latency.sigma", "%v: give a number from 0 to 10", l.Sigma)
	}
	switch l.Kind {
	case "", "fixed":
		if l.MS == 0 {
			return wrong("latency.ms", "a fixed latency needs it, in milliseconds")
		}
	case "uniform":
		if l.MaxMS <= l.MinMS {
			return wrong("latency.max_ms", "a uniform latency needs min_ms, and max_ms above it")
		}
	case "normal":
		if l.MeanMS == 0 {
			return wrong("latency.mean_ms", "a normal latency needs it, and stddev_ms")
		}
	case "lognormal":
		if l.MedianMS == 0 {
			return wrong("latency.median_ms", "a lognormal latency needs it, and sigma")
		}
	default:
		return wrong("latency.kind", "%.40q: use fixed, uniform, normal or lognormal", l.Kind)
	}
	return nil
}

func (e *Error) check() error {
	if e == nil {
		return nil
	}
	if e.Status != 0 && (e.Status < 400 || e.Status > 599) {
		return wrong("error.status", "%d: give one from 400 to 599", e.Status)
	}
	if e.RetryAfterS < 0 {
		return wrong("error.retry_after_s", "%d: give seconds, 0 or more", e.RetryAfterS)
	}
	return nil
}

func (l *RateLimit) check() error {
	switch {
	case l == nil:
	case l.Calls < 0 || l.Calls > 1_000_000:
		return wrong("rate_limit.calls", "%d: give how many calls may pass, 0 to 1000000", l.Calls)
	case !(l.PerMS > 0 && l.PerMS <= 86_400_000):
		return wrong("rate_limit.per_ms", "%v: give the window in milliseconds, above 0 and up to a day", l.PerMS)
	case l.Status != 0 && l.Status != 429 && l.Status != 503:
		return wrong("rate_limit.status", "%d: use 429 or 503", l.Status)
	}
	return nil
}

func (b *Body) check() error {
	switch {
	case b == nil:
	case b.BytesPerSecond < 0:
		return wrong("body.bytes_per_second", "%d: give a number above 0", b.BytesPerSecond)
	case b.TruncateAfter != nil && *b.TruncateAfter < 0:
		return wrong("body.truncate_after", "%d: give a number of bytes, 0 or more", *b.TruncateAfter)
	case b.BytesPerSecond == 0 && b.TruncateAfter == nil:
		return wrong("body", "give bytes_per_second or truncate_after")
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// random is what chance needs.
type random interface {
	Float64() float64
	NormFloat64() float64
}

func (l *Latency) sample(r random) time.Duration {
	ms := l.MS
	switch l.Kind {
	case "uniform":
		ms = l.MinMS + r.Float64()*(l.MaxMS-l.MinMS)
	case "normal":
		ms = l.MeanMS + r.NormFloat64()*l.StdDevMS
	case "lognormal":
		ms = l.MedianMS * math.Exp(r.NormFloat64()*l.Sigma)
	}
	return min(time.Duration(max(ms, 0)*float64(time.Millisecond)), maxDelay)
}
