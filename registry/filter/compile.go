package filter

import "strings"

// Columns tells where the values of an entity are. Its texts are the program's own; nothing of a user's goes into them.
type Columns struct {
	// Attributes maps an attribute to an SQL expression.
	Attributes map[string]string
	// Rows maps a kind with free keys to the start of a sub-query whose row is x, with one ? for the key:
	// "SELECT 1 FROM params x WHERE x.rid = r.rid AND x.key = ?". The value is x.value, for metrics beside x.is_nan.
	Rows map[Kind]string
	// Datasets maps a dataset key to a sub-query that ends where the comparison of the column goes, and that column.
	Datasets map[string][2]string
}

// Compile turns comparisons into conditions joined by AND, "" for none, and the values to bind. The text depends on the shape of the
// filter only.
func (cols *Columns) Compile(cs []Comparison) (where string, args []any) {
	conds := make([]string, len(cs))
	for i, c := range cs {
		switch {
		case c.Kind == Attribute:
			conds[i] = compare(cols.Attributes[c.Key], c, &args)
		case c.Kind == Dataset:
			d := cols.Datasets[c.Key]
			conds[i] = "EXISTS (" + d[0] + compare(d[1], c, &args) + ")"
		case c.Op == "IS NULL":
			args = append(args, c.Key)
			conds[i] = "NOT EXISTS (" + cols.Rows[c.Kind] + ")"
		case c.Op == "IS NOT NULL":
			args = append(args, c.Key)
			conds[i] = "EXISTS (" + cols.Rows[c.Kind] + ")"
		case c.Kind == Metric:
			args = append(args, c.Key)
			nan := " AND x.is_nan = 0 AND "
			if c.Op == "!=" {
				nan = " AND (x.is_nan = 1 OR "
			}
			conds[i] = "EXISTS (" + cols.Rows[c.Kind] + nan + compare("x.value", c, &args)
			if c.Op == "!=" {
				conds[i] += ")"
			}
			conds[i] += ")"
		default:
			args = append(args, c.Key)
			conds[i] = "EXISTS (" + cols.Rows[c.Kind] + " AND " + compare("x.value", c, &args) + ")"
		}
	}
	return strings.Join(conds, " AND "), args
}

// Compare turns one comparison into a condition on an SQL expression, and adds the values to bind.
func Compare(column string, c Comparison, args *[]any) string { return compare(column, c, args) }

func compare(column string, c Comparison, args *[]any) string {
	switch v := c.Value.(type) {
	case []string:
		if len(v) == 0 {
			return map[bool]string{true: "1 = 0", false: "1 = 1"}[c.Op == "IN"]
		}
		for _, s := range v {
			*args = append(*args, s)
		}
		return column + " " + c.Op + " (?" + strings.Repeat(",?", len(v)-1) + ")"
	default:
		*args = append(*args, v)
	}
	switch c.Op {
	case "ILIKE":
		return "lower(" + column + ") LIKE lower(?)"
	case "RLIKE":
		return column + " REGEXP ?" // the function regexp of sqldb
	}
	return column + " " + c.Op + " ?"
}
