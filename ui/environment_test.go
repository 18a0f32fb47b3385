package ui_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/ui"
)

// now is the time at which all pages of the tests are made.
var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// house is an environment: the real store, a linear model that scores, files in memory, and the GUI behind a router.
type house struct {
	t      testing.TB
	store  *registry.Store
	files  files
	model  *linear
	server *httptest.Server
	// access is whose requests all are; nil for an environment without passwords.
	access atomic.Pointer[registry.Access]
	pages  atomic.Pointer[ui.UI]
}

// serve makes the pages anew with another scoring server.
func (h *house) serve(scoring ui.Scoring) {
	h.pages.Store(ui.New(ui.Config{
		Store: h.store, Scoring: scoring, Artifacts: h.files, Environment: h.environment, Clock: func() time.Time { return now },
		Log: slog.New(slog.NewTextHandler(h.t.Output(), nil)),
	}))
}

// as makes all requests come from one user.
func (h *house) as(a *registry.Access) { h.access.Store(a) }

func newHouse(t testing.TB) *house {
	t.Helper()
	db, err := sqldb.Open(t.Context(), filepath.Join(t.TempDir(), "prinzbox.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	var ids atomic.Int64
	store, err := registry.Open(t.Context(), registry.Config{
		DB: db, ArtifactRoot: "s3://mlflow", Clock: func() time.Time { return now.Add(-time.Hour) },
		NewID: func() string { return fmt.Sprintf("%032x", ids.Add(1)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	routes := serving.New(serving.Config{Catalog: catalog{store}, Objects: nothing{}})
	t.Cleanup(func() {
		if err := routes.Close(); err != nil {
			t.Error(err)
		}
	})
	h := &house{t: t, store: store, files: files{}, model: &linear{Server: routes, problems: map[string]string{}}}
	h.serve(h.model)
	gin.SetMode(gin.TestMode)
	engine := gin.New()
	engine.UseRawPath, engine.UnescapePathValues = true, true
	engine.POST("/model/:name/:version/invocations", func(c *gin.Context) {
		body, err := io.ReadAll(c.Request.Body)
		if err != nil {
			t.Error(err)
		}
		answer, status := h.model.Score(c.Request.Context(), c.Param("name"), c.Param("version"), body, c.ContentType())
		c.Data(status, "application/json", answer)
	})
	engine.NoRoute(gin.WrapF(func(w http.ResponseWriter, r *http.Request) {
		if a := h.access.Load(); a != nil {
			r = r.WithContext(registry.WithAccess(r.Context(), a))
		}
		h.pages.Load().ServeHTTP(w, r)
	}))
	h.server = httptest.NewServer(engine)
	t.Cleanup(h.server.Close)
	return h
}

func (h *house) environment() ui.Environment {
	return ui.Environment{
		Version: "0.1.0", Started: now.Add(-3 * time.Minute), TrackingURI: h.server.URL, S3Endpoint: "http://127.0.0.1:9000",
		StaticURL: "http://127.0.0.1:4242", Bucket: "mlflow", Region: "us-east-1", AccessKey: "mlflow-key", SecretKey: "mlflow-secret",
		Services: []ui.Service{
			{Name: "MLflow", Purpose: "Tracking, registry, artifacts, scoring and these pages", URL: h.server.URL, Check: func(context.Context) error { return nil }},
			{Name: "S3", Purpose: "Files of runs and models, path style and virtual host", URL: "http://127.0.0.1:9000"},
			{
				Name: "Static values", Purpose: "Constants for Prinz's proxy samples", URL: "http://127.0.0.1:4242",
				Check: func(context.Context) error { return errors.New("connection refused") },
			},
		},
	}
}

// must takes what cannot fail in a test's setting.
func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (h *house) do(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// run makes a finished run with params, metrics and tags.
func (h *house) run(experiment, name string, start time.Time, b registry.Batch) string {
	h.t.Helper()
	ctx := h.t.Context()
	r := must[registry.Run](h.t)(h.store.CreateRun(ctx, registry.NewRun{ExperimentID: experiment, Name: name, UserID: "ada", StartTime: start.UnixMilli()}))
	for chunk := range slices.Chunk(b.Metrics, 900) {
		h.do(h.store.LogBatch(ctx, r.Info.RunID, registry.Batch{Metrics: chunk}))
	}
	h.do(h.store.LogBatch(ctx, r.Info.RunID, registry.Batch{Params: b.Params, Tags: b.Tags}))
	status, end := registry.RunFinished, start.Add(83*time.Second).UnixMilli()
	must[registry.RunInfo](h.t)(h.store.UpdateRun(ctx, r.Info.RunID, registry.RunUpdate{Status: &status, EndTime: &end}))
	return r.Info.RunID
}

// register makes a model, if need be, and a version of a run.
func (h *house) register(name, description, runID string) registry.ModelVersion {
	h.t.Helper()
	ctx := h.t.Context()
	if _, err := h.store.RegisteredModel(ctx, name); err != nil {
		must[registry.RegisteredModel](h.t)(h.store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: name, Description: &description}))
	}
	run := must[registry.Run](h.t)(h.store.Run(ctx, runID))
	return must[registry.ModelVersion](h.t)(h.store.CreateModelVersion(ctx, registry.NewModelVersion{
		Name: name, Source: run.Info.ArtifactURI + "/model", RunID: runID, Description: description,
	}))
}

// get asks for a page and gives its status and text.
func (h *house) get(path string) (int, string) {
	h.t.Helper()
	return h.send(must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.server.URL+path, nil)))
}

// ask gives the head of an answer.
func (h *house) ask(path string) *http.Response {
	h.t.Helper()
	r := must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodGet, h.server.URL+path, nil))
	resp := must[*http.Response](h.t)(h.server.Client().Do(r))
	h.do(resp.Body.Close())
	return resp
}

func (h *house) post(path, form string, header ...string) (int, string) {
	h.t.Helper()
	r := must[*http.Request](h.t)(http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.server.URL+path, strings.NewReader(form)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return h.send(r)
}

func (h *house) send(r *http.Request) (int, string) {
	h.t.Helper()
	resp := must[*http.Response](h.t)(h.server.Client().Do(r))
	body := must[[]byte](h.t)(io.ReadAll(resp.Body))
	h.do(resp.Body.Close())
	return resp.StatusCode, string(body)
}

// files are artifacts in memory: content by "<artifact URI>/<path>".
type files map[string]string

func (f files) List(_ context.Context, uri, path string) (out []ui.File, _ error) {
	prefix := uri + "/"
	if path != "" {
		prefix += path + "/"
	}
	seen := map[string]bool{}
	for name, content := range f {
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		first, _, dir := strings.Cut(rest, "/")
		if seen[first] {
			continue
		}
		seen[first] = true
		file := ui.File{Path: strings.TrimPrefix(path+"/"+first, "/"), IsDir: dir}
		if !dir {
			file.Size = int64(len(content))
		}
		out = append(out, file)
	}
	return out, nil
}

func (f files) Open(_ context.Context, uri, path string) (io.ReadCloser, int64, error) {
	content, ok := f[uri+"/"+path]
	if !ok {
		return nil, 0, registry.NotFoundf("No such artifact: '%s'", path)
	}
	return io.NopCloser(strings.NewReader(content)), int64(len(content)), nil
}

// catalog finds the versions of the store, for the rules of routing.
type catalog struct{ store *registry.Store }

func (c catalog) Resolve(ctx context.Context, name, selector string) (serving.Version, error) {
	v, err := c.store.SelectModelVersion(ctx, name, selector)
	return serving.Version{Name: v.Name, Number: v.Version, Source: v.StorageLocation}, err
}

func (c catalog) Tags(ctx context.Context, name string) (map[string]string, error) {
	m, err := c.store.RegisteredModel(ctx, name)
	tags := map[string]string{}
	for _, t := range m.Tags {
		tags[t.Key] = t.Value
	}
	return tags, err
}

// nothing holds no model directories.
type nothing struct{}

func (nothing) Open(context.Context, string, string) (io.ReadCloser, int64, error) {
	return nil, 0, registry.NotFoundf("There are no files.")
}

func (nothing) ETag(context.Context, string, string) (string, error) {
	return "", registry.NotFoundf("There are no files.")
}

func (nothing) Generation() uint64 { return 1 }

// linear scores every version: the sum of the numbers in a row times the version's number, one for each row. Routing and counts are the real
// server's.
type linear struct {
	*serving.Server
	problems map[string]string // by name
	fields   []ui.Field        // instead of the wine's
	example  []byte
	bend     bool         // answer with the square of the sum
	last     atomic.Value // the last body of a request, as a string
}

var wineColumns = []string{
	"fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide", "total sulfur dioxide", "density", "pH",
	"sulphates", "alcohol",
}

func (l *linear) Describe(_ context.Context, name, _ string) (ui.Model, error) {
	m := ui.Model{Flavor: "sklearn", Native: true, Problem: l.problems[name], Outputs: []ui.Field{{Type: "double"}}, InputExample: l.example, Inputs: l.fields}
	if l.fields != nil || l.example != nil {
		return m, nil
	}
	for _, c := range wineColumns {
		m.Inputs = append(m.Inputs, ui.Field{Name: c, Type: "double"})
	}
	columns := must[[]byte](panicky{})(json.Marshal(wineColumns))
	m.InputExample = []byte(`{"columns":` + string(columns) + `,"data":[[7.4,0.7,0,1.9,0.076,11,34,0.9978,3.51,0.56,9.4]]}`)
	return m, nil
}

func (l *linear) answer(version string, body []byte, contentType string) ([]byte, int) {
	if contentType == "text/csv" {
		lines := strings.Split(strings.TrimSpace(string(body)), "\n")
		if lines[0] != strings.Join(wineColumns, ",") {
			return []byte(`{"error_code": "BAD_REQUEST", "message": "Model is missing inputs <` + `script>."}`), http.StatusBadRequest
		}
		body = []byte(`{"dataframe_split": {"data": [[` + strings.Join(lines[1:], "],[") + `]]}}`)
	}
	var request struct {
		Split struct {
			Data [][]any `json:"data"`
		} `json:"dataframe_split"`
		Inputs []float64 `json:"inputs"`
	}
	bad := func(message string) ([]byte, int) {
		answer := must[[]byte](panicky{})(json.Marshal(registry.Body(registry.Invalidf("%s", message))))
		return answer, http.StatusBadRequest
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return bad("Invalid input: " + err.Error())
	}
	if len(request.Split.Data) == 0 && request.Inputs == nil {
		return bad("The request has neither dataframe_split nor inputs.")
	}
	times := 1.0
	if version == "2" {
		times = 2
	}
	rows := request.Split.Data
	if request.Inputs != nil {
		row := make([]any, len(request.Inputs))
		for i, f := range request.Inputs {
			row[i] = f
		}
		rows = [][]any{row}
	}
	sums := make([]string, len(rows))
	for i, row := range rows {
		sum := 0.0
		for _, v := range row {
			if f, ok := v.(float64); ok {
				sum += f
			}
		}
		if l.bend { // no line any more
			sum *= sum
		}
		sums[i] = fmt.Sprintf("%.4f", sum*times)
	}
	return []byte(`{"predictions": [` + strings.Join(sums, ", ") + `]}`), http.StatusOK
}

func (l *linear) Score(_ context.Context, _, version string, body []byte, contentType string) ([]byte, int) {
	l.last.Store(string(body))
	return l.answer(version, body, contentType)
}

func (l *linear) Probe(_ context.Context, _, version string, body []byte, contentType string) ([]byte, int) {
	return l.answer(version, body, contentType)
}

// panicky is a testing.TB for code without one.
type panicky struct{ testing.TB }

func (panicky) Helper()           {}
func (panicky) Fatal(args ...any) { panic(fmt.Sprint(args...)) }
