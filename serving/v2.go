package serving

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/frame"
)

// The V2 protocol, as MLServer 1.7.1 with its MLflow runtime serves it:
//
//	GET  /v2, /v2/health/live, /v2/health/ready
//	GET  /v2/models/<name>[/versions/<version>][/ready]
//	POST /v2/models/<name>[/versions/<version>]/infer
//
// A version may be a stage or alias too. Where MLServer fails with 500 for a user's mistake, this answers 400 and says what is wrong.

// isV2 tells whether a path, escaped, is of the protocol; a model cannot be called v2 on the short routes.
func isV2(path string) bool {
	return path == "/v2" || strings.HasPrefix(path, "/v2/")
}

// parseV2 reads a path. The action is "", ready, infer or, without a model, v2, live or ready.
func parseV2(path string) (route, bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch {
	case len(parts) == 1:
		return route{action: "v2"}, true
	case len(parts) == 3 && parts[1] == "health" && (parts[2] == "live" || parts[2] == "ready"):
		return route{action: parts[2]}, true
	case len(parts) < 3 || parts[1] != "models":
		return route{}, false
	}
	r := route{name: parts[2]}
	rest := parts[3:]
	if len(rest) >= 2 && rest[0] == "versions" {
		if r.selector = rest[1]; r.selector == "" {
			return route{}, false
		}
		rest = rest[2:]
	}
	switch {
	case len(rest) == 0:
	case len(rest) == 1 && (rest[0] == "ready" || rest[0] == "infer"):
		r.action = rest[0]
	default:
		return route{}, false
	}
	return r.unescaped()
}

// serveV2 answers the routes of the protocol.
func (s *Server) serveV2(w http.ResponseWriter, r *http.Request, path string) {
	at, ok := parseV2(path)
	if !ok {
		s.write(w, http.StatusNotFound, jsonType, []byte(`{"detail":"Not Found"}`))
		return
	}
	method := http.MethodGet
	if at.action == "infer" {
		method = http.MethodPost
	}
	if r.Method != method && (method != http.MethodGet || r.Method != http.MethodHead) {
		s.notAllowed(w, method)
		return
	}
	if at.action == "infer" {
		s.exchange(w, r, at, v2{s, at})
		return
	}
	if at.name == "" {
		if at.action == "v2" {
			body, _ := json.Marshal(map[string]any{"name": "prinzbox", "version": s.cfg.Release, "extensions": []string{}}) // always encodes
			s.write(w, http.StatusOK, jsonType, body)
			return
		}
		s.write(w, http.StatusOK, "", nil)
		return
	}
	d := v2{s, at}
	t, model, err := s.load(r.Context(), at.name, at.selector)
	if t != nil {
		w.Header()[VersionHeader] = t.counters.header
	}
	if err != nil {
		a := d.refuse(err)
		if t == nil {
			a = d.unresolved(err)
		}
		s.write(w, a.status, a.contentType, a.body)
		return
	}
	if at.action == "ready" {
		s.write(w, http.StatusOK, "", nil)
		return
	}
	s.write(w, http.StatusOK, jsonType, metadata(at.name, model.Signature()))
}

// v2 is the V2 protocol of a route.
type v2 struct {
	s  *Server
	at route
}

func (d v2) score(ctx context.Context, t *target, model *Loaded, body []byte, _ string) answer {
	request, err := frame.DecodeInference(body)
	if form, ok := errors.AsType[*frame.FormError](err); ok {
		text, _ := json.Marshal(map[string]any{"detail": form.Details}) // decoded values encode again
		return answer{status: http.StatusUnprocessableEntity, contentType: jsonType, body: text}
	}
	if err != nil {
		return d.refuse(err)
	}
	if request.ID == "" {
		request.ID = dashed(d.s.cfg.NewID())
	}
	if stub, ok := model.Model.(*stubModel); ok {
		if err := stub.before(ctx); err != nil {
			return d.refuse(err)
		}
	}
	signature := model.Signature()
	var result *frame.Result
	rows := 0
	if raw, ok := model.Model.(Raw); ok {
		if result, err = translate(ctx, raw, request, signature); err != nil {
			return d.refuse(err)
		}
		rows = result.Len()
	} else {
		table, err := request.Table(signature.Inputs)
		if err != nil {
			return d.refuse(err)
		}
		if len(request.Params) > 0 {
			if err := signature.Params.Check(request.Params); err != nil {
				return d.refuse(registry.Invalidf("%v", err))
			}
		}
		if result, err = model.Predict(ctx, table); err != nil {
			return d.refuse(err)
		}
		rows = table.Rows
	}
	text, err := result.AppendInference(make([]byte, 0, 256+20*result.Len()), d.at.name, t.Number, request.ID, signature.Outputs)
	if err != nil {
		return d.refuse(registry.Errorf(registry.NotImplemented, "%v.", err))
	}
	return answer{http.StatusOK, jsonType, text, rows}
}

