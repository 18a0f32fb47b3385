package sklearn

import (
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// maxSteps bounds how many estimators a model may hold.
const maxSteps = 100_000

// loader turns an object graph into transformers and predictors.
type loader struct{ steps []string }

func (l *loader) open(v pyobj.Value, depth int) (*estimator, error) {
	if depth > 40 || len(l.steps) > maxSteps {
		return nil, unsupported("the model holds more than %d estimators or nests them more than 40 deep", maxSteps)
	}
	e, err := newEstimator(v)
	if err != nil {
		return nil, err
	}
	l.steps = append(l.steps, e.name)
	return e, nil
}

// predictor loads a final estimator; a pipeline gives the transformer before it, else that is nil.
func (l *loader) predictor(v pyobj.Value, depth int) (transformer, predictor, error) {
	e, err := l.open(v, depth)
	if err != nil {
		return nil, nil, err
	}
	if e.name == "Pipeline" {
		return l.pipeline(e, depth, true)
	}
	load := predictorNamed(e.name)
	if load == nil {
		if transformerNamed(e.name) != nil {
			return nil, nil, unsupported("%s has no predict", e.name)
		}
		return nil, nil, unsupported("estimator %s is not supported", e.obj.Class)
	}
	p, err := load(l, e, depth)
	return nil, p, err
}

// predictorNamed and transformerNamed list what this engine reads, by class name; nil for the rest.
func predictorNamed(name string) func(*loader, *estimator, int) (predictor, error) {
	switch name {
	case "ARDRegression", "BayesianRidge", "ElasticNet", "ElasticNetCV", "HuberRegressor", "Lars", "Lasso", "LassoCV", "LassoLars",
		"LinearRegression", "LinearSVR", "Ridge", "RidgeCV", "SGDRegressor":
		return loadLinear
	case "LinearSVC", "LogisticRegression", "LogisticRegressionCV", "Perceptron", "SGDClassifier":
		return loadLinearClassifier
	case "DecisionTreeRegressor", "ExtraTreeRegressor", "RandomForestRegressor", "ExtraTreesRegressor", "GradientBoostingRegressor":
		return loadTreeRegressor
	case "DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier", "GradientBoostingClassifier":
		return loadTreeClassifier
	}
	return nil
}

func transformerNamed(name string) func(*loader, *estimator, int) (transformer, error) {
	switch name {
	case "MaxAbsScaler", "MinMaxScaler", "RobustScaler", "StandardScaler":
		return loadScaler
	case "SimpleImputer":
		return loadImputer
	case "OneHotEncoder":
		return loadOneHot
	case "OrdinalEncoder":
		return loadOrdinal
	case "ColumnTransformer":
		return loadColumnTransformer
	case "FeatureUnion":
		return loadUnion
	case "FunctionTransformer":
		return loadFunction
	}
	return nil
}

func (l *loader) transformer(v pyobj.Value, depth int) (transformer, error) {
	if s, ok := v.(string); ok && s == "passthrough" || v == nil {
		return chain(nil), nil
	}
	e, err := l.open(v, depth)
	if err != nil {
		return nil, err
	}
	if e.name == "Pipeline" {
		t, _, err := l.pipeline(e, depth, false)
		return t, err
	}
	load := transformerNamed(e.name)
	if load == nil {
		return nil, unsupported("estimator %s is not supported as a transformer", e.obj.Class)
	}
	return load(l, e, depth)
}

// chain runs transformers one after the other; an empty one passes its input through.
type chain []transformer

func (c chain) compile(b *builder, in []int) ([]int, error) {
	var err error
	for _, t := range c {
		if in, err = t.compile(b, in); err != nil {
			return nil, err
		}
	}
	return in, nil
}

func (l *loader) pipeline(e *estimator, depth int, predicts bool) (transformer, predictor, error) {
	e.only("transform_input")
	if e.err != nil {
		return nil, nil, e.err
	}
	v, _ := e.get("steps")
	steps, err := values(v)
	if err != nil || len(steps) == 0 {
		return nil, nil, unsupported("Pipeline: attribute steps is not understood")
	}
	var c chain
	for i, s := range steps {
		pair, err := values(s)
		if err != nil || len(pair) != 2 {
			return nil, nil, unsupported("Pipeline: step %d is not understood", i)
		}
		if predicts && i == len(steps)-1 {
			before, final, err := l.predictor(pair[1], depth+1)
			if err != nil {
				return nil, nil, err
			}
			if before != nil {
				c = append(c, before)
			}
			return c, final, nil
		}
		t, err := l.transformer(pair[1], depth+1)
		if err != nil {
			return nil, nil, err
		}
		c = append(c, t)
	}
	return c, nil, nil
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
	e.only("transformer_weights")
	if e.err != nil {
		return nil, e.err
	}
	v, _ := e.get("transformer_list")
	list, err := values(v)
	if err != nil {
		return nil, unsupported("FeatureUnion: attribute transformer_list is not understood")
	}
	var u union
	for i, item := range list {
		pair, err := values(item)
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
		u = append(u, t)
	}
	return u, nil
}

// loadFunction takes only the identity: a function is code, and code is not run.
func loadFunction(_ *loader, e *estimator, _ int) (transformer, error) {
	e.only("func")
	return chain(nil), e.err
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
}

func loadColumnTransformer(l *loader, e *estimator, depth int) (transformer, error) {
	e.only("transformer_weights")
	ct := &columnTransformer{names: e.strings("feature_names_in_")}
	ct.width = e.features(-1)
	if ct.width < 0 && e.has("_n_features") {
		ct.width = int(e.number("_n_features"))
	}
	if e.err != nil {
		return nil, e.err
	}
	v, _ := e.get("transformers_")
	list, err := values(v)
	if err != nil {
		return nil, unsupported("ColumnTransformer: attribute transformers_ is missing: it is not fitted")
	}
	for i, item := range list {
		triple, err := values(item)
		if err != nil || len(triple) != 3 {
			return nil, unsupported("ColumnTransformer: part %d is not understood", i)
		}
		if s, ok := triple[1].(string); ok && s == "drop" {
			continue
		}
		part, err := columnsOf(triple[2])
		if err != nil {
			return nil, err
		}
		if part.empty() {
			continue
		}
		if part.t, err = l.transformer(triple[1], depth+1); err != nil {
			return nil, err
		}
		ct.parts = append(ct.parts, *part)
	}
	return ct, nil
}

func (p *columnPart) empty() bool { return p.slice == nil && len(p.names) == 0 && len(p.at) == 0 }

// columnsOf reads a column selection: names, places, a mask or a slice of places.
func columnsOf(v pyobj.Value) (*columnPart, error) {
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
	switch v.(type) {
	case string, int64:
		return nil, unsupported("ColumnTransformer: a single column given as a scalar (for text vectorizers) is not supported")
	}
	items, err := values(v)
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
	byName := len(in) > 0
	place := map[string]int{}
	for k, i := range in {
		if i >= b.inputs || b.names[i] == "" {
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
		part, err := ct.parts[i].t.compile(b, selected[i])
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
