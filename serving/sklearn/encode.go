package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// categories is one column's categories as look-ups.
type categories struct {
	texts   map[string]int
	nums    map[float64]int
	missing int // place of NaN or None; -1 for none
	n       int
	// group gives a category's place after rare ones were put together, rare is the place of those;
	// nil when none are.
	group []int
	rare  int
}

// readCategories reads categories_.
func readCategories(e *estimator) []categories {
	e.only("n_values")
	e.only("categorical_features")
	v, ok := e.get("categories_")
	if !ok {
		e.missing("categories_")
		return nil
	}
	list, err := e.values(v)
	if err != nil {
		e.fail("attribute categories_: %v", err)
		return nil
	}
	out := make([]categories, len(list))
	for i, item := range list {
		items, err := e.values(item)
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

// readGroups reads how rare categories are put together.
func readGroups(e *estimator, cats []categories) {
	enabled := e.has("min_frequency") || e.has("max_categories") && e.integer("max_categories", 0) >= 1
	if v, ok := e.get("_infrequent_enabled"); ok && v != nil {
		enabled = e.flag("_infrequent_enabled", false)
	}
	if !enabled || e.err != nil {
		return
	}
	maps, indices := e.list("_default_to_infrequent_mappings"), e.list("_infrequent_indices")
	if e.err == nil && (len(maps) != len(cats) || len(indices) != len(cats)) {
		e.fail("attribute _default_to_infrequent_mappings is not understood")
	}
	if e.err != nil {
		return
	}
	for i := range cats {
		if maps[i] == nil {
			continue
		}
		f, _, err1 := e.numbersOf(maps[i])
		at, _, err2 := e.numbersOf(indices[i])
		group, ok1 := wholeNumbers(f, cats[i].n)
		rare, ok2 := wholeNumbers(at, len(group))
		if err1 != nil || err2 != nil || !ok1 || !ok2 || len(rare) == 0 || len(group) != cats[i].n && len(group) != cats[i].n-1 {
			e.fail("attribute _default_to_infrequent_mappings is not understood")
			return
		}
		cats[i].group, cats[i].rare = group, group[rare[0]]
	}
}

// width is the number of categories after grouping.
func (c *categories) width() int {
	if c.group == nil {
		return c.n
	}
	n := 0
	for _, g := range c.group {
		n = max(n, g+1)
	}
	return n
}

type oneHot struct {
	names  []string
	cats   []categories
	drop   []int // place left out per column, -1 for none
	ignore bool
	rare   bool // unknown categories count as rare ones, where there are such
}

func loadOneHot(_ *loader, e *estimator, _ int) (transformer, error) {
	m := &oneHot{names: e.strings("feature_names_in_"), cats: readCategories(e)}
	switch e.option("handle_unknown", "error", "ignore", "infrequent_if_exist", "warn") {
	case "ignore":
		m.ignore = true
	case "infrequent_if_exist", "warn":
		m.ignore, m.rare = true, true
	}
	readGroups(e, m.cats)
	for i := range m.cats {
		if c := &m.cats[i]; c.group != nil && len(c.group) != c.n {
			e.fail("attribute _default_to_infrequent_mappings is not understood")
		}
	}
	if e.err != nil {
		return nil, e.err
	}
	m.drop = make([]int, len(m.cats))
	for i := range m.drop {
		m.drop[i] = -1
	}
	attr := "_drop_idx_after_grouping"
	if _, ok := e.get(attr); !ok {
		attr = "drop_idx_"
	}
	if v, ok := e.get(attr); ok && v != nil {
		items, err := e.values(v)
		if err != nil || len(items) != len(m.cats) {
			e.fail("attribute drop_idx_ is not understood")
			return nil, e.err
		}
		for i, item := range items {
			if item == nil {
				continue
			}
			k, ok := pyobj.Int(item)
			if !ok || k < 0 || k >= m.cats[i].width() {
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
		n += m.cats[i].width()
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
		group := o.cats[i].group
		switch {
		case k < 0 && !o.ignore:
			return unknownCategory(r, reg, i)
		case k < 0 && (!o.rare || group == nil):
			continue
		case k < 0:
			k = o.cats[i].rare
		case group != nil && k < len(group):
			k = group[k]
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
	readGroups(e, m.cats)
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
		case o.cats[i].group != nil && k < len(o.cats[i].group):
			r.num[o.out+i] = float64(o.cats[i].group[k])
		default:
			r.num[o.out+i] = float64(k)
		}
	}
	return nil
}

// targetEncoder puts for a category what the target was like among its rows.
type targetEncoder struct {
	in        *features
	cats      []categories
	encodings [][]float64 // one list for each column, or for each column and class
	means     []float64
	classes   int // 1 unless the target had more than two classes
}

func loadTargetEncoder(_ *loader, e *estimator, _ int) (transformer, error) {
	m := &targetEncoder{cats: readCategories(e), classes: 1}
	m.in = readFeatures(e, len(m.cats), true)
	if e.option("target_type_", "continuous", "binary", "multiclass") == "multiclass" {
		m.classes = len(e.list("classes_"))
	}
	m.means, _ = e.array("target_mean_")
	for _, v := range e.list("encodings_") {
		f, _, err := e.numbersOf(v)
		if err != nil {
			e.fail("attribute encodings_: %v", err)
		}
		m.encodings = append(m.encodings, f)
	}
	if e.err != nil {
		return nil, e.err
	}
	if m.classes == 0 || len(m.means) != m.classes || len(m.encodings) != len(m.cats)*m.classes {
		e.fail("encodings_ has %d lists for %d columns", len(m.encodings), len(m.cats))
		return nil, e.err
	}
	for i, f := range m.encodings {
		if len(f) != m.cats[i/m.classes].n {
			e.fail("encodings_ has %d values for %d categories", len(f), m.cats[i/m.classes].n)
		}
	}
	return m, e.err
}

func (m *targetEncoder) compile(b *builder, in []int) ([]int, error) {
	if err := b.checkNames(m.in.names, in); err != nil {
		return nil, err
	}
	if len(in) != len(m.cats) {
		return nil, valueError("X has %d features, but TargetEncoder is expecting %d features as input.", len(in), len(m.cats))
	}
	out := b.add(len(m.encodings))
	b.do(func(r *registers) error {
		for i, reg := range in {
			k := m.cats[i].find(r, reg)
			for c := range m.classes {
				v := m.means[c]
				if k >= 0 {
					v = m.encodings[i*m.classes+c][k]
				}
				r.num[out[i*m.classes+c]] = v
			}
		}
		return nil
	})
	return out, nil
}
