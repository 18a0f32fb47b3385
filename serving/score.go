package serving

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// answer is a finished HTTP answer.
type answer struct {
	status      int
	contentType string
	body        []byte
	rows        int // that were scored
}

func text(status int, message string) answer {
	return answer{status: status, contentType: textType, body: []byte(message)}
}

// media is a taken-apart Content-Type.
type media struct {
	kind   string
	format string // MLflow 1.x's format parameter
	other  []string
	utf8   bool
}

// parseMedia splits a Content-Type as MLflow does: by semicolons, without quoting.
func parseMedia(contentType string) media {
	if contentType == jsonType {
		return media{kind: jsonType, utf8: true}
	}
	parts := strings.Split(contentType, ";")
	m := media{kind: strings.ToLower(strings.TrimSpace(parts[0])), utf8: true}
	for _, p := range parts[1:] {
		key, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		switch strings.ToLower(key) {
		case "charset":
			m.utf8 = strings.EqualFold(strings.Trim(value, `"`), "utf-8")
		case "format":
			m.format = value
			m.other = append(m.other, key)
		case "":
		default:
			m.other = append(m.other, key)
		}
	}
	if m.kind == "" {
		m.kind = jsonType
	}
	return m
}

const splitNumpy = "application/json-numpy-split"

// score answers one invocation. It is the order of work of MLflow's scoring server: media type, parse,
// cast, check, predict, encode.
func (s *Server) score(ctx context.Context, model *Loaded, body []byte, contentType string) answer {
	if stub, ok := model.Model.(*stubModel); ok {
		if err := stub.before(ctx); err != nil {
			return s.predictError(err)
		}
	}
	if raw, ok := model.Model.(Raw); ok {
		status, answerType, text := raw.Invoke(ctx, body, contentType)
		return answer{status: status, contentType: answerType, body: text}
	}
	m := parseMedia(contentType)
	if !m.utf8 {
		return text(http.StatusUnsupportedMediaType, "The scoring server only supports UTF-8")
	}
	oldFormat := m.kind == jsonType && (m.format == "pandas-split" || m.format == "pandas-records") && len(m.other) == 1
	if len(m.other) > 0 && !oldFormat {
		return text(http.StatusUnsupportedMediaType, "Unrecognized content type parameters: "+strings.Join(m.other, ", ")+". "+frame.ProtocolChange)
	}
	signature := model.Signature()
	var request *frame.Request
	var err error
	switch m.kind {
	case jsonType:
		request, err = frame.DecodeJSON(body, m.format)
	case splitNumpy:
		request, err = frame.DecodeJSON(body, "pandas-split")
	case "text/csv":
		request, err = frame.DecodeCSV(body, signature.Inputs)
	case "application/vnd.apache.parquet":
		return text(http.StatusUnsupportedMediaType, "Parquet bodies are not supported without Python. Send 'application/json' or 'text/csv'.")
	default:
		return text(http.StatusUnsupportedMediaType, "This predictor only supports the following content types: Types: ['text/csv', 'application/json', 'application/vnd.apache.parquet']. Got '"+contentType+"'.")
	}
	if err != nil {
		return s.refuse(registry.Errorf(registry.BadRequest, "%s", err))
	}
	table, err := request.Table(signature.Inputs)
	if err != nil {
		return s.refuse(dataError(err, request, signature.Inputs))
	}
	if request.HasParams {
		if err := signature.Params.Check(request.Params); err != nil {
			return s.refuse(registry.Invalidf("Failed to predict data '%s'. \nError: %v", table, err))
		}
	}
	result, err := model.Predict(ctx, table)
	if err != nil {
		return s.predictError(err)
	}
	return answer{http.StatusOK, jsonType, result.AppendJSON(make([]byte, 0, 64+20*result.Len()), request.Legacy), table.Rows}
}

// dataError gives a cast or signature error the message of the request's dialect.
func dataError(err error, request *frame.Request, schema *frame.Schema) error {
	var schemaError *frame.SchemaError
	if !errors.As(err, &schemaError) {
		if request.Legacy {
			orient := "split"
			if request.Format == frame.Records {
				orient = "records"
			}
			err = frame.LegacyFrameError(orient, err)
		}
		return registry.Errorf(registry.BadRequest, "%s", err)
	}
	if request.Legacy {
		return registry.Errorf(registry.BadRequest, "%s", schemaError.Message)
	}
	data := request.Data()
	return &registry.Error{
		Code:    registry.InvalidParameterValue,
		Message: fmt.Sprintf("Failed to predict data '%s'. \nError: Failed to enforce schema of data '%s' with schema '%s'. Error: %s", data, data, schema, schemaError.Message),
		Class:   "SCHEMA_ENFORCEMENT_FAILED", SQLState: "KAM01",
	}
}

// errorBody is MLflow's error with the stack trace that a failed prediction carries.
type errorBody struct {
	registry.ErrorBody
	StackTrace string `json:"stack_trace,omitempty"`
}

