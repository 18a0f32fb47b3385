package ui

import (
	"encoding/json"
	"net/url"
	"strings"
)

// setting is one way to point a client at this environment.
type setting struct {
	id, title, note, code string
}

// clientSettings gives text to copy. The first model that answers stands in the examples.
func clientSettings(env Environment, models []modelCard) []setting {
	name, version := "", ""
	for _, m := range models {
		if m.state.word == "ready" {
			name, version = m.name, m.version
			break
		}
	}
	settings := []setting{
		{"set-shell", "Shell", "For every MLflow client and S3 tool that is started from this shell.", shellSettings(env)},
		{"set-env", "Env file", "For docker run --env-file, compose and IDEs; prinzbox env writes it too.", envSettings(env)},
		{"set-python", "Python", "", pythonSettings(env, name, version)},
		{"set-java", "Java and Scala", "", javaSettings(env)},
		{"set-go", "Go", "", goSettings(env, name, version)},
		{"set-curl", "curl", "", curlSettings(env, name, version)},
	}
	return settings
}

// variables are what clients read, by the names that they read.
func variables(env Environment) (out [][2]string) {
	for _, v := range [][2]string{
		{"MLFLOW_TRACKING_URI", env.TrackingURI},
		{"MLFLOW_S3_ENDPOINT_URL", env.S3Endpoint},
		{"AWS_ACCESS_KEY_ID", env.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", env.SecretKey},
		{"AWS_DEFAULT_REGION", env.Region},
	} {
		if v[1] != "" {
			out = append(out, v)
		}
	}
	return out
}

func shellSettings(env Environment) string {
	var lines []string
	for _, v := range variables(env) {
		lines = append(lines, "export "+v[0]+"="+shellQuote(v[1]))
	}
	return strings.Join(lines, "\n")
}

// envSettings quotes nothing: docker takes quotes as part of the value.
func envSettings(env Environment) string {
	var lines []string
	for _, v := range variables(env) {
		lines = append(lines, v[0]+"="+v[1])
	}
	return strings.Join(lines, "\n")
}

// quoted is a string literal that Python, Java, Scala and Go all read.
func quoted(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	return string(b)
}

func pythonSettings(env Environment, name, version string) string {
	code := "import mlflow\n\nmlflow.set_tracking_uri(" + quoted(env.TrackingURI) + ")\n"
	if name == "" {
		return code + "mlflow.set_experiment(\"First steps\")\nwith mlflow.start_run():\n    mlflow.log_metric(\"answer\", 42)"
	}
	return code + "model = mlflow.pyfunc.load_model(" + quoted("models:/"+name+"/"+version) + ")"
}

func javaSettings(env Environment) string {
	code := "MlflowClient mlflow = new MlflowClient(" + quoted(env.TrackingURI) + ");"
	if env.S3Endpoint != "" {
		code += "\nMinioClient s3 = MinioClient.builder()\n    .endpoint(" + quoted(env.S3Endpoint) + ")\n    .credentials(" +
			quoted(env.AccessKey) + ", " + quoted(env.SecretKey) + ")\n    .region(" + quoted(env.Region) + ")\n    .build();"
	}
	return code
}

func goSettings(env Environment, name, version string) string {
	if name == "" {
		return "resp, err := http.Get(" + quoted(env.TrackingURI+"/api/2.0/mlflow/experiments/get?experiment_id=0") + ")"
	}
	return "body := strings.NewReader(payload) // {\"dataframe_split\": {\"columns\": […], \"data\": [[…]]}}\nresp, err := http.Post(" +
		quoted(env.TrackingURI+scoringPath(name, version)) + ",\n\t\"application/json\", body)"
}

func curlSettings(env Environment, name, version string) string {
	code := "curl " + shellQuote(env.TrackingURI+"/api/2.0/mlflow/experiments/get?experiment_id=0")
	if name != "" {
		code = "curl " + shellQuote(env.TrackingURI+"/api/2.0/mlflow/registered-models/get?"+url.Values{"name": {name}}.Encode()) + "\n" + code
	}
	return code
}
