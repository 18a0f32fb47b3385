package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// TagStub is a version's tag that makes it a model without files or training: its value is the JSON of a [Stub]. Such a version is
// registered with the source [StubSource], or any other one, which is not looked at.
const (
	TagStub    = "prinzbox.stub"
	StubSource = "stub:"
)

// Stub is a model for tests of clients. Exactly one of Answer, Answers, Predictions, Lookup, Expression and Error says what it answers; an Error with
// a Rate may stand beside another one.
type Stub struct {
	// Inputs, Outputs and Params are the signature, as lists in the form of an MLmodel file: [{"name": "a", "type": "double"}]. Without Inputs
	// any data is taken.
	Inputs  json.RawMessage `json:"inputs,omitempty"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`

	// Answer is the prediction of every row: a number, text, list or object.
	Answer json.RawMessage `json:"answer,omitempty"`
	// Answers are the predictions of the rows of a request in turn, from the first again when there are more rows.
	Answers []json.RawMessage `json:"answers,omitempty"`
	// Predictions is all predictions of a request, whatever its rows are.
	Predictions json.RawMessage `json:"predictions,omitempty"`
	// Lookup finds the prediction of a row in a table.
	Lookup *StubLookup `json:"lookup,omitempty"`
	// Expression computes the prediction from the columns of a row: one formula as text, or an object of several by their names. Formulas are
	// Python's arithmetic, comparisons and "a if b else c", with abs, round, sqrt and the like; `a b` is a column whose name is no word.
	Expression json.RawMessage `json:"expression,omitempty"`
	// Error answers with an error.
	Error *StubError `json:"error,omitempty"`

	// Latency delays each answer.
	Latency *StubLatency `json:"latency,omitempty"`
	// Seed begins the chance of Latency and Error.Rate; the same seed gives the same sequence.
	Seed uint64 `json:"seed,omitempty"`
}

// StubLookup is a table of answers.
type StubLookup struct {
	// CSV is the table with a header line. The columns of Key are compared with a row's; the others are its prediction, an object if there are
	// several.
	CSV string   `json:"csv"`
	Key []string `json:"key"`
	// Default is the prediction of rows that the table lacks; without it they are an error.
	Default json.RawMessage `json:"default,omitempty"`
}

// StubError is an error answer.
type StubError struct {
	// Status is an HTTP status from 400 to 599.
	Status int `json:"status"`
	// Code is MLflow's error code (default that of the status) and Message its text.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	// Rate is the part of requests that fail, above 0 and at most 1 (default 1).
	Rate float64 `json:"rate,omitempty"`
}

// StubLatency is a delay: Fixed, or even between Min and Max, or normal with Mean and Deviation. In JSON "50ms", {"min": "10ms", "max": "50ms"} or
// {"mean": "50ms", "deviation": "5ms"}.
type StubLatency struct {
	Fixed, Min, Max, Mean, Deviation time.Duration
}

// Limits of stubs.
const (
	maxLatency = time.Minute
	maxStubs   = 1_000 // kept compiled
	// maxStubAnswer bounds an answer in bytes, since a long one may stand for every row of a request.
	maxStubAnswer = 64 << 20
)

func checkStubAnswer(rows, bytes int) error {
	if bytes > maxStubAnswer {
		return registry.Invalidf("The stub's answer to %d rows is larger than the limit of %d bytes. Send fewer rows at a time.", rows, maxStubAnswer)
	}
	return nil
}

