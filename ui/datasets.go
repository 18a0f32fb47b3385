package ui

import (
	"encoding/json"
	"net/http"
	"sort"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// datasetRoutes are the pages of datasets.
func (u *UI) datasetRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /datasets", u.show(u.datasets))
	mux.HandleFunc("GET /datasets/{id}", u.show(u.dataset))
}

// datasetsView lists datasets for evaluation, and those that runs have read.
type datasetsView struct {
	list    listing
	rows    []datasetLine
	read    []readLine
	cut     bool
	example string
}

type datasetLine struct {
	id, name, records, digest string
	changed                   moment
	by                        string
	tags                      []keyValue
}

// readLine is a dataset that runs of an experiment have read.
type readLine struct {
	name, digest, use, experiment, experimentID string
	runs                                        templ.SafeURL
}

// maxReadDatasets is what the store lists at most.
const maxReadDatasets = 1000

func (u *UI) datasets(r *http.Request) (view, error) {
	ctx := r.Context()
	ids, names, err := u.readable(ctx)
	if err != nil {
		return view{}, err
	}
	l := parseListing(r)
	var within []string // all experiments, unless some are hidden from the user
	if who := registry.AccessOf(ctx); who != nil && !who.Admin() {
		within = ids
	}
	v := datasetsView{example: u.datasetExample()}
	status := http.StatusOK
	if within == nil || len(within) > 0 {
		found, err := u.cfg.Store.SearchEvaluationDatasets(ctx, within, l.query())
		if status, err = inPlace(&l, err); err != nil {
			return view{}, err
		}
		l.next = found.NextPageToken
		l.words = newListWords([]string{"name", "created_by", "last_updated_by"}, []string{"created_time", "last_update_time"})
		for _, d := range found.Items {
			line := datasetLine{
				id: d.ID, name: d.Name, digest: d.Digest, changed: u.when(d.LastUpdated), by: text(d.LastUpdatedBy), records: recordCount(d.Profile), tags: jsonTags(d.Tags),
			}
			l.words.item(line.name, line.tags)
			v.rows = append(v.rows, line)
		}
	}
	read, err := u.cfg.Store.SearchDatasets(ctx, ids)
	if err != nil {
		return view{}, err
	}
	v.cut = len(read) >= maxReadDatasets
	for _, d := range read {
		if !may(ctx, d.ExperimentID, registry.ActionRead) {
			continue
		}
		line := readLine{name: d.Name, digest: d.Digest, use: d.Context, experiment: names[d.ExperimentID], experimentID: d.ExperimentID, runs: experimentURL(d.ExperimentID)}
		if digest, ok := filterText(d.Digest); ok {
			line.runs += query("filter", "dataset.digest = "+digest)
		}
		v.read = append(v.read, line)
	}
	v.list = l
	return view{title: "Datasets", section: "datasets", status: status, scripts: []string{"swap.js", "complete.js"}, body: datasetsPage(v)}, nil
}

// datasetExample is a program that makes a dataset with a record.
func (u *UI) datasetExample() string {
	return "import mlflow\nfrom mlflow.genai.datasets import create_dataset\n\nmlflow.set_tracking_uri(" + quote(u.cfg.Environment().TrackingURI) + ")\n" +
		"experiment = mlflow.set_experiment(\"First questions\")\ndataset = create_dataset(name=\"wine-questions\", experiment_id=[experiment.experiment_id])\n" +
		"dataset.merge_records([\n    {\"inputs\": {\"question\": \"How is wine aged?\"}, \"expectations\": {\"answer\": \"In oak barrels.\"}},\n])\n"
}

// recordCount reads the profile of a dataset; a profile that is none says nothing.
func recordCount(profile *string) string {
	var p struct {
		Records *int `json:"num_records"`
	}
	if profile == nil || json.Unmarshal([]byte(*profile), &p) != nil || p.Records == nil {
		return "0"
	}
	return strconv.Itoa(*p.Records)
}

