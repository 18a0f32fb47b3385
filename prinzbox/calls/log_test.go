package calls_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// serve runs a handler behind a log on a real server.
func serve(t testing.TB, l *calls.Log, on calls.Listener, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := calls.NewExchange(w, time.Now())
		defer x.End()
		x.In(l, on, r, "id-"+r.Header.Get("X-Test"))
		h(x, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func send(t testing.TB, method, url, contentType, body string, headers ...string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write(b)
}

func TestACallIsKept(t *testing.T) {
	l := calls.New(calls.Config{})
	base := serve(t, l, calls.OnMain, echo)
	body := `{"experiment_id": "1", "password": "hunter22"}`
	if got := send(t, "POST", base+"/api/2.0/mlflow/runs/create?x=1&token=abc", "application/json", body, "Authorization", "Bearer secret-token", "Cookie", "a=b", "X-Test", "7", "Range", "bytes=0-1"); got != body {
		t.Fatalf("the handler got %s", got)
	}
	page := l.Find(calls.Query{Operation: "runs/create"})
	if page.Total != 1 {
		t.Fatalf("%d calls", page.Total)
	}
	c := page.Calls[0]
	if c.Number != 1 || c.RequestID != "id-7" || c.Kind != calls.MLflow || c.Method != "POST" || c.Status != 201 || c.Query != "x=1&token=$SECRET" || c.Authorization != "Bearer" ||
		c.RequestBytes != int64(len(body)) || c.ResponseBytes != int64(len(body)) || c.RequestType != "application/json" || c.ResponseType != "application/json" ||
		!strings.HasPrefix(c.Client, "Go-http-client") || c.DurationMS <= 0 || time.Since(c.Time) > time.Minute || c.Remote != "127.0.0.1" {
		t.Errorf("%+v", c)
	}
	if want := `{"experiment_id": "1", "password": "$SECRET"}`; string(c.RequestBody) != want || string(c.ResponseBody) != want {
		t.Errorf("bodies %s and %s", c.RequestBody, c.ResponseBody)
	}
	if text := fmt.Sprintf("%+v %s %s", c, c.RequestBody, c.ResponseBody); strings.Contains(text, "hunter22") || strings.Contains(text, "secret-token") || strings.Contains(text, "a=b") || strings.Contains(text, "abc") {
		t.Errorf("a secret is kept: %s", text)
	}
	found := false
	for _, h := range c.Headers {
		found = found || h.Name == "Range" && h.Value == "bytes=0-1"
	}
	if !found {
		t.Errorf("headers %v", c.Headers)
	}
}

func TestBodiesAreBounded(t *testing.T) {
	l := calls.New(calls.Config{Body: 10})
	base := serve(t, l, calls.OnMain, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		b, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if _, err := io.Copy(w, bytes.NewReader(b)); err != nil {
			t.Error(err)
		}
	})
	big := strings.Repeat("0123456789abcdef", 10_000)
	for _, c := range []struct {
		contentType, body, kept string
		cut                     bool
	}{
		{"text/plain", "short", "short", false},
		{"text/plain", "0123456789", "0123456789", false},
		{"text/plain", big, "0123456789", true},
		{"application/octet-stream", big, "", false},
		{"text/plain", "", "", false},
	} {
		if got := send(t, "POST", base+"/api/2.0/mlflow/x", c.contentType, c.body); got != c.body {
			t.Errorf("%s: %d bytes came through, not %d", c.contentType, len(got), len(c.body))
		}
		got := l.Find(calls.Query{Limit: 1}).Calls[0]
		if string(got.RequestBody) != c.kept || string(got.ResponseBody) != c.kept || got.RequestBodyCut != c.cut || got.ResponseBodyCut != c.cut ||
			got.RequestBytes != int64(len(c.body)) || got.ResponseBytes != int64(len(c.body)) {
			t.Errorf("%s of %d bytes: kept %q %q, cut %v %v, sizes %d %d", c.contentType, len(c.body), got.RequestBody, got.ResponseBody, got.RequestBodyCut, got.ResponseBodyCut, got.RequestBytes, got.ResponseBytes)
		}
	}
}

func TestTheOldestGiveWay(t *testing.T) {
	fill := func(l *calls.Log, n int) {
		base := serve(t, l, calls.OnMain, echo)
		for i := range n {
			send(t, "POST", fmt.Sprintf("%s/api/2.0/mlflow/n%d", base, i), "text/plain", strings.Repeat("x", 1000))
		}
	}
	l := calls.New(calls.Config{Entries: 5})
	fill(l, 12)
	if s := l.Stats(); s.Kept != 5 || s.Total != 12 || s.Dropped != 7 {
		t.Errorf("%+v", s)
	}
	if c, ok := l.Get(8); !ok || c.Operation != "n7" {
		t.Errorf("8 is %+v", c)
	}
	for _, gone := range []int64{0, 7, 13} {
		if _, ok := l.Get(gone); ok {
			t.Errorf("%d is there", gone)
		}
	}
	l.Clear()
	if s := l.Stats(); s.Kept != 0 || s.Bytes != 0 {
		t.Errorf("cleared: %+v", s)
	}
	l = calls.New(calls.Config{Bytes: 10_000})
	fill(l, 12)
	if s := l.Stats(); s.Bytes > 10_000 || s.Kept < 2 || s.Kept > 4 {
		t.Errorf("bounded by bytes: %+v", s)
	}
	l = calls.New(calls.Config{Entries: -1})
	fill(l, 2)
	if s := l.Stats(); s.Kept != 0 || s.Total != 0 {
		t.Errorf("off: %+v", s)
	}
}

func TestPagesFollowEachOther(t *testing.T) {
	l := calls.New(calls.Config{})
	base := serve(t, l, calls.OnMain, echo)
	for i := range 25 {
		send(t, "GET", fmt.Sprintf("%s/api/2.0/mlflow/n%d", base, i), "", "")
	}
	for _, oldest := range []bool{false, true} {
		var numbers []int64
		q := calls.Query{Limit: 10, Oldest: oldest}
		for range 4 {
			page := l.Find(q)
			for _, c := range page.Calls {
				numbers = append(numbers, c.Number)
			}
			if page.Total != 25 {
				t.Errorf("total %d", page.Total)
			}
			if page.Next == 0 {
				break
			}
			if oldest {
				q.After = page.Next
			} else {
				q.Before = page.Next
			}
		}
		if len(numbers) != 25 {
			t.Fatalf("oldest %v: %v", oldest, numbers)
		}
		for i, n := range numbers {
			want := int64(25 - i)
			if oldest {
				want = int64(i + 1)
			}
			if n != want {
				t.Errorf("oldest %v: %v", oldest, numbers)
				break
			}
		}
	}
	if n := l.Count(calls.Query{After: 5, Before: 8}); n != 2 {
		t.Errorf("count between: %d", n)
	}
}

func TestTailAndWait(t *testing.T) {
	l := calls.New(calls.Config{})
	base := serve(t, l, calls.OnS3, echo)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	done := make(chan error, 1)
	go func() {
		done <- l.Tail(ctx, 0, calls.Query{Operation: "PutObject"}, func(c calls.Call) error {
			if got = append(got, c.Key); len(got) == 3 {
				return io.EOF
			}
			return nil
		})
	}()
	for i := range 3 {
		send(t, "PUT", fmt.Sprintf("%s/mlflow/k%d", base, i), "", "x")
		send(t, "GET", fmt.Sprintf("%s/mlflow/k%d", base, i), "", "")
	}
	if err := <-done; !errors.Is(err, io.EOF) || strings.Join(got, " ") != "k0 k1 k2" {
		t.Errorf("%v %v", got, err)
	}
	if n, err := l.Wait(ctx, 3, calls.Query{Operation: "GetObject"}); n != 3 || err != nil {
		t.Errorf("%d %v", n, err)
	}
	if keys := l.Keys(calls.Query{Operation: "GetObject"}); strings.Join(keys, " ") != "mlflow/k0 mlflow/k1 mlflow/k2" {
		t.Error(keys)
	}
	short, stop := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer stop()
	if _, err := l.Wait(short, 1, calls.Query{Operation: "Nothing"}); err == nil {
		t.Error("waited for nothing")
	}
}

func TestManyAtOnce(t *testing.T) {
	l := calls.New(calls.Config{Entries: 100})
	base := serve(t, l, calls.OnMain, echo)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 50 {
				send(t, "POST", fmt.Sprintf("%s/api/2.0/mlflow/g%d/%d", base, g, i), "text/plain", "body")
				l.Find(calls.Query{Contains: "body", Limit: 3})
			}
		})
	}
	all.Wait()
	if s := l.Stats(); s.Total != 400 || s.Kept != 100 {
		t.Errorf("%+v", s)
	}
	page := l.Find(calls.Query{})
	for i, c := range page.Calls {
		if c.Number != int64(400-i) {
			t.Fatalf("%d is at place %d", c.Number, i)
		}
	}
}

