package ui

import (
	"context"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/prinzbox/prinzbox/registry"
)

const (
	// previewBytes is how much of a file is shown.
	previewBytes = 64 << 10
	// maxCharts and maxPoints bound a run page.
	maxCharts = 24
	maxPoints = 20_000
)

type runView struct {
	run        registry.Run
	line       runLine
	experiment registry.Experiment
	ended      moment
	note       string
	parent     string
	charts     []chart
	moreCharts int
	versions   []registry.ModelVersion
	files      filesView
	tags       []registry.KeyValue
	systemTags []registry.KeyValue
}

// filesView is one level of a run's artifacts and, when asked for, the beginning of a file.
type filesView struct {
	runID, root string
	crumbs      []crumb
	files       []File
	problem     string
	preview     *preview
}

type crumb struct{ name, path string }

type preview struct {
	path, text string
	size       int64
	cut        bool
	problem    string
}

func (u *UI) run(r *http.Request) (view, error) {
	ctx := r.Context()
	run, err := u.cfg.Store.Run(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	e, err := u.cfg.Store.Experiment(ctx, run.Info.ExperimentID)
	if err != nil {
		return view{}, err
	}
	v := runView{run: run, line: u.runLine(run), experiment: e, note: tagValue(run.Data.Tags, registry.TagNote), parent: tagValue(run.Data.Tags, registry.TagParentRun)}
	if run.Info.EndTime != nil {
		v.ended = u.when(*run.Info.EndTime)
	}
	for _, t := range run.Data.Tags {
		if strings.HasPrefix(t.Key, "mlflow.") {
			v.systemTags = append(v.systemTags, t)
		} else {
			v.tags = append(v.tags, t)
		}
	}
	if v.charts, v.moreCharts, err = u.charts(ctx, run); err != nil {
		return view{}, err
	}
	if v.versions, err = u.versionsOfRun(ctx, run.Info.RunID); err != nil {
		return view{}, err
	}
	v.files = u.files(ctx, run, r.URL.Query().Get("path"), r.URL.Query().Get("file"))
	return view{title: run.Info.RunName, section: "experiments", body: runPage(v)}, nil
}

func (u *UI) versionsOfRun(ctx context.Context, runID string) ([]registry.ModelVersion, error) {
	if strings.ContainsAny(runID, `'"`) {
		return nil, nil // such an id cannot be written in a filter
	}
	found, err := u.cfg.Store.SearchModelVersions(ctx, registry.Query{Filter: "run_id = '" + runID + "'", MaxResults: 100})
	return found.Items, err
}

// charts draws the metrics that have a history. A metric with one point is told whole by the table.
func (u *UI) charts(ctx context.Context, run registry.Run) (charts []chart, more int, err error) {
	left := maxPoints
	for _, m := range run.Data.Metrics {
		if len(charts) == maxCharts || left <= 0 {
			more++
			continue
		}
		history, err := u.cfg.Store.MetricHistory(ctx, run.Info.RunID, m.Key, left, "")
		if err != nil {
			return nil, 0, err
		}
		if len(history.Items) < 2 {
			continue
		}
		left -= len(history.Items)
		charts = append(charts, newChart(m.Key, history.Items, history.NextPageToken != ""))
	}
	return charts, more, nil
}

// files lists a folder. What is wrong with it is shown in place: the rest of the run is still worth reading.
func (u *UI) files(ctx context.Context, run registry.Run, dir, file string) filesView {
	v := filesView{runID: run.Info.RunID, root: run.Info.ArtifactURI}
	if u.cfg.Artifacts == nil {
		v.problem = "This environment cannot read artifacts."
		return v
	}
	for _, p := range []string{dir, file} {
		if !goodPath(p) {
			v.problem = "The path " + quoted(p) + " leads nowhere: it must be relative and without '..'."
			return v
		}
	}
	if dir != "" {
		for i, part := range strings.Split(dir, "/") {
			v.crumbs = append(v.crumbs, crumb{part, strings.Join(strings.Split(dir, "/")[:i+1], "/")})
		}
	}
	var err error
	if v.files, err = u.cfg.Artifacts.List(ctx, run.Info.ArtifactURI, dir); err != nil {
		v.problem = u.problemOf(err)
		return v
	}
	slices.SortFunc(v.files, func(a, b File) int {
		if a.IsDir != b.IsDir {
			if a.IsDir {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Path, b.Path)
	})
	if file != "" {
		v.preview = u.preview(ctx, run.Info.ArtifactURI, file)
	}
	return v
}

// goodPath refuses paths that the artifact routes refuse as well.
func goodPath(p string) bool {
	return p == "" || path.Clean(p) == p && !strings.HasPrefix(p, "/") && p != ".." && !strings.HasPrefix(p, "../") && !strings.Contains(p, `\`)
}

func (u *UI) preview(ctx context.Context, artifactURI, file string) *preview {
	p := &preview{path: file}
	body, size, err := u.cfg.Artifacts.Open(ctx, artifactURI, file)
	if err != nil {
		p.problem = u.problemOf(err)
		return p
	}
	defer func() { _ = body.Close() }() // it was only read
	p.size = size
	data, err := io.ReadAll(io.LimitReader(body, previewBytes))
	if err != nil {
		p.problem = u.problemOf(err)
		return p
	}
	p.cut = int64(len(data)) < size
	if p.cut { // the cut may have split a character
		for n := 0; n < utf8.UTFMax && len(data) > 0 && !utf8.Valid(data); n++ {
			data = data[:len(data)-1]
		}
	}
	if !utf8.Valid(data) || slices.Contains(data, 0) {
		p.problem = "This is not text, so there is no preview. Download the file to read it."
		return p
	}
	p.text = string(data)
	return p
}

// problemOf is what a user may read of an error; the rest goes to the log.
func (u *UI) problemOf(err error) string {
	body := registry.Body(err)
	if body.Code.HTTPStatus() >= http.StatusInternalServerError {
		u.cfg.Log.Error("artifacts not read", "error", err)
	}
	return body.Message
}
