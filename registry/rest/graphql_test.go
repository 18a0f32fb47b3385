package rest_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// ask sends a GraphQL query and gives the answer without spaces that JSON does not need.
func ask(t testing.TB, b *backend, query string, variables map[string]any, operation string) string {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables, "operationName": operation})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Errorf("%s: status %d: %s", query, w.Code, w.Body)
	}
	return strings.TrimSpace(w.Body.String())
}

// The answers are those of MLflow 3.17.2 to the same queries, but where a comment says otherwise.
func TestGraphQL(t *testing.T) {
	b := newBackend(t, sqldb.DurabilityOff)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	e, err := b.store.CreateExperiment(ctx, registry.NewExperiment{Name: "gq"})
	must(err)
	run, err := b.store.CreateRun(ctx, registry.NewRun{ExperimentID: e, Name: "n", StartTime: 5, RunID: strings.Repeat("ab", 16)})
	must(err)
	id := run.Info.RunID
	var point registry.Metric
	must(json.Unmarshal([]byte(`{"key":"m","value":1.5,"timestamp":7,"step":1}`), &point))
	must(b.store.LogBatch(ctx, id, registry.Batch{
		Metrics: []registry.Metric{point, {Key: "n", Value: registry.Float(math.NaN()), Timestamp: 7}},
		Params:  []registry.KeyValue{{Key: "p", Value: "1"}}, Tags: []registry.KeyValue{{Key: "t", Value: "u"}},
	}))
	_, err = b.store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: "gm"})
	must(err)
	_, err = b.store.CreateModelVersion(ctx, registry.NewModelVersion{Name: "gm", Source: "s3://x/y", RunID: id})
	must(err)

	aliases := func(n int, field string) string {
		var s strings.Builder
		for i := range n {
			fmt.Fprintf(&s, "a%d:%s ", i, field)
		}
		return s.String()
	}
	for _, c := range []struct {
		name, query string
		variables   map[string]any
		operation   string
		want        string
	}{
		{
			"a run with everything",
			`query Q($i: MlflowGetRunInput!) @component(name:"T") { mlflowGetRun(input:$i) { apiError{code} run { __typename info{runId experimentId status startTime endTime} data{metrics{key value step timestamp} params{key value} tags{key value}} inputs{datasetInputs{dataset{name}}} outputs{modelOutputs{modelId}} experiment{name tags{key}} ...V } } } fragment V on MlflowRunExtension { modelVersions{name version status aliases} }`,
			map[string]any{"i": map[string]any{"runId": id}},
			"",
			`{"data":{"mlflowGetRun":{"apiError":null,"run":{"__typename":"MlflowRunExtension","data":{"metrics":[{"key":"m","step":"1","timestamp":"7","value":1.5},{"key":"n","step":"0","timestamp":"7","value":null}],"params":[{"key":"p","value":"1"}],"tags":[{"key":"mlflow.runName","value":"n"},{"key":"t","value":"u"}]},"experiment":{"name":"gq","tags":[]},"info":{"endTime":"0","experimentId":"1","runId":"RUN","startTime":"5","status":"RUNNING"},"inputs":{"datasetInputs":[]},"modelVersions":[{"aliases":[],"name":"gm","status":"READY","version":"1"}],"outputs":{"modelOutputs":[]}}}},"errors":null}`,
		},
		{"an unknown run", `{mlflowGetRun(input:{runId:"nope"}){run{info{runId}}}}`, nil, "", `{"data":{"mlflowGetRun":null},"errors":["Run with id=nope not found"]}`},
		{"runs, as a mutation", `mutation {mlflowSearchRuns(input:{experimentIds:["1"],filter:"metrics.m > 1"}){runs{info{runName}} nextPageToken}}`, nil, "", `{"data":{"mlflowSearchRuns":{"nextPageToken":"","runs":[{"info":{"runName":"n"}}]}},"errors":null}`},
		// MLflow fails on the enumeration.
		{"runs, none deleted", `{mlflowSearchRuns(input:{experimentIds:["1"],runViewType:DELETED_ONLY}){runs{info{runName}}}}`, nil, "", `{"data":{"mlflowSearchRuns":{"runs":[]}},"errors":null}`},
		// MLflow adds an error about NaN beside the same data.
		{"a history with NaN", `{mlflowGetMetricHistoryBulkInterval(input:{runIds:["RUN"],metricKey:"n"}){metrics{key value step runId}}}`, nil, "", `{"data":{"mlflowGetMetricHistoryBulkInterval":{"metrics":[{"key":"n","runId":"RUN","step":"0","value":null}]}},"errors":null}`},
		{"versions", `{mlflowSearchModelVersions(input:{filter:"name='gm'"}){modelVersions{name version source runId description currentStage}}}`, nil, "", `{"data":{"mlflowSearchModelVersions":{"modelVersions":[{"currentStage":"None","description":"","name":"gm","runId":"RUN","source":"s3://x/y","version":"1"}]}},"errors":null}`},
		{"an alias and an echo", `{a:mlflowGetExperiment(input:{experimentId:"1"}){experiment{name workspace}} test(inputString:"x"){output}}`, nil, "", `{"data":{"a":{"experiment":{"name":"gq","workspace":"default"}},"test":{"output":"x"}},"errors":null}`},
		{"skip and include", `query Q($y: Boolean!) {test(inputString:"x") @skip(if:$y){output} b:test(inputString:"y") @include(if:$y){output}}`, map[string]any{"y": true}, "", `{"data":{"b":{"output":"y"}},"errors":null}`},
		{"no such field", `{nope}`, nil, "", `{"data":null,"errors":["Cannot query field 'nope' on type 'Query'."]}`},
		// MLflow answers an HTML 500.
		{"no GraphQL", `{test(inputString:"x")`, nil, "", `{"data":null,"errors":["Expected Name, found <EOF>"]}`},
		{"too many roots", "{" + aliases(11, `test(inputString:"x"){output}`) + "}", nil, "", `{"data":null,"errors":["GraphQL queries should have at most 10 root fields, got 11 root fields. To increase the limit, set the MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS environment variable."]}`},
		{"too many aliases", `{mlflowGetRun(input:{runId:"x"}){run{data{` + aliases(11, `metrics{key}`) + `}}}}`, nil, "", `{"data":null,"errors":["GraphQL queries should have at most 10 aliases, got 11 aliases. To increase the limit, set the MLFLOW_SERVER_GRAPHQL_MAX_ALIASES environment variable."]}`},
		{"too deep", strings.Repeat("{a", 11) + strings.Repeat("}", 11), nil, "", `{"data":null,"errors":["Query exceeds maximum depth of 10"]}`},
		{"too long", "{test(inputString:\"x\"){" + strings.Repeat("output ", 1001) + "}}", nil, "", `{"data":null,"errors":["Query exceeds maximum total selections of 1000"]}`},
		{"which operation", `query A{test(inputString:"x"){output}} query B{test(inputString:"y"){output}}`, nil, "", `{"data":null,"errors":["Must provide operation name if query contains multiple operations."]}`},
		{"operation B", `query A{test(inputString:"x"){output}} query B{test(inputString:"y"){output}}`, nil, "B", `{"data":{"test":{"output":"y"}},"errors":null}`},
		{"no variable", `query Q($i: MlflowGetRunInput!) {mlflowGetRun(input:$i){run{info{runId}}}}`, nil, "", `{"data":null,"errors":["variable.i must be defined"]}`},
	} {
		query := strings.ReplaceAll(c.query, "RUN", id)
		if got := strings.ReplaceAll(ask(t, b, query, c.variables, c.operation), id, "RUN"); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, c.want)
		}
	}
}

func FuzzGraphQL(f *testing.F) {
	for _, q := range []string{`{test(inputString:"x"){output}}`, `query Q($i: MlflowGetRunInput!) {mlflowGetRun(input:$i){run{info{runId}}}}`, `{...F} fragment F on Query {...F}`, `{a{b{c`} {
		f.Add(q)
	}
	b := newBackend(f, sqldb.DurabilityOff)
	f.Fuzz(func(t *testing.T, query string) {
		if query == "" || !json.Valid([]byte(ask(t, b, query, nil, ""))) {
			t.Skip() // no query is a 400
		}
	})
}