// UnmarshalJSON reads the three forms.
func (l *StubLatency) UnmarshalJSON(data []byte) error {
	var text string
	var err error
	if json.Unmarshal(data, &text) == nil {
		l.Fixed, err = latency("latency", text)
		return err
	}
	var parts map[string]string
	if json.Unmarshal(data, &parts) != nil {
		return errors.New(`latency: write "50ms", {"min": "10ms", "max": "50ms"} or {"mean": "50ms", "deviation": "5ms"}`)
	}
	for name, text := range parts {
		field, ok := map[string]*time.Duration{"fixed": &l.Fixed, "min": &l.Min, "max": &l.Max, "mean": &l.Mean, "deviation": &l.Deviation}[name]
		if !ok {
			return fmt.Errorf("latency: there is no %q; there are fixed, min, max, mean and deviation", name)
		}
		if *field, err = latency("latency."+name, text); err != nil {
			return err
		}
	}
	if l.Max < l.Min {
		return errors.New("latency: max is less than min")
	}
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (l StubLatency) MarshalJSON() ([]byte, error) {
	parts := map[string]string{}
	for name, d := range map[string]time.Duration{"fixed": l.Fixed, "min": l.Min, "max": l.Max, "mean": l.Mean, "deviation": l.Deviation} {
		if d != 0 {
			parts[name] = d.String()
		}
	}
	return json.Marshal(parts)
}

func latency(field, text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxLatency {
		return 0, fmt.Errorf("%s: %q is no duration from 0s to 60s, such as 50ms", field, text)
	}
	return d, nil
}

// next draws a delay.
func (l *StubLatency) next(r *rand.Rand) time.Duration {
	d := l.Fixed
	switch {
	case l.Max > 0:
		d += l.Min + time.Duration(r.Float64()*float64(l.Max-l.Min))
	case l.Mean > 0 || l.Deviation > 0:
		d += l.Mean + time.Duration(r.NormFloat64()*float64(l.Deviation))
	}
	return min(max(d, 0), maxLatency)
}

// stubs keeps compiled stubs, so that their chance goes on when something else in the registry changes.
type stubs struct {
	mu       sync.Mutex
	compiled map[route]*compiledStub // by name and number
}

type compiledStub struct {
	text   string
	loaded *Loaded
	err    error
}

// of compiles a version's stub unless it is known.
func (s *stubs) of(v Version, text string) (*Loaded, error) {
	key := route{name: v.Name, selector: v.Number}
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.compiled[key]; known != nil && known.text == text {
		return known.loaded, known.err
	}
	if s.compiled == nil || len(s.compiled) >= maxStubs {
		s.compiled = map[route]*compiledStub{}
	}
	c := &compiledStub{text: text}
	m, err := newStubModel(text)
	if err != nil {
		c.err = registry.Invalidf("Tag %s of version %s of registered model '%s' is no stub: %v", TagStub, v.Number, v.Name, err)
	} else {
		c.loaded = &Loaded{Model: m, Flavor: "stub", Estimator: m.kind}
	}
	s.compiled[key] = c
	return c.loaded, c.err
}

// Check tells what is wrong with a stub.
func (s *Stub) Check() error {
	text, err := json.Marshal(s)
	if err == nil {
		_, err = newStubModel(string(text))
	}
	return err
}

// CheckStub tells what is wrong with the value of a tag [TagStub]: the JSON of a Stub.
func CheckStub(text string) error {
	_, err := newStubModel(text)
	return err
}

// stubModel is a compiled stub.
type stubModel struct {
	kind      string // what it answers with, for people
	signature *Signature
	latency   *StubLatency
	failure   *answerError
	rate      float64
	predict   func(table *frame.Frame) (any, error) // nil when it only fails

	mu     sync.Mutex
	random *rand.Rand
}

// answerError is an error that is answered as it is.
type answerError struct {
	status int
	body   registry.ErrorBody
}

func (e *answerError) Error() string { return string(e.body.Code) + ": " + e.body.Message }

func newStubModel(text string) (*stubModel, error) {
	var s Stub
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return nil, fmt.Errorf("it is not understood: %w", err)
	}
	if d.More() {
		return nil, errors.New("there is more behind its JSON")
	}
	m := &stubModel{latency: s.Latency, random: rand.New(rand.NewPCG(s.Seed, 0))}
	var err error
	if m.signature, err = s.signature(); err != nil {
		return nil, err
	}
	var given []string
	for name, is := range map[string]bool{
		"answer": s.Answer != nil, "answers": s.Answers != nil, "predictions": s.Predictions != nil, "lookup": s.Lookup != nil, "expression": s.Expression != nil,
	} {
		if is {
			given = append(given, name)
		}
	}
	slices.Sort(given)
	if s.Error != nil {
		if m.failure, m.rate, err = s.Error.compile(); err != nil {
			return nil, err
		}
	}
	switch {
	case len(given) > 1:
		return nil, fmt.Errorf("it has %s: write one of them", strings.Join(given, " and "))
	case len(given) == 0 && m.failure == nil:
		return nil, errors.New("it has none of answer, answers, predictions, lookup, expression and error")
	case len(given) == 0 && m.rate < 1:
		return nil, errors.New("error.rate is below 1, and nothing says what is answered else: add an answer")
	case len(given) == 1 && m.failure != nil && m.rate == 1:
		return nil, fmt.Errorf("it has %s and an error: write one of them, or an error.rate below 1", given[0])
	case len(given) == 0:
		m.kind = "error"
		return m, nil
	}
	m.kind = given[0]
	switch m.kind {
	case "answer":
		m.predict, err = stubAnswers("answer", s.Answer)
	case "answers":
		m.predict, err = stubAnswers("answers", s.Answers...)
	case "predictions":
		var v any
		v, err = stubValue("predictions", s.Predictions)
		m.predict = func(*frame.Frame) (any, error) { return v, nil }
	case "lookup":
		m.predict, err = s.Lookup.compile(m.signature)
	case "expression":
		m.predict, err = stubExpression(s.Expression)
	}
	return m, err
}

