package ui_test

import (
	"html"
	"math"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/ui"
)

// wine fills a house as the seed would.
func wine(t testing.TB) (h *house, experiment, runID string) {
	t.Helper()
	h = newHouse(t)
	experiment = must[string](t)(h.store.CreateExperiment(t.Context(), registry.NewExperiment{
		Name: "Test experiment 1", Tags: []registry.KeyValue{{Key: registry.TagNote, Value: "Elastic net on red wine."}, {Key: "team", Value: "cellar"}},
	}))
	for i, alpha := range []string{"0.42", "0.84", "0.1", "0.9"} {
		var metrics []registry.Metric
		for step := range int64(60) {
			metrics = append(metrics, registry.Metric{Key: "loss", Step: step, Timestamp: now.UnixMilli() + step, Value: registry.Float(1/(1+float64(step)/6) + 0.02*math.Sin(float64(step)*float64(i+2)))})
		}
		metrics = append(metrics, registry.Metric{Key: "rmse", Value: registry.Float(0.7424 + float64(i)/100), Timestamp: now.UnixMilli()},
			registry.Metric{Key: "r2", Value: registry.Float(0.1834 - float64(i)/50), Timestamp: now.UnixMilli()}, registry.Metric{Key: "mae", Value: 0.6104, Timestamp: now.UnixMilli()})
		runID = h.run(experiment, "wine-"+alpha, now.Add(-time.Duration(4-i)*3*time.Hour), registry.Batch{
			Metrics: metrics, Params: []registry.KeyValue{{Key: "alpha", Value: alpha}, {Key: "l1_ratio", Value: "0.5"}, {Key: "model_id", Value: "1"}},
			Tags: []registry.KeyValue{{Key: registry.TagSourceName, Value: "train.py"}, {Key: "stage", Value: "trial"}},
		})
	}
	root := must[registry.Run](t)(h.store.Run(t.Context(), runID)).Info.ArtifactURI
	h.files[root+"/model/MLmodel"] = "artifact_path: model\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    python_version: 3.11.9\n"
	h.files[root+"/model/model.pkl"] = "\x80\x04\x95\x00\x00"
	h.files[root+"/model/requirements.txt"] = "mlflow==3.17.2\nscikit-learn==1.9.1\n"
	h.files[root+"/metrics.json"] = `{"rmse": 0.7724}`
	h.register("MLF-ElasticnetWineModel-1", "Quality of red wine from eleven measurements: elastic net, alpha 0.42.", runID)
	h.register("MLF-ElasticnetWineModel-1", "Trained again with alpha 0.9.", runID)
	h.do(h.store.SetAlias(t.Context(), "MLF-ElasticnetWineModel-1", "champion", "1"))
	h.register("MLF-FraudDetection-3", "Tells fraudulent payments from honest ones.", runID)
	h.model.problems["MLF-Torch"] = "The flavor pytorch needs Python, and none was found on PATH."
	h.register("MLF-Torch", "A model that no engine here can read.", runID)
	return h, experiment, runID
}

