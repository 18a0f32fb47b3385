package registry

import (
	"encoding/json"
	"math"
	"strconv"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// sum is a number of spans that is added up over a trace: what a span says of itself includes what its descendants say, so that only the
// topmost of a branch counts. A trace shows it as metadata, a JSON object in the order of keys.
type sum struct {
	metadata, attribute string
	keys                []string
	// always keys stand in a sum from spans even when no span had them.
	always int
	whole  bool // whole numbers, as tokens are
}

var tokenSum = sum{
	metadata: MetaTokenUsage, attribute: attrTokenUsage, always: 3, whole: true,
	keys: []string{"input_tokens", "output_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation_input_tokens_above_1hr"},
}

var costSum = sum{metadata: MetaCost, attribute: attrCost, always: 3, keys: []string{"input_cost", "output_cost", "total_cost"}}

var sums = []*sum{&tokenSum, &costSum}

// parse reads the known keys of a JSON object; values that are no such numbers, and texts that are no object, are left out.
func (s *sum) parse(text []byte) map[string]float64 {
	var raw map[string]json.RawMessage
	if json.Unmarshal(text, &raw) != nil {
		return nil
	}
	var out map[string]float64
	for _, key := range s.keys {
		v := raw[key]
		if len(v) >= 2 && v[0] == '"' {
			v = v[1 : len(v)-1]
		}
		f, err := strconv.ParseFloat(string(v), 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || s.whole && (f != math.Trunc(f) || math.Abs(f) >= 1<<63) {
			continue
		}
		if out == nil {
			out = make(map[string]float64, len(s.keys))
		}
		out[key] = f
	}
	return out
}

func (s *sum) format(totals map[string]float64) string {
	b := []byte{'{'}
	for _, key := range s.keys {
		v, ok := totals[key]
		if !ok {
			continue
		}
		if len(b) > 1 {
			b = append(b, ", "...)
		}
		b = append(pyjson.AppendString(b, key), ": "...)
		if s.whole {
			b = strconv.AppendInt(b, int64(v), 10)
		} else {
			b = pyjson.AppendFloat(b, v)
		}
	}
	return string(append(b, '}'))
}

// sumNode is one span of the tree.
type sumNode struct {
	id, parent string
	values     map[string]float64
	has        bool // it says something of itself, be it an empty object
}

// total adds up a tree; ok is false when no span says anything.
func (s *sum) total(nodes []sumNode) (totals map[string]float64, ok bool) {
	byID := make(map[string]int, len(nodes))
	for i, n := range nodes {
		byID[n.id] = i
	}
	// below[i]: 0 unknown, 1 nothing above says anything, 2 something above does. A loop of parents counts as a root.
	below := make([]byte, len(nodes))
	var covered func(i, depth int) bool
	covered = func(i, depth int) bool {
		if below[i] == 0 {
			below[i] = 1
			if p, found := byID[nodes[i].parent]; found && nodes[i].parent != "" && p != i && depth < 10000 && (nodes[p].has || covered(p, depth+1)) {
				below[i] = 2
			}
		}
		return below[i] == 2
	}
	totals = make(map[string]float64, len(s.keys))
	for _, key := range s.keys[:s.always] {
		totals[key] = 0
	}
	for i, n := range nodes {
		if !n.has || covered(i, 0) {
			continue
		}
		ok = true
		for key, v := range n.values {
			totals[key] += v
		}
	}
	return totals, ok
}
