package prinzbox_test

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/prinzbox"
)

// runAt makes a run in an experiment of its own whose artifacts lie at a location ("" for the default), and gives its id.
func runAt(t testing.TB, uri, name, location string) (experiment, run string) {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"name": name, "artifact_location": location})
	var e struct {
		ID string `json:"experiment_id"`
	}
	decode(t, call(t, "POST", uri+"/api/2.0/mlflow/experiments/create", string(body)), &e)
	var r struct {
		Run struct {
			Info struct {
				ID string `json:"run_id"`
			} `json:"info"`
		} `json:"run"`
	}
	decode(t, call(t, "POST", uri+"/api/2.0/mlflow/runs/create", `{"experiment_id": "`+e.ID+`"}`), &r)
	return e.ID, r.Run.Info.ID
}

// decode reads an answer that must be a 200.
func decode(t testing.TB, a answer, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil || a.status != 200 {
		t.Fatalf("%d %s (%v)", a.status, a.body, err)
	}
}

// row is one request and what must come back: the status and a part of the body.
type row struct {
	method, path, body string
	status             int
	want               string
}

func rows(t *testing.T, uri string, list []row) {
	t.Helper()
	for _, r := range list {
		if a := call(t, r.method, uri+r.path, r.body); a.status != r.status || !strings.Contains(a.body, r.want) {
			t.Errorf("%s %s %.200s: %d %s\nwant %d with %s", r.method, r.path, r.body, a.status, a.body, r.status, r.want)
		}
	}
}

func TestUploadArtifact(t *testing.T) {
	uri := shared(t).TrackingURI()
	_, run := runAt(t, uri, "upload-artifact", "")
	const path = "/ajax-api/2.0/mlflow/upload-artifact"
	big := strings.Repeat("x", 10<<20)
	rows(t, uri, []row{
		{"POST", path, "x", 400, "Request must specify run_uuid."},
		{"POST", path + "?run_uuid=" + run, "x", 400, "Request must specify path."},
		{"POST", path + "?path=a&run_uuid=" + run, "", 400, "Request must specify data."},
		{"POST", path + "?path=..%2Fa&run_uuid=" + run, "x", 400, "Invalid path"},
		{"POST", path + "?path=.&run_uuid=" + run, "x", 400, "Invalid path"},
		{"POST", path + "?path=a&run_uuid=" + run, big + "x", 400, "Artifact size is too large. Max size is 10MB."},
		{"POST", path + "?path=a&run_uuid=none", "x", 404, "Run with id=none not found"},
		{"POST", path + "?path=dir%2Fbig&run_uuid=" + run, big, 200, ""},
		{"POST", path + "?path=dir%2Fa.txt&run_uuid=" + run, "hello", 200, ""},
		{"POST", "/api/2.0/mlflow/upload-artifact?path=a&run_uuid=" + run, "x", 404, ""},
		{"GET", "/get-artifact?path=dir/a.txt&run_uuid=" + run, "", 200, "hello"},
		{"GET", "/api/2.0/mlflow/artifacts/list?path=dir&run_id=" + run, "", 200, `{"path":"dir/big","is_dir":false,"file_size":10485760}`},
	})
	// A body of unknown length is bounded too, and leaves nothing behind.
	req, err := http.NewRequestWithContext(t.Context(), "POST", uri+path+"?path=dir%2Flong&run_uuid="+run, struct{ *strings.Reader }{strings.NewReader(big + "x")})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := do(req); err != nil || a.status != 400 || !strings.Contains(a.body, "Max size is 10MB") {
		t.Errorf("chunked: %d %s (%v)", a.status, a.body, err)
	}
	rows(t, uri, []row{{"GET", "/get-artifact?path=dir/long&run_uuid=" + run, "", 404, "No such artifact"}})
}

