package prinzbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// writer is a client that writes without a pause and remembers what was acknowledged. Its own counter makes every write another one; what
// was under way at the kill may or may not be there, but whole.
type writer struct {
	id       int
	uri, exp string
	s3       *minio.Client

	run     string
	metrics int      // acknowledged by log-metric: key "m", value = step
	batches int      // acknowledged by log-batch: 50 metrics, one param and one tag each
	runs    []string // acknowledged by runs/create
	objects []int    // sizes
	tag     int      // last acknowledged value of one tag
	version int      // model versions
}

var errKilled = errors.New("the server went away")

func (w *writer) post(ctx context.Context, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, "POST", w.uri+"/api/2.0/mlflow/"+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	a, err := do(req)
	switch {
	case err != nil:
		return "", errKilled
	case a.status != 200:
		return "", fmt.Errorf("%s: %d %s", path, a.status, a.body)
	}
	return a.body, nil
}

func (w *writer) object(i, size int) string {
	return strings.Repeat(fmt.Sprintf("%d-%d;", w.id, i), size)
}

// write does one write of each kind, over and over.
func (w *writer) write(ctx context.Context) error {
	for {
		if _, err := w.post(ctx, "runs/log-metric", fmt.Sprintf(`{"run_id": %q, "key": "m", "value": %d, "timestamp": 1, "step": %d}`, w.run, w.metrics, w.metrics)); err != nil {
			return err
		}
		w.metrics++
		var batch []string
		for i := range 50 {
			batch = append(batch, fmt.Sprintf(`{"key": "b%d", "value": %d, "timestamp": 1, "step": %d}`, i, w.batches, w.batches))
		}
		if _, err := w.post(ctx, "runs/log-batch", fmt.Sprintf(`{"run_id": %q, "metrics": [%s], "params": [{"key": "p%d", "value": "v"}], "tags": [{"key": "t%d", "value": "v"}]}`,
			w.run, strings.Join(batch, ","), w.batches, w.batches)); err != nil {
			return err
		}
		w.batches++
		body, err := w.post(ctx, "runs/create", fmt.Sprintf(`{"experiment_id": %q, "tags": [{"key": "writer", "value": "%d"}]}`, w.exp, w.id))
		if err != nil {
			return err
		}
		var made struct {
			Run struct {
				Info struct {
					ID string `json:"run_id"`
				} `json:"info"`
			} `json:"run"`
		}
		if err := json.Unmarshal([]byte(body), &made); err != nil {
			return err
		}
		w.runs = append(w.runs, made.Run.Info.ID)
		if _, err := w.post(ctx, "runs/set-tag", fmt.Sprintf(`{"run_id": %q, "key": "counter", "value": "%d"}`, w.run, w.tag+1)); err != nil {
			return err
		}
		w.tag++
		if _, err := w.post(ctx, "model-versions/create", fmt.Sprintf(`{"name": "model-%d", "source": "s3://mlflow/x/%d"}`, w.id, w.version+1)); err != nil {
			return err
		}
		w.version++
		size := 1 + len(w.objects)*7919%60_000
		text := w.object(len(w.objects), size)
		if _, err := w.s3.PutObject(ctx, "mlflow", fmt.Sprintf("kill/%d/%d", w.id, len(w.objects)), strings.NewReader(text), int64(len(text)), minio.PutObjectOptions{DisableMultipart: true}); err != nil {
			if ctx.Err() != nil || minio.ToErrorResponse(err).StatusCode == 0 {
				return errKilled
			}
			return err
		}
		w.objects = append(w.objects, size)
	}
}

