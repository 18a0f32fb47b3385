// Package prinzbox is a whole MLflow environment in one process: tracking server, model registry, S3 store, scoring,
// sample models and GUI. [Open] embeds one in a program, [Start] gives a test one, [Main] is the command.
package prinzbox

import (
	"crypto/rand"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/serving/python"
)

// Version is the program's version; a release build sets it.
var Version = "0.1.0-dev"

// MLflowVersion is the MLflow server whose answers are given; /version says it.
const MLflowVersion = "3.17.2"

// Defaults of an environment, which are Prinz's.
const (
	DefaultPort       = 5000
	DefaultS3Port     = 9000
	DefaultStaticPort = 4242
	DefaultData       = "./prinzbox-data"
	DefaultBucket     = "mlflow"
	DefaultAccessKey  = "mlflow-key"
	DefaultSecretKey  = "mlflow-secret"
	DefaultRegion     = "us-east-1"
)

// Config is how an environment is set up. The zero value is an environment on free ports of loopback that keeps nothing and is not seeded;
// [DefaultConfig] is what the command does.
type Config struct {
	// Host is the address to listen on; empty means 127.0.0.1.
	Host string
	// Port, S3Port and StaticPort are TCP ports; 0 means a free one.
	Port, S3Port, StaticPort int
	// Data is the folder of the state. Empty means that nothing is kept: a temporary folder, removed by Close.
	Data string
	// Seed trains and registers the sample models that are not there yet.
	Seed bool
	// FraudData is the BankSim table that the fraud model is trained on instead of the synthetic one; it is read while Open runs.
	FraudData io.Reader
	// DefaultArtifactRoot is the location of new experiments: "<root>/<id>". Empty means "mlflow-artifacts:/".
	DefaultArtifactRoot string
	// ArtifactsDestination is where mlflow-artifacts: locations lie: a folder on disk, or s3://BUCKET/PREFIX of the environment's own store, or of
	// Remote where there is one. Empty means s3://<Bucket> of the own store, so that both addresses lead to the same objects.
	ArtifactsDestination string
	// ownDestination remembers that it was empty.
	ownDestination bool
	// Remote is an S3 store elsewhere. The own store and its listener stay: an s3: location is there if its bucket is, else at Remote.
	Remote RemoteS3
	// ArtifactHosts are other MLflow servers whose artifact proxies may be read and written, where a run or model lies there: HOST, HOST:PORT or
	// https://HOST:PORT. Locations come from clients, so nothing else is spoken to. ArtifactSchemes (http, https, mlflow-artifacts) allow all
	// hosts, as MLflow's MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES does.
	ArtifactHosts, ArtifactSchemes []string
	// MLflowUI is the folder of MLflow's own UI (mlflow/server/js/build of an installed MLflow), served under /mlflow-ui/; "auto" finds that of
	// the active Python. Empty means that it is not served.
	MLflowUI string
	// S3PublicURL is the base URL under which clients reach the S3 store, for the URLs that let them move large artifacts there themselves. Empty
	// means the host name of their request and S3Port; a client that comes by another port than Port (a proxy, a container's port map) then
	// gets no such URLs, and its artifacts go through the main port.
	S3PublicURL string
	// Durability is what a write survives; empty means normal, or off when nothing is kept.
	Durability sqldb.Durability
	// Bucket is made at start. AccessKey and SecretKey open the S3 store. Empty means the defaults above.
	Bucket, AccessKey, SecretKey, Region string
	// S3Keys are more keys of the S3 store.
	S3Keys []S3Key
	// TLS makes everything https; the zero value is plain http.
	TLS TLS
	// MaxBody is the largest JSON body of a call in bytes; 0 means 32 MiB. Artifacts and S3 objects are not bounded by it.
	MaxBody int64

	// AllowedHosts are host names, or patterns with *, under which requests are taken beside loopback, private addresses and Host.
	// AllowedOrigins are the origins of web pages elsewhere that may call.
	AllowedHosts, AllowedOrigins []string

	// Auth is who may use the environment; the zero value lets everybody.
	Auth Auth

	// Webhooks is how webhooks are called.
	Webhooks Webhooks
	// CustomScorers takes scorers that carry Python code, as MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS has it. It is kept, never run.
	CustomScorers bool

	// Models is a folder of model directories, NAME/MLmodel, that are registered and scored as they come and change; empty means none.
	Models string
	// Python scores the models that no engine here does: the path of an interpreter that has mlflow, or "auto" for that of the active virtual environment or
	// the PATH. Empty or "off" means that such models are refused.
	Python string
	// PythonInstall allows environments to be made from the models' own requirements, with uv or pip, where Python has no mlflow.
	PythonInstall bool

	// Namespaces lets requests choose one of many independent environments in this process ([Namespace]); nil means on loopback, or with a ControlToken. They need
	// the artifacts to be in the environment's own store.
	Namespaces *bool
	// MaxNamespaces bounds their number; 0 means [DefaultMaxNamespaces]. One that nobody has asked for in NamespaceIdle ([DefaultNamespaceIdle] when 0)
	// is closed and kept on disk until somebody does.
	MaxNamespaces int
	NamespaceIdle time.Duration

	// CurrentAlias is an alias, such as champion, that is the current version of each model that has it: the one that answers where a request
	// names none. Empty means Prinz's rule, the version with the greatest last_updated_timestamp.
	CurrentAlias string
	// UpstreamHosts are the hosts, HOST or HOST:PORT, beside this machine's own that versions with the tag prinzbox.upstream may lead to.
	UpstreamHosts []string
	// Random gives numbers in [0, 1) for splits of requests between versions; nil means chance. It is called by many goroutines.
	Random func() float64

	// Import is a file that [Env.Export] wrote, which a fresh environment begins with instead of the samples. One that has a state in Data keeps it.
	Import string

	// Persona is the MLflow server whose calls are all that there are: 1.13, 1.30, 2 or 3. Empty, or auto, means those of now with all that old
	// clients need beside them.
	Persona string

	// Calls bounds the request log. ControlToken is asked for by the control API; without one the API is on where the server listens on loopback only.
	Calls        CallLog
	ControlToken string

	// Log gets the server's log; nil means none.
	Log *slog.Logger
	// Progress is told what start-up does, in a few words.
	Progress func(message string)
	// Clock and NewID (32 lowercase hex digits) are the environment's time and ids; nil means the real ones.
	Clock func() time.Time
	NewID func() string
}

