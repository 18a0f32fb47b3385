package filter

import "strings"

// Order is one order_by clause.
type Order struct {
	Kind Kind
	Key  string
	Desc bool
}

// ParseOrder reads order_by clauses such as "metrics.rmse DESC". Errors are *Error.
func (g *Grammar) ParseOrder(clauses []string) ([]Order, error) {
	if len(clauses) > maxOrders {
		return nil, errorf("`order_by` has %d clauses; it may have %d.", len(clauses), maxOrders)
	}
	out := make([]Order, 0, len(clauses))
	seen := map[Order]bool{}
	for _, clause := range clauses {
		toks := lex(clause)
		if len(toks) < 2 || strings.TrimSpace(clause) != clause || !toks[0].identifier() {
			return nil, errorf("Invalid order_by clause '%s'. Could not be parsed.", clause)
		}
		var o Order
		switch rest := toks[1 : len(toks)-1]; {
		case len(rest) == 0:
		case len(rest) == 1 && rest[0].word("asc"):
		case len(rest) == 1 && rest[0].word("desc"):
			o.Desc = true
		case len(rest) == 1 && rest[0].kind == tokName:
			return nil, errorf("Invalid ordering key in order_by clause '%s'.", clause)
		default:
			return nil, errorf("Invalid order_by clause '%s'. Could not be parsed.", clause)
		}
		id := toks[0].text
		if _, _, dotted := cutIdentifier(id); dotted && g.Dialect == Models {
			return nil, g.Dialect.badAttribute(g, id, id, true)
		}
		var err error
		if o.Kind, o.Key, err = g.identifier(id, true); err != nil {
			return nil, err
		}
		column := Order{Kind: o.Kind, Key: o.Key}
		if seen[column] {
			if g.Dialect == Experiments {
				continue // the first one has decided
			}
			return nil, errorf("`order_by` contains duplicate fields: ['%s']", strings.Join(clauses, "', '"))
		}
		seen[column] = true
		out = append(out, o)
	}
	return out, nil
}
