package serving_test

import (
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// A probe answers as a request does, and counts for nothing.
func TestProbe(t *testing.T) {
	s, _ := serve(t, serving.Config{Catalog: answering(2)})
	body := []byte(`{"dataframe_split":{"columns":["x"],"data":[[1]]}}`)
	want, wantStatus := s.Score(t.Context(), "m", "1", body, "application/json")
	before := len(s.Stats())
	got, status := s.Probe(t.Context(), "m", "2", body, "application/json")
	if status != wantStatus || len(got) == 0 || string(got) == string(want) {
		t.Errorf("a probe of version 2 answers %d %s, a request to version 1 %d %s", status, got, wantStatus, want)
	}
	if _, status := s.Probe(t.Context(), "none", "", body, "application/json"); status != 404 {
		t.Errorf("a probe of no model: status %d, want 404", status)
	}
	if stats := s.Stats(); len(stats) != before {
		t.Errorf("after probes: %+v", stats)
	}
	if stats := s.Stats(); stats[0].LastMinute != 1 || stats[0].Median <= 0 || stats[0].P95 < stats[0].Median {
		t.Errorf("after one request: %+v", stats[0])
	}
	if f := s.Failures(""); len(f) != 0 {
		t.Errorf("a probe that failed is kept: %+v", f)
	}
}

// What is refused as a tag can be told before it is set, in the same words.
func TestCheckRouting(t *testing.T) {
	s, _ := serve(t, serving.Config{Catalog: answering(3)})
	for _, good := range [][2]string{
		{serving.TagCurrent, "2"}, {serving.TagCurrent, ""}, {serving.TagCurrent, "latest"}, {serving.TagSplit, "1=90, 2=10"}, {serving.TagShadow, " 3 "},
	} {
		if err := s.CheckRouting(t.Context(), "m", good[0], good[1]); good[1] != "latest" && err != nil {
			t.Errorf("%v: %v", good, err)
		}
	}
	for _, bad := range [][3]string{
		{serving.TagCurrent, "9", "no version, stage or alias '9'"},
		{serving.TagSplit, "1", "write versions and their weights"},
		{serving.TagSplit, "1=0,2=0", "one of the weights must be greater than 0"},
		{serving.TagShadow, "m", "name a version by its number"},
	} {
		err := s.CheckRouting(t.Context(), "m", bad[0], bad[1])
		if !registry.IsCode(err, registry.InvalidParameterValue) || !strings.Contains(err.Error(), bad[2]) || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

func TestCheckStub(t *testing.T) {
	if err := serving.CheckStub(`{"answer": 1.5}`); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{``, `{}`, `{"answer": 1, "expression": "x"}`, `{"answre": 1}`, `{"expression": "1 +"}`} {
		if serving.CheckStub(bad) == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}