func TestLoggedModelFiles(t *testing.T) {
	uri := shared(t).TrackingURI()
	experiment, _ := runAt(t, uri, "logged-model-files", "")
	var m struct {
		Model struct {
			Info struct {
				ID  string `json:"model_id"`
				URI string `json:"artifact_uri"`
			} `json:"info"`
		} `json:"model"`
	}
	decode(t, call(t, "POST", uri+"/api/2.0/mlflow/logged-models", `{"experiment_id": "`+experiment+`", "name": "m"}`), &m)
	below := strings.TrimPrefix(m.Model.Info.URI, "mlflow-artifacts:/")
	if a := call(t, "PUT", uri+"/api/2.0/mlflow-artifacts/artifacts/"+below+"/MLmodel", "flavors: {}\n"); a.status != 200 {
		t.Fatalf("PUT: %d %s", a.status, a.body)
	}
	path := "/ajax-api/2.0/mlflow/logged-models/" + m.Model.Info.ID + "/artifacts/files"
	rows(t, uri, []row{
		{"GET", path + "?artifact_file_path=MLmodel", "", 200, "flavors: {}"},
		{"GET", path + "?artifact_file_path=none", "", 404, "No such artifact"},
		{"GET", path + "?artifact_file_path=..%2Fx", "", 400, "Invalid path"},
		{"GET", path, "", 400, `"error_code":"BAD_REQUEST","message":"Request must include the \"artifact_file_path\" query parameter."`},
		{"GET", "/ajax-api/2.0/mlflow/logged-models/m-none/artifacts/files?artifact_file_path=a", "", 404, "not found"},
	})
}

func TestPromptLabRun(t *testing.T) {
	uri := shared(t).TrackingURI()
	experiment, _ := runAt(t, uri, "prompt-lab", "")
	const path = "/ajax-api/2.0/mlflow/runs/create-promptlab-run"
	rows(t, uri, []row{
		{"POST", path, "{}", 400, "CreatePromptlabRun request must specify experiment_id."},
		{"POST", path, `{"experiment_id": "1"}`, 400, "CreatePromptlabRun request must specify prompt_template."},
		{"POST", path, "[]", 400, "prompt lab"},
		{
			"POST", path, `{"experiment_id": "77777", "prompt_template": "t", "prompt_parameters": [{"key": "a"}], "model_route": "r", "model_input": "i", "mlflow_version": "3"}`,
			404, "No Experiment with id=77777 exists",
		},
	})
	var got struct {
		Run struct {
			Info struct {
				ID, Status string
				RunID      string `json:"run_id"`
				UserID     string `json:"user_id"`
			}
			Data struct{ Params, Tags []struct{ Key, Value string } }
		}
	}
	decode(t, call(t, "POST", uri+path, `{"experiment_id": "`+experiment+`", "run_name": "lab", "tags": [{"key": "a", "value": "b"}],
		"prompt_template": "Say {{ word }} <é>", "prompt_parameters": [{"key": "word", "value": "hi"}], "model_route": "my-route",
		"model_parameters": [{"key": "temperature", "value": 0.5}, {"key": "stream", "value": true}], "model_input": "Say hi", "model_output": "hi",
		"model_output_parameters": [{"key": "tokens", "value": 3}], "mlflow_version": "3.17.2"}`), &got)
	info := got.Run.Info
	params, tags := map[string]string{}, map[string]string{}
	for _, p := range got.Run.Data.Params {
		params[p.Key] = p.Value
	}
	for _, p := range got.Run.Data.Tags {
		tags[p.Key] = p.Value
	}
	if info.Status != "FINISHED" || info.UserID != "unknown" || params["temperature"] != "0.5" || params["stream"] != "True" || params["prompt_template"] != "Say {{ word }} <é>" ||
		params["model_route"] != "my-route" || tags["mlflow.runSourceType"] != "PROMPT_ENGINEERING" || tags["a"] != "b" || tags["mlflow.runName"] != "lab" ||
		tags["mlflow.loggedArtifacts"] != `[{"path": "eval_results_table.json", "type": "table"}]` || !strings.Contains(tags["mlflow.log-model.history"], info.RunID) {
		t.Errorf("run %+v\nparams %v\ntags %v", info, params, tags)
	}
	file := "/get-artifact?run_uuid=" + info.RunID + "&path="
	rows(t, uri, []row{
		{"GET", file + "eval_results_table.json", "", 200, `{"columns": ["word", "prompt", "output", "tokens"], "data": [["hi", "Say hi", "hi", "3"]]}`},
		{"GET", file + "model/MLmodel", "", 200, "loader_module: mlflow.prompt.promptlab_model"},
		{"GET", file + "model/parameters.yaml", "", 200, "prompt_template: Say {{ word }} <é>"},
		{"GET", file + "model/input_example.json", "", 200, `{"inputs":["hi"]}`},
	})
}

