package ui

import (
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// loggedModelRoutes are the pages of logged models.
func (u *UI) loggedModelRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /experiments/{id}/models", u.show(u.loggedModels))
	mux.HandleFunc("GET /logged-models/{id}", u.show(u.loggedModel))
	mux.HandleFunc("GET /logged-models/{id}/view", u.viewFile)
	mux.HandleFunc("GET /logged-models/{id}/zip", u.zipFolder)
}

// modelMetrics is how many metrics the list of logged models shows.
const modelMetrics = 8

type loggedModelsView struct {
	experiment registry.Experiment
	list       listing
	metrics    []string
	rows       []loggedModelLine
	hints      []string
	example    string
}

type loggedModelLine struct {
	id, name, kind, status, runID string
	created                       moment
	metrics                       []string // in the order of the view's
	versions                      []registration
}

func (u *UI) loggedModels(r *http.Request) (view, error) {
	ctx := r.Context()
	e, err := u.cfg.Store.Experiment(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	l := parseListing(r)
	q := registry.LoggedModelQuery{ExperimentIDs: []string{e.ID}, Filter: l.filter, MaxResults: min(l.max, pageRows), PageToken: l.token}
	if l.max = q.MaxResults; l.order != "" {
		q.OrderBy = []registry.LoggedModelOrder{modelOrder(l.order)}
	}
	found, err := u.cfg.Store.SearchLoggedModels(ctx, q)
	status, err := inPlace(&l, err)
	if err != nil {
		return view{}, err
	}
	l.next = found.NextPageToken
	v := loggedModelsView{experiment: e, list: l, metrics: metricKeys(found.Items)}
	for _, m := range found.Items {
		line := loggedModelLine{
			id: m.Info.ModelID, name: m.Info.Name, kind: m.Info.ModelType, status: modelStatus(m.Info.Status), runID: m.Info.SourceRunID,
			created: u.when(m.Info.Created), versions: registeredFrom(m.Info.Tags),
		}
		last := latestOf(m.Data.Metrics)
		for _, key := range v.metrics {
			value := ""
			if m, ok := last[key]; ok {
				value = number(m.Value)
			}
			line.metrics = append(line.metrics, value)
		}
		v.rows = append(v.rows, line)
	}
	if len(v.rows) > 0 {
		if name, ok := filterText(v.rows[0].name); ok {
			v.hints = append(v.hints, "name = "+name)
		}
		for key, m := range latestOf(found.Items[0].Data.Metrics) {
			if len(v.metrics) > 0 && key == v.metrics[0] && !strings.Contains(key, "`") {
				v.hints = append(v.hints, "metrics.`"+key+"` >= "+fullNumber(m.Value))
			}
		}
	}
	v.example = s3Environment(u.cfg.Environment(), e.ArtifactLocation) + "import mlflow\n\nmlflow.set_tracking_uri(" + quote(u.cfg.Environment().TrackingURI) + ")\nmlflow.set_experiment(" + quote(e.Name) + ")\n\n\n" +
		"class Echo(mlflow.pyfunc.PythonModel):\n    def predict(self, context, model_input: list[str]) -> list[str]:\n        return model_input\n\n\n" +
		"info = mlflow.pyfunc.log_model(name=\"echo\", python_model=Echo())\nprint(info.model_id)\n"
	return view{title: "Logged models of " + e.Name, section: "experiments", status: status, scripts: []string{"swap.js"}, body: loggedModelsPage(v)}, nil
}

// s3Environment is what a Python program needs to be told before it can store files in S3; nothing where they go elsewhere.
func s3Environment(env Environment, location string) string {
	if !strings.HasPrefix(location, "s3://") || env.S3Endpoint == "" {
		return ""
	}
	return "import os\n\nos.environ[\"MLFLOW_S3_ENDPOINT_URL\"] = " + quote(env.S3Endpoint) + "\nos.environ[\"AWS_ACCESS_KEY_ID\"] = " + quote(env.AccessKey) +
		"\nos.environ[\"AWS_SECRET_ACCESS_KEY\"] = " + quote(env.SecretKey) + "\n\n"
}

// modelOrder reads an order_by clause of the address: "metrics.rmse DESC".
func modelOrder(clause string) registry.LoggedModelOrder {
	field, ascending := clause, true
	if cut, ok := strings.CutSuffix(clause, " DESC"); ok {
		field, ascending = cut, false
	} else if cut, ok := strings.CutSuffix(clause, " ASC"); ok {
		field = cut
	}
	return registry.LoggedModelOrder{FieldName: field, Ascending: &ascending}
}

func modelStatus(status string) string { return strings.TrimPrefix(status, "LOGGED_MODEL_") }

// metricKeys are the metrics that most models have, in order of their names.
func metricKeys(models []registry.LoggedModel) []string {
	count := map[string]int{}
	var keys []string
	for _, m := range models {
		for key := range latestOf(m.Data.Metrics) {
			if count[key]++; count[key] == 1 {
				keys = append(keys, key)
			}
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		if count[a] != count[b] {
			return count[b] - count[a]
		}
		return strings.Compare(a, b)
	})
	keys = keys[:min(len(keys), modelMetrics)]
	slices.Sort(keys)
	return keys
}

// latestOf is the last point of each metric, on whatever dataset.
func latestOf(points []registry.Metric) map[string]registry.Metric {
	last := map[string]registry.Metric{}
	for _, p := range points {
		if have, ok := last[p.Key]; !ok || p.Timestamp > have.Timestamp || p.Timestamp == have.Timestamp && p.Step >= have.Step {
			last[p.Key] = p
		}
	}
	return last
}

type loggedModelView struct {
	model            registry.LoggedModel
	status           string
	deleted          bool
	created, changed moment
	experiment       registry.Experiment
	run              *registry.Run
	versions         []owner
	metrics          []metricLine
	tags, systemTags []keyValue
	files            filesView
	stored           templ.SafeURL
	traces           templ.SafeURL
	use              string
}

// metricLine is the last value of a metric on a dataset.
type metricLine struct {
	key, value, full, step string
	dataset                string
	run                    string
}

func (u *UI) loggedModel(r *http.Request) (view, error) {
	ctx := r.Context()
	m, err := u.readLoggedModel(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	v := loggedModelView{
		model: m, status: modelStatus(m.Info.Status), created: u.when(m.Info.Created), changed: u.when(m.Info.LastUpdated),
		metrics: metricLines(m.Data.Metrics), stored: u.storedAt(m.Info.ArtifactURI, true),
		use:    "import mlflow\n\nmlflow.set_tracking_uri(" + quote(u.cfg.Environment().TrackingURI) + ")\nmodel = mlflow.pyfunc.load_model(" + quote("models:/"+m.Info.ModelID) + ")\n",
		traces: tracesURL(m.Info.ExperimentID) + query("filter", "metadata.`"+registry.MetaModelID+"` = '"+m.Info.ModelID+"'"),
	}
	if _, err := u.cfg.Store.LoggedModel(ctx, m.Info.ModelID, false); registry.IsCode(err, registry.ResourceDoesNotExist) {
		v.deleted = true
	}
	if v.experiment, err = u.cfg.Store.Experiment(ctx, m.Info.ExperimentID); err != nil {
		return view{}, err
	}
	if m.Info.SourceRunID != "" {
		run, err := u.cfg.Store.Run(ctx, m.Info.SourceRunID)
		switch {
		case err == nil && may(ctx, run.Info.ExperimentID, registry.ActionRead):
			v.run = &run
		case err != nil && !registry.IsCode(err, registry.ResourceDoesNotExist): // a run may be gone for good
			return view{}, err
		}
	}
	for _, reg := range registeredFrom(m.Info.Tags) {
		v.versions = append(v.versions, versionOwner(reg.Name, reg.Version.String()))
	}
	for _, t := range m.Info.Tags {
		if strings.HasPrefix(t.Key, "mlflow.") {
			v.systemTags = append(v.systemTags, t)
		} else {
			v.tags = append(v.tags, t)
		}
	}
	v.files = u.files(ctx, treeOfModel(m.Info), r.URL.Query())
	return view{title: m.Info.Name, section: "experiments", scripts: []string{"swap.js"}, body: loggedModelPage(v)}, nil
}

// metricLines are the last values by metric and dataset.
func metricLines(points []registry.Metric) (out []metricLine) {
	type place struct{ key, name, digest string }
	last := map[place]registry.Metric{}
	for _, p := range points {
		at := place{p.Key, p.DatasetName, p.DatasetDigest}
		if have, ok := last[at]; !ok || p.Timestamp > have.Timestamp || p.Timestamp == have.Timestamp && p.Step >= have.Step {
			last[at] = p
		}
	}
	for at, p := range last {
		out = append(out, metricLine{key: p.Key, value: number(p.Value), full: fullNumber(p.Value), step: itoa64(p.Step), dataset: strings.TrimSpace(at.name + " " + at.digest), run: p.RunID})
	}
	slices.SortFunc(out, func(a, b metricLine) int { return strings.Compare(a.key+"\x00"+a.dataset, b.key+"\x00"+b.dataset) })
	return out
}
