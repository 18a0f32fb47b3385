package prinzbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// stubSettings are the flags that make a stub.
type stubSettings struct {
	uri, data                    string
	signature                    string
	answer, answers, predictions string
	csv, missing                 string
	key                          []string
	expressions                  []string
	failure                      int
	code, message                string
	rate                         float64
	latency                      string
	seed                         uint64
}

func (s *stubSettings) flags(f *pflag.FlagSet) {
	f.StringVar(&s.uri, "tracking-uri", "", "`URL` of the environment (default: MLFLOW_TRACKING_URI, or what runs in --data)")
	f.StringVar(&s.data, "data", "", "folder of the environment that runs here (default: PRINZBOX_DATA, or that of serve)")
	f.StringVar(&s.signature, "signature", "", "a `FILE` or JSON: the list of inputs, or an object of inputs, outputs and params; an MLmodel file too (default: any data is taken)")
	f.StringVar(&s.answer, "answer", "", "`JSON` that each row is answered with")
	f.StringVar(&s.answers, "answers", "", "list of `JSON` values, for the rows in turn")
	f.StringVar(&s.predictions, "predictions", "", "`JSON` of all predictions, whatever the rows are")
	f.StringVar(&s.csv, "csv", "", "`FILE` with a header line that holds the answers; - is standard input")
	f.StringSliceVar(&s.key, "key", nil, "`COLUMNS` of --csv that are compared with a row's (default: all but the last)")
	f.StringVar(&s.missing, "default", "", "`JSON` for rows that --csv lacks (default: an error)")
	f.StringArrayVar(&s.expressions, "expression", nil, "`FORMULA` of a row's columns, or NAME=FORMULA, several times, for an answer of several values")
	f.IntVar(&s.failure, "error", 0, "answer with this HTTP `STATUS`, 400 to 599")
	f.StringVar(&s.code, "error-code", "", "MLflow's error code of --error (default: that of the status)")
	f.StringVar(&s.message, "error-message", "", "text of --error")
	f.Float64Var(&s.rate, "error-rate", 1, "part of the requests that get --error; below 1 something else says what the others get")
	f.StringVar(&s.latency, "latency", "", "delay of each answer: `50ms`, 10ms-50ms (even between them) or 50ms+-5ms (normal)")
	f.Uint64Var(&s.seed, "seed", 0, "beginning of the chance in --latency and --error-rate")
}

