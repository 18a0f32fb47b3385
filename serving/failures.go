package serving

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// Failure is a scoring request that was not answered with 2xx.
type Failure struct {
	Time time.Time
	// RequestID is the X-Request-Id of the request and its answer.
	RequestID string
	// Model is empty when the request named none that is there, Version when none could be chosen.
	Model, Version string
	// Status is the HTTP status; Code is MLflow's error code, empty where the protocol has none; Message is cut to 500 characters.
	Status  int
	Code    string
	Message string
	// Shadow tells that a copy of the request failed; the client got another version's answer.
	Shadow bool
}

// Bounds of what is remembered of failures.
const (
	failuresKept  = 20 // of a model
	maxFailing    = 1_000
	failureLength = 500
)

// failures remembers the last failures of each model.
type failures struct {
	mu      sync.Mutex
	byModel map[string][]Failure // oldest first
}

func (f *failures) add(one Failure) {
	f.mu.Lock()
	defer f.mu.Unlock()
	list, ok := f.byModel[one.Model]
	if !ok && len(f.byModel) >= maxFailing {
		// Whose last failure is oldest goes.
		var oldest string
		var at time.Time
		for name, l := range f.byModel {
			if last := l[len(l)-1].Time; at.IsZero() || last.Before(at) {
				oldest, at = name, last
			}
		}
		delete(f.byModel, oldest)
	}
	if f.byModel == nil {
		f.byModel = map[string][]Failure{}
	}
	if len(list) >= failuresKept {
		list = slices.Delete(list, 0, len(list)-failuresKept+1)
	}
	f.byModel[one.Model] = append(list, one)
}

// Failures gives the last failures of a model, newest first, at most 20; "" gives those of requests that
// named no model that is there.
func (s *Server) Failures(model string) []Failure {
	s.failures.mu.Lock()
	out := slices.Clone(s.failures.byModel[model])
	s.failures.mu.Unlock()
	slices.Reverse(out)
	return out
}

// describe fills in what an answer's body says.
func (f *Failure) describe(a answer) {
	f.Status = a.status
	var body struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
		Error   string `json:"error"` // V2
	}
	if json.Unmarshal(a.body, &body) == nil && body.Message+body.Error != "" {
		f.Code, f.Message = body.Code, body.Message+body.Error
	} else {
		f.Message = string(a.body[:min(len(a.body), 4*failureLength)])
	}
	f.Message = strings.ToValidUTF8(f.Message, "\uFFFD")
	if r := []rune(f.Message); len(r) > failureLength {
		f.Message = string(r[:failureLength-1]) + "…"
	}
}