func (s *Server) predictError(err error) answer {
	if made, ok := errors.AsType[*answerError](err); ok {
		return made.answer()
	}
	if _, ok := errors.AsType[*frame.PredictError](err); !ok {
		return s.refuse(err)
	}
	b := errorBody{registry.Body(registry.Errorf(registry.BadRequest,
		"Encountered an unexpected error while evaluating the model. Verify that the serialized input Dataframe is compatible with the model for inference.")), err.Error()}
	body, _ := json.Marshal(b) // plain texts always encode
	return answer{status: http.StatusBadRequest, contentType: jsonType, body: body}
}

func (s *Server) refuse(err error) answer {
	body, status := s.failure(err)
	return answer{status: status, contentType: jsonType, body: body}
}

// failure is the body and status of an error; what is no user's error goes to the log.
func (s *Server) failure(err error) ([]byte, int) {
	b := registry.Body(err)
	if b.Code == registry.InternalError {
		s.cfg.Log.Error("scoring failed", "error", err)
	}
	body, _ := json.Marshal(b) // plain texts always encode
	return body, b.Code.HTTPStatus()
}

// Score scores a request body as the HTTP route does and returns the answer's body and status.
func (s *Server) Score(ctx context.Context, name, selector string, body []byte, contentType string) ([]byte, int) {
	began := time.Now()
	d := mlflow{s}
	c, err := s.resolve(ctx, name, selector)
	if err != nil {
		a := d.refuse(err)
		s.unresolved(name, err, s.cfg.NewID(), a, time.Since(began))
		return a.body, a.status
	}
	t := c.pick(s.cfg.Random, "")
	a := s.ask(ctx, t, body, contentType)
	s.observe(t, s.cfg.NewID, a, time.Since(began))
	return a.body, a.status
}

// Probe is Score for those who only look: nothing is counted, and of a split the first version answers.
func (s *Server) Probe(ctx context.Context, name, selector string, body []byte, contentType string) ([]byte, int) {
	c, err := s.resolve(ctx, name, selector)
	if err != nil {
		return s.failure(err)
	}
	a := s.ask(ctx, c.targets[0], body, contentType)
	return a.body, a.status
}

// ask loads a version and scores a body.
func (s *Server) ask(ctx context.Context, t *target, body []byte, contentType string) answer {
	d := mlflow{s}
	model, err := s.model(ctx, t)
	switch {
	case err != nil:
		return d.refuse(err)
	case int64(len(body)) > s.cfg.MaxBody:
		return d.tooLarge()
	}
	return d.score(ctx, t, model, body, contentType)
}

// ModelInfo is what is known of a registered version's model.
type ModelInfo struct {
	Version Version
	// Flavor and Estimator are the engine and its name of the model; empty when Native is false.
	Flavor    string
	Estimator string
	// Signature is nil when the MLmodel file cannot be read.
	Signature *Signature
	// InputExample is the saved input example as it stands in the directory; nil when there is none.
	InputExample []byte
	// Native tells that an engine here scores the model; Python, that a Python worker does. Problem says why neither does.
	Native  bool
	Python  bool
	Problem string
	// Upstream is the address of the server that scores the version; Problem then says why it does not answer. Empty for others.
	Upstream string
}

// maxExample bounds the input example that Describe reads, in bytes.
const maxExample = 1 << 20

// Describe tells what is known of a version's model. A name or version that is not there is an error; a
// model that cannot be scored is not: Problem has the reason.
func (s *Server) Describe(ctx context.Context, name, selector string) (ModelInfo, error) {
	t, model, err := s.load(context.WithValue(ctx, noFallback{}, true), name, selector)
	if setting, ok := errors.AsType[*settingError](err); ok {
		// The model is there: it is the one that Prinz's rule finds, and cannot be asked for without a version.
		info := ModelInfo{Problem: setting.cause.Message}
		var err error
		info.Version, err = s.cfg.Catalog.Resolve(ctx, name, "")
		return info, err
	}
	if t == nil {
		return ModelInfo{}, err
	}
	v := t.Version
	info := ModelInfo{Version: v}
	if t.problem != nil {
		info.Problem = registry.Body(t.problem).Message
		return info, nil
	}
	if err != nil {
		if v.Source == "" {
			return info, err
		}
		if s.cfg.Fallback != nil && registry.IsCode(err, registry.NotImplemented) {
			info.Flavor, info.Python = "python_function", true // or not: the first request tells
		} else {
			info.Problem = registry.Body(err).Message
		}
		meta, err := loadMeta(ctx, s.cfg.Objects, v.Source)
		if err != nil {
			return info, nil //nolint:nilerr // Problem says it already
		}
		if info.Signature, err = meta.signature(); err != nil {
			info.Signature = nil
		}
		return info, nil
	}
	info.Flavor, info.Estimator, info.Signature = model.Flavor, model.Estimator, model.Signature()
	if up, ok := model.Model.(*upstream); ok {
		info.Upstream = up.base.String()
		info.Problem = up.check(ctx)
		return info, nil
	}
	_, info.Python = model.Model.(Raw)
	info.Native = !info.Python
	if model.ExamplePath != "" {
		if example, err := readFile(ctx, s.cfg.Objects, v.Source, model.ExamplePath, maxExample); err == nil {
			info.InputExample = example
		}
	}
	return info, nil
}
