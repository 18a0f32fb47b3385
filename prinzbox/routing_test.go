package prinzbox_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
	"github.com/prinzbox/prinzbox/serving"
)

const wineRow = `{"columns":["fixed acidity","volatile acidity","citric acid","residual sugar","chlorides","free sulfur dioxide","total sulfur dioxide",
	"density","pH","sulphates","alcohol"],"data":[[0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415,0.415]]}`

// mlflowCall is a call of the REST API that must work.
func mlflowCall(t testing.TB, env *prinzbox.Env, path string, body any) map[string]any {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	a := call(t, "POST", env.TrackingURI()+"/api/2.0/mlflow/"+path, string(text))
	var out map[string]any
	if err := json.Unmarshal([]byte(a.body), &out); err != nil || a.status != 200 {
		t.Fatalf("%s: %d %s", path, a.status, a.body)
	}
	return out
}

// TestRoutingByTags sets the routing of a model as any client does, and sees it in the next answer.
func TestRoutingByTags(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.CurrentAlias = false, "champion" })
	for n := range 3 {
		version, err := env.Stub(t.Context(), "routed", serving.Stub{Answer: json.RawMessage(fmt.Sprint(n + 1))})
		if err != nil || version != fmt.Sprint(n+1) {
			t.Fatal(version, err)
		}
	}
	expect := func(what, want string) {
		t.Helper()
		for _, route := range []string{"/routed", "/model/routed", "/model/routed/routed"} {
			a := call(t, "POST", env.TrackingURI()+route+"/invocations", `{"columns":["a"],"data":[[1]]}`)
			if a.status != 200 || a.body != "["+want+"]" || a.header.Get(serving.VersionHeader) != want {
				t.Errorf("%s: %s answers %d %s, want version %s", what, route, a.status, a.body, want)
			}
		}
	}
	set := func(key, value string) {
		mlflowCall(t, env, "registered-models/set-tag", map[string]string{"name": "routed", "key": key, "value": value})
	}
	expect("the version that changed last", "3")
	mlflowCall(t, env, "registered-models/alias", map[string]string{"name": "routed", "alias": "champion", "version": "2"})
	expect("the alias of all models", "2")
	set(serving.TagCurrent, "1")
	expect("the tag", "1")
	set(serving.TagSplit, "3=1,1=0")
	expect("the split", "3")
	mlflowCall(t, env, "registered-models/alias", map[string]string{"name": "routed", "alias": "next", "version": "2"})
	set(serving.TagSplit, "next=1")
	expect("an alias in the split", "2")
	mlflowCall(t, env, "registered-models/alias", map[string]string{"name": "routed", "alias": "next", "version": "1"})
	expect("the alias moved", "1")
	set(serving.TagSplit, "nobody=1")
	a := call(t, "POST", env.TrackingURI()+"/routed/invocations", `{"columns":["a"],"data":[[1]]}`)
	if a.status != 400 || !strings.Contains(a.body, "Tag prinzbox.split of registered model 'routed'") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if f := env.Scoring().Failures("routed"); len(f) != 1 || f[0].RequestID != a.header.Get("X-Request-Id") {
		t.Errorf("%+v, the answer's id is %s", f, a.header.Get("X-Request-Id"))
	}
	if _, err := env.Stub(t.Context(), "routed", serving.Stub{}); err == nil {
		t.Error("an empty stub is registered")
	}
	m := call(t, "GET", env.TrackingURI()+"/metrics", "")
	for _, want := range []string{`prinzbox_scoring_requests_total{model="routed",version="2",code="200"} 6`, "\nprinzbox_uptime_seconds ", "\ngo_goroutines "} {
		if !strings.Contains(m.body, want) || !strings.HasPrefix(m.header.Get("Content-Type"), "text/plain; version=0.0.4") {
			t.Errorf("no %s in %s", want, m.body)
		}
	}
}