func TestQueries(t *testing.T) {
	l := calls.New(calls.Config{})
	base := serve(t, l, calls.OnMain, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "missing") {
			w.WriteHeader(http.StatusNotFound)
		}
		echoless(w, r)
	})
	send(t, "POST", base+"/api/2.0/mlflow/runs/create", "application/json", `{"run_name": "First"}`, "User-Agent", "mlflow-python-client/3.17.2")
	send(t, "GET", base+"/api/2.0/mlflow/runs/missing?run_id=abc", "", "")
	send(t, "POST", base+"/model/wine/2/invocations", "application/json", `{}`)
	send(t, "GET", base+"/", "", "")
	for query, want := range map[string]int{
		"": 4, "kind=mlflow": 2, "kind=mlflow,scoring": 3, "kind=mlflow&kind=gui": 3, "operation=runs/*": 2, "method=post": 2, "status=404": 1, "status=4xx": 1, "status=200-299": 3,
		"path=*/runs/create": 1, "model=wine": 1, "model=w*": 1, "version=2": 1, "version=3": 0, "contains=first": 1, "contains=RUN_ID": 1, "client=mlflow-python-client/*": 1,
		"request_id=id-": 4, "after=2": 2, "before=2": 1, "since=2020-01-01T00:00:00Z": 4, "until=2020-01-01T00:00:00Z": 0, "since=0": 4, "min_ms=100000": 0, "faulty=true": 0,
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := calls.ParseQuery(v)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		if n := l.Count(q); n != want {
			t.Errorf("%s: %d, not %d", query, n, want)
		}
	}
	for query, want := range map[string]string{
		"kin=mlflow": "kin", "kind=foo": "use mlflow", "status=6xx": "4xx", "status=abc": "4xx", "status=9": "4xx", "status=300-200": "400-499", "since=yesterday": "milliseconds", "after=-1": "number of a call",
		"limit=0": "from 1", "limit=1000000": "from 1", "order=up": "newest", "faulty=1": "true or false", "min_ms=x": "milliseconds", "min_ms=NaN": "milliseconds", "path=a&path=b": "once",
	} {
		v, _ := url.ParseQuery(query)
		if _, err := calls.ParseQuery(v); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
}

func echoless(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	_, _ = io.WriteString(w, "ok")
}