// translate asks a model that takes only MLflow's protocol.
func translate(ctx context.Context, raw Raw, request *frame.Inference, signature *Signature) (*frame.Result, error) {
	body, err := request.AppendSplit(nil, signature.Inputs)
	if err != nil {
		return nil, err
	}
	status, _, text := raw.Invoke(ctx, body, jsonType)
	v, err := frame.DecodeValue(text)
	members, _ := v.(frame.Members)
	if status != http.StatusOK {
		e := &answerError{status, registry.ErrorBody{Message: string(text)}}
		if message, ok := members.Get("message"); ok && err == nil {
			e.body.Message, _ = message.(string)
		}
		return nil, e
	}
	predictions, ok := members.Get("predictions")
	if err != nil || !ok {
		return nil, registry.Errorf(registry.NotImplemented, "The model's answer holds no predictions, which the V2 protocol has no form for.")
	}
	return &frame.Result{Values: &predictions}, nil
}

// refuse answers an error in the protocol's shape.
func (d v2) refuse(err error) answer {
	if made, ok := errors.AsType[*answerError](err); ok {
		return v2Error(made.status, made.body.Message)
	}
	if content, ok := errors.AsType[*frame.ContentError](err); ok {
		return v2Error(http.StatusBadRequest, content.Message)
	}
	if schema, ok := errors.AsType[*frame.SchemaError](err); ok {
		return v2Error(http.StatusBadRequest, schema.Message)
	}
	if raised, ok := errors.AsType[*frame.PredictError](err); ok {
		return v2Error(http.StatusBadRequest, raised.Error())
	}
	if raw, ok := errors.AsType[*frame.BytesError](err); ok {
		return v2Error(http.StatusNotImplemented, raw.Error())
	}
	_, status := d.s.failure(err)
	return v2Error(status, registry.Body(err).Message)
}

// unresolved answers a name or version that is not there.
func (d v2) unresolved(err error) answer {
	if !registry.IsCode(err, registry.ResourceDoesNotExist) {
		return d.refuse(err)
	}
	message := "Model " + d.at.name + " not found"
	if d.at.selector != "" {
		message = "Model " + d.at.name + " with version " + d.at.selector + " not found"
	}
	return v2Error(http.StatusNotFound, message)
}

func (d v2) tooLarge() answer {
	return v2Error(http.StatusRequestEntityTooLarge, (&tooLargeError{d.s.cfg.MaxBody}).Error())
}

func v2Error(status int, message string) answer {
	body, _ := json.Marshal(map[string]string{"error": message}) // a text always encodes
	return answer{status: status, contentType: jsonType, body: body}
}

// dashed writes 32 hex digits as a UUID.
func dashed(id string) string {
	if len(id) != 32 {
		return id
	}
	return id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:]
}

// v2Tensor is an input or output in a model's metadata.
type v2Tensor struct {
	Name       string       `json:"name"`
	Datatype   string       `json:"datatype"`
	Shape      []int        `json:"shape"`
	Parameters v2Parameters `json:"parameters"`
}

type v2Parameters struct {
	ContentType string `json:"content_type,omitempty"`
}

// metadata describes a model by its signature.
func metadata(name string, signature *Signature) []byte {
	body, _ := json.Marshal(struct { // texts and numbers always encode
		Name       string       `json:"name"`
		Versions   []string     `json:"versions"`
		Platform   string       `json:"platform"`
		Inputs     []v2Tensor   `json:"inputs"`
		Outputs    []v2Tensor   `json:"outputs"`
		Parameters v2Parameters `json:"parameters"`
	}{
		name,
		[]string{},
		"", v2Tensors(signature.Inputs, "input-"), v2Tensors(signature.Outputs, "output-"),
		v2Parameters{frame.InferenceContent(signature.Inputs)},
	})
	return body
}

func v2Tensors(s *frame.Schema, prefix string) []v2Tensor {
	out := []v2Tensor{}
	if s == nil {
		return out
	}
	for i := range s.Fields {
		t := v2Tensor{Shape: []int{-1, 1}}
		t.Name, t.Datatype, t.Parameters.ContentType = s.Fields[i].Inference(i, prefix)
		if s.Tensor {
			t.Shape = s.Fields[i].Shape
		}
		out = append(out, t)
	}
	return out
}