// TestHotUnderLoad replaces files, versions, aliases and tags of a model that is asked all the time: no request fails, and the next
// one after a change sees it.
func TestHotUnderLoad(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	answers := map[string]string{}
	files := map[string]map[string]string{}
	for _, name := range sampleModels[:2] {
		answers[name] = call(t, "POST", env.TrackingURI()+"/"+name+"/invocations", wineRow).body
		v, err := env.Store().ModelVersion(t.Context(), name, "1")
		if err != nil {
			t.Fatal(err)
		}
		files[name] = map[string]string{}
		for _, file := range []string{"MLmodel", "model.pkl"} {
			a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow-artifacts/artifacts/"+strings.TrimPrefix(v.Source, "s3://mlflow/")+"/"+file, "")
			if a.status != 200 {
				t.Fatalf("%s: %d %s", file, a.status, a.body)
			}
			files[name][file] = a.body
		}
	}
	one, two := sampleModels[0], sampleModels[1]
	if answers[one] == answers[two] {
		t.Fatal("the two models answer the same")
	}
	upload := func(place, from string) string {
		t.Helper()
		for _, file := range []string{"MLmodel", "model.pkl"} {
			a := call(t, "PUT", env.TrackingURI()+"/api/2.0/mlflow-artifacts/artifacts/hot/"+place+"/"+file, files[from][file])
			if a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		return "s3://mlflow/hot/" + place
	}
	mlflowCall(t, env, "registered-models/create", map[string]string{"name": "hot"})
	mlflowCall(t, env, "model-versions/create", map[string]string{"name": "hot", "source": upload("a", one)})
	url := env.TrackingURI() + "/hot/invocations"
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				a, err := try(t, "POST", url, wineRow)
				if err != nil || a.status != 200 || a.body != answers[one] && a.body != answers[two] {
					t.Errorf("under load: %v %d %s", err, a.status, a.body)
					return
				}
			}
		})
	}
	expect := func(what, model string) {
		t.Helper()
		if a := call(t, "POST", url, wineRow); a.status != 200 || a.body != answers[model] {
			t.Errorf("%s: %d %s, want %s", what, a.status, a.body, answers[model])
		}
	}
	expect("version 1", one)
	for range 3 {
		upload("a", two)
		expect("its file was replaced", two)
		upload("a", one)
		expect("and put back", one)
	}
	mlflowCall(t, env, "model-versions/create", map[string]string{"name": "hot", "source": upload("b", two)})
	expect("a new version", two)
	for range 5 {
		mlflowCall(t, env, "registered-models/set-tag", map[string]string{"name": "hot", "key": serving.TagCurrent, "value": "1"})
		expect("the current version by tag", one)
		mlflowCall(t, env, "registered-models/alias", map[string]string{"name": "hot", "alias": "best", "version": "2"})
		mlflowCall(t, env, "registered-models/set-tag", map[string]string{"name": "hot", "key": serving.TagCurrent, "value": "best"})
		expect("an alias", two)
		mlflowCall(t, env, "registered-models/alias", map[string]string{"name": "hot", "alias": "best", "version": "1"})
		expect("the alias moved", one)
		mlflowCall(t, env, "registered-models/set-tag", map[string]string{"name": "hot", "key": serving.TagSplit, "value": "2=1"})
		expect("a split", two)
		a := call(t, "DELETE", env.TrackingURI()+"/api/2.0/mlflow/registered-models/delete-tag", `{"name":"hot","key":"prinzbox.split"}`)
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		expect("no split", one)
	}
	close(stop)
	load.Wait()
}

// TestScoringRoutesWithAuth holds that the V2 routes and the metrics are asked for as the others are: a denied model is not shown.
func TestScoringRoutesWithAuth(t *testing.T) {
	t.Parallel()
	env, a := twoUsers(t)
	if _, err := env.Stub(t.Context(), "secret", serving.Stub{Answer: json.RawMessage("1")}); err != nil {
		t.Fatal(err)
	}
	a.must(200, "admin", "POST", "/secret/invocations", map[string]any{"inputs": [][]int{{1}}})
	a.deny("alice", "registered_model", "secret")
	v2 := map[string]any{"parameters": map[string]string{"content_type": "pd"}, "inputs": []map[string]any{{"name": "a", "shape": []int{1}, "datatype": "FP64", "data": []int{1}}}}
	for _, c := range []struct {
		who, method, path string
		body              any
		status            int
	}{
		{"", "GET", "/v2", nil, 401},
		{"", "GET", "/metrics", nil, 401},
		{"alice", "GET", "/v2", nil, 200},
		{"alice", "GET", "/v2/health/ready", nil, 200},
		{"alice", "GET", "/v2/models/secret", nil, 403},
		{"alice", "GET", "/v2/models/secret/versions/1/ready", nil, 403},
		{"alice", "POST", "/v2/models/secret/infer", v2, 403},
		{"alice", "POST", "/secret/invocations", v2, 403},
		{"alice", "GET", "/v2/models/none", nil, 404},
		{"admin", "POST", "/v2/models/secret/infer", v2, 200},
		{"admin", "GET", "/v2/models/secret", nil, 200},
	} {
		if r, text := a.ask(c.who, c.method, c.path, c.body); r.StatusCode != c.status {
			t.Errorf("%s %s %s: %d %s, want %d", c.who, c.method, c.path, r.StatusCode, text, c.status)
		}
	}
	if _, text := a.ask("admin", "GET", "/metrics", nil); !strings.Contains(text, `model="secret"`) {
		t.Error("the admin does not see the model's metrics")
	}
	if _, text := a.ask("alice", "GET", "/metrics", nil); strings.Contains(text, "secret") || !strings.Contains(text, "go_goroutines") {
		t.Errorf("alice sees %s", text)
	}
}
