package onnx

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

var mlOperators = map[string]func(n *node) (kernel, error){
	"ml.ArrayFeatureExtractor": buildArrayFeatureExtractor,
	"ml.Binarizer":             buildBinarizer,
	"ml.CategoryMapper":        buildCategoryMapper,
	"ml.FeatureVectorizer":     buildFeatureVectorizer,
	"ml.Imputer":               buildImputer,
	"ml.LabelEncoder":          buildLabelEncoder,
	"ml.Normalizer":            buildNormalizer,
	"ml.OneHotEncoder":         buildOneHotEncoder,
	"ml.Scaler":                buildScaler,
	"ml.ZipMap":                buildZipMap,
}

// table gives the rows and columns of what ai.onnx.ml calls a feature array: [N, C], or [C] as one row.
func table(t *tensor) (rows, columns int, err error) {
	switch len(t.shape) {
	case 1:
		return 1, t.shape[0], nil
	case 2:
		return t.shape[0], t.shape[1], nil
	}
	return 0, 0, fmt.Errorf("an array of shape %v is no table", t.shape)
}

func buildArrayFeatureExtractor(n *node) (kernel, error) {
	return one(func(in []*tensor) (*tensor, error) {
		t, index := in[0], in[1]
		if len(t.shape) == 0 || index.i == nil {
			return nil, errTypes
		}
		columns := t.shape[len(t.shape)-1]
		rows := count(t.shape[:len(t.shape)-1])
		shape := append(append([]int{}, t.shape[:len(t.shape)-1]...), len(index.i))
		if len(t.shape) == 1 {
			shape = []int{1, len(index.i)}
		}
		out := newTensor(t.dtype, shape)
		for r := range rows {
			for k, v := range index.i {
				if v < 0 || v >= int64(columns) {
					return nil, fmt.Errorf("column %d of %d", v, columns)
				}
				out.put(r*len(index.i)+k, t, r*columns+int(v))
			}
		}
		return out, nil
	}), need(n, 2)
}

func buildBinarizer(n *node) (kernel, error) {
	threshold := n.float("threshold", 0)
	over := func(v float64) float64 {
		if v > threshold {
			return 1
		}
		return 0
	}
	return unary(over, func(v int64) int64 { return int64(over(float64(v))) })(n)
}

func buildCategoryMapper(n *node) (kernel, error) {
	texts, numbers := n.strings("cats_strings"), n.ints("cats_int64s")
	defText, defNumber := n.text("default_string", "_Unused"), n.int("default_int64", -1)
	if len(texts) != len(numbers) {
		return nil, errors.New("its two lists differ in length")
	}
	toNumber, toText := map[string]int64{}, map[int64]string{}
	for i, s := range texts {
		toNumber[s], toText[numbers[i]] = numbers[i], s
	}
	return one(func(in []*tensor) (*tensor, error) {
		switch t := in[0]; t.dtype {
		case str:
			out := newTensor(i64, t.shape)
			for i, s := range t.s {
				v, ok := toNumber[s]
				if !ok {
					v = defNumber
				}
				out.i[i] = v
			}
			return out, nil
		case i64:
			out := newTensor(str, t.shape)
			for i, v := range t.i {
				s, ok := toText[v]
				if !ok {
					s = defText
				}
				out.s[i] = s
			}
			return out, nil
		}
		return nil, errTypes
	}), need(n, 1)
}

func buildFeatureVectorizer(n *node) (kernel, error) {
	widths := n.ints("inputdimensions")
	return one(func(in []*tensor) (*tensor, error) {
		total, rows := 0, -1
		for i, t := range in {
			r, c, err := table(t)
			if err != nil || t.dtype == str {
				return nil, errors.Join(err, errTypes)
			}
			if len(widths) > i && widths[i] != int64(c) || rows >= 0 && r != rows {
				return nil, fmt.Errorf("input %d has shape %v", i, t.shape)
			}
			rows, total = r, total+c
		}
		out := newTensor(f32, []int{rows, total})
		offset := 0
		for _, t := range in {
			_, c, _ := table(t) // checked above
			values := t.floats()
			for r := range rows {
				copy(out.f[r*total+offset:], values[r*c:(r+1)*c])
			}
			offset += c
		}
		return out.round(), nil
	}), need(n, max(1, len(n.inputs)))
}