func s3Client(t testing.TB, r prinzbox.Ready) *minio.Client {
	t.Helper()
	c, err := minio.New(strings.TrimPrefix(r.S3Endpoint, "http://"), &minio.Options{
		Creds: credentials.NewStaticV4(r.AccessKey, r.SecretKey, ""), Region: r.Region, MaxRetries: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// check compares the restarted server with what was acknowledged.
func (w *writer) check(t *testing.T) {
	t.Helper()
	var run struct {
		Run struct {
			Data struct {
				Params, Tags []struct{ Key, Value string }
				Metrics      []struct {
					Key   string
					Value float64
					Step  int
				}
			} `json:"data"`
		} `json:"run"`
	}
	a := call(t, "GET", w.uri+"/api/2.0/mlflow/runs/get?run_id="+w.run, "")
	if err := json.Unmarshal([]byte(a.body), &run); err != nil || a.status != 200 {
		t.Fatalf("runs/get: %d %v %.300s", a.status, err, a.body)
	}
	// Batches are there as a whole: each brought one param, one tag and a new last value of 50 metrics.
	params, batchTags, counter := len(run.Run.Data.Params), 0, 0
	for _, tag := range run.Run.Data.Tags {
		if tag.Key == "counter" {
			_, _ = fmt.Sscan(tag.Value, &counter)
		} else if strings.HasPrefix(tag.Key, "t") {
			batchTags++
		}
	}
	if params < w.batches || params > w.batches+1 || batchTags != params {
		t.Errorf("writer %d: %d batches acknowledged; params of %d and tags of %d are there", w.id, w.batches, params, batchTags)
	}
	last := 0
	for _, m := range run.Run.Data.Metrics {
		if strings.HasPrefix(m.Key, "b") {
			last++
			if m.Step != params-1 || m.Value != float64(params-1) {
				t.Errorf("writer %d: metric %s has step %d, but params tell of %d batches", w.id, m.Key, m.Step, params)
			}
		}
	}
	if params > 0 && last != 50 {
		t.Errorf("writer %d: %d of 50 metrics of the last batch", w.id, last)
	}
	w.batches = params
	if counter < w.tag || counter > w.tag+1 {
		t.Errorf("writer %d: tag %d, acknowledged %d", w.id, counter, w.tag)
	}
	w.tag = counter

	var history struct{ Metrics []struct{ Step int } }
	a = call(t, "GET", w.uri+"/api/2.0/mlflow/metrics/get-history?max_results=25000&metric_key=m&run_id="+w.run, "")
	if err := json.Unmarshal([]byte(a.body), &history); err != nil || a.status != 200 && w.metrics > 0 {
		t.Fatalf("get-history: %d %v %.300s", a.status, err, a.body)
	}
	if n := len(history.Metrics); n < w.metrics || n > w.metrics+1 {
		t.Errorf("writer %d: %d metrics, acknowledged %d", w.id, n, w.metrics)
	}
	for i, m := range history.Metrics {
		if m.Step != i {
			t.Errorf("writer %d: metric %d has step %d", w.id, i, m.Step)
			break
		}
	}
	w.metrics = len(history.Metrics)

	for _, id := range w.runs[max(0, len(w.runs)-50):] {
		if a := call(t, "GET", w.uri+"/api/2.0/mlflow/runs/get?run_id="+id, ""); a.status != 200 || !strings.Contains(a.body, `"writer"`) {
			t.Errorf("writer %d: acknowledged run %s: %d %.200s", w.id, id, a.status, a.body)
		}
	}
	var latest struct {
		Model struct {
			Latest []struct{ Version, Source string } `json:"latest_versions"`
		} `json:"registered_model"`
	}
	a = call(t, "GET", fmt.Sprintf("%s/api/2.0/mlflow/registered-models/get?name=model-%d", w.uri, w.id), "")
	if err := json.Unmarshal([]byte(a.body), &latest); err != nil || a.status != 200 {
		t.Fatalf("registered-models/get: %d %v %.300s", a.status, err, a.body)
	}
	version := 0
	if len(latest.Model.Latest) > 0 {
		_, _ = fmt.Sscan(latest.Model.Latest[0].Version, &version)
	}
	if version < w.version || version > w.version+1 {
		t.Errorf("writer %d: version %d, acknowledged %d", w.id, version, w.version)
	}
	w.version = version

	for i := max(0, len(w.objects)-20); i <= len(w.objects); i++ {
		size := 1 + i*7919%60_000
		a, err := minioJava{w.s3.EndpointURL().String(), prinzbox.DefaultAccessKey, prinzbox.DefaultSecretKey, prinzbox.DefaultRegion, time.Now()}.
			get(t.Context(), fmt.Sprintf("/mlflow/kill/%d/%d", w.id, i), fmt.Sprintf("/mlflow/kill/%d/%d", w.id, i), "")
		switch {
		case err != nil:
			t.Fatal(err)
		case i == len(w.objects) && a.status == 404: // it was under way
		case a.status != 200 || a.body != w.object(i, size):
			t.Errorf("writer %d: object %d of %d: %d, %d bytes of %d", w.id, i, len(w.objects), a.status, len(a.body), len(w.object(i, size)))
		}
	}
}

// A process that is killed in the middle of everything loses nothing that it acknowledged and leaves nothing half-written.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	args := append([]string{"serve", "--no-seed", "--data", data}, freePorts...)
	p := serve(t, nil, args...)
	var writers []*writer
	for i := range 4 {
		w := &writer{id: i, uri: p.ready.TrackingURI}
		w.exp, w.run = newRunAt(t, w.uri, fmt.Sprint("writer-", i))
		if _, err := w.post(t.Context(), "registered-models/create", fmt.Sprintf(`{"name": "model-%d"}`, i)); err != nil {
			t.Fatal(err)
		}
		writers = append(writers, w)
	}
	const rounds = 4
	for round := range rounds {
		var group sync.WaitGroup
		for _, w := range writers {
			w.uri, w.s3 = p.ready.TrackingURI, s3Client(t, p.ready)
			group.Go(func() {
				if err := w.write(t.Context()); !errors.Is(err, errKilled) {
					t.Errorf("writer %d: %v", w.id, err)
				}
			})
		}
		time.Sleep(200*time.Millisecond + rand.N(500*time.Millisecond))
		p.kill(t)
		group.Wait()
		p = serve(t, nil, args...)
		for _, w := range writers {
			w.uri, w.s3 = p.ready.TrackingURI, s3Client(t, p.ready)
			w.check(t)
		}
		if log := p.stderr.String(); strings.Contains(log, "level=WARN") || strings.Contains(log, "level=ERROR") {
			t.Errorf("round %d: the folder was opened with complaints:\n%s", round, log)
		}
		if t.Failed() {
			return
		}
	}
	w := writers[0]
	t.Logf("after %d kills, writer 0 of %d had %d metrics, %d batches, %d runs, %d versions and %d objects", rounds, len(writers), w.metrics, w.batches, len(w.runs), w.version, len(w.objects))
}
