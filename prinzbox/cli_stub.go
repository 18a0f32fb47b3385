package prinzbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// stubSettings are the flags that make a stub.
type stubSettings struct {
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
	var list bool
	var cmd *cobra.Command
	cmd = controlCommand("stub NAME", "Register a model that answers as told, with no training, or list those that there are", `stub registers a new version of the model NAME in a running environment, which scores as the flags say: a canned answer, a
look-up in a CSV file, a formula, an error, a delay. It is for tests of programs that ask models.

	prinzbox stub price --answer 9.99
	prinzbox stub risk --signature '[{"name": "age", "type": "long"}]' --expression 'age / 100' --latency 20ms-80ms
	prinzbox stub flaky --answer 1 --error 503 --error-rate 0.1
	prinzbox stub --list

User name and password are taken from MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD.`, cobra.ArbitraryArgs, func(r *remote, args []string) error {
		if list {
			return r.do("GET", "/stubs", nil, "")
		}
		if len(args) != 1 || args[0] == "" {
			return usageError{errors.New("stub wants the name of one model: prinzbox stub NAME --answer 1")}
		}
		stub, err := s.read(cmd)
		if err != nil {
			return usageError{err}
		}
		if err := stub.Check(); err != nil {
			return usageError{fmt.Errorf("the stub: %w", err)}
		}
		version, err := r.register(args[0], stub)
		if err != nil {
			return err
		}
		base, _, err := r.find()
		if err != nil {
			return err
		}
		if r.namespace != "" {
			base += namespacePrefix + r.namespace
		}
		address := base + "/" + url.PathEscape(args[0]) + "/invocations"
		answer, err := json.Marshal(map[string]string{"model": args[0], "version": version, "url": address})
		if err != nil {
			return err
		}
		return r.print(answer, fmt.Sprintf("Version %s of %s answers at %s", version, args[0], address))
	})
	s.flags(cmd.Flags())
	cmd.Flags().BoolVar(&list, "list", false, "list the versions that are stubs, with what they answer")
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "tracking-uri" { // as MLflow's own commands have it
			name = "url"
		}
		return pflag.NormalizedName(name)
	})
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

// register makes the model unless it is there, and the version. It asks as any client of MLflow does, for which who may register models needs no
// right to control the environment.
func (r *remote) register(name string, stub serving.Stub) (version string, err error) {
	text, err := json.Marshal(stub)
	if err != nil {
		return "", err
	}
	const api = "/api/2.0/mlflow/"
	_, err = r.askAt(http.MethodPost, api+"registered-models/create", map[string]any{"name": name})
	if err != nil && !registry.IsCode(err, registry.ResourceAlreadyExists) {
		return "", err
	}
	answer, err := r.askAt(http.MethodPost, api+"model-versions/create", map[string]any{
		"name": name, "source": serving.StubSource, "tags": []map[string]string{{"key": serving.TagStub, "value": string(text)}},
	})
	if err != nil {
		return "", err
	}
	var made struct {
		Version struct {
			Version string `json:"version"`
		} `json:"model_version"`
	}
	if err := json.Unmarshal(answer, &made); err != nil || made.Version.Version == "" {
		return "", fmt.Errorf("the answer to model-versions/create is not MLflow's: %.200s", answer)
	}
	return made.Version.Version, nil
}
