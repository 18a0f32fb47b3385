package prinzbox_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// These are the calls of one run of Prinz's own integration test, with the headers and bodies that were recorded, and what its strict
// decoders demand of the answers.

// javaHeaders are what Java's HttpURLConnection sends.
var javaHeaders = []string{
	"User-Agent", "Java/17.0.9", "Accept", "text/html, image/gif, image/jpeg, */*; q=0.2", "Accept-Encoding", "gzip, deflate",
}

// ahcHeaders are what Prinz's async-http-client sends.
var ahcHeaders = []string{"Content-Type", "application/json", "Accept", "*/*", "Accept-Encoding", "gzip, deflate", "User-Agent", "AHC/2.1"}

// prinzModel is a registered model as Prinz decodes it: every field is required, timestamps are text.
type prinzModel struct {
	Name     string         `json:"name"`
	Created  string         `json:"creation_timestamp"`
	Updated  string         `json:"last_updated_timestamp"`
	Versions []prinzVersion `json:"latest_versions"`
}

type prinzVersion struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Created string `json:"creation_timestamp"`
	Updated string `json:"last_updated_timestamp"`
	Stage   string `json:"current_stage"`
	Source  string `json:"source"`
	RunID   string `json:"run_id"`
	Status  string `json:"status"`
}

// prinzModels asks for the models as Prinz does.
func prinzModels(t testing.TB, env *prinzbox.Env) map[string]prinzVersion {
	t.Helper()
	a := call(t, "GET", env.TrackingURI()+"/api/2.0/preview/mlflow/registered-models/list", "", javaHeaders...)
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		t.Fatalf("registered-models/list: %d %s %s", a.status, a.header.Get("Content-Type"), a.body)
	}
	var list struct {
		Models []prinzModel `json:"registered_models"`
	}
	if err := json.Unmarshal([]byte(a.body), &list); err != nil { // a number for a timestamp is an error here, as it is for Prinz
		t.Fatalf("registered-models/list: %v in %s", err, a.body)
	}
	var names []string
	out := map[string]prinzVersion{}
	for _, m := range list.Models {
		names = append(names, m.Name)
		for _, field := range []string{m.Created, m.Updated} {
			if n, err := strconv.ParseInt(field, 10, 64); err != nil || n < 1e12 {
				t.Errorf("%s: timestamp %q is not milliseconds as text", m.Name, field)
			}
		}
		for _, v := range m.Versions {
			for _, field := range []string{v.Created, v.Updated} {
				if n, err := strconv.ParseInt(field, 10, 64); err != nil || n < 1e12 {
					t.Errorf("%s: version timestamp %q is not milliseconds as text", m.Name, field)
				}
			}
			if v.Name != m.Name || v.Stage == "" || v.Source == "" || v.RunID == "" {
				t.Errorf("%s: version %+v", m.Name, v)
			}
			out[m.Name] = v
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("models are not in alphabetical order: %q", names)
	}
	return out
}

