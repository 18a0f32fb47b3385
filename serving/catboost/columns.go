package catboost

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// used is a feature that the trees ask about.
type used struct {
	name        string
	column      int
	categorical bool
}

// used are the features in the order of from: unused categorical ones are there too, with no name to look
// for.
func (f *features) used() []used {
	var out []used
	for _, n := range f.numeric {
		out = append(out, used{n.name, n.column, false})
	}
	for _, c := range f.categorical {
		out = append(out, used{c.name, c.column, true})
	}
	return out
}

// fit finds the columns of the features in a table: by name when the table has all names of the features that
// the trees ask about, else by place, where the names must not differ.
func (m *Model) fit(f *frame.Frame) ([]int, error) {
	categories := m.columns()
	if n := len(categories); n > 0 && categories[n-1] >= len(f.Columns) {
		return nil, trees.InputErrorf("CatBoostError", "Invalid cat_features[%d] = %d value: index must be < %d.", n-1, categories[n-1], len(f.Columns))
	}
	if err := m.array(f); err != nil {
		return nil, err
	}
	places := map[string]int{}
	if !f.Array {
		for i := range f.Columns {
			name := f.Columns[i].Name
			if _, twice := places[name]; twice {
				return nil, trees.InputErrorf("CatBoostError", "All feature names should be different, but '%s' used more than once.", name)
			}
			places[name] = i
		}
	}
	wanted := m.used()
	from := make([]int, len(wanted))
	if m.named(wanted, places) {
		for i, u := range wanted {
			from[i] = u.column
			if u.categorical && !m.categorical[i-len(m.numeric)].used {
				continue
			}
			from[i] = places[u.name]
			if slices.Contains(categories, from[i]) != u.categorical {
				kind := "Float"
				if u.categorical {
					kind = "Categorical"
				}
				return nil, trees.InputErrorf("CatBoostError", "Feature %s is %s in model but marked different in the dataset", u.name, kind)
			}
		}
		return from, nil
	}
	for i, u := range wanted {
		from[i] = u.column
		name := u.name
		if name == "" {
			name = strconv.Itoa(u.column)
		}
		if u.column >= len(f.Columns) {
			return nil, trees.InputErrorf("CatBoostError", "Feature %s is present in model but not in pool.", name)
		}
		unused := u.categorical && !m.categorical[i-len(m.numeric)].used
		if found := f.Columns[u.column].Name; !f.Array && !unused && u.name != "" && found != "" && found != u.name {
			return nil, trees.InputErrorf("CatBoostError", "At position %d should be feature with name %s (found %s).", u.column, u.name, found)
		}
		if !u.categorical && slices.Contains(categories, u.column) {
			return nil, trees.InputErrorf("CatBoostError", "Feature %s is Float in model but marked different in the dataset", name)
		}
	}
	return from, nil
}

// named tells whether a table has the names of all features that the trees ask about, and these differ.
func (m *Model) named(wanted []used, places map[string]int) bool {
	seen := map[string]bool{}
	for i, u := range wanted {
		if u.categorical && !m.categorical[i-len(m.numeric)].used {
			continue
		}
		if _, ok := places[u.name]; !ok || seen[u.name] {
			return false
		}
		seen[u.name] = true
	}
	return true
}

// array refuses arrays whose numbers numpy would make text or floats of, which then are no categories.
func (m *Model) array(f *frame.Frame) error {
	if !f.Array || len(m.categorical) == 0 {
		return nil
	}
	texts, floats := 0, 0
	for i := range f.Columns {
		switch f.Columns[i].Kind {
		case frame.String:
			texts++
		case frame.Float, frame.Empty:
			floats++
		}
	}
	if texts > 0 && texts < len(f.Columns) {
		return trees.InputErrorf("CatBoostError", "An array of text and numbers is all text for CatBoost. Send a data frame, with the names of the columns.")
	}
	if floats > 0 {
		return trees.InputErrorf("CatBoostError", "'data' is numpy array of floating point numerical type, it means no categorical features,"+
			" but 'cat_features' parameter specifies nonzero number of categorical features")
	}
	return nil
}

// text is a category as CatBoost hashes it: numbers are written out, True is 1.
func text(v any, column, row int) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case bool:
		if v {
			return "1", nil
		}
		return "0", nil
	}
	return "", trees.InputErrorf("CatBoostError", "Invalid type for cat_feature[non-default value idx=%d,feature_idx=%d]=%s : cat_features must be integer or string, real number values"+
		" and NaN values should be converted to string.", row, column, frame.PyRepr(v))
}

// missing are the texts that CatBoost reads as a missing number.
var missing = []string{
	"", "nan", "NaN", "NAN", "NA", "Na", "na", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "N/A", "NULL",
	"n/a", "null", "Null", "None", "none", "-",
}

// number is a cell of a numeric feature, of single precision; ok is false for what CatBoost refuses.
func number(v any) (single float64, ok bool) {
	switch v := v.(type) {
	case nil:
		return math.NaN(), true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	case int64:
		return float64(float32(v)), true
	case float64:
		return float64(float32(v)), true
	case string:
		if slices.Contains(missing, v) {
			return math.NaN(), true
		}
		digits := strings.TrimLeft(v, " \t\n\r\v\f")
		if digits == "" { // blanks are 0 there
			return 0, true
		}
		if strings.Trim(digits, "0123456789+-.eE") != "" {
			return 0, false
		}
		// Out of range is infinite in both.
		number, err := strconv.ParseFloat(digits, 32)
		return number, err == nil || math.IsInf(number, 0)
	}
	return 0, false
}

func badNumber(v any, column, row int) error {
	return trees.InputErrorf("CatBoostError", "Bad value for num_feature[non_default_doc_idx=%d,feature_idx=%d]=%s: Cannot convert it to float", row, column, frame.PyRepr(v))
}
