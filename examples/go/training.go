// Package training is a small program's worth of MLflow: it logs a run over plain HTTP and asks a model. Its tests run against prinzbox.
package training

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Tracker logs to the MLflow server at URL.
type Tracker struct{ URL string }

// Log makes a run with one metric and returns its id. A server that is busy (503) is asked three times.
func (t Tracker) Log(ctx context.Context, metric string, value float64) (string, error) {
	var made struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	now := time.Now().UnixMilli()
	if err := t.post(ctx, "/api/2.0/mlflow/runs/create", map[string]any{"experiment_id": "0", "start_time": now}, &made); err != nil {
		return "", err
	}
	id := made.Run.Info.ID
	return id, t.post(ctx, "/api/2.0/mlflow/runs/log-metric", map[string]any{"run_id": id, "key": metric, "value": value, "timestamp": now}, &struct{}{})
}

// Ask has a registered model predict one row.
func (t Tracker) Ask(ctx context.Context, model string, row map[string]any) (float64, error) {
	var answer struct {
		Predictions []float64 `json:"predictions"`
	}
	err := t.post(ctx, "/"+model+"/invocations", map[string]any{"dataframe_records": []any{row}}, &answer)
	if err == nil && len(answer.Predictions) != 1 {
		err = fmt.Errorf("%d predictions for one row", len(answer.Predictions))
	}
	if err != nil {
		return 0, err
	}
	return answer.Predictions[0], nil
}

func (t Tracker) post(ctx context.Context, path string, body, answer any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	for attempt := 1; ; attempt++ {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL+path, bytes.NewReader(text))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		if resp.StatusCode == http.StatusServiceUnavailable && attempt < 3 {
			_ = resp.Body.Close() // the next attempt counts
			continue
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("%s: %s", path, resp.Status)
		}
		return json.NewDecoder(resp.Body).Decode(answer)
	}
}
