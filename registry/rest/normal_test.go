package rest_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// normalizer rewrites an answer so that what differs from run to run does not: ids, times, random names, page tokens, the order of
// Python sets and of rows that have none.
type normalizer struct {
	// names maps captured values to the names they were captured under.
	names map[string]string
	ids   map[string]string
	now   int64
}

// firstExperiment is where the ids of experiments start, on both servers, so that they can be told from other numbers.
const firstExperiment = 7_770_000

var (
	hexID        = regexp.MustCompile(`[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	pythonTime   = regexp.MustCompile(`20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}`)
	textTime     = regexp.MustCompile(`\b\d{13}\b`) // in JSON that stands in a text
	experimentID = regexp.MustCompile(`\b777\d{4}\b`)
	randomName   = regexp.MustCompile(`^[a-z]+-[a-z]+-\d{1,4}$`)
	pySet        = regexp.MustCompile(`\{('[^'{}]*'(?:, '[^'{}]*')+)\}`)
	address      = regexp.MustCompile(`\b0x[0-9a-f]{8,}\b`) // of an object in Python's memory
	driverText   = regexp.MustCompile(`(?s)(already exists\. Error: |\(sqlite3\.).*`)
)

func (n *normalizer) id(kind, value string) string {
	if name, ok := n.names[value]; ok {
		return "<" + name + ">"
	}
	if strings.Contains(value, "0000000000") { // an id that the case itself gave
		return value
	}
	if n.ids[value] == "" {
		n.ids[value] = "<" + kind + " " + strconv.Itoa(len(n.ids)+1) + ">"
	}
	return n.ids[value]
}

// shorten writes a long run of one character as <v x 8001>.
func shorten(s string) string {
	const long = 60
	var out strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		count, end := 1, size
		for strings.HasPrefix(s[end:], s[:size]) {
			count, end = count+1, end+size
		}
		if count >= long {
			out.WriteString("<" + string(r) + " x " + strconv.Itoa(count) + ">")
		} else {
			out.WriteString(s[:end])
		}
		s = s[end:]
	}
	return out.String()
}

func (n *normalizer) text(s string) string {
	s = shorten(s)
	for value, name := range n.names {
		if name == "uniq" || name == "fresh" {
			s = strings.ReplaceAll(s, value, "<"+name+">")
		}
	}
	s = hexID.ReplaceAllStringFunc(s, func(id string) string { return n.id("id", id) })
	s = textTime.ReplaceAllStringFunc(s, func(t string) string {
		if _, ok := n.isNow(json.Number(t)); ok {
			return "<now>"
		}
		return t
	})
	s = pythonTime.ReplaceAllString(s, "<time>")
	s = experimentID.ReplaceAllStringFunc(s, func(id string) string { return n.id("experiment", id) })
	s = pySet.ReplaceAllStringFunc(s, func(set string) string {
		items := strings.Split(set[1:len(set)-1], ", ")
		slices.Sort(items)
		return "{" + strings.Join(items, ", ") + "}"
	})
	s = address.ReplaceAllString(s, "0x…")
	return driverText.ReplaceAllString(s, "$1<driver text>")
}

// created and changed are the fields whose relation matters, whatever the time is.
var (
	created = []string{"creation_time", "creation_timestamp", "creation_timestamp_ms", "created_time"}
	changed = []string{"last_update_time", "last_updated_timestamp", "last_updated_timestamp_ms", "last_update_time"}
)

func (n *normalizer) isNow(v any) (float64, bool) {
	t, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := t.Float64()
	day := float64(24 * time.Hour / time.Millisecond)
	return f, err == nil && f > float64(n.now)-day && f < float64(n.now)+day
}

func (n *normalizer) value(v any, key string, parent map[string]any) any {
	switch x := v.(type) {
	case map[string]any:
		n.times(x)
		out := make(map[string]any, len(x))
		for _, k := range slices.Sorted(maps.Keys(x)) { // sorted, so that ids are numbered alike
			item := x[k]
			if list, ok := item.([]any); ok && len(list) == 0 && key == "data" {
				continue // prinzbox always writes them: see TestRunDataArraysAreAlwaysThere
			}
			if k == "metrics" && key == "data" {
				out[k] = n.value(item, "metrics of a run", x)
				continue
			}
			out[k] = n.value(item, k, x)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, item := range x {
			out[i] = n.value(item, key, nil)
		}
		if unordered(key) {
			slices.SortFunc(out, func(a, b any) int { return strings.Compare(encode(a), encode(b)) })
		}
		return out
	case string:
		switch {
		case key == "digest" && parent["dataset_id"] != nil: // of an evaluation dataset: made of its time
			return "<digest>"
		case key == "next_page_token":
			return n.token(x)
		case (key == "run_name" || key == "name" || key == "value" && parent["key"] == "mlflow.runName") && randomName.MatchString(x):
			return "<random name>"
		}
		if at, err := time.Parse(time.RFC3339Nano, x); err == nil && at.Sub(time.UnixMilli(n.now)).Abs() < 24*time.Hour {
			return "<now>"
		}
		return n.text(x)
	case json.Number:
		if key == "experiment_id" { // of a scorer, where alone it is a number
			return n.id("experiment", x.String())
		}
		if _, ok := n.isNow(x); ok {
			return "<now>"
		}
		return x
	}
	return v
}

// times marks when something changed after it was made.
func (n *normalizer) times(x map[string]any) {
	for i := range created {
		a, okA := n.isNow(x[created[i]])
		b, okB := n.isNow(x[changed[i]])
		if okA && okB {
			x[changed[i]] = "<now>"
			if b > a {
				x[changed[i]] = "<later>"
			}
		}
	}
}

// unordered tells lists whose order MLflow leaves to its database. The points of a history have an order.
func unordered(key string) bool {
	return key == "metrics of a run" || key == "tags" || key == "request_metadata" || key == "params" || key == "aliases"
}

func (n *normalizer) token(text string) any {
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "<bad token " + text + ">"
	}
	var v map[string]any
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return "<bad token " + string(raw) + ">"
	}
	return map[string]any{"token": n.value(v, "", nil)}
}

// body is one line for an answer's body. Ids that were not captured are numbered within it.
func (n *normalizer) body(contentType string, body []byte) string {
	clear(n.ids)
	var v any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber()
	if err := d.Decode(&v); err != nil || !strings.HasPrefix(contentType, "application/json") {
		if strings.Contains(contentType, "html") && strings.Contains(string(body), "<") {
			return "<html>"
		}
		return strconv.Quote(n.text(string(body)))
	}
	return encode(n.value(v, "", nil))
}

func encode(v any) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err.Error()
	}
	return strings.TrimSuffix(b.String(), "\n")
}
