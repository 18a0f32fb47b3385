package calls_test

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// answering is a transport that answers everything at once.
type answering string

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(a))),
	}, nil
}

// A session that is read can be sent again, shown and written: a file from somebody else makes no error later on.
func FuzzReadSession(f *testing.F) {
	const id = `0123456789abcdef0123456789abcdef`
	f.Add([]byte(`{"prinzbox_session": 1, "calls": [{"kind": "mlflow", "method": "POST", "path": "/api/2.0/mlflow/runs/create", "status": 200,
		"request_type": "application/json", "request_body": "{}", "request_bytes": 2, "response_body": "{\"run_id\": \"` + id + `\"}"},
		{"kind": "mlflow", "method": "GET", "path": "/api/2.0/mlflow/runs/get", "query": "run_id=` + id + `", "status": 200}]}`))
	f.Add([]byte(`{"prinzbox_session": 1, "calls": [{"kind": "s3", "method": "GET", "path": "/k%20y", "bucket": "b", "query": "X-Amz-Date=1&list-type=2"}]}`))
	f.Add([]byte(`{"prinzbox_session": 1, "calls": [{"kind": "static", "method": "G T", "path": "/%zz", "headers": [{"name": "a\nb", "value": "c\r\nd"}]}]}`))
	f.Add([]byte(`{"prinzbox_session": 2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := calls.ReadSession(bytes.NewReader(data))
		if err != nil {
			return
		}
		target := calls.Target{
			MLflow: "http://main", S3: "http://s3", Static: "http://static", Client: &http.Client{Transport: answering(`{"run_id": "` + strings.Repeat("f", 32) + `"}`)},
			Prepare: func(r *http.Request, _ calls.Kind, _ []byte) error {
				if h := r.URL.Host; h != "main" && h != "s3" && h != "static" {
					t.Errorf("a call goes to %q", h)
				}
				return nil
			},
		}
		c, err := target.ReplaySession(t.Context(), s)
		if err != nil || c.Same+c.Other+c.Skipped != len(s.Calls) {
			t.Errorf("%+v of %d calls, %v", c, len(s.Calls), err)
		}
		for i := range s.Calls {
			if line := s.Calls[i].Curl(); !strings.HasPrefix(line, "curl ") {
				t.Errorf("%s", line)
			}
		}
		if _, err := json.Marshal(calls.NewHAR("1", s.Calls)); err != nil {
			t.Errorf("HAR: %v", err)
		}
		first, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := calls.ReadSession(bytes.NewReader(first))
		if err != nil {
			t.Fatalf("what was read and written: %v", err)
		}
		if second, err := json.Marshal(again); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s, then %s, %v", first, second, err)
		}
	})
}

// What a query takes is within its bounds, and what it does not take is named.
func FuzzParseQuery(f *testing.F) {
	for _, text := range []string{
		"kind=mlflow,s3&status=4xx&limit=10&order=oldest", "status=400-499&since=2026-01-02T15:04:05Z&until=1700000000000&min_ms=1.5&faulty=true",
		"operation=runs/*&path=*a*b*&contains=X&after=1&before=9", "min_ms=Inf", "status=-1-5", "limit=0", "kind=x", "other=1", "since=99999999999999999",
	} {
		f.Add(text)
	}
	call := calls.Call{
		Number: 5, Kind: calls.MLflow, Operation: "runs/create", Method: "POST", Path: "/api/2.0/mlflow/runs/create", Status: 404, Time: time.Unix(1_700_000_000, 0),
		DurationMS: 2, RequestBody: calls.Text(`{"name": "x"}`),
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := url.ParseQuery(text)
		if err != nil {
			return
		}
		q, err := calls.ParseQuery(v)
		if err != nil {
			if !slices.ContainsFunc(calls.Parameters(), func(name string) bool { return strings.Contains(err.Error(), name) }) {
				t.Errorf("%v names no parameter", err)
			}
			return
		}
		if q.Limit < 0 || q.Limit > calls.MaxLimit || q.After < 0 || q.Before < 0 || math.IsNaN(q.MinMS) || q.MinMS < 0 || q.MinStatus > q.MaxStatus {
			t.Errorf("%q: %+v", text, q)
		}
		matches := q.Matches(&call)
		if q.MinStatus > call.Status && matches || len(q.Kinds) > 0 && !slices.Contains(q.Kinds, call.Kind) && matches {
			t.Errorf("%q matches", text)
		}
	})
}
