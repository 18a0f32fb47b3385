// Package calls keeps what was asked of an environment and what it answered: a bounded log in memory, with queries, a live tail, exports and
// replay. Secrets are taken out before anything is kept.
package calls

import "time"

// Kind is the part of an environment that a call is for.
type Kind string

// The kinds of calls.
const (
	MLflow  Kind = "mlflow"  // tracking, registry, artifact proxy, traces, health
	S3      Kind = "s3"      // the S3 store
	Scoring Kind = "scoring" // predictions
	Static  Kind = "static"  // the static values
	GUI     Kind = "gui"     // pages and their assets
	Control Kind = "control" // the environment about itself
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{MLflow, S3, Scoring, Static, GUI, Control} }

// Call is one request with its answer. A kept Call does not change.
type Call struct {
	// Number counts the calls of a log by their ends, from 1 on, and goes on behind Clear.
	Number int64 `json:"number"`
	// RequestID is the X-Request-Id of request and answer.
	RequestID string `json:"request_id"`
	// Time is when the call came, and DurationMS how long it took until the last byte was handed to the network, both by the machine's clock,
	// whatever the environment's says.
	Time       time.Time `json:"time"`
	DurationMS float64   `json:"duration_ms"`

	Kind Kind `json:"kind"`
	// Operation is what was asked for: "runs/create" and the like of MLflow, "GetObject" and the like of S3, "invocations" of scoring.
	Operation string `json:"operation,omitempty"`
	// Model and Version are those of a scoring request: the version that answered where one did, else the version, stage or alias in the path.
	Model   string `json:"model,omitempty"`
	Version string `json:"version,omitempty"`
	// Bucket and Key are those of an S3 request, Key also the path of an artifact of the proxy.
	Bucket string `json:"bucket,omitempty"`
	Key    string `json:"key,omitempty"`

	Method string `json:"method"`
	Scheme string `json:"scheme"`
	Host   string `json:"host"`
	// Path is as it was sent, escaped, without a namespace's prefix; Query likewise, without its question mark and with $SECRET in place of secrets.
	Path  string `json:"path"`
	Query string `json:"query,omitempty"`
	Proto string `json:"protocol"`
	// Status is 0 where nothing was answered.
	Status int `json:"status"`
	// Fault names the fault rules that changed the call.
	Fault string `json:"fault,omitempty"`
	// Client is the User-Agent; Authorization the scheme of the credentials, never more; Remote the client's address.
	Client        string `json:"client,omitempty"`
	Authorization string `json:"authorization,omitempty"`
	Remote        string `json:"remote,omitempty"`
	// Headers are those of the request that change what is answered.
	Headers []Header `json:"headers,omitempty"`

	RequestType   string `json:"request_type,omitempty"`
	ResponseType  string `json:"response_type,omitempty"`
	RequestBytes  int64  `json:"request_bytes"`
	ResponseBytes int64  `json:"response_bytes"`
	// The bodies, where they are text and kept; the Cut ones are longer. Secrets in them are $SECRET.
	RequestBody     Text `json:"request_body,omitempty"`
	ResponseBody    Text `json:"response_body,omitempty"`
	RequestBodyCut  bool `json:"request_body_cut,omitempty"`
	ResponseBodyCut bool `json:"response_body_cut,omitempty"`
}

// Text is a body, a string in JSON.
type Text []byte

// MarshalText gives the text.
func (t Text) MarshalText() ([]byte, error) { return t, nil }

// UnmarshalText takes the text.
func (t *Text) UnmarshalText(b []byte) error {
	*t = append(Text(nil), b...)
	return nil
}

// Header is one header of a request.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// bytes is about what a call takes in memory.
func (c *Call) bytes() int64 {
	n := 512 + len(c.RequestID) + len(c.Operation) + len(c.Path) + len(c.Query) + len(c.Host) + len(c.Client) + len(c.Key) + cap(c.RequestBody) + cap(c.ResponseBody)
	for _, h := range c.Headers {
		n += 32 + len(h.Value)
	}
	return int64(n)
}
