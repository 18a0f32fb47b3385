package frame

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

// ParamSchema is the params of a signature.
type ParamSchema struct{ Params []Param }

// Param is one parameter of a signature: a scalar, or a list when Shape is (-1,).
type Param struct {
	Name    string `json:"name"`
	Type    Type   `json:"type"`
	Default any    `json:"default"`
	Shape   []int  `json:"shape"`
}

// ParseParams reads the JSON text of a signature's params.
func ParseParams(text string) (*ParamSchema, error) {
	var list []Param
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, err
	}
	// The default is read again as Python would, which tells 3 from 3.0.
	s := &scanner{data: []byte(text)}
	v, err := s.value(0)
	if err != nil {
		return nil, err
	}
	items, _ := v.([]any)
	for i := range list {
		if m, ok := items[i].(Members); ok {
			list[i].Default, _ = m.Get("default")
		}
	}
	return &ParamSchema{list}, nil
}

func (p *Param) String() string {
	shape := ""
	if p.Shape != nil {
		shape = " (shape: " + PyTuple(p.Shape) + ")"
	}
	def := PyRepr(p.Default)
	if s, ok := p.Default.(string); ok {
		def = s
	}
	return fmt.Sprintf("%s: %s (default: %s)%s", PyRepr(p.Name), p.Type, def, shape)
}

// Check validates the params of a request against the schema with MLflow's messages; unknown names are
// ignored. A nil schema takes anything. Errors are texts of INVALID_PARAMETER_VALUE.
func (s *ParamSchema) Check(params any) error {
	if s == nil || params == nil {
		return nil
	}
	m, ok := params.(Members)
	if !ok {
		return fmt.Errorf("Parameters must be a dictionary. Got type '%s'.", pyType(params)) //nolint:staticcheck // MLflow's words
	}
	var wrong []string
	for i := range s.Params {
		p := &s.Params[i]
		v, ok := m.Get(p.Name)
		if !ok {
			continue
		}
		if message := p.check(v); message != "" {
			wrong = append(wrong, fmt.Sprintf("(%s, %s)", PyRepr(p.Name), PyRepr(message)))
		}
	}
	if wrong != nil {
		return fmt.Errorf("Invalid parameters found: {%s}", strings.Join(wrong, ", ")) //nolint:staticcheck // MLflow's words
	}
	return nil
}

func (p *Param) check(v any) string {
	values := []any{v}
	if p.Shape != nil {
		list, ok := v.([]any)
		if !ok {
			return fmt.Sprintf("Value must be a 1D array with shape (-1,) for param %s, received %s with ndim 0", p, pyType(v))
		}
		values = list
	}
	for _, v := range values {
		if !p.accepts(v) {
			text := PyRepr(v)
			if s, ok := v.(string); ok {
				text = s
			}
			return fmt.Sprintf("Failed to validate type and shape for %s, error: Can not safely convert `<class '%s'>` to `DataType.%s` for value `%s`", p, pyType(v), p.Type, text)
		}
	}
	return ""
}

func (p *Param) accepts(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return p.Type == Boolean
	case string:
		return p.Type == Text || p.Type == Datetime
	case int64:
		switch p.Type {
		case Long, Double, Float32:
			return true
		case Integer:
			return v >= math.MinInt32 && v <= math.MaxInt32
		}
		return false
	case float64:
		return p.Type == Double || p.Type == Float32
	}
	return p.Type != Boolean && p.Type != Integer && p.Type != Long && p.Type != Float32 && p.Type != Double && p.Type != Text
}
