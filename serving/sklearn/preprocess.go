package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// scaler is the family that shifts and scales each column. The order of the steps is scikit-learn's, so
// that the last digit agrees: sub, div, then mul, add, then clip.
type scaler struct {
	name               string
	names              []string
	width              int
	sub, div, mul, add []float64
	clip               *[2]float64
}

func loadScaler(_ *loader, e *estimator, _ int) (transformer, error) {
	s := &scaler{name: e.name, names: e.strings("feature_names_in_")}
	first := "scale_"
	switch e.name {
	case "StandardScaler":
		if !e.has("scale_") {
			first = "mean_"
		}
	case "RobustScaler":
		if !e.has("scale_") {
			first = "center_"
		}
	}
	width := -1
	if e.has(first) {
		_, shape := e.array(first)
		if len(shape) == 1 {
			width = shape[0]
		}
	}
	s.width = e.features(width)
	if s.width < 0 {
		e.missing("n_features_in_")
	}
	if e.err != nil {
		return nil, e.err
	}
	switch e.name {
	case "StandardScaler":
		if e.flag("with_mean", true) {
			s.sub = e.vector("mean_", s.width)
		}
		if e.flag("with_std", true) {
			s.div = e.vector("scale_", s.width)
		}
	case "RobustScaler":
		if e.flag("with_centering", true) {
			s.sub = e.vector("center_", s.width)
		}
		if e.flag("with_scaling", true) {
			s.div = e.vector("scale_", s.width)
		}
	case "MaxAbsScaler":
		s.div = e.vector("scale_", s.width)
		if e.flag("clip", false) {
			s.clip = &[2]float64{-1, 1}
		}
	case "MinMaxScaler":
		s.mul = e.vector("scale_", s.width)
		s.add = e.vector("min_", s.width)
		if e.flag("clip", false) {
			v, _ := e.get("feature_range")
			bounds, err := values(v)
			if err == nil && len(bounds) == 2 {
				low, ok1 := pyobj.Float(bounds[0])
				high, ok2 := pyobj.Float(bounds[1])
				if ok1 && ok2 {
					s.clip = &[2]float64{low, high}
				}
			}
			if s.clip == nil {
				e.fail("option feature_range is not understood")
			}
		}
	}
	return s, e.err
}

func (s *scaler) compile(b *builder, in []int) ([]int, error) {
	if err := b.checkNames(s.names, in); err != nil {
		return nil, err
	}
	first, err := b.matrix(in, s.width, s.name, true)
	if err != nil {
		return nil, err
	}
	out := b.add(s.width)
	if s.width > 0 {
		b.ops = append(b.ops, &scale{s, first, out[0]})
	}
	return out, nil
}

type scale struct {
	*scaler
	in, out int
}

func (s *scale) run(r *registers) error {
	for i := range s.width {
		v := r.num[s.in+i]
		if s.sub != nil {
			v -= s.sub[i]
		}
		if s.div != nil {
			v /= s.div[i]
		}
		if s.mul != nil {
			// The conversion forbids a fused multiply-add, which would differ in the last digit.
			v = float64(v*s.mul[i]) + s.add[i]
		}
		if s.clip != nil {
			if v < s.clip[0] {
				v = s.clip[0]
			} else if v > s.clip[1] {
				v = s.clip[1]
			}
		}
		r.num[s.out+i] = v
	}
	return nil
}

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
}