// TestEmptyReads asks what the pages of MLflow's own UI ask of things that are not here.
func TestEmptyReads(t *testing.T) {
	uri := shared(t).TrackingURI()
	rows(t, uri, []row{
		{"GET", "/ajax-api/3.0/mlflow/ui-telemetry", "", 200, `{"disable_ui_telemetry":true,"disable_ui_events":[],"ui_rollout_percentage":0}`},
		{"POST", "/ajax-api/3.0/mlflow/ui-telemetry", `{"records": [{}]}`, 200, `{"status":"disabled"}`},
		{"GET", "/ajax-api/2.0/mlflow/gateway-proxy?gateway_path=api%2F2.0%2Fendpoints%2F", "", 200, `{"endpoints":[]}`},
		{"POST", "/ajax-api/2.0/mlflow/gateway-proxy", `{"gateway_path": "x"}`, 200, `{"endpoints":[]}`},
		{"GET", "/ajax-api/3.0/mlflow/gateway/supported-providers", "", 200, `{"providers":[]}`},
		{"GET", "/ajax-api/3.0/mlflow/gateway/endpoints/list?", "", 200, "{}"},
		{"GET", "/ajax-api/3.0/mlflow/assistant/config", "", 200, `{"providers":{},"projects":{},"remote_access_allowed":false}`},
		{"GET", "/ajax-api/3.0/mlflow/label-schemas/list?experiment_id=0", "", 200, `{"next_page_token":""}`},
		{"GET", "/ajax-api/3.0/mlflow/label-schemas/list", "", 400, "'experiment_id'"},
		{"GET", "/ajax-api/3.0/mlflow/review-queues/list?experiment_id=99999", "", 404, "No Experiment with id=99999 exists"},
		{"POST", "/ajax-api/3.0/mlflow/issues/search", "{}", 200, `{"next_page_token":""}`},
		{"GET", "/ajax-api/3.0/mlflow/scorers/online-configs?scorer_ids=a", "", 200, `{"configs":[]}`},
		{"GET", "/ajax-api/3.0/mlflow/mcp-servers?max_results=25", "", 200, `{"mcp_servers":[],"next_page_token":null}`},
		// What would change something says that it is not here.
		{"POST", "/ajax-api/3.0/mlflow/gateway/endpoints/create", `{"name": "x"}`, 501, "no LLM gateway"},
	})
}

