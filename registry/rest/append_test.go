package rest

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

// What the appenders write is what encoding/json makes of the same value.
func TestAppendJSON(t *testing.T) {
	end, schema := int64(-5), `{"a": 1}`
	full := registry.Run{
		Info: registry.RunInfo{
			RunUUID: "u", ExperimentID: "1", RunName: "ü \"x\"\n\u2028<&>", UserID: "a\x00b", Status: "FAILED", StartTime: math.MinInt64,
			EndTime: &end, ArtifactURI: "s3://a/b?c", LifecycleStage: "active", RunID: "u",
		},
		Data: registry.RunData{
			Metrics: []registry.Metric{
				{Key: "a/b", Value: 1e21, Timestamp: math.MaxInt64, Step: -1},
				{Key: "n", Value: registry.Float(math.NaN()), DatasetName: "d", DatasetDigest: "g", ModelID: "m", RunID: "r"},
				{Key: "i", Value: registry.Float(math.Inf(-1))},
			},
			Params: []registry.KeyValue{{Key: "", Value: "\\"}, {Key: "k", Value: "bad \xff utf-8"}},
			Tags:   []registry.KeyValue{},
		},
		Inputs:  registry.RunInputs{ModelInputs: []registry.ModelInput{{ModelID: "m-1"}}, DatasetInputs: []registry.DatasetInput{{Dataset: registry.Dataset{Name: "d", Schema: &schema}}}},
		Outputs: &registry.RunOutputs{ModelOutputs: []registry.ModelOutput{{ModelID: "m-2", Step: 3}}},
	}
	bare := registry.Run{Data: registry.RunData{Metrics: []registry.Metric{}, Params: []registry.KeyValue{}, Tags: []registry.KeyValue{}}, Outputs: &registry.RunOutputs{}}
	older := bare
	older.Outputs = nil
	for _, v := range []appender{
		runResponse{full},
		runResponse{bare},
		runResponse{older},
		searchRunsResponse{},
		searchRunsResponse{Runs: []registry.Run{full, bare}, NextPageToken: "t"},
		versionsResponse{},
		versionsResponse{NextPageToken: "t", ModelVersions: []registry.ModelVersion{
			{},
			{
				Name: "m", Version: "2", Created: 1, LastUpdated: 2, CurrentStage: "None", Description: &schema, Source: "s", RunID: "r", Status: "READY",
				Tags: full.Data.Params, RunLink: "l", Aliases: []string{"a", "<b>"}, StorageLocation: "not shown",
			},
		}},
		metricHistoryResponse{},
		metricHistoryResponse{Metrics: full.Data.Metrics, NextPageToken: "t"},
	} {
		got := v.appendJSON(nil)
		var want bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(v); err != nil {
			t.Fatal(err)
		}
		var a, b any
		if err := json.Unmarshal(got, &a); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if err := json.Unmarshal(want.Bytes(), &b); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(a, b) {
			t.Errorf("got  %s\nwant %s", got, want.Bytes())
		}
	}
}
