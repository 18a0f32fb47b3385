package serving

import (
	"context"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// broken is an engine with a bug.
type broken struct{}

func (broken) Signature() *Signature { return &Signature{} }

func (broken) Predict(context.Context, *frame.Frame) (*frame.Result, error) { panic("a bug") }

// A panic of a shadow is counted and ends nothing.
func TestShadowPanics(t *testing.T) {
	s := New(Config{})
	defer s.Close() //nolint:errcheck // nothing is wrong with it
	shadow := &target{Version: Version{Name: "m", Number: "2"}, counters: s.metrics.of("m", "2"), own: &Loaded{Model: broken{}}}
	for range 3 {
		s.shadows.offer(shadowed{target: shadow, dialect: mlflow{s}, body: []byte(`{"inputs": [[1]]}`), contentType: jsonType, answer: answer{status: 200, body: []byte("[1]")}})
	}
	s.shadows.done.Wait()
	if n := shadow.counters.shadows[shadowFailed].Load(); n != 3 {
		t.Errorf("%d failures of 3", n)
	}
}