func loadImputer(_ *loader, e *estimator, _ int) (transformer, error) {
	e.only("add_indicator", false)
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
	items, err := values(v)
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
	return o.to, nil
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

// categories is one column's categories as look-ups.
type categories struct {
	texts   map[string]int
	nums    map[float64]int
	missing int // place of NaN or None; -1 for none
	n       int
}

// readCategories reads categories_ and refuses grouping of rare ones.
func readCategories(e *estimator) []categories {
	e.only("min_frequency")
	e.only("max_categories")
	e.only("_infrequent_enabled", false)
	e.only("n_values")
	e.only("categorical_features")
	v, ok := e.get("categories_")
	if !ok {
		e.missing("categories_")
		return nil
	}
	list, err := values(v)
	if err != nil {
		e.fail("attribute categories_: %v", err)
		return nil
	}
	out := make([]categories, len(list))
	for i, item := range list {
		items, err := values(item)
		if err != nil {
			e.fail("attribute categories_: %v", err)
			return nil
		}
		c := categories{texts: map[string]int{}, nums: map[float64]int{}, missing: -1, n: len(items)}
		for k, v := range items {
			switch x := pyobj.Scalar(v).(type) {
			case string:
				c.texts[x] = k
			case nil:
				c.setMissing(e, k)
			default:
				f, ok := pyobj.Float(x)
				switch {
				case !ok:
					e.fail("attribute categories_ holds %s", pyobj.TypeName(v))
				case f != f:
					c.setMissing(e, k)
				default:
					c.nums[f] = k
				}
			}
		}
		out[i] = c
	}
	return out
}

func (c *categories) setMissing(e *estimator, k int) {
	if c.missing >= 0 {
		e.fail("categories with both None and NaN are not supported")
	}
	c.missing = k
}

// find gives the place of a register's value, -1 when it is unknown.
func (c *categories) find(r *registers, i int) int {
	if r.isText != nil && r.isText[i] {
		if k, ok := c.texts[r.text[i]]; ok {
			return k
		}
		return -1
	}
	v := r.num[i]
	if v != v {
		return c.missing
	}
	if k, ok := c.nums[v]; ok {
		return k
	}
	return -1
}

func unknownCategory(r *registers, i, column int) error {
	text := ""
	switch {
	case r.isText != nil && r.isText[i]:
		text = frame.PyRepr(r.text[i])
	default:
		text = frame.PyRepr(r.num[i])
	}
	return valueError("Found unknown categories [%s] in column %d during transform", text, column)
}

type oneHot struct {
	names  []string
	cats   []categories
	drop   []int // place left out per column, -1 for none
	ignore bool
}

func loadOneHot(_ *loader, e *estimator, _ int) (transformer, error) {
	m := &oneHot{names: e.strings("feature_names_in_"), cats: readCategories(e)}
	m.ignore = e.option("handle_unknown", "error", "ignore", "infrequent_if_exist", "warn") != "error"
	m.drop = make([]int, len(m.cats))
	for i := range m.drop {
		m.drop[i] = -1
	}
	if v, ok := e.get("drop_idx_"); ok && v != nil {
		items, err := values(v)
		if err != nil || len(items) != len(m.cats) {
			e.fail("attribute drop_idx_ is not understood")
			return nil, e.err
		}
		for i, item := range items {
			if item == nil {
				continue
			}
			k, ok := pyobj.Int(item)
			if !ok || k < 0 || k >= m.cats[i].n {
				e.fail("attribute drop_idx_ is not understood")
				return nil, e.err
			}
			m.drop[i] = k
		}
	} else if e.has("drop") {
		e.missing("drop_idx_")
	}
	return m, e.err
}

func (m *oneHot) compile(b *builder, in []int) ([]int, error) {
	if err := b.checkNames(m.names, in); err != nil {
		return nil, err
	}
	if len(in) != len(m.cats) {
		return nil, valueError("X has %d features, but OneHotEncoder is expecting %d features as input.", len(in), len(m.cats))
	}
	o := &encodeOneHot{oneHot: m, in: in}
	n := 0
	for i := range m.cats {
		o.start = append(o.start, n)
		n += m.cats[i].n
		if m.drop[i] >= 0 {
			n--
		}
	}
	if n > maxFeatures {
		return nil, valueError("OneHotEncoder makes %d columns", n)
	}
	out := b.add(n)
	if n > 0 {
		o.out, o.n = out[0], n
	}
	b.ops = append(b.ops, o)
	return out, nil
}

type encodeOneHot struct {
	*oneHot
	in, start []int
	out, n    int
}

func (o *encodeOneHot) run(r *registers) error {
	hot := r.num[o.out : o.out+o.n]
	clear(hot)
	for i, reg := range o.in {
		k := o.cats[i].find(r, reg)
		if k < 0 {
			if !o.ignore {
				return unknownCategory(r, reg, i)
			}
			continue
		}
		if drop := o.drop[i]; drop >= 0 {
			if k == drop {
				continue
			}
			if k > drop {
				k--
			}
		}
		hot[o.start[i]+k] = 1
	}
	return nil
}

type ordinal struct {
	names   []string
	cats    []categories
	unknown *float64
	missing float64
}

func loadOrdinal(_ *loader, e *estimator, _ int) (transformer, error) {
	m := &ordinal{names: e.strings("feature_names_in_"), cats: readCategories(e), missing: math.NaN()}
	if e.option("handle_unknown", "error", "use_encoded_value") == "use_encoded_value" {
		v := e.number("unknown_value")
		m.unknown = &v
	}
	if e.has("encoded_missing_value") {
		m.missing = e.number("encoded_missing_value")
	}
	return m, e.err
}

func (m *ordinal) compile(b *builder, in []int) ([]int, error) {
	if err := b.checkNames(m.names, in); err != nil {
		return nil, err
	}
	if len(in) != len(m.cats) {
		return nil, valueError("X has %d features, but OrdinalEncoder is expecting %d features as input.", len(in), len(m.cats))
	}
	out := b.add(len(in))
	if len(in) > 0 {
		b.ops = append(b.ops, &encodeOrdinal{m, in, out[0]})
	}
	return out, nil
}

type encodeOrdinal struct {
	*ordinal
	in  []int
	out int
}

func (o *encodeOrdinal) run(r *registers) error {
	for i, reg := range o.in {
		k := o.cats[i].find(r, reg)
		switch {
		case k < 0 && o.unknown == nil:
			return unknownCategory(r, reg, i)
		case k < 0:
			r.num[o.out+i] = *o.unknown
		case k == o.cats[i].missing:
			r.num[o.out+i] = o.missing
		default:
			r.num[o.out+i] = float64(k)
		}
	}
	return nil
}