func contains(t *testing.T, page string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestPages(t *testing.T) {
	h, experiment, runID := wine(t)
	for _, c := range []struct {
		path   string
		status int
		wants  []string
	}{
		{"/", 200, []string{
			"keeps nothing", "connection refused", "mlflow-secret", "export MLFLOW_TRACKING_URI=" + h.server.URL, "MLF-FraudDetection-3",
			`<span class="answer" title="139.0876">139.088</span>`, "The flavor pytorch needs Python", "wine-0.9", "Test experiment 1", "prinzbox 0.1.0",
		}},
		{"/experiments", 200, []string{"Test experiment 1", "Elastic net on red wine.", "s3://mlflow/1", "team: cellar", "Default", "2 experiments"}},
		{"/experiments?filter=name+%3D+%27Default%27", 200, []string{"1 experiment<"}},
		{"/experiments/" + experiment, 200, []string{"wine-0.84", "0.7524", "l1_ratio", `title="0.7624"`, "1 min 23 s", "4 runs", "metrics.`loss` &lt;="}},
		{"/experiments/" + experiment + "?view=deleted", 200, []string{"No runs here"}},
		{"/experiments/" + experiment + "?order_by=metrics.%60rmse%60+DESC", 200, []string{`aria-sort="descending"`}},
		{"/experiments/" + experiment + "?differ=1", 200, []string{"alpha", "Only columns that differ"}},
		{"/experiments/999", 404, []string{"No Experiment with id=999 exists"}},
		{"/experiments/x", 400, []string{"Experiment ID must be a valid integer"}},
		{"/runs/" + runID, 200, []string{"wine-0.9", "model/", "metrics.json", "MLF-ElasticnetWineModel-1 2", "train.py", "<polyline", "loss over step from 0 to 59", "/get-artifact?path=metrics.json&amp;run_id=" + runID}},
		{"/runs/" + runID + "?path=model&file=model/MLmodel", 200, []string{"loader_module: mlflow.sklearn", "requirements.txt"}},
		{"/runs/" + runID + "?path=model&file=model/model.pkl", 200, []string{"This is not text"}},
		{"/runs/" + runID + "?file=nothing.txt", 200, []string{"No such artifact"}},
		{"/runs/" + runID + "?path=../../etc", 200, []string{"leads nowhere"}},
		{"/runs/none", 404, []string{"Run with id=none not found"}},
		{"/models", 200, []string{"MLF-ElasticnetWineModel-1", "champion → 1", "Version 2", "3 models"}},
		{"/models?filter=name+LIKE+%27%25Fraud%25%27", 200, []string{"MLF-FraudDetection-3", "1 model<"}},
		{"/models?filter=nonsense", 400, []string{`id="filter-problem"`, `value="nonsense"`}},
		{"/models/MLF-ElasticnetWineModel-1", 200, []string{"Version 1", "Version 2", "champion", "changed last", "0.7724", "rmse"}},
		{"/models/none", 404, []string{"Registered Model with name=none not found"}},
		{"/models/MLF-ElasticnetWineModel-1/versions/1", 200, []string{
			"fixed acidity", `value="0.9978"`, `data-path="/model/MLF-ElasticnetWineModel-1/1/invocations"`, "curl -X POST", "wine-0.9", "champion", "s3://mlflow/1", "?path=model#artifacts",
		}},
		{"/models/MLF-Torch/versions/1", 200, []string{"needs Python"}},
		{"/models/MLF-ElasticnetWineModel-1/versions/9", 404, []string{"Model Version (name=MLF-ElasticnetWineModel-1, version=9) not found"}},
		{"/models/MLF-ElasticnetWineModel-1/versions/x", 400, []string{"must be an integer"}},
		{"/nowhere", 404, []string{"There is no page at /nowhere."}},
	} {
		t.Run(c.path, func(t *testing.T) {
			status, page := h.get(c.path)
			if status != c.status {
				t.Errorf("status %d, want %d", status, c.status)
			}
			contains(t, page, c.wants...)
			if strings.Count(page, "<h1") != 1 || !strings.Contains(page, `<a class="skip" href="#main">`) {
				t.Error("the page needs one h1 and a skip link")
			}
			if strings.Contains(page, " style=") || strings.Contains(page, "<style") || strings.Contains(page, "onclick=") {
				t.Error("the page has inline style or script, which its policy forbids")
			}
		})
	}
}

// The differing columns are shown, the equal ones are not.
func TestOnlyColumnsThatDiffer(t *testing.T) {
	h, experiment, _ := wine(t)
	_, page := h.get("/experiments/" + experiment + "?differ=1")
	_, table, _ := strings.Cut(page, "<thead>")
	table, _, _ = strings.Cut(table, "</thead>")
	contains(t, table, "alpha", "rmse")
	if strings.Contains(table, "l1_ratio") || strings.Contains(table, "mae") {
		t.Errorf("equal columns are shown: %s", table)
	}
	_, page = h.get("/experiments/" + experiment + "?col=params.l1_ratio")
	_, table, _ = strings.Cut(page, "<thead>")
	table, _, _ = strings.Cut(table, "</thead>")
	if !strings.Contains(table, "l1_ratio") || strings.Contains(table, "rmse") {
		t.Errorf("the chosen column is not the only one: %s", table)
	}
}

func TestFilterErrorInPlace(t *testing.T) {
	h, experiment, _ := wine(t)
	filter := "metrics.rmse <<< 1 and <script>"
	_, err := h.store.SearchRuns(t.Context(), []string{experiment}, registry.Query{Filter: filter, MaxResults: 1})
	message := registry.Body(err).Message
	status, page := h.get("/experiments/" + experiment + "?" + url.Values{"filter": {filter}}.Encode())
	if status != http.StatusBadRequest {
		t.Errorf("status %d, want 400", status)
	}
	contains(t, page, `aria-invalid="true"`, `aria-describedby="filter-problem"`, html.EscapeString(message), html.EscapeString(filter), "Test experiment 1")
	if strings.Contains(page, "<script>") {
		t.Error("the filter is not escaped")
	}
	for _, bad := range []string{"order_by=nonsense", "page_token=nonsense"} {
		if status, page := h.get("/experiments/" + experiment + "?" + bad); status != http.StatusBadRequest || !strings.Contains(page, "filter-problem") {
			t.Errorf("%s: status %d, and the problem must stand in place", bad, status)
		}
	}
}

// Walking the pages by their links shows every run once.
func TestPaging(t *testing.T) {
	h := newHouse(t)
	for i := range 25 {
		h.run("0", "run-"+string(rune('a'+i)), now.Add(time.Duration(i)*time.Second), registry.Batch{})
	}
	path, pages, seen := "/experiments/0?max=10&order_by=attributes.start_time+ASC", 0, map[string]int{}
	for path != "" {
		status, page := h.get(path)
		if status != 200 || pages > 3 {
			t.Fatalf("status %d on page %d", status, pages+1)
		}
		pages++
		for i := range 25 {
			name := "run-" + string(rune('a'+i))
			seen[name] += strings.Count(page, ">"+name+"</a>")
		}
		path = ""
		if _, rest, ok := strings.Cut(page, `<a href="/experiments/0?`); ok && strings.Contains(page, `rel="next"`) {
			for rest != "" {
				href, after, _ := strings.Cut(rest, `"`)
				if strings.HasPrefix(after, ` rel="next"`) {
					path = "/experiments/0?" + html.UnescapeString(href)
					break
				}
				_, rest, _ = strings.Cut(after, `<a href="/experiments/0?`)
			}
		}
	}
	if pages != 3 || len(seen) != 25 {
		t.Errorf("%d pages, want 3", pages)
	}
	for name, n := range seen {
		if n != 1 {
			t.Errorf("%s is shown %d times", name, n)
		}
	}
}

const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>`

// Every text of a user, put in every place, comes out as text.
func TestHostileText(t *testing.T) {
	h := newHouse(t)
	ctx := t.Context()
	e := must[string](t)(h.store.CreateExperiment(ctx, registry.NewExperiment{
		Name: hostile, Tags: []registry.KeyValue{{Key: "note", Value: hostile}, {Key: registry.TagNote, Value: hostile}},
	}))
	r := h.run(e, hostile, now, registry.Batch{
		Params: []registry.KeyValue{{Key: "p", Value: hostile}}, Tags: []registry.KeyValue{{Key: "t", Value: hostile}, {Key: registry.TagNote, Value: hostile}, {Key: registry.TagParentRun, Value: hostile}},
		Metrics: []registry.Metric{{Key: "m", Value: registry.Float(math.NaN())}, {Key: "m", Value: registry.Float(math.Inf(1)), Step: 1}, {Key: "m", Value: registry.Float(math.Inf(-1)), Step: 2}},
	})
	root := must[registry.Run](t)(h.store.Run(ctx, r)).Info.ArtifactURI
	h.files[root+"/"+hostile[:7]+`"'>.html`] = hostile
	model := `%2e <b>"O'Neil"<b> & ü💥?#`
	h.model.fields = []ui.Field{{Name: hostile, Type: "string"}, {Name: "x", Type: hostile}}
	h.model.example = []byte(`{"columns": ["x"], "data": [["` + "<script>" + `"]]}`)
	v := h.register(model, hostile, r)
	h.do(h.store.SetModelVersionTag(ctx, model, v.Version, registry.KeyValue{Key: "k", Value: hostile}))
	h.do(h.store.SetRegisteredModelTag(ctx, model, registry.KeyValue{Key: "k", Value: hostile}))
	h.model.problems[model] = ""
	modelPath := "/models/" + url.PathEscape(model)
	for _, path := range []string{
		"/", "/experiments", "/experiments/" + e, "/runs/" + r, "/runs/" + r + "?file=" + url.QueryEscape(hostile[:7]+`"'>.html`), "/models", modelPath, modelPath + "/versions/1",
		"/" + url.PathEscape(hostile), "/experiments?filter=" + url.QueryEscape(hostile), "/runs/" + url.PathEscape(hostile),
	} {
		status, page := h.get(path)
		if status >= 500 {
			t.Errorf("%s: status %d", path, status)
		}
		for _, bad := range []string{"<script>", "<img", "<b>", `javascript:`} {
			if strings.Contains(page, bad) {
				t.Errorf("%s holds %s", path, bad)
			}
		}
	}
	status, page := h.get(modelPath + "/versions/1")
	if status != 200 {
		t.Fatalf("status %d", status)
	}
	contains(t, page, html.EscapeString(model))
	h.model.problems[model] = hostile
	if _, page := h.get("/models"); strings.Contains(page, "<script>") {
		t.Error("a problem is not escaped")
	}
	if status, text := h.get("/palette.json"); status != 200 || !strings.Contains(text, `"Model"`) {
		t.Errorf("palette: %d %s", status, text)
	}
}