// jsonTags reads tags that stand in a JSON object, without those that MLflow keeps for itself.
func jsonTags(text string) (out []keyValue) {
	var tags map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &tags) != nil {
		return nil
	}
	for k, v := range tags {
		if !strings.HasPrefix(k, "mlflow.") {
			out = append(out, keyValue{Key: k, Value: plainJSON(v)})
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Key < out[j].Key })
	return out
}

// recordsOnPage is how many records a dataset's page shows.
const recordsOnPage = 50

type datasetView struct {
	dataset          registry.EvaluationDataset
	created, changed moment
	records          []recordLine
	count            string
	tags             []keyValue
	experiments      []owner
	list             listing
	schema           string
}

type recordLine struct {
	id, inputs, outputs, expectations, source string
	trace                                     templ.SafeURL
	changed                                   moment
	tags                                      []keyValue
}

func (u *UI) dataset(r *http.Request) (view, error) {
	ctx := r.Context()
	d, err := u.cfg.Store.EvaluationDataset(ctx, r.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	ids, err := u.cfg.Store.EvaluationDatasetExperiments(ctx, d.ID)
	if err != nil {
		return view{}, err
	}
	v := datasetView{
		dataset: d, created: u.when(d.Created), changed: u.when(d.LastUpdated), count: recordCount(d.Profile), tags: jsonTags(d.Tags), list: parseListing(r),
		schema: indent([]byte(text(d.Schema))),
	}
	readable := registry.AccessOf(ctx) == nil || registry.AccessOf(ctx).Admin()
	for _, id := range ids {
		if !may(ctx, id, registry.ActionRead) {
			continue
		}
		readable = true
		e, err := u.cfg.Store.Experiment(ctx, id)
		if registry.IsCode(err, registry.ResourceDoesNotExist) {
			continue
		}
		if err != nil {
			return view{}, err
		}
		v.experiments = append(v.experiments, owner{"Experiment", e.Name, experimentURL(id)})
	}
	if !readable {
		return view{}, denied()
	}
	list, next, err := u.cfg.Store.Records(ctx, d.ID, recordsOnPage, v.list.token)
	status, err := inPlace(&v.list, err)
	if err != nil {
		return view{}, err
	}
	v.list.next = next
	if v.records, err = u.records(list); err != nil {
		return view{}, err
	}
	return view{title: d.Name, section: "datasets", status: status, body: datasetPage(v)}, nil
}

// records reads a page of records, a JSON list.
func (u *UI) records(list string) (out []recordLine, _ error) {
	if list == "" {
		return nil, nil
	}
	var records []struct {
		ID           string                     `json:"dataset_record_id"`
		Inputs       json.RawMessage            `json:"inputs"`
		Outputs      json.RawMessage            `json:"outputs"`
		Expectations json.RawMessage            `json:"expectations"`
		Tags         map[string]json.RawMessage `json:"tags"`
		Updated      int64                      `json:"last_update_time"`
		Source       struct {
			Type string `json:"source_type"`
			Data struct {
				TraceID string `json:"trace_id"`
			} `json:"source_data"`
		} `json:"source"`
	}
	if err := json.Unmarshal([]byte(list), &records); err != nil {
		return nil, err
	}
	for _, r := range records {
		line := recordLine{
			id: r.ID, inputs: recordValue(r.Inputs), outputs: recordValue(r.Outputs), expectations: recordValue(r.Expectations),
			source: strings.ToLower(r.Source.Type), changed: u.when(r.Updated),
		}
		if r.Source.Data.TraceID != "" {
			line.trace = traceURL(r.Source.Data.TraceID)
		}
		if raw, err := json.Marshal(r.Tags); err == nil { // read from JSON
			line.tags = jsonTags(string(raw))
		}
		out = append(out, line)
	}
	return out, nil
}

// recordValue shows a part of a record; an empty object is nothing.
func recordValue(raw json.RawMessage) string {
	text := plainJSON(raw)
	if text == "{}" || text == "null" {
		return ""
	}
	return shorten(text, 8000)
}
