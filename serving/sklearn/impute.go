package sklearn

import (
	"math"
	"slices"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// fill is what an imputer puts for a missing value.
type fill struct {
	text    string
	num     float64
	isText  bool
	dropped bool
}

type imputer struct {
	names   []string
	missing float64
	fills   []fill
	texts   bool
	flags   []int // columns for which 1 says that the value was missing
}

func loadImputer(_ *loader, e *estimator, _ int) (transformer, error) {
	strategy := e.option("strategy", "mean", "median", "most_frequent", "constant")
	m := &imputer{names: e.strings("feature_names_in_"), missing: math.NaN()}
	if v, ok := e.get("missing_values"); ok {
		switch x := pyobj.Scalar(v).(type) {
		case float64:
			m.missing = x
		case int64:
			m.missing = float64(x)
		case string:
			if x != "NaN" {
				e.fail("option missing_values=%s is not supported", describe(v))
			}
		default:
			e.fail("option missing_values=%s is not supported", describe(v))
		}
	}
	keep := strategy == "constant" || e.flag("keep_empty_features", false)
	v, ok := e.get("statistics_")
	if !ok {
		e.missing("statistics_")
		return nil, e.err
	}
	items, err := e.values(v)
	if err != nil {
		e.fail("attribute statistics_: %v", err)
		return nil, e.err
	}
	for _, item := range items {
		f := fill{}
		switch x := pyobj.Scalar(item).(type) {
		case string:
			f.text, f.isText, m.texts = x, true, true
		default:
			n, ok := pyobj.Float(x)
			if !ok {
				e.fail("attribute statistics_ holds %s", pyobj.TypeName(item))
			}
			f.num = n
			f.dropped = n != n && !keep
		}
		m.fills = append(m.fills, f)
	}
	if n := e.features(len(m.fills)); n != len(m.fills) {
		e.fail("statistics_ has %d values, n_features_in_ is %d", len(m.fills), n)
	}
	if strategy == "mean" || strategy == "median" {
		if m.texts {
			e.fail("statistics_ of strategy %s holds text", strategy)
		}
	}
	if e.flag("add_indicator", false) {
		m.flags = readIndicator(e, len(m.fills))
	}
	return m, e.err
}

func (m *imputer) compile(b *builder, in []int) ([]int, error) {
	if err := b.checkNames(m.names, in); err != nil {
		return nil, err
	}
	if len(in) != len(m.fills) {
		return nil, valueError("X has %d features, but SimpleImputer is expecting %d features as input.", len(in), len(m.fills))
	}
	if !m.texts {
		in = b.numbers(in)
	}
	o := &impute{imputer: m}
	for k, i := range in {
		if m.fills[k].dropped {
			continue
		}
		reg := b.add(1)[0]
		b.texts[reg] = b.texts[i] || m.fills[k].isText
		o.from, o.to, o.fill = append(o.from, i), append(o.to, reg), append(o.fill, m.fills[k])
	}
	b.ops = append(b.ops, o)
	if m.flags == nil {
		return o.to, nil
	}
	return append(slices.Clip(o.to), isMissing(b, in, m.flags, m.missing)...), nil
}

// readIndicator reads which columns an imputer's indicator tells of.
func readIndicator(e *estimator, width int) []int {
	i := e.object("indicator_")
	if i == nil {
		return nil
	}
	flags := i.whole("features_", width)
	if e.err == nil {
		e.err = i.err
	}
	return flags
}

// isMissing gives 1 for every column whose value is missing, else 0.
func isMissing(b *builder, in, columns []int, missing float64) []int {
	out := b.add(len(columns))
	b.do(func(r *registers) error {
		for k, c := range columns {
			v := r.num[in[c]]
			isText := r.isText != nil && r.isText[in[c]]
			r.num[out[k]] = 0
			if !isText && (v == missing || v != v && missing != missing) {
				r.num[out[k]] = 1
			}
		}
		return nil
	})
	return out
}

// loadIndicator reads a MissingIndicator that stands alone.
func loadIndicator(_ *loader, e *estimator, _ int) (transformer, error) {
	in := readFeatures(e, -1, true)
	missing := math.NaN()
	if e.has("missing_values") {
		missing = e.number("missing_values")
	}
	columns := e.whole("features_", in.width)
	known := map[int]bool{}
	for _, c := range columns {
		known[c] = true
	}
	strict := e.flag("error_on_new", true) && e.option("features", "missing-only", "all") == "missing-only"
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		if err := b.checkNames(in.names, regs); err != nil {
			return nil, err
		}
		if len(regs) != in.width {
			return nil, valueError("X has %d features, but MissingIndicator is expecting %d features as input.", len(regs), in.width)
		}
		if strict {
			all := isMissing(b, regs, places(0, in.width), missing)
			b.do(func(r *registers) error {
				for c, reg := range all {
					if r.num[reg] == 1 && !known[c] {
						return valueError("The features [%d] have missing values in transform but have no missing values in fit.", c)
					}
				}
				return nil
			})
		}
		return isMissing(b, regs, columns, missing), nil
	}), e.err
}

type impute struct {
	*imputer
	from, to []int
	fill     []fill
}

func (o *impute) run(r *registers) error {
	nan := o.missing != o.missing
	for k, i := range o.from {
		to := o.to[k]
		if r.isText != nil && r.isText[i] {
			r.isText[to], r.text[to] = true, r.text[i]
			continue
		}
		v := r.num[i]
		if math.IsInf(v, 0) {
			return valueError("Input X contains infinity or a value too large for dtype('float64').")
		}
		if v != v && !nan {
			return valueError("Input X contains NaN.\nSimpleImputer does not accept missing values encoded as NaN natively.")
		}
		fill := v == o.missing || v != v
		if r.isText != nil {
			r.isText[to] = fill && o.fill[k].isText
		}
		switch {
		case !fill:
			r.num[to] = v
		case o.fill[k].isText:
			r.text[to] = o.fill[k].text
		default:
			r.num[to] = o.fill[k].num
		}
	}
	return nil
}