func buildImputer(n *node) (kernel, error) {
	floats, err := n.floats("imputed_value_floats")
	if err != nil {
		return nil, err
	}
	ints := n.ints("imputed_value_int64s")
	replaced, replacedInt := n.float("replaced_value_float", 0), n.int("replaced_value_int64", 0)
	return one(func(in []*tensor) (*tensor, error) {
		t := in[0]
		_, columns, err := table(t)
		if err != nil {
			return nil, err
		}
		out := newTensor(t.dtype, t.shape)
		switch {
		case t.dtype.float() && (len(floats) == columns || len(floats) == 1):
			for i, v := range t.f {
				if v == replaced || v != v && replaced != replaced {
					v = floats[i%columns%len(floats)]
				}
				out.f[i] = v
			}
		case t.dtype == i64 && (len(ints) == columns || len(ints) == 1):
			for i, v := range t.i {
				if v == replacedInt {
					v = ints[i%columns%len(ints)]
				}
				out.i[i] = v
			}
		default:
			return nil, errTypes
		}
		return out, nil
	}), need(n, 1)
}

// list is one of the forms in which an operator holds a list: texts, integers, numbers or a tensor.
func (n *node) list(prefix string) (*tensor, error) {
	if a := n.attr(prefix + "_tensor"); a != nil && a.t != nil {
		return a.t.tensor()
	}
	if s := n.strings(prefix + "_strings"); s != nil {
		return &tensor{dtype: str, shape: []int{len(s)}, s: s}, nil
	}
	if i := n.ints(prefix + "_int64s"); i != nil {
		return &tensor{dtype: i64, shape: []int{len(i)}, i: i}, nil
	}
	f, err := n.floats(prefix + "_floats")
	if f != nil {
		return &tensor{dtype: f32, shape: []int{len(f)}, f: f}, err
	}
	return nil, err
}

func buildLabelEncoder(n *node) (kernel, error) {
	if n.attrs["classes_strings"] != nil { // version 1: texts to their places and back
		classes := n.strings("classes_strings")
		texts := &tensor{dtype: str, shape: []int{len(classes)}, s: classes}
		numbers := newTensor(i64, texts.shape)
		for i := range numbers.i {
			numbers.i[i] = int64(i)
		}
		defNumber := &tensor{dtype: i64, shape: []int{1}, i: []int64{n.int("default_int64", -1)}}
		defText := &tensor{dtype: str, shape: []int{1}, s: []string{n.text("default_string", "_Unused")}}
		return one(func(in []*tensor) (*tensor, error) {
			if in[0].dtype == str {
				return encodeLabels(in[0], texts, numbers, defNumber, false)
			}
			return encodeLabels(in[0], numbers, texts, defText, false)
		}), need(n, 1)
	}
	keys, err := n.list("keys")
	if err != nil {
		return nil, err
	}
	values, err := n.list("values")
	if err != nil {
		return nil, err
	}
	if keys == nil || values == nil || keys.len() != values.len() {
		return nil, errors.New("its keys and values differ in number")
	}
	def := newTensor(values.dtype, []int{1})
	if a := n.attr("default_tensor"); a != nil && a.t != nil {
		if def, err = a.t.tensor(); err != nil || def.len() != 1 || def.dtype != values.dtype {
			return nil, errors.Join(err, errTypes)
		}
	} else {
		switch s, i, f := n.text("default_string", "_Unused"), n.int("default_int64", -1), n.float("default_float", math.Copysign(0, -1)); {
		case values.dtype == str:
			def.s[0] = s
		case values.dtype.float():
			def.f[0] = f
		default:
			def.i[0] = i
		}
	}
	nan := n.opset >= 4 // before, NaN was no key
	return one(func(in []*tensor) (*tensor, error) { return encodeLabels(in[0], keys, values, def, nan) }), need(n, 1)
}