func stubCommand() *cobra.Command {
	var s stubSettings
	cmd := &cobra.Command{
		Use:   "stub NAME",
		Short: "Register a model that answers as told, with no training",
		Long: `stub registers a new version of the model NAME in a running environment, which scores as the flags say: a canned answer, a
look-up in a CSV file, a formula, an error, a delay. It is for tests of programs that ask models.

	prinzbox stub price --answer 9.99
	prinzbox stub risk --signature '[{"name": "age", "type": "long"}]' --expression 'age / 100' --latency 20ms-80ms
	prinzbox stub flaky --answer 1 --error 503 --error-rate 0.1

User name and password are taken from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || args[0] == "" {
				return usageError{errors.New("stub wants the name of one model: prinzbox stub NAME --answer 1")}
			}
			return nil
		},
	}
	s.flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		stub, err := s.read(cmd)
		if err != nil {
			return usageError{err}
		}
		if err := stub.Check(); err != nil {
			return usageError{fmt.Errorf("the stub: %w", err)}
		}
		to, err := s.environment()
		if err != nil {
			return err
		}
		version, err := to.register(cmd.Context(), args[0], stub)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "Version %s of %s answers at %s/%s/invocations\n", version, args[0], to.base, url.PathEscape(args[0]))
		return err
	}
	return cmd
}

// read makes a stub of the flags.
func (s *stubSettings) read(cmd *cobra.Command) (serving.Stub, error) {
	stub := serving.Stub{Seed: s.seed}
	for _, f := range []struct {
		name, text string
		to         *json.RawMessage
	}{{"--answer", s.answer, &stub.Answer}, {"--predictions", s.predictions, &stub.Predictions}} {
		if f.text == "" {
			continue
		}
		if !json.Valid([]byte(f.text)) {
			return stub, fmt.Errorf(`%s %s is no JSON; text stands in quotes: '"yes"'`, f.name, f.text)
		}
		*f.to = json.RawMessage(f.text)
	}
	if s.answers != "" {
		if err := json.Unmarshal([]byte(s.answers), &stub.Answers); err != nil {
			return stub, fmt.Errorf("--answers %s is no list of JSON values: %w", s.answers, err)
		}
	}
	if err := s.readLookup(cmd, &stub); err != nil {
		return stub, err
	}
	if err := s.readExpression(&stub); err != nil {
		return stub, err
	}
	switch {
	case s.failure != 0:
		stub.Error = &serving.StubError{Status: s.failure, Code: s.code, Message: s.message, Rate: s.rate}
	case s.code != "" || s.message != "" || cmd.Flags().Changed("error-rate"):
		return stub, errors.New("--error-code, --error-message and --error-rate have no effect without --error STATUS")
	}
	if s.latency != "" {
		l, err := readLatency(s.latency)
		if err != nil {
			return stub, err
		}
		stub.Latency = l
	}
	return stub, s.readSignature(&stub)
}

func (s *stubSettings) readLookup(cmd *cobra.Command, stub *serving.Stub) error {
	if s.csv == "" {
		if len(s.key) > 0 || s.missing != "" {
			return errors.New("--key and --default have no effect without --csv FILE")
		}
		return nil
	}
	text, err := readInput(cmd, s.csv)
	if err != nil {
		return fmt.Errorf("--csv: %w", err)
	}
	stub.Lookup = &serving.StubLookup{CSV: string(text), Key: s.key}
	if s.missing != "" {
		if !json.Valid([]byte(s.missing)) {
			return fmt.Errorf("--default %s is no JSON", s.missing)
		}
		stub.Lookup.Default = json.RawMessage(s.missing)
	}
	if len(s.key) == 0 {
		head, _, _ := strings.Cut(string(text), "\n")
		columns := strings.Split(strings.TrimSpace(strings.TrimPrefix(head, "\uFEFF")), ",")
		if len(columns) < 2 || strings.Contains(head, `"`) {
			return errors.New("--csv: name the columns that are compared with a row's: --key a,b")
		}
		stub.Lookup.Key = columns[:len(columns)-1]
	}
	return nil
}

func (s *stubSettings) readExpression(stub *serving.Stub) (err error) {
	if len(s.expressions) == 0 {
		return nil
	}
	named := map[string]string{}
	for _, e := range s.expressions {
		name, formula, ok := strings.Cut(e, "=")
		if name = strings.TrimSpace(name); !ok || !isWord(name) || strings.HasPrefix(formula, "=") {
			if len(s.expressions) > 1 {
				return fmt.Errorf("--expression %s: of several, each is NAME=FORMULA", e)
			}
			stub.Expression, err = json.Marshal(e)
			return err
		}
		if named[name] != "" {
			return fmt.Errorf("--expression %s: there is another one of this name", e)
		}
		named[name] = formula
	}
	stub.Expression, err = json.Marshal(named)
	return err
}

