package onnx

import (
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// Model is an ONNX model. It may be used by many goroutines.
type Model struct{ graph *graph }

// New reads a model file; open gives the files beside it that hold large constants. An operator, attribute or type that is not fully understood is a
// *trees.UnsupportedError.
func New(data []byte, open func(name string) ([]byte, error)) (*Model, error) {
	g, err := load(data, open)
	if err != nil {
		return nil, err
	}
	return &Model{g}, nil
}

// Predict scores a table as MLflow's wrapper of ONNX models does: an array goes into the only input; a DataFrame into the only input as a whole, or
// column by column into several. A DataFrame's answer is a DataFrame. Errors about the data are *frame.PredictError.
func (m *Model) Predict(f *frame.Frame) (*frame.Result, error) {
	feeds, err := m.feeds(f)
	if err != nil {
		return nil, err
	}
	work := maxWork
	outs, err := m.graph.run(feeds, &work)
	if err != nil {
		return nil, trees.InputErrorf("onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument", "%v", err)
	}
	r := &frame.Result{Records: !f.Array, Outputs: make([]frame.Output, len(outs))}
	rows := -1
	for i, t := range outs {
		r.Outputs[i] = t.output(m.graph.outputs[i].name)
		n := t.len()
		if t.keys != nil {
			n = t.shape[0]
		}
		if r.Records && rows >= 0 && n != rows {
			return nil, trees.InputErrorf("ValueError", "All arrays must be of the same length")
		}
		rows = n
	}
	return r, nil
}

func (t *tensor) output(name string) frame.Output {
	o := frame.Output{Name: name, Shape: t.shape}
	switch {
	case t.dtype.float():
		o.Values = frame.Result{Kind: frame.Float, Floats: t.f}
	case t.dtype == str:
		o.Values = frame.Result{Kind: frame.String, Strings: t.s}
	case t.dtype == flag:
		o.Values = frame.Result{Kind: frame.Bool, Bools: make([]bool, len(t.i))}
		for i, v := range t.i {
			o.Values.Bools[i] = v != 0
		}
	default:
		o.Values = frame.Result{Kind: frame.Int, Ints: t.i}
	}
	if t.keys != nil {
		o.Shape = t.shape[:1]
		for i := range t.keys.len() {
			o.Keys = append(o.Keys, t.keys.label(i))
		}
	}
	return o
}

func (m *Model) feeds(f *frame.Frame) ([]*tensor, error) {
	inputs := m.graph.inputs
	if len(inputs) == 1 {
		t, err := whole(f, &inputs[0])
		if err != nil {
			return nil, err
		}
		return []*tensor{t}, inputs[0].check(t)
	}
	if f.Array {
		names := make([]string, len(inputs))
		for i := range inputs {
			names[i] = frame.PyRepr(inputs[i].name)
		}
		return nil, trees.InputErrorf("mlflow.exceptions.MlflowException", "Unable to map numpy array input to the expected model input. Numpy arrays can only be used as input for MLflow ONNX models that have a single input. "+
			"This model requires %d inputs. Please pass in data as either a dictionary or a DataFrame with the following tensors: [%s].", len(inputs), strings.Join(names, ", "))
	}
	out := make([]*tensor, len(inputs))
	for i := range inputs {
		c := f.Column(inputs[i].name)
		if c == nil {
			return nil, trees.InputErrorf("KeyError", "%s", frame.PyRepr(inputs[i].name))
		}
		t, err := fromColumns([]*frame.Column{c}, f.Rows, &inputs[i])
		if err != nil {
			return nil, err
		}
		t.shape = []int{f.Rows}
		if err := inputs[i].check(t); err != nil {
			return nil, err
		}
		out[i] = t
	}
	return out, nil
}

// whole is all columns as one array.
func whole(f *frame.Frame, in *input) (*tensor, error) {
	columns := make([]*frame.Column, len(f.Columns))
	for i := range f.Columns {
		columns[i] = &f.Columns[i]
	}
	return fromColumns(columns, f.Rows, in)
}

// fromColumns puts columns side by side, with the type that numpy gives them together; doubles become floats where the model wants those, and nothing
// else is converted.
func fromColumns(columns []*frame.Column, rows int, in *input) (*tensor, error) {
	kind := frame.Empty
	for _, c := range columns {
		k := c.Kind
		if k == frame.Empty {
			k = frame.Float // all missing: NaN
		}
		switch {
		case kind == frame.Empty, kind == k:
			kind = k
		case kind == frame.Float && k == frame.Int, kind == frame.Int && k == frame.Float:
			kind = frame.Float
		default:
			return nil, in.wrong("tensor(object)")
		}
	}
	shape := []int{rows, len(columns)}
	var out *tensor
	switch {
	case kind == frame.Float && in.dtype.float():
		out = newTensor(in.dtype, shape)
	case kind == frame.Int && in.dtype.integer():
		out = newTensor(in.dtype, shape)
	case kind == frame.Bool && in.dtype == flag:
		out = newTensor(flag, shape)
	case kind == frame.String && in.dtype == str:
		out = newTensor(str, shape)
	default:
		return nil, in.wrong("tensor(" + map[frame.Kind]string{frame.Float: "double", frame.Int: "int64", frame.Bool: "bool", frame.String: "string"}[kind] + ")")
	}
	for j, c := range columns {
		for i := range rows {
			at := i*len(columns) + j
			switch c.Kind {
			case frame.Float, frame.Empty:
				out.f[at] = c.Floats[i]
			case frame.Int:
				if out.f != nil {
					out.f[at] = float64(c.Ints[i])
				} else {
					out.i[at] = out.dtype.wrap(c.Ints[i])
				}
			case frame.Bool:
				if c.Bools[i] {
					out.i[at] = 1
				}
			default:
				if c.Null != nil && c.Null[i] {
					return nil, in.wrong("a missing text")
				}
				out.s[at] = c.Strings[i]
			}
		}
	}
	return out.round(), nil
}

func (in *input) wrong(actual string) error {
	return trees.InputErrorf("onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument",
		"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Unexpected input data type. Actual: (%s) , expected: (tensor(%v))", actual, in.dtype)
}

// check holds a feed against the declared shape.
func (in *input) check(t *tensor) error {
	if !in.ranks {
		return nil
	}
	if len(t.shape) != len(in.shape) {
		return trees.InputErrorf("onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument",
			"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Invalid rank for input: %s Got: %d Expected: %d Please fix either the inputs/outputs or the model.", in.name, len(t.shape), len(in.shape))
	}
	for i, s := range in.shape {
		if s > 0 && s != t.shape[i] {
			return trees.InputErrorf("onnxruntime.capi.onnxruntime_pybind11_state.InvalidArgument",
				"[ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Got invalid dimensions for input: %s for the following indices\n index: %d Got: %d Expected: %d\n Please fix either the inputs/outputs or the model.", in.name, i, t.shape[i], s)
		}
	}
	return nil
}