func encodeLabels(t, keys, values, def *tensor, nanIsKey bool) (*tensor, error) {
	out := newTensor(values.dtype, t.shape)
	found := func(i, place int, ok bool) {
		if ok {
			out.put(i, values, place)
		} else {
			out.put(i, def, 0)
		}
	}
	switch {
	case t.dtype == str && keys.dtype == str:
		index := make(map[string]int, len(keys.s))
		for i, v := range slices.Backward(keys.s) {
			index[v] = i
		}
		for i, v := range t.s {
			place, ok := index[v]
			found(i, place, ok)
		}
	case t.dtype.float() && keys.dtype.float():
		index, nan := make(map[float64]int, len(keys.f)), -1
		for i, v := range slices.Backward(keys.f) {
			if math.IsNaN(v) {
				nan = i
			}
			index[v] = i
		}
		for i, v := range t.f {
			place, ok := index[v]
			if v != v && nan >= 0 && nanIsKey {
				place, ok = nan, true
			}
			found(i, place, ok)
		}
	case t.i != nil && keys.i != nil:
		index := make(map[int64]int, len(keys.i))
		for i, v := range slices.Backward(keys.i) {
			index[v] = i
		}
		for i, v := range t.i {
			place, ok := index[v]
			found(i, place, ok)
		}
	case t.len() > 0:
		return nil, errTypes
	}
	return out, nil
}

func buildNormalizer(n *node) (kernel, error) {
	norm := n.text("norm", "MAX")
	size := map[string]func(sum, v float64) float64{
		"MAX": math.Max,
		"L1":  func(sum, v float64) float64 { return sum + math.Abs(v) },
		"L2":  func(sum, v float64) float64 { return sum + v*v },
	}[norm]
	if size == nil {
		return nil, unsupported("the norm %s", norm)
	}
	return one(func(in []*tensor) (*tensor, error) {
		rows, columns, err := table(in[0])
		if err != nil || in[0].dtype == str {
			return nil, errors.Join(err, errTypes)
		}
		values := in[0].floats()
		out := newTensor(f32, in[0].shape)
		for r := range rows {
			row := values[r*columns : (r+1)*columns]
			sum := 0.0
			if norm == "MAX" {
				sum = math.Inf(-1)
			}
			for _, v := range row {
				sum = size(sum, v)
			}
			if norm == "L2" {
				sum = math.Sqrt(sum)
			}
			for i, v := range row {
				if sum != 0 {
					v /= sum
				}
				out.f[r*columns+i] = v
			}
		}
		return out.round(), nil
	}), need(n, 1)
}

func buildOneHotEncoder(n *node) (kernel, error) {
	texts, numbers, zeros := n.strings("cats_strings"), n.ints("cats_int64s"), n.int("zeros", 1) != 0
	size := max(len(texts), len(numbers))
	if size == 0 {
		return nil, errors.New("it has no categories")
	}
	byText, byNumber := map[string]int{}, map[int64]int{}
	for i, s := range texts {
		byText[s] = i
	}
	for i, v := range numbers {
		byNumber[v] = i
	}
	return one(func(in []*tensor) (*tensor, error) {
		t := in[0]
		if (t.dtype == str) != (len(texts) > 0) {
			return nil, errTypes
		}
		shape := append(append([]int{}, t.shape...), size)
		if err := checkShape(shape); err != nil {
			return nil, err
		}
		out := newTensor(f32, shape)
		for i := range t.len() {
			var place int
			var ok bool
			switch {
			case t.dtype == str:
				place, ok = byText[t.s[i]]
			case t.dtype.float():
				place, ok = byNumber[int64(t.f[i])]
			default:
				place, ok = byNumber[t.i[i]]
			}
			switch {
			case ok:
				out.f[i*size+place] = 1
			case !zeros:
				return nil, errors.New("an unknown category")
			}
		}
		return out, nil
	}), need(n, 1)
}

