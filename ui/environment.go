package ui

import (
	"context"
	"io"
	"time"

	"github.com/prinzbox/prinzbox/serving"
)

// Environment is what the home page tells about the process.
type Environment struct {
	Version string
	Started time.Time
	// TrackingURI, S3Endpoint and StaticURL are base addresses without a slash at the end; empty means "not running".
	TrackingURI string
	S3Endpoint  string
	StaticURL   string
	Bucket      string
	Region      string
	AccessKey   string
	SecretKey   string
	// S3Keys are other keys of the S3 store, without their secrets.
	S3Keys []S3Key
	// DataDir is where the state is kept; empty means that nothing is kept.
	DataDir string
	// Services are shown with their health, in this order.
	Services []Service
}

// S3Key is a key of the S3 store. Those that are ReadOnly list and read; others may do everything.
type S3Key struct {
	Name     string
	ReadOnly bool
}

// Service is something that listens.
type Service struct {
	Name    string
	Purpose string
	URL     string
	// Check tells what is wrong with the service; nil means that there is nothing to ask.
	Check func(ctx context.Context) error
}

// Scoring is what the GUI needs of the scoring server. selector is a version number.
type Scoring interface {
	// Describe tells what a version takes and gives. RESOURCE_DOES_NOT_EXIST when there is none; a version that exists but cannot be
	// served is no error: its Problem says why.
	Describe(ctx context.Context, name, selector string) (Model, error)
	// Score answers a body as the scoring route would, with the status of that answer.
	Score(ctx context.Context, name, selector string, body []byte, contentType string) (answer []byte, status int)
	// Probe is Score for the pages' own samples, which are not counted as requests.
	Probe(ctx context.Context, name, selector string, body []byte, contentType string) (answer []byte, status int)
	// Stats is what was counted of each version since the start.
	Stats() []serving.VersionStats
	// Failures are the last requests for a model that failed, the newest first.
	Failures(name string) []serving.Failure
	// Routing tells which versions answer requests that name none; INVALID_PARAMETER_VALUE when a tag means nothing.
	Routing(ctx context.Context, name string) (serving.Routing, error)
	// CheckRouting tells what is wrong with a tag of that kind before it is set.
	CheckRouting(ctx context.Context, name, tag, value string) error
}

// Model is how a version scores.
type Model struct {
	Flavor string
	// Estimator is the engine's name of the model, such as "Pipeline"; may be empty.
	Estimator string
	// Upstream is the address of the server that scores the version; empty for others.
	Upstream string
	// Native tells that no Python is needed, so that a page may score it unasked.
	Native bool
	// Problem says why the version cannot be served; empty when it can.
	Problem string
	// Inputs, Outputs and Params are the signature; all are empty without one.
	Inputs, Outputs, Params []Field
	// InputExample is JSON as MLflow keeps it (input_example.json or serving_input_example.json), or nil.
	InputExample []byte
}

// Field is one column, tensor or parameter of a signature.
type Field struct {
	// Name may be empty.
	Name string
	// Type is MLflow's: boolean, integer, long, float, double, string, binary, datetime; array, object and map written
	// out, as "Array(double)"; or the dtype of a tensor, as "float64".
	Type string
	// Shape is set for tensors: -1 is any length.
	Shape    []int
	Optional bool
	// Default is the JSON of a parameter's default, or nil.
	Default []byte
}

// Artifacts reads the files below an artifact URI of a run or version. Paths are relative, with slashes.
type Artifacts interface {
	// List gives what lies directly below path; nothing there is an empty list.
	List(ctx context.Context, artifactURI, path string) ([]File, error)
	// Open reads one file and tells its size. RESOURCE_DOES_NOT_EXIST when there is none.
	Open(ctx context.Context, artifactURI, path string) (io.ReadCloser, int64, error)
}

// File is one entry of a listing. Path is relative to the artifact URI.
type File struct {
	Path  string
	IsDir bool
	Size  int64
}