func (s *Stub) signature() (*Signature, error) {
	signature := &Signature{}
	for _, part := range []struct {
		name string
		text json.RawMessage
		read func(text string) error
	}{
		{"inputs", s.Inputs, func(text string) (err error) { signature.Inputs, err = frame.ParseSchema(text); return err }},
		{"outputs", s.Outputs, func(text string) (err error) { signature.Outputs, err = frame.ParseSchema(text); return err }},
		{"params", s.Params, func(text string) (err error) { signature.Params, err = frame.ParseParams(text); return err }},
	} {
		if part.text == nil {
			continue
		}
		text := string(part.text)
		var inner string // as in an MLmodel file, a text of JSON
		if json.Unmarshal(part.text, &inner) == nil {
			text = inner
		}
		if err := part.read(text); err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return signature, nil
}

func (e *StubError) compile() (*answerError, float64, error) {
	rate := e.Rate
	if rate == 0 {
		rate = 1
	}
	if rate < 0 || rate > 1 || math.IsNaN(rate) {
		return nil, 0, errors.New("error.rate is a part from 0 to 1")
	}
	if e.Status < 400 || e.Status > 599 {
		return nil, 0, fmt.Errorf("error.status is %d: write an HTTP status from 400 to 599", e.Status)
	}
	code := registry.Code(e.Code)
	if code == "" {
		code = codeOf(e.Status)
	}
	message := e.Message
	if message == "" {
		message = "The stub answers with an error."
	}
	return &answerError{e.Status, registry.Body(&registry.Error{Code: code, Message: message})}, rate, nil
}

// codeOf is the usual error code of an HTTP status.
func codeOf(status int) registry.Code {
	switch status {
	case 401:
		return registry.Unauthenticated
	case 403:
		return registry.PermissionDenied
	case 404:
		return registry.ResourceDoesNotExist
	case 409:
		return registry.ResourceConflict
	case 429:
		return registry.RequestLimitExceeded
	case 501:
		return registry.NotImplemented
	case 503:
		return registry.TemporarilyUnavailable
	case 504:
		return registry.DeadlineExceeded
	}
	if status < 500 {
		return registry.BadRequest
	}
	return registry.InternalError
}

func stubValue(field string, text json.RawMessage) (any, error) {
	v, err := frame.DecodeValue(text)
	if err != nil {
		err = fmt.Errorf("%s: %w", field, err)
	}
	return v, err
}

// stubAnswers gives the rows these answers in turn.
func stubAnswers(field string, texts ...json.RawMessage) (func(*frame.Frame) (any, error), error) {
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s is empty", field)
	}
	values := make([]any, len(texts))
	longest := 0
	for i, text := range texts {
		longest = max(longest, len(text))
		var err error
		if values[i], err = stubValue(field, text); err != nil {
			return nil, err
		}
	}
	return func(table *frame.Frame) (any, error) {
		if err := checkStubAnswer(table.Rows, longest*table.Rows); err != nil {
			return nil, err
		}
		out := make([]any, table.Rows)
		for i := range out {
			out[i] = values[i%len(values)]
		}
		return out, nil
	}, nil
}

func (m *stubModel) Signature() *Signature { return m.signature }

// chance draws the delay of a request, and whether it fails.
func (m *stubModel) chance() (delay time.Duration, fails bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.latency != nil {
		delay = m.latency.next(m.random)
	}
	if m.failure != nil {
		fails = m.rate == 1 || m.random.Float64() < m.rate
	}
	return delay, fails
}

// before waits, and fails where the stub is to fail, whatever the body is.
func (m *stubModel) before(ctx context.Context) error {
	delay, fails := m.chance()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return registry.Errorf(registry.DeadlineExceeded, "The client went away before the stub's latency was over.")
		}
	}
	if fails {
		return m.failure
	}
	return nil
}

func (m *stubModel) Predict(_ context.Context, table *frame.Frame) (*frame.Result, error) {
	v, err := m.predict(table)
	if err != nil {
		return nil, err
	}
	return &frame.Result{Values: &v}, nil
}

// answer is the error as HTTP.
func (e *answerError) answer() answer {
	body, _ := json.Marshal(e.body) // plain texts always encode
	return answer{status: e.status, contentType: jsonType, body: body}
}
