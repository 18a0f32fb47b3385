package control

import (
	"encoding/json"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
)

// Status is how an environment is.
type Status struct {
	// Version is the program's, MLflow that of the answers.
	Version string `json:"version"`
	MLflow  string `json:"mlflow_version"`
	PID     int    `json:"pid"`
	// Namespace is empty for the environment's own state.
	Namespace string    `json:"namespace"`
	Started   time.Time `json:"started"`
	UptimeS   float64   `json:"uptime_s"`
	// TrackingURI, S3Endpoint and StaticURL are where everything answers. DataDir is empty where nothing is kept.
	TrackingURI string     `json:"tracking_uri"`
	S3Endpoint  string     `json:"s3_endpoint"`
	StaticURL   string     `json:"static_url"`
	Bucket      string     `json:"bucket"`
	DataDir     string     `json:"data_dir"`
	Seeded      []string   `json:"seeded"`
	Clock       ClockState `json:"clock"`
	IDs         IDState    `json:"ids"`
	// Faults counts the rules, Calls what the request log keeps, Namespaces how many there are.
	Faults     int `json:"faults"`
	Calls      int `json:"calls"`
	Namespaces int `json:"namespaces"`
}

// Snapshot describes a kept state. Created is in milliseconds since 1970.
type Snapshot struct {
	Name    string `json:"name"`
	Created int64  `json:"created"`
	Bytes   int64  `json:"database_bytes"`
}

// Namespace describes an independent environment in the same process. Used is in milliseconds since 1970.
type Namespace struct {
	Name        string `json:"name"`
	Awake       bool   `json:"awake"`
	Used        int64  `json:"last_used"`
	TrackingURI string `json:"tracking_uri"`
}

// Route is which version of a model answers.
type Route struct {
	Model string `json:"model"`
	RouteSettings
	// Problem says why the settings cannot be followed.
	Problem string `json:"problem,omitempty"`
}

// RouteSettings are the tags of a registered model that choose its version (docs/scoring.md): prinzbox.current, prinzbox.split and prinzbox.shadow.
// In a request, null or a missing one leaves a setting as it is, and an empty text removes it.
type RouteSettings struct {
	Current *string `json:"current"`
	Split   *string `json:"split"`
	Shadow  *string `json:"shadow"`
}

// Samples says which sample models to make.
type Samples struct {
	// Models are the names of the samples; none means all.
	Models []string `json:"models,omitempty"`
	// Seed makes other synthetic data than the usual where a sample is trained on such, the same for the same number; 0 means the usual.
	Seed uint64 `json:"seed,omitempty"`
}

// Garbage chooses what is removed for good, of what is deleted: all of it, or exactly what is named.
type Garbage struct {
	RunIDs         []string `json:"run_ids,omitempty"`
	ExperimentIDs  []string `json:"experiment_ids,omitempty"`
	LoggedModelIDs []string `json:"logged_model_ids,omitempty"`
	// OlderThan is how long ago it must have been deleted, as 30d or 2d8h5m20s; empty takes all.
	OlderThan string `json:"older_than,omitempty"`
	// DryRun removes nothing, and tells what would go.
	DryRun bool `json:"dry_run,omitempty"`
}

// Collected is what was removed for good, counted and by name.
type Collected struct {
	Runs         int       `json:"runs"`
	Experiments  int       `json:"experiments"`
	LoggedModels int       `json:"logged_models"`
	Removed      []Removed `json:"removed"`
}

// Removed is one entity that was removed for good. Kind is run, experiment or logged model.
type Removed struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	// ArtifactsLeft says why its artifacts are still where they are; empty where they are gone.
	ArtifactsLeft string `json:"artifacts_left,omitempty"`
}

// Verified is what a comparison of all stored bytes with their hashes found.
type Verified struct {
	// OK says that nothing is damaged or missing.
	OK bool `json:"ok"`
	artifacts.VerifyReport
	Damage []artifacts.Damage `json:"damage"`
}

// Stub is a version of a model that answers as told (docs/scoring.md).
type Stub struct {
	Model   string          `json:"model"`
	Version string          `json:"version"`
	Stub    json.RawMessage `json:"stub"`
}