func TestPresignedURLs(t *testing.T) {
	env := shared(t)
	uri := env.TrackingURI()
	_, direct := runAt(t, uri, "presigned-direct", "s3://mlflow/presigned")
	_, proxied := runAt(t, uri, "presigned-proxied", "")
	const up, down = "/api/2.0/mlflow/artifacts/presigned-upload-url", "/api/2.0/mlflow/artifacts/presigned-download-url"
	rows(t, uri, []row{
		{"POST", up, `{"path": "a"}`, 400, "Exactly one of run_id and model_id must be provided."},
		{"POST", up, `{"path": "a", "run_id": "x", "model_id": "y"}`, 400, "Exactly one of run_id and model_id must be provided."},
		{"POST", up, `{"run_id": "x"}`, 400, "Missing value for required parameter 'path'"},
		{"POST", up, `{"path": "../a", "run_id": "` + direct + `"}`, 400, "Invalid path"},
		{"POST", up, `{"path": "a", "run_id": "none"}`, 404, "Run with id=none not found"},
		{"POST", up, `{"path": "a", "model_id": "m-none"}`, 404, "not found"},
		{"POST", up, `{"path": "a", "run_id": "` + proxied + `"}`, 400, "Presigned upload is not supported for proxied artifact storage (artifact URI scheme: mlflow-artifacts)."},
		{"POST", down, `{"path": "a", "run_id": "` + proxied + `"}`, 400, "Presigned download is not supported for runs with proxied artifact storage"},
		{"POST", down, `{"path": "a"}`, 400, "Missing value for required parameter 'run_id'"},
		{"POST", down, `{"path": "a", "run_id": "x", "expiration": 604801}`, 400, "expiration must be between 1 and 604800 seconds (got 604801)."},
		{"POST", down, `{"path": "a", "run_id": "x", "expiration": 0}`, 400, "expiration must be between 1 and 604800 seconds (got 0)."},
		{"POST", down, `{"path": "none", "run_id": "` + direct + `"}`, 404, "RESOURCE_DOES_NOT_EXIST"},
	})
	var put, get struct {
		URL     string            `json:"presigned_url"`
		Headers map[string]string `json:"headers"`
		Size    int               `json:"file_size"`
	}
	decode(t, call(t, "POST", uri+up, `{"path": "dir/a b.txt", "run_id": "`+direct+`"}`), &put)
	if a := call(t, "PUT", put.URL, "hello", "Content-Type", put.Headers["Content-Type"]); a.status != 200 || put.Headers["Content-Type"] != "text/plain" {
		t.Fatalf("PUT %s: %d %s", put.URL, a.status, a.body)
	}
	decode(t, call(t, "POST", uri+down, `{"path": "dir/a b.txt", "run_id": "`+direct+`", "expiration": 60}`), &get)
	if a := call(t, "GET", get.URL, ""); a.status != 200 || a.body != "hello" || get.Size != 5 {
		t.Errorf("GET %s: %d %s, size %d", get.URL, a.status, a.body, get.Size)
	}
	rows(t, uri, []row{{"GET", "/get-artifact?path=dir/a%20b.txt&run_uuid=" + direct, "", 200, "hello"}})
}