func TestPrinzListsModels(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	versions := prinzModels(t, env)
	if got := slices.Sorted(maps.Keys(versions)); !slices.Equal(got, sampleModels) {
		t.Errorf("models %q", got)
	}
	for i, name := range sampleModels {
		v := versions[name]
		if want := fmt.Sprintf("s3://mlflow/%d/%s/artifacts/model", i+1, v.RunID); v.Version != "1" || v.Status != "READY" || v.Stage != "None" || v.Source != want {
			t.Errorf("%s: version %+v, source should be %s", name, v, want)
		}
	}
	a := call(t, "GET", env.TrackingURI()+"/api/2.0/preview/mlflow/registered-models/list", "")
	var top map[string]json.RawMessage
	if err := json.Unmarshal([]byte(a.body), &top); err != nil {
		t.Fatal(err)
	}
	if len(top) != 1 {
		t.Errorf("keys of the list: %v; there is no next page, so there is no next_page_token", slices.Collect(maps.Keys(top)))
	}
	for _, prefix := range []string{"/api/2.0/preview", "/ajax-api/2.0/preview"} {
		a := call(t, "GET", env.TrackingURI()+prefix+"/mlflow/registered-models/get?name="+sampleModels[0], "", javaHeaders...)
		var got struct {
			Model prinzModel `json:"registered_model"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 || got.Model.Name != sampleModels[0] || got.Model.Created == "" || len(got.Model.Versions) != 1 {
			t.Errorf("registered-models/get: %d %s, %v", a.status, a.body, err)
		}
	}
}

func TestPrinzGetsRuns(t *testing.T) {
	t.Parallel()
	env := shared(t)
	for i, name := range sampleModels {
		v := prinzModels(t, env)[name]
		a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/runs/get?run_id="+v.RunID, "", javaHeaders...)
		var got struct {
			Run struct {
				Info map[string]any   `json:"info"`
				Data map[string][]any `json:"data"`
			} `json:"run"`
		}
		if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
			t.Fatalf("%d %v %s", a.status, err, a.body)
		}
		for _, key := range []string{"run_id", "run_uuid", "experiment_id", "user_id", "status", "start_time", "end_time", "artifact_uri", "lifecycle_stage"} {
			if got.Run.Info[key] == nil {
				t.Errorf("%s: run.info has no %s: %s", name, key, a.body)
			}
		}
		info := got.Run.Info
		if info["status"] != "FINISHED" || info["run_id"] != v.RunID || info["run_uuid"] != v.RunID || info["lifecycle_stage"] != "active" ||
			info["experiment_id"] != strconv.Itoa(i+1) || info["artifact_uri"] != fmt.Sprintf("s3://mlflow/%d/%s/artifacts", i+1, v.RunID) {
			t.Errorf("%s: %v", name, info)
		}
		for _, key := range []string{"metrics", "params", "tags"} {
			if len(got.Run.Data[key]) == 0 {
				t.Errorf("%s: run.data.%s is missing or empty", name, key)
			}
		}
		a = call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/experiments/get?experiment_id="+strconv.Itoa(i+1), "")
		if want := fmt.Sprintf(`"Test experiment %d"`, i+1); !strings.Contains(a.body, want) {
			t.Errorf("experiment %d: %s", i+1, a.body)
		}
	}
	// A run that never logged anything: the three arrays are there, empty.
	_, run := newRun(t, env, "prinz")
	a := call(t, "GET", env.TrackingURI()+"/api/2.0/mlflow/runs/get?run_id="+run, "", javaHeaders...)
	var got struct {
		Run struct {
			Data map[string][]any `json:"data"`
		} `json:"run"`
	}
	if err := json.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"metrics", "params", "tags"} {
		if got.Run.Data[key] == nil {
			t.Errorf("an empty run's data has no %s: %s", key, a.body)
		}
	}
}

// newRun makes an experiment with a run in it and returns their ids.
func newRun(t testing.TB, env *prinzbox.Env, name string) (experiment, run string) {
	t.Helper()
	return newRunAt(t, env.TrackingURI(), name)
}

func newRunAt(t testing.TB, uri, name string) (experiment, run string) {
	t.Helper()
	var made struct {
		ID  string `json:"experiment_id"`
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	for _, step := range []struct{ path, body string }{
		{"experiments/create", `{"name": "` + name + "-" + t.Name() + `"}`}, {"runs/create", `{"experiment_id": "%s"}`},
	} {
		body := step.body
		if made.ID != "" {
			body = fmt.Sprintf(body, made.ID)
		}
		a := call(t, "POST", uri+"/api/2.0/mlflow/"+step.path, body)
		if err := json.Unmarshal([]byte(a.body), &made); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s %v", step.path, a.status, a.body, err)
		}
	}
	return made.ID, made.Run.Info.ID
}

// wineBody is Prinz's request to a wine model, byte for byte.
func wineBody(value string) string {
	return `{"columns":["fixed acidity","volatile acidity","citric acid","residual sugar","chlorides","free sulfur dioxide","total sulfur dioxide","density","pH","sulphates","alcohol"],"data":[[` +
		strings.TrimSuffix(strings.Repeat(value+",", 11), ",") + `]]}`
}

// fraudBody is Prinz's request to the fraud model, byte for byte.
func fraudBody(gender, amount string) string {
	return fmt.Sprintf(`{"columns":["age","gender","category","amount"],"data":[["4","%s","es_transportation",%s]]}`, gender, amount)
}

// What Prinz recorded in 2022, to the byte, on all routes.
func TestPrinzScores(t *testing.T) {
	t.Parallel()
	env := shared(t)
	for _, tc := range []struct{ model, body, want string }{
		{"MLF-ElasticnetWineModel-1", wineBody("0.415"), "[4.6280747990022935]"},
		{"MLF-ElasticnetWineModel-2", wineBody("0.235"), "[5.811718184937946]"},
		{"MLF-FraudDetection-3", fraudBody("F", "800.0"), "[1]"},
		{"MLF-FraudDetection-3", fraudBody("F", "42.42"), "[0]"},
		{"MLF-FraudDetection-3", fraudBody("M", "24.24"), "[0]"},
	} {
		routes := []string{"/" + tc.model, "/model/" + tc.model}
		for _, selector := range []string{"1", "champion", "None", "none", tc.model} {
			routes = append(routes, "/model/"+tc.model+"/"+selector)
		}
		for _, route := range routes {
			a := call(t, "POST", env.TrackingURI()+route+"/invocations", tc.body, ahcHeaders...)
			if a.status != 200 || a.body != tc.want || a.header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %d %q %q, want %q", route, a.status, a.header.Get("Content-Type"), a.body, tc.want)
			}
			if a := call(t, "GET", env.TrackingURI()+route+"/ping", ""); a.status != 200 {
				t.Errorf("%s/ping: %d %s", route, a.status, a.body)
			}
			if a := call(t, "GET", env.TrackingURI()+route+"/health", ""); a.status != 200 {
				t.Errorf("%s/health: %d %s", route, a.status, a.body)
			}
			if a := call(t, "GET", env.TrackingURI()+route+"/version", ""); a.status != 200 || !strings.Contains(a.body, prinzbox.MLflowVersion) {
				t.Errorf("%s/version: %d %s", route, a.status, a.body)
			}
		}
	}
}

// The newer dialects give the same values, wrapped.
func TestScoresInEveryShape(t *testing.T) {
	t.Parallel()
	url := shared(t).TrackingURI() + "/MLF-FraudDetection-3/invocations"
	row := `{"age": "4", "gender": "F", "category": "es_transportation", "amount": %s}`
	first, second := fmt.Sprintf(row, "800.0"), fmt.Sprintf(row, "42.42")
	split := `{"columns": ["amount", "age", "gender", "category"], "data": [[800.0, "4", "F", "es_transportation"], [42.42, "4", "F", "es_transportation"]]}`
	columns := `{"age": ["4", "4"], "gender": ["F", "F"], "category": ["es_transportation", "es_transportation"], "amount": [800.0, 42.42]}`
	for _, tc := range []struct{ contentType, body, want string }{
		{"application/json", `{"dataframe_split": ` + split + `}`, `{"predictions": [1, 0]}`},
		{"application/json", `{"dataframe_records": [` + first + "," + second + `]}`, `{"predictions": [1, 0]}`},
		{"application/json", `{"instances": [` + first + "," + second + `]}`, `{"predictions": [1, 0]}`},
		{"application/json", `{"inputs": ` + columns + `}`, `{"predictions": [1, 0]}`},
		{"application/json; charset=utf-8", `{"dataframe_split": ` + split + `}`, `{"predictions": [1, 0]}`},
		{"text/csv", "age,gender,category,amount\n4,F,es_transportation,800.0\n4,F,es_transportation,42.42\n", `{"predictions": [1, 0]}`},
		{"application/json", split, `[1,0]`},
		{"application/json; format=pandas-split", split, `[1,0]`},
		{"application/json", `[` + first + "," + second + `]`, `[1,0]`},
		{"application/json; format=pandas-records", `[` + first + "," + second + `]`, `[1,0]`},
	} {
		a := call(t, "POST", url, tc.body, "Content-Type", tc.contentType)
		if a.status != 200 || compact(a.body) != compact(tc.want) {
			t.Errorf("%s %s: %d %s, want %s", tc.contentType, tc.body, a.status, a.body, tc.want)
		}
	}
}

func compact(s string) string { return strings.Join(strings.Fields(s), "") }

// A stage, an alias and the newest change decide which version the routes mean.
func TestScoringFollowsTheRegistry(t *testing.T) {
	t.Parallel()
	env := prinzbox.Start(t)
	versions := prinzModels(t, env)
	post := func(method, path, body string) {
		t.Helper()
		if a := call(t, method, env.TrackingURI()+"/api/2.0/mlflow/"+path, body); a.status != 200 {
			t.Fatalf("%s: %d %s", path, a.status, a.body)
		}
	}
	score := func(route, want string) {
		t.Helper()
		if a := call(t, "POST", env.TrackingURI()+route+"/invocations", wineBody("0.235")); a.status != 200 || a.body != want {
			t.Errorf("%s: %d %s, want %s", route, a.status, a.body, want)
		}
	}
	one := call(t, "POST", env.TrackingURI()+"/"+sampleModels[0]+"/invocations", wineBody("0.235")).body
	const two = "[5.811718184937946]"
	if one == two {
		t.Fatal("both wine models answer the same")
	}
	post("POST", "registered-models/create", `{"name": "wine"}`)
	post("POST", "model-versions/create", `{"name": "wine", "source": "`+versions[sampleModels[0]].Source+`", "run_id": "`+versions[sampleModels[0]].RunID+`"}`)
	score("/wine", one)
	time.Sleep(2 * time.Millisecond) // last_updated_timestamp counts milliseconds
	post("POST", "model-versions/create", `{"name": "wine", "source": "`+versions[sampleModels[1]].Source+`", "run_id": "`+versions[sampleModels[1]].RunID+`"}`)
	score("/wine", two)
	score("/model/wine/1", one)
	score("/model/wine/2", two)
	post("POST", "registered-models/alias", `{"name": "wine", "alias": "best", "version": "1"}`)
	score("/model/wine/best", one)
	post("POST", "registered-models/alias", `{"name": "wine", "alias": "best", "version": "2"}`)
	score("/model/wine/best", two)
	post("POST", "model-versions/transition-stage", `{"name": "wine", "version": "2", "stage": "Production", "archive_existing_versions": false}`)
	score("/model/wine/Production", two)
	score("/model/wine/production", two)
	time.Sleep(2 * time.Millisecond)
	post("PATCH", "model-versions/update", `{"name": "wine", "version": "1", "description": "newest change"}`)
	score("/wine", one)
	score("/model/wine", one)
	post("DELETE", "model-versions/delete", `{"name": "wine", "version": "1"}`)
	score("/wine", two)
	if a := call(t, "POST", env.TrackingURI()+"/model/wine/1/invocations", wineBody("0.235")); a.status != 404 {
		t.Errorf("a deleted version scores: %d %s", a.status, a.body)
	}
}

func TestStaticValues(t *testing.T) {
	t.Parallel()
	url := shared(t).StaticURL()
	for path, want := range map[string]string{"int": "42\n", "double": "42.42\n", "boolean": "true\n", "string": "\"F\"\n"} {
		a := call(t, "GET", url+"/static/"+path, "", ahcHeaders...)
		if a.status != 200 || a.body != want || a.header.Get("Content-Type") != "application/octet-stream" {
			t.Errorf("%s: %d %q %q", path, a.status, a.header.Get("Content-Type"), a.body)
		}
	}
	if a := call(t, "GET", url+"/static/none", ""); a.status != 404 {
		t.Errorf("unknown value: %d", a.status)
	}
	if a := call(t, "POST", url+"/static/int", "1"); a.status != 405 {
		t.Errorf("POST: %d", a.status)
	}
}

// What minio-java 8.0.0 signs on a GET: hashes of the empty body.
const (
	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	emptyMD5    = "1B2M2Y8AsgTpgAmY7PhCfg=="
)

// minioJava asks as minio-java 8.0.0 does, on a connection of its own: the target goes out as given, and the signature is over it.
type minioJava struct {
	endpoint, accessKey, secretKey, region string
	at                                     time.Time
}

func minioJavaOf(r prinzbox.Ready) minioJava {
	return minioJava{r.S3Endpoint, r.AccessKey, r.SecretKey, r.Region, time.Now()}
}

// get sends a GET for path?query; signed is the path that the signature is made over.
func (m minioJava) get(ctx context.Context, path, signed, query string) (answer, error) {
	host := strings.TrimPrefix(m.endpoint, "http://")
	date := m.at.UTC().Format("20060102T150405Z")
	scope := date[:8] + "/" + m.region + "/s3/aws4_request"
	const names = "content-md5;host;x-amz-content-sha256;x-amz-date"
	canonical := strings.Join([]string{
		"GET", signed, query, "content-md5:" + emptyMD5, "host:" + host, "x-amz-content-sha256:" + emptySHA256, "x-amz-date:" + date, "", names, emptySHA256,
	}, "\n")
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	hash := sha256.Sum256([]byte(canonical))
	key := mac(mac(mac(mac([]byte("AWS4"+m.secretKey), date[:8]), m.region), "s3"), "aws4_request")
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(hash[:])))

	target := path
	if query != "" {
		target += "?" + query
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", host)
	if err != nil {
		return answer{}, err
	}
	defer conn.Close() //nolint:errcheck // only read
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return answer{}, err
	}
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nContent-MD5: %s\r\nx-amz-content-sha256: %s\r\nx-amz-date: %s\r\n"+
		"Authorization: AWS4-HMAC-SHA256 Credential=%s/%s, SignedHeaders=%s, Signature=%s\r\n"+
		"Host: %s\r\nConnection: Keep-Alive\r\nAccept-Encoding: identity\r\nUser-Agent: MinIO (Linux; amd64) minio-java/8.0.0\r\n\r\n",
		target, emptyMD5, emptySHA256, date, m.accessKey, scope, names, signature, host)
	if err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return answer{resp.StatusCode, resp.Header, string(body)}, err
}

func TestPrinzReadsSignaturesFromS3(t *testing.T) {
	t.Parallel()
	env := shared(t)
	m := minioJavaOf(env.Ready())
	get := func(m minioJava, path, signed, query string) answer {
		t.Helper()
		a, err := m.get(t.Context(), path, signed, query)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := get(m, "/mlflow", "/mlflow", "location=")
	var location struct {
		XMLName xml.Name
		Region  string `xml:",chardata"`
	}
	if err := xml.Unmarshal([]byte(a.body), &location); err != nil || a.status != 200 || location.XMLName.Local != "LocationConstraint" || a.header.Get("Content-Type") != "application/xml" {
		t.Errorf("location: %d %s %q, %v", a.status, a.header.Get("Content-Type"), a.body, err)
	}
	if location.Region != "" && location.Region != "us-east-1" {
		t.Errorf("location %q", location.Region)
	}
	for name, v := range prinzModels(t, env) {
		if !slices.Contains(sampleModels, name) {
			continue // another test's
		}
		key := strings.TrimPrefix(v.Source, "s3://mlflow") + "/MLmodel"
		twice := get(m, "/mlflow/"+key, "/mlflow/"+key, "") // key starts with a slash: two in a row
		once := get(m, "/mlflow"+key, "/mlflow"+key, "")
		if twice.status != 200 || once.status != 200 || twice.body != once.body || !strings.Contains(twice.body, "signature:") {
			t.Errorf("%s: double slash %d, single slash %d: %.200s", name, twice.status, once.status, twice.body)
		}
		// A signature over the cleaned path is not one over the path as sent, and the other way round.
		if a := get(m, "/mlflow/"+key, "/mlflow"+key, ""); a.status != 403 {
			t.Errorf("double slash sent, single slash signed: %d", a.status)
		}
		if a := get(m, "/mlflow"+key, "/mlflow/"+key, ""); a.status != 403 {
			t.Errorf("single slash sent, double slash signed: %d", a.status)
		}
	}
	wrongSecret, wrongKey, late := m, m, m
	wrongSecret.secretKey, wrongKey.accessKey, late.at = "wrong", "nobody", m.at.Add(-time.Hour)
	for name, tc := range map[string]struct {
		m      minioJava
		path   string
		status int
		code   string
	}{
		"no such key":      {m, "/mlflow//1/none/artifacts/model/MLmodel", 404, "NoSuchKey"},
		"no such bucket":   {m, "/none/1", 404, "NoSuchBucket"},
		"wrong secret":     {wrongSecret, "/mlflow/1", 403, "SignatureDoesNotMatch"},
		"wrong access key": {wrongKey, "/mlflow/1", 403, "InvalidAccessKeyId"},
		"an hour old":      {late, "/mlflow/1", 403, "RequestTimeTooSkewed"},
	} {
		a := get(tc.m, tc.path, tc.path, "")
		var e struct {
			XMLName xml.Name `xml:"Error"`
			Code    string
		}
		// On another Content-Type the Java client does not even read the error.
		if err := xml.Unmarshal([]byte(a.body), &e); err != nil || a.status != tc.status || e.Code != tc.code || a.header.Get("Content-Type") != "application/xml" {
			t.Errorf("%s: %d %s %q, %v; want %d %s", name, a.status, a.header.Get("Content-Type"), a.body, err, tc.status, tc.code)
		}
	}
}
