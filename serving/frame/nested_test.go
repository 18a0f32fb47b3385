package frame_test

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// TestNested holds array, object, map and any columns against MLflow 3.17.2's scoring server
// (../testdata/record_nested.py): what it takes, and its messages about the rest.
func TestNested(t *testing.T) {
	file, err := os.Open("../testdata/nested-3.17.2.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }() // only read
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var golden struct {
		Signatures []struct {
			Inputs json.RawMessage
			Schema string
			Cases  []struct {
				Form, Error string
				Body        json.RawMessage
			}
		}
	}
	if err := json.NewDecoder(unzipped).Decode(&golden); err != nil || len(golden.Signatures) != 60 {
		t.Fatal(len(golden.Signatures), err)
	}
	count := 0
	for _, g := range golden.Signatures {
		schema, err := frame.ParseSchema(string(g.Inputs))
		if err != nil {
			t.Fatalf("%s: %v", g.Inputs, err)
		}
		if got := schema.String(); got != g.Schema {
			t.Errorf("%s prints as\n%s, want\n%s", g.Inputs, got, g.Schema)
		}
		for _, c := range g.Cases {
			if c.Form == "inputs" && !strings.Contains(g.Schema, "'c': Array") && !strings.Contains(g.Schema, "'c': {") {
				continue // pandas makes rows of a map's keys
			}
			count++
			got := ""
			request, err := frame.DecodeJSON(c.Body, "")
			if err == nil {
				_, err = request.Table(schema)
			}
			if err != nil {
				got = err.Error()
			}
			want := c.Error
			if _, ok := errors.AsType[*frame.SchemaError](err); ok {
				if _, after, found := strings.Cut(want, "' with schema '"+g.Schema+"'. Error: "); found {
					want = after
				}
			}
			if got != want {
				t.Errorf("%s %s\ngives %q\nwant  %q", g.Schema, c.Body, got, want)
			}
		}
	}
	t.Logf("%d cases", count)
}