func isWord(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

// readLatency reads 50ms, 10ms-50ms and 50ms+-5ms.
func readLatency(text string) (*serving.StubLatency, error) {
	form := func(names ...string) (*serving.StubLatency, error) {
		parts := map[string]string{}
		for i := 0; i < len(names); i += 2 {
			parts[names[i]] = strings.TrimSpace(names[i+1])
		}
		data, err := json.Marshal(parts)
		if err != nil {
			return nil, err
		}
		l := &serving.StubLatency{}
		if err := json.Unmarshal(data, l); err != nil {
			return nil, fmt.Errorf("--latency %s: %w", text, err)
		}
		return l, nil
	}
	if mean, deviation, ok := strings.Cut(text, "+-"); ok {
		return form("mean", mean, "deviation", deviation)
	}
	if from, to, ok := strings.Cut(text, "-"); ok && from != "" {
		return form("min", from, "max", to)
	}
	return form("fixed", text)
}

// readSignature takes the inputs, outputs and params of a signature: JSON, a file of it, or an MLmodel file.
func (s *stubSettings) readSignature(stub *serving.Stub) error {
	text := []byte(strings.TrimSpace(s.signature))
	if len(text) == 0 {
		return nil
	}
	if text[0] != '[' && text[0] != '{' {
		var err error
		if text, err = os.ReadFile(s.signature); err != nil {
			return fmt.Errorf("--signature: %w", err)
		}
		text = bytes.TrimSpace(text)
	}
	if len(text) > 0 && text[0] == '[' {
		stub.Inputs = text
		return nil
	}
	// JSON is YAML, and in an MLmodel file the parts are texts of JSON.
	type parts struct {
		Inputs  any `yaml:"inputs" json:"inputs"`
		Outputs any `yaml:"outputs" json:"outputs"`
		Params  any `yaml:"params" json:"params"`
	}
	var file struct {
		Signature *parts `yaml:"signature"`
		parts     `yaml:",inline"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		return fmt.Errorf("--signature is neither JSON nor an MLmodel file: %w", err)
	}
	p := file.parts
	if file.Signature != nil {
		p = *file.Signature
	}
	if p.Inputs == nil && p.Outputs == nil && p.Params == nil {
		return errors.New("--signature has none of inputs, outputs and params")
	}
	for _, part := range []struct {
		from any
		to   *json.RawMessage
	}{{p.Inputs, &stub.Inputs}, {p.Outputs, &stub.Outputs}, {p.Params, &stub.Params}} {
		if part.from == nil {
			continue
		}
		data, err := json.Marshal(part.from)
		if err != nil {
			return fmt.Errorf("--signature is not understood: %w", err)
		}
		*part.to = data
	}
	return nil
}

func readInput(cmd *cobra.Command, file string) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(cmd.InOrStdin())
	}
	return os.ReadFile(file)
}

// client speaks to the REST API of a running environment.
type client struct {
	base string
	http *http.Client
}

// environment finds the environment that is meant.
func (s *stubSettings) environment() (*client, error) {
	base, bundle := cmp.Or(s.uri, os.Getenv("MLFLOW_TRACKING_URI")), os.Getenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
	if base == "" || s.uri == "" && s.data != "" {
		dir := cmp.Or(s.data, os.Getenv("PRINZBOX_DATA"), DefaultConfig().withDefaults().Data)
		r, ok := running(dir)
		if !ok {
			return nil, fmt.Errorf("nothing runs in %s: start 'prinzbox serve', or name an environment with --tracking-uri", dir)
		}
		base, bundle = r.TrackingURI, r.CABundle
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("the tracking URI %s is no address of a server: write http://HOST:PORT", base)}
	}
	c := &client{base: strings.TrimRight(base, "/"), http: &http.Client{Timeout: time.Minute}}
	if bundle != "" && u.Scheme == "https" {
		text, err := os.ReadFile(bundle)
		if err != nil {
			return nil, fmt.Errorf("the certificates to trust: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("the certificates to trust: %s holds none", bundle)
		}
		c.http.Transport = &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}
	}
	return c, nil
}

// register makes the model unless it is there, and the version.
func (c *client) register(ctx context.Context, name string, stub serving.Stub) (version string, err error) {
	text, err := json.Marshal(stub)
	if err != nil {
		return "", err
	}
	err = c.post(ctx, "registered-models/create", map[string]any{"name": name}, nil)
	if err != nil && !registry.IsCode(err, registry.ResourceAlreadyExists) {
		return "", err
	}
	var made struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	err = c.post(ctx, "model-versions/create", map[string]any{
		"name": name, "source": serving.StubSource, "tags": []map[string]string{{"key": serving.TagStub, "value": string(text)}},
	}, &made)
	return made.Version.Version, err
}

// maxReply bounds what is read of an answer.
const maxReply = 1 << 20

func (c *client) post(ctx context.Context, method string, body, reply any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/api/2.0/mlflow/"+method, bytes.NewReader(data))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if user := os.Getenv("MLFLOW_TRACKING_USERNAME"); user != "" {
		r.SetBasicAuth(user, os.Getenv("MLFLOW_TRACKING_PASSWORD"))
	}
	answer, err := c.http.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxReply))
	if err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	if answer.StatusCode != http.StatusOK {
		var said registry.ErrorBody
		if json.Unmarshal(text, &said) == nil && said.Code != "" {
			return &registry.Error{Code: said.Code, Message: said.Message}
		}
		return fmt.Errorf("%s answers %s to %s: %.200s", c.base, strconv.Itoa(answer.StatusCode), method, text)
	}
	if reply == nil {
		return nil
	}
	if err := json.Unmarshal(text, reply); err != nil {
		return fmt.Errorf("%s answers %s with what is no JSON: %w", c.base, method, err)
	}
	return nil
}
