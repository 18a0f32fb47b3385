package rest

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/prinzbox/prinzbox/registry"
)

// appender is an answer that writes its own JSON: those of many runs or points, where encoding/json would take longer than the database.
// What it writes is what encoding/json would (TestAppendJSON).
type appender interface {
	appendJSON(b []byte) []byte
}

// object writes the members of one JSON object.
type object struct {
	b     []byte
	first bool
}

func openObject(b []byte) object { return object{append(b, '{'), true} }

func (o *object) close() []byte { return append(o.b, '}') }

// name begins a member. Names are ours: nothing in them needs an escape.
func (o *object) name(name string) {
	if !o.first {
		o.b = append(o.b, ',')
	}
	o.first = false
	o.b = append(append(append(o.b, '"'), name...), '"', ':')
}

func (o *object) text(name, value string) {
	o.name(name)
	o.b = appendText(o.b, value)
}

func (o *object) textUnlessEmpty(name, value string) {
	if value != "" {
		o.text(name, value)
	}
}

func (o *object) int(name string, value int64) {
	o.name(name)
	o.b = strconv.AppendInt(o.b, value, 10)
}

// any writes a member that is rarely there.
func (o *object) any(name string, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		text = []byte("null") // plain data cannot fail
	}
	o.name(name)
	o.b = append(o.b, text...)
}

func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			b, _ = jsontext.AppendQuote(b, s) // an error means invalid UTF-8, which it replaced
			return b
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

func appendList[T any](b []byte, items []T, one func([]byte, *T) []byte) []byte {
	b = append(b, '[')
	for i := range items {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &items[i])
	}
	return append(b, ']')
}

// appendPage is an answer of one list, left out when empty, and the token of the next page.
func appendPage[T any](b []byte, name string, items []T, one func([]byte, *T) []byte, token string) []byte {
	o := openObject(b)
	if len(items) > 0 {
		o.name(name)
		o.b = appendList(o.b, items, one)
	}
	o.textUnlessEmpty("next_page_token", token)
	return o.close()
}

func appendKeyValue(b []byte, kv *registry.KeyValue) []byte {
	o := openObject(b)
	o.text("key", kv.Key)
	o.text("value", kv.Value)
	return o.close()
}

func appendMetric(b []byte, m *registry.Metric) []byte {
	o := openObject(b)
	o.text("key", m.Key)
	o.name("value")
	o.b = m.Value.AppendJSON(o.b)
	o.int("timestamp", m.Timestamp)
	o.int("step", m.Step)
	o.textUnlessEmpty("dataset_name", m.DatasetName)
	o.textUnlessEmpty("dataset_digest", m.DatasetDigest)
	o.textUnlessEmpty("model_id", m.ModelID)
	o.textUnlessEmpty("run_id", m.RunID)
	return o.close()
}

func appendRunInfo(b []byte, i *registry.RunInfo) []byte {
	o := openObject(b)
	o.text("run_uuid", i.RunUUID)
	o.text("experiment_id", i.ExperimentID)
	o.text("run_name", i.RunName)
	o.text("user_id", i.UserID)
	o.text("status", i.Status)
	o.int("start_time", i.StartTime)
	if i.EndTime != nil {
		o.int("end_time", *i.EndTime)
	}
	o.text("artifact_uri", i.ArtifactURI)
	o.text("lifecycle_stage", i.LifecycleStage)
	o.text("run_id", i.RunID)
	return o.close()
}

func appendRun(b []byte, r *registry.Run) []byte {
	o := openObject(b)
	o.name("info")
	o.b = appendRunInfo(o.b, &r.Info)
	o.name("data")
	data := openObject(o.b)
	data.name("metrics")
	data.b = appendList(data.b, r.Data.Metrics, appendMetric)
	data.name("params")
	data.b = appendList(data.b, r.Data.Params, appendKeyValue)
	data.name("tags")
	data.b = appendList(data.b, r.Data.Tags, appendKeyValue)
	o.b = data.close()
	if len(r.Inputs.DatasetInputs)+len(r.Inputs.ModelInputs) > 0 {
		o.any("inputs", r.Inputs)
	} else {
		o.name("inputs")
		o.b = append(o.b, "{}"...)
	}
	switch {
	case r.Outputs == nil:
	case len(r.Outputs.ModelOutputs) > 0:
		o.any("outputs", r.Outputs)
	default:
		o.name("outputs")
		o.b = append(o.b, "{}"...)
	}
	return o.close()
}

func (r runResponse) appendJSON(b []byte) []byte {
	o := openObject(b)
	o.name("run")
	o.b = appendRun(o.b, &r.Run)
	return o.close()
}

func (r searchRunsResponse) appendJSON(b []byte) []byte {
	return appendPage(b, "runs", r.Runs, appendRun, r.NextPageToken)
}

func (r metricHistoryResponse) appendJSON(b []byte) []byte {
	const point = 96 // about its bytes
	return appendPage(slices.Grow(b, point*len(r.Metrics)), "metrics", r.Metrics, appendMetric, r.NextPageToken)
}

func appendVersion(b []byte, v *registry.ModelVersion) []byte {
	o := openObject(b)
	o.text("name", v.Name)
	o.text("version", v.Version)
	o.int("creation_timestamp", v.Created)
	o.int("last_updated_timestamp", v.LastUpdated)
	o.text("current_stage", v.CurrentStage)
	if v.Description != nil {
		o.text("description", *v.Description)
	}
	o.text("source", v.Source)
	o.text("run_id", v.RunID)
	o.text("status", v.Status)
	if len(v.Tags) > 0 {
		o.name("tags")
		o.b = appendList(o.b, v.Tags, appendKeyValue)
	}
	o.text("run_link", v.RunLink)
	if len(v.Aliases) > 0 {
		o.any("aliases", v.Aliases)
	}
	return o.close()
}

func (r versionsResponse) appendJSON(b []byte) []byte {
	return appendPage(b, "model_versions", r.ModelVersions, appendVersion, r.NextPageToken)
}