// TestPresignedReach: a client gets URLs only if they lead it somewhere.
func TestPresignedReach(t *testing.T) {
	folder := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.ArtifactsDestination = false, t.TempDir() })
	public := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.S3PublicURL = false, "https://s3.example.com" })
	env := shared(t)
	_, port, err := net.SplitHostPort(strings.TrimPrefix(env.TrackingURI(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	s3, err := url.Parse(env.S3Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env     *prinzbox.Env
		host    string
		enabled bool
		at      string
	}{
		{env, "127.0.0.1:" + port, true, "http://127.0.0.1:" + s3.Port() + "/mlflow/d/f?"},
		{env, "localhost:" + port, true, "http://localhost:" + s3.Port() + "/mlflow/d/f?"},
		{env, "localhost:1", false, ""}, // a container's port map
		{env, "localhost", false, ""},   // a proxy
		{folder, "", false, ""},
		{public, "localhost:1", true, "https://s3.example.com/mlflow/d/f?"},
	} {
		ask := func(method, path, body string) answer {
			req, err := http.NewRequestWithContext(t.Context(), method, c.env.TrackingURI()+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			if c.host != "" {
				req.Host = c.host
			}
			a, err := do(req)
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		var info struct {
			Up     bool `json:"multipart_uploads_enabled"`
			Down   bool `json:"multipart_downloads_enabled"`
			RunID  bool `json:"presigned_upload_run_id_supported"`
			Models bool `json:"presigned_upload_model_id_supported"`
		}
		decode(t, ask("GET", "/api/3.0/mlflow/server-info", ""), &info)
		if info.Up != c.enabled || info.Down != c.enabled || !info.RunID || !info.Models {
			t.Errorf("%s: server-info %+v, want %v", c.host, info, c.enabled)
		}
		a := ask("POST", "/api/2.0/mlflow-artifacts/mpu/create/d", `{"path": "f", "num_parts": 1}`)
		if c.enabled && (a.status != 200 || !strings.Contains(a.body, c.at)) || !c.enabled && a.status != 501 {
			t.Errorf("%s: mpu/create: %d %s", c.host, a.status, a.body)
		}
	}
}

func TestMLflowUIFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		file := filepath.Join(dir, "build", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("index.html", "<title>MLflow</title>")
	write("static/js/main.1234.js", "start()")
	write("../secret", "nobody's business")
	env := prinzbox.Start(t, func(c *prinzbox.Config) { c.Seed, c.MLflowUI = false, filepath.Join(dir, "build") })
	ui := env.Ready().MLflowUIURL
	if ui != env.TrackingURI()+"/mlflow-ui/" {
		t.Errorf("mlflow_ui_url is %q", ui)
	}
	rows(t, strings.TrimSuffix(ui, "/"), []row{
		{"GET", "", "", 308, ""},
		{"GET", "/", "", 200, "<title>MLflow</title>"},
		{"GET", "/index.html", "", 200, "<title>MLflow</title>"},
		{"POST", "/", "x", 405, ""},
		{"GET", "/static-files/static/js/main.1234.js", "", 200, "start()"},
		{"GET", "/static-files/static/js/", "", 404, ""},
		{"GET", "/static-files/static/js", "", 404, ""},
		{"GET", "/static-files/", "", 404, ""},
		{"GET", "/static-files/none.js", "", 404, ""},
		{"GET", "/static-files/..%2fsecret", "", 404, ""},
		{"GET", "/static-files/%2e%2e/secret", "", 404, ""},
		{"GET", "/static-files/..%5csecret", "", 404, ""},
		{"GET", "/static-files/%00", "", 404, ""},
		{"GET", "/version", "", 200, prinzbox.MLflowVersion},
		{"GET", "/ajax-api/2.0/mlflow/experiments/get?experiment_id=0", "", 200, `"name":"Default"`},
		{"POST", "/ajax-api/2.0/mlflow/experiments/search", `{"max_results": 1}`, 200, `"Default"`},
		{"GET", "/ajax-api/2.0/mlflow-artifacts/artifacts", "", 200, "{}"},
		{"GET", "/get-artifact", "", 400, "run_id"},
		{"GET", "/none", "", 404, ""},
	})
	if h := call(t, "GET", ui+"static-files/static/js/main.1234.js", "").header; h.Get("Cache-Control") != "public, max-age=2419200" || h.Get("Content-Type") != "text/javascript; charset=utf-8" {
		t.Errorf("headers of a script: %v", h)
	}
	// The place belongs to nobody where the UI is not served, and our own GUI keeps the root.
	rows(t, shared(t).TrackingURI(), []row{{"GET", "/mlflow-ui/", "", 404, ""}})
	rows(t, env.TrackingURI(), []row{{"GET", "/", "", 200, "prinzbox"}})
}

func TestMLflowUISetting(t *testing.T) {
	empty := t.TempDir()
	t.Setenv("PATH", empty)
	t.Setenv("VIRTUAL_ENV", "")
	for setting, want := range map[string]string{
		empty:                           "there is no index.html in it; name the folder mlflow/server/js/build",
		filepath.Join(empty, "missing"): "there is no index.html in it",
		"auto":                          "--mlflow-ui auto: no python3 on PATH",
	} {
		_, err := prinzbox.Open(t.Context(), prinzbox.Config{MLflowUI: setting})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want one line with %q", setting, err, want)
		}
	}
}