func buildScaler(n *node) (kernel, error) {
	offset, err := n.floats("offset")
	if err != nil {
		return nil, err
	}
	scale, err := n.floats("scale")
	if err != nil {
		return nil, err
	}
	return one(func(in []*tensor) (*tensor, error) {
		rows, columns, err := table(in[0])
		if err != nil || in[0].dtype == str {
			return nil, errors.Join(err, errTypes)
		}
		for _, list := range [][]float64{offset, scale} {
			if len(list) != 1 && len(list) != columns {
				return nil, fmt.Errorf("%d columns, but %d values", columns, len(list))
			}
		}
		values := in[0].floats()
		out := newTensor(f32, in[0].shape)
		for i := range rows * columns {
			c := i % columns
			out.f[i] = float64(float32(values[i]-offset[c%len(offset)])) * scale[c%len(scale)]
		}
		return out.round(), nil
	}), need(n, 1)
}

func buildZipMap(n *node) (kernel, error) {
	texts, numbers := n.strings("classlabels_strings"), n.ints("classlabels_int64s")
	keys := labelsOf(texts, numbers)
	if keys.len() == 0 {
		return nil, errors.New("it has no labels")
	}
	return one(func(in []*tensor) (*tensor, error) {
		rows, columns, err := table(in[0])
		if err != nil || !in[0].dtype.float() || columns != keys.len() {
			return nil, errors.Join(err, errTypes)
		}
		out := *in[0]
		out.shape, out.keys = []int{rows, columns}, keys
		return &out, nil
	}), need(n, 1)
}

// labelsOf is the labels of a classifier: texts or numbers.
func labelsOf(texts []string, numbers []int64) *tensor {
	if len(texts) > 0 {
		return &tensor{dtype: str, shape: []int{len(texts)}, s: texts}
	}
	return &tensor{dtype: i64, shape: []int{len(numbers)}, i: numbers}
}

// label prints a label as a key of JSON.
func (t *tensor) label(i int) string {
	if t.dtype == str {
		return t.s[i]
	}
	return strconv.FormatInt(t.i[i], 10)
}

// transform is a post_transform on the scores of one row.
func transform(name string) (func(scores []float64), error) {
	switch name {
	case "NONE", "":
		return func([]float64) {}, nil
	case "LOGISTIC":
		return func(s []float64) {
			for i, v := range s {
				s[i] = sigmoid(v)
			}
		}, nil
	case "SOFTMAX":
		return func(s []float64) { softmax(s, s, 0, 1, len(s), false) }, nil
	case "SOFTMAX_ZERO":
		return softmaxZero, nil
	case "PROBIT":
		return func(s []float64) {
			for i, v := range s {
				s[i] = math.Sqrt2 * math.Erfinv(2*v-1)
			}
		}, nil
	}
	return nil, unsupported("post_transform %s", name)
}

// softmaxZero leaves scores of zero out.
func softmaxZero(s []float64) {
	top, sum := math.Inf(-1), 0.0
	for _, v := range s {
		top = math.Max(top, v)
	}
	near := func(v float64) bool { return v <= 1e-7 && v >= -1e-7 }
	for _, v := range s {
		if !near(v) {
			sum += math.Exp(v - top)
		}
	}
	for i, v := range s {
		if near(v) {
			s[i] = v * math.Exp(-top)
			continue
		}
		s[i] = math.Exp(v-top) / sum
	}
}

// argmax is the first place of the greatest value.
func argmax[T cmp.Ordered](values []T) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}
