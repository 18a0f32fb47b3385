package sklearn

import (
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// maxSteps bounds how many estimators a model may hold.
const maxSteps = 100_000

// loader turns an object graph into transformers and models.
type loader struct {
	steps []string
	// version is the release of scikit-learn that the outermost estimator names; parts without one are of it.
	version release
	// checks is above 0 inside an estimator whose parts may check their input by a function.
	checks int
	budget budget
	// foreign is as in New. sparse is what is known of the matrix that the estimator being read gets.
	foreign ForeignLoader
	sparse  sparsity
}

func (l *loader) open(v pyobj.Value, depth int) (*estimator, error) {
	if depth > 40 || len(l.steps) > maxSteps {
		return nil, unsupported("the model holds more than %d estimators or nests them more than 40 deep", maxSteps)
	}
	e, err := newEstimator(v)
	if err != nil {
		return nil, err
	}
	e.budget = &l.budget
	if e.version == 0 {
		e.version = l.version
	}
	if len(l.steps) == 0 {
		l.version = e.version
	}
	l.steps = append(l.steps, e.name)
	return e, nil
}

// top loads the outermost estimator, which may be a transformer when that is what is asked for.
func (l *loader) top(v pyobj.Value, fn method) (*model, error) {
	if o, ok := v.(*pyobj.Object); ok && modelNamed(o.Class.Name) == nil && transformerNamed(o.Class.Name) != nil {
		if fn != transform {
			return nil, unsupported("%s has no %s", o.Class.Name, fn)
		}
		t, err := l.transformer(v, 0)
		if err != nil {
			return nil, err
		}
		return &model{name: o.Class.Name, fns: map[method]compute{transform: t.compile}}, nil
	}
	return l.model(v, 0)
}

// model loads an estimator that predicts.
func (l *loader) model(v pyobj.Value, depth int) (*model, error) {
	if o, ok := v.(*pyobj.Object); ok && l.foreign != nil {
		if f, ok, err := l.foreign(o); err != nil {
			return nil, err
		} else if ok {
			return l.adopt(o.Class.Name, f)
		}
	}
	e, err := l.open(v, depth)
	if err != nil {
		return nil, err
	}
	load := modelNamed(e.name)
	if load == nil {
		if transformerNamed(e.name) != nil {
			return nil, unsupported("%s has no predict", e.name)
		}
		return nil, unsupported("estimator %s is not supported", e.obj.Class)
	}
	m, err := load(l, e, depth)
	if err == nil {
		err = e.err
	}
	return m, err
}

// models loads a list of estimators.
func (l *loader) models(e *estimator, attr string, depth int) ([]*model, error) {
	v, ok := e.get(attr)
	if !ok {
		e.missing(attr)
		return nil, e.err
	}
	list, err := e.values(v)
	if err != nil || len(list) == 0 {
		e.fail("attribute %s is not understood", attr)
		return nil, e.err
	}
	out := make([]*model, len(list))
	for i, item := range list {
		if out[i], err = l.model(item, depth+1); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// transformer loads an estimator that makes features of features.
func (l *loader) transformer(v pyobj.Value, depth int) (transformer, error) {
	if s, ok := v.(string); ok && s == "passthrough" || v == nil {
		return chain(nil), nil
	}
	if o, ok := v.(*pyobj.Object); ok && transformerNamed(o.Class.Name) == nil && modelNamed(o.Class.Name) != nil {
		m, err := l.model(v, depth)
		if err != nil {
			return nil, err
		}
		if !m.has(transform) {
			return nil, unsupported("%s has no transform", m.name)
		}
		return transformFunc(m.fns[transform]), nil
	}
	e, err := l.open(v, depth)
	if err != nil {
		return nil, err
	}
	load := transformerNamed(e.name)
	if load == nil {
		return nil, unsupported("estimator %s is not supported as a transformer", e.obj.Class)
	}
	t, err := load(l, e, depth)
	if err == nil {
		err = e.err
	}
	return t, err
}

// transformFunc is a transformer made of a function.
type transformFunc compute

func (f transformFunc) compile(b *builder, in []int) ([]int, error) { return f(b, in) }

// chain runs transformers one after the other; an empty one passes its input through.
type chain []transformer

func (c chain) compile(b *builder, in []int) ([]int, error) {
	vector := b.vector
	defer func() { b.vector = vector }()
	var err error
	for _, t := range c {
		if in, err = t.compile(b, in); err != nil {
			return nil, err
		}
		b.vector = false
	}
	return in, nil
}

// after gives a model that sees what a transformer makes of its input.
func (m *model) after(t chain) *model {
	if len(t) == 0 {
		return m
	}
	out := *m
	out.fns = map[method]compute{}
	for fn, f := range m.fns {
		out.fns[fn] = func(b *builder, in []int) ([]int, error) {
			vector := b.vector
			defer func() { b.vector = vector }()
			in, err := t.compile(b, in)
			if err != nil {
				return nil, err
			}
			b.vector = false
			return f(b, in)
		}
	}
	return &out
}

// loadPipeline reads a pipeline whose last step may be a model or a transformer.
func loadPipeline(l *loader, e *estimator, depth int) (*model, error) {
	e.only("transform_input")
	v, _ := e.get("steps")
	steps, err := e.values(v)
	if err != nil || len(steps) == 0 {
		return nil, unsupported("Pipeline: attribute steps is not understood")
	}
	var c chain
	sparse := l.sparse
	defer func() { l.sparse = sparse }()
	for i, s := range steps {
		pair, err := e.values(s)
		if err != nil || len(pair) != 2 {
			return nil, unsupported("Pipeline: step %d is not understood", i)
		}
		if i == len(steps)-1 && isModel(pair[1]) {
			final, err := l.model(pair[1], depth+1)
			if err != nil {
				return nil, err
			}
			return final.after(c), nil
		}
		t, err := l.transformer(pair[1], depth+1)
		if err != nil {
			return nil, err
		}
		c = append(c, t)
		l.sparse = l.sparse.after(pair[1], 0)
	}
	return &model{name: e.name, fns: map[method]compute{transform: c.compile}}, nil
}

func isModel(v pyobj.Value) bool {
	o, ok := v.(*pyobj.Object)
	return ok && (modelNamed(o.Class.Name) != nil || transformerNamed(o.Class.Name) == nil)
}

// union runs transformers on the same input and puts their outputs side by side.
type union []transformer

func (u union) compile(b *builder, in []int) ([]int, error) {
	var out []int
	for _, t := range u {
		part, err := t.compile(b, in)
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

func loadUnion(l *loader, e *estimator, depth int) (transformer, error) {
	weights := e.weights("transformer_weights")
	if e.err != nil {
		return nil, e.err
	}
	v, _ := e.get("transformer_list")
	list, err := e.values(v)
	if err != nil {
		return nil, unsupported("FeatureUnion: attribute transformer_list is not understood")
	}
	var u union
	for i, item := range list {
		pair, err := e.values(item)
		if err != nil || len(pair) != 2 {
			return nil, unsupported("FeatureUnion: part %d is not understood", i)
		}
		if s, ok := pair[1].(string); ok && s == "drop" {
			continue
		}
		t, err := l.transformer(pair[1], depth+1)
		if err != nil {
			return nil, err
		}
		u = append(u, weighted(t, weights, pair[0]))
	}
	return u, nil
}

// weights reads a dict of names and numbers; nil when it is None.
func (e *estimator) weights(attr string) map[string]float64 {
	if !e.has(attr) {
		return nil
	}
	v, _ := e.get(attr)
	d, ok := v.(*pyobj.Dict)
	if !ok {
		e.fail("option %s is %s, want a dict", attr, pyobj.TypeName(v))
		return nil
	}
	out := map[string]float64{}
	for _, entry := range d.Entries {
		name, ok1 := entry.Key.(string)
		w, ok2 := pyobj.Float(entry.Value)
		if !ok1 || !ok2 {
			e.fail("option %s holds %s", attr, pyobj.TypeName(entry.Value))
			return nil
		}
		out[name] = w
	}
	return out
}

// weighted multiplies what a part gives by its weight, when it has one.
func weighted(t transformer, weights map[string]float64, name pyobj.Value) transformer {
	s, _ := name.(string)
	w, ok := weights[s]
	if !ok {
		return t
	}
	return chain{t, transformFunc(func(b *builder, in []int) ([]int, error) {
		return b.each(b.numbers(in), func(v float64) float64 { return v * w }), nil
	})}
}

// columnTransformer gives each part its columns.
type columnTransformer struct {
	names []string // of the columns seen in fit; nil when fitted on an array
	width int
	parts []columnPart
}

type columnPart struct {
	t     transformer
	names []string // columns by name, or
	at    []int    // by place, negative from the end
	slice *[3]*int
	// vector tells that the part gets its one column as a one-dimensional array.
	vector bool
}

func loadColumnTransformer(l *loader, e *estimator, depth int) (transformer, error) {
	weights := e.weights("transformer_weights")
	ct := &columnTransformer{names: e.strings("feature_names_in_")}
	ct.width = e.features(-1)
	if ct.width < 0 && e.has("_n_features") {
		ct.width = int(e.number("_n_features"))
	}
	if e.err != nil {
		return nil, e.err
	}
	v, _ := e.get("transformers_")
	list, err := e.values(v)
	if err != nil {
		return nil, unsupported("ColumnTransformer: attribute transformers_ is missing: it is not fitted")
	}
	for i, item := range list {
		triple, err := e.values(item)
		if err != nil || len(triple) != 3 {
			return nil, unsupported("ColumnTransformer: part %d is not understood", i)
		}
		if s, ok := triple[1].(string); ok && s == "drop" {
			continue
		}
		part, err := columnsOf(e, triple[2])
		if err != nil {
			return nil, err
		}
		if part.empty() {
			continue
		}
		if part.t, err = l.transformer(triple[1], depth+1); err != nil {
			return nil, err
		}
		part.t = weighted(part.t, weights, triple[0])
		ct.parts = append(ct.parts, *part)
	}
	return ct, nil
}

func (p *columnPart) empty() bool { return p.slice == nil && len(p.names) == 0 && len(p.at) == 0 }

// columnsOf reads a column selection: names, places, a mask or a slice of places.
func columnsOf(e *estimator, v pyobj.Value) (*columnPart, error) {
	p := &columnPart{}
	if o, ok := v.(*pyobj.Object); ok {
		switch {
		case o.Class.Name == "slice" && len(o.Args) == 3:
			p.slice = &[3]*int{}
			for i, a := range o.Args {
				if a == nil {
					continue
				}
				n, ok := pyobj.Int(a)
				if !ok {
					return nil, unsupported("ColumnTransformer: a slice of column names is not supported")
				}
				p.slice[i] = &n
			}
			if p.slice[2] != nil && *p.slice[2] != 1 {
				return nil, unsupported("ColumnTransformer: a slice with a step is not supported")
			}
			return p, nil
		case strings.HasSuffix(o.Class.Name, "_RemainderColsList"):
			v, _ = o.Attr("data")
		}
	}
	switch c := pyobj.Scalar(v).(type) {
	case string:
		return &columnPart{names: []string{c}, vector: true}, nil
	case int64:
		return &columnPart{at: []int{int(c)}, vector: true}, nil
	}
	items, err := e.values(v)
	if err != nil {
		return nil, unsupported("ColumnTransformer: the column selection is %s", pyobj.TypeName(v))
	}
	bools := 0
	for i, item := range items {
		switch c := pyobj.Scalar(item).(type) {
		case string:
			p.names = append(p.names, c)
		case bool:
			bools++
			if c {
				p.at = append(p.at, i)
			}
		case int64:
			p.at = append(p.at, int(c))
		default:
			return nil, unsupported("ColumnTransformer: the column selection holds %s", pyobj.TypeName(item))
		}
	}
	if bools > 0 && bools < len(items) || len(p.names) > 0 && len(p.names) < len(items) {
		return nil, unsupported("ColumnTransformer: the column selection mixes kinds")
	}
	return p, nil
}

func (ct *columnTransformer) compile(b *builder, in []int) ([]int, error) {
	if b.vector {
		return nil, oneDimensional()
	}
	byName := len(in) > 0
	place := map[string]int{}
	for k, i := range in {
		if b.names[i] == "" {
			byName = false
			break
		}
		place[b.names[i]] = k
	}
	labels := byName && ct.names != nil
	if !labels && ct.width >= 0 && len(in) != ct.width {
		return nil, valueError("X has %d features, but ColumnTransformer is expecting %d features as input.", len(in), ct.width)
	}
	width := ct.width
	if width < 0 {
		width = len(in)
	}
	var missing []string
	var out []int
	selected := make([][]int, len(ct.parts))
	for i := range ct.parts {
		p := &ct.parts[i]
		names, at := p.names, p.at
		if p.slice != nil {
			at = p.resolve(width)
		}
		if names != nil && !byName {
			return nil, valueError("Specifying the columns using strings is only supported for dataframes.")
		}
		for _, k := range at {
			if k < 0 {
				k += width
			}
			if k < 0 || k >= width || labels && k >= len(ct.names) || !labels && k >= len(in) {
				return nil, valueError("ColumnTransformer selects column %d of %d", k, width)
			}
			if labels {
				names = append(slices.Clip(names), ct.names[k])
				continue
			}
			selected[i] = append(selected[i], in[k])
		}
		for _, n := range names {
			k, ok := place[n]
			if !ok {
				if !slices.Contains(missing, frame.PyRepr(n)) {
					missing = append(missing, frame.PyRepr(n))
				}
				continue
			}
			selected[i] = append(selected[i], in[k])
		}
	}
	if missing != nil {
		return nil, valueError("columns are missing: {%s}", strings.Join(missing, ", "))
	}
	for i := range ct.parts {
		b.vector = ct.parts[i].vector
		part, err := ct.parts[i].t.compile(b, selected[i])
		b.vector = false
		if err != nil {
			return nil, err
		}
		out = append(out, part...)
	}
	return out, nil
}

// resolve lists the places of a slice over n columns.
func (p *columnPart) resolve(n int) []int {
	bound := func(v *int, byDefault int) int {
		if v == nil {
			return byDefault
		}
		if *v < 0 {
			return max(0, *v+n)
		}
		return min(*v, n)
	}
	var at []int
	for k := bound(p.slice[0], 0); k < bound(p.slice[1], n); k++ {
		at = append(at, k)
	}
	return at
}
