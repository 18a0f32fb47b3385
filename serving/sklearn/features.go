package sklearn

import (
	"fmt"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// features is what an estimator asks of its input: the columns of its fit, as finite numbers.
type features struct {
	name     string
	names    []string
	width    int
	allowNaN bool
	infinite bool // takes infinity as well
}

// readFeatures reads names and number of an estimator's columns; fallback counts when a release did not
// keep the number.
func readFeatures(e *estimator, fallback int, allowNaN bool) *features {
	f := &features{name: e.name, names: e.strings("feature_names_in_"), allowNaN: allowNaN}
	f.width = e.features(fallback)
	if f.width == -1 {
		e.missing("n_features_in_")
	}
	if e.err == nil && fallback >= 0 && f.width != fallback {
		e.fail("n_features_in_ is %d, the fitted attributes have %d columns", f.width, fallback)
	}
	return f
}

// of checks the input and returns the first of the registers that hold it side by side.
func (f *features) of(b *builder, in []int) (int, error) {
	if err := b.checkNames(f.names, in); err != nil {
		return 0, err
	}
	if f.infinite {
		return b.loose(in, f.width, f.name)
	}
	return b.matrix(in, f.width, f.name, f.allowNaN)
}

// numbersOf reads an array of numbers with its shape.
func (e *estimator) numbersOf(v pyobj.Value) ([]float64, []int, error) {
	a, ok := v.(*pyobj.Array)
	if !ok {
		items, err := e.values(v)
		if err != nil {
			return nil, nil, err
		}
		out := make([]float64, len(items))
		for i, item := range items {
			if out[i], ok = pyobj.Float(item); !ok {
				return nil, nil, fmt.Errorf("%s, want a number", pyobj.TypeName(item))
			}
		}
		return out, []int{len(out)}, nil
	}
	if !e.spend(a.Len()) {
		return nil, nil, e.err
	}
	f, err := a.Floats()
	return f, a.Shape, err
}

// any is of for an estimator that old releases let see any number of columns.
func (f *features) any(b *builder, in []int) (int, error) {
	if f.width >= 0 {
		return f.of(b, in)
	}
	if err := b.checkNames(f.names, in); err != nil {
		return 0, err
	}
	return b.matrix(in, len(in), f.name, f.allowNaN)
}