// DefaultConfig is what `prinzbox serve` does without flags.
func DefaultConfig() Config {
	return Config{Port: DefaultPort, S3Port: DefaultS3Port, StaticPort: DefaultStaticPort, Data: DefaultData, Seed: true, Python: python.Auto}
}

// withDefaults fills what is empty.
func (c Config) withDefaults() Config {
	set := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	set(&c.Host, "127.0.0.1")
	set(&c.Bucket, DefaultBucket)
	set(&c.AccessKey, DefaultAccessKey)
	set(&c.SecretKey, DefaultSecretKey)
	set(&c.Region, DefaultRegion)
	set(&c.DefaultArtifactRoot, "mlflow-artifacts:/")
	c.ownDestination = c.ownDestination || c.ArtifactsDestination == ""
	set(&c.ArtifactsDestination, "s3://"+c.Bucket)
	if c.Durability == "" {
		c.Durability = sqldb.DurabilityNormal
		if c.Data == "" {
			c.Durability = sqldb.DurabilityOff
		}
	}
	if c.MaxBody == 0 {
		c.MaxBody = 32 << 20
	}
	if c.MaxNamespaces == 0 {
		c.MaxNamespaces = DefaultMaxNamespaces
	}
	if c.NamespaceIdle <= 0 {
		c.NamespaceIdle = DefaultNamespaceIdle
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Progress == nil {
		c.Progress = func(string) {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.NewID == nil {
		c.NewID = newID
	}
	return c
}

// newID is a random UUID4 without dashes.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return hex.EncodeToString(b[:])
}

// Ready is the ready line: where everything answers, as one JSON object on one line.
type Ready struct {
	Ready       bool     `json:"ready"`
	Version     string   `json:"version"`
	PID         int      `json:"pid"`
	TrackingURI string   `json:"tracking_uri"`
	GUIURL      string   `json:"gui_url"`
	S3Endpoint  string   `json:"s3_endpoint"`
	StaticURL   string   `json:"static_url"`
	MLflowUIURL string   `json:"mlflow_ui_url,omitempty"` // of MLflow's own UI, where it is served
	CABundle    string   `json:"ca_bundle,omitempty"`     // file to trust with --tls self-signed: PEM, this machine's roots and the environment's
	Bucket      string   `json:"bucket"`
	AccessKey   string   `json:"access_key"`
	SecretKey   string   `json:"secret_key"`
	Region      string   `json:"region"`
	DataDir     *string  `json:"data_dir"` // null when nothing is kept
	Seeded      []string `json:"seeded"`   // names of registered models

	// TrackingUsername and TrackingPassword are the admin's, where passwords are asked for. The password is here only if this start was given
	// it or made it.
	TrackingUsername string `json:"tracking_username,omitempty"`
	TrackingPassword string `json:"tracking_password,omitempty"`
}

// ready is what the configuration tells by itself.
func (c Config) ready() Ready {
	at := func(port int) string {
		return c.TLS.scheme() + "://" + net.JoinHostPort(reachable(c.Host), strconv.Itoa(port))
	}
	r := Ready{
		Ready: true, Version: Version, PID: os.Getpid(), TrackingURI: at(c.Port), GUIURL: at(c.Port) + "/", S3Endpoint: at(c.S3Port), StaticURL: at(c.StaticPort),
		Bucket: c.Bucket, AccessKey: c.AccessKey, SecretKey: c.SecretKey, Region: c.Region, Seeded: []string{},
	}
	if c.Data != "" {
		r.DataDir = &c.Data
	}
	if c.Auth.AppName != "" {
		r.TrackingUsername, r.TrackingPassword = c.Auth.AdminUsername, c.Auth.AdminPassword
	}
	if c.TLS.SelfSigned && c.Data != "" {
		r.CABundle = caBundle(c.Data)
	}
	if c.MLflowUI != "" {
		r.MLflowUIURL = r.TrackingURI + mlflowUIPath + "/"
	}
	return r
}

// reachable is a host that a client on this machine can use for a listening address.
func reachable(host string) string {
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}

// Variable is one environment variable for a client.
type Variable struct{ Name, Value string }

// withoutPassword is what may be kept on disk: passwords are there as hashes only.
func (r Ready) withoutPassword() Ready {
	r.TrackingPassword = ""
	return r
}

// Env lists the variables that MLflow's clients, boto3 and the AWS tools read.
func (r Ready) Env() []Variable {
	vars := []Variable{
		{"MLFLOW_TRACKING_URI", r.TrackingURI},
		{"MLFLOW_S3_ENDPOINT_URL", r.S3Endpoint},
		{"AWS_ACCESS_KEY_ID", r.AccessKey},
		{"AWS_SECRET_ACCESS_KEY", r.SecretKey},
		{"AWS_DEFAULT_REGION", r.Region},
		{"AWS_ENDPOINT_URL_S3", r.S3Endpoint},
		{"PRINZBOX_STATIC_URL", r.StaticURL},
		{"PRINZBOX_BUCKET", r.Bucket},
	}
	if r.CABundle != "" {
		vars = append(vars, Variable{"AWS_CA_BUNDLE", r.CABundle}, Variable{"REQUESTS_CA_BUNDLE", r.CABundle}, Variable{"MLFLOW_TRACKING_SERVER_CERT_PATH", r.CABundle})
	}
	if r.TrackingUsername != "" {
		vars = append(vars, Variable{"MLFLOW_TRACKING_USERNAME", r.TrackingUsername})
	}
	if r.TrackingPassword != "" {
		vars = append(vars, Variable{"MLFLOW_TRACKING_PASSWORD", r.TrackingPassword})
	}
	return vars
}
