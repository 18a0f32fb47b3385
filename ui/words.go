package ui

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// listWords are what the filter of a list may be made of, for the script that completes it.
type listWords struct {
	Names []string `json:"names"`
	// Numbers are those of the names that are compared with numbers.
	Numbers []string `json:"numbers"`
	// Values are known values of names, without quotes.
	Values map[string][]string `json:"values"`
}

func newListWords(names, numbers []string) *listWords {
	return &listWords{Names: slices.Concat(names, numbers), Numbers: append([]string{}, numbers...), Values: map[string][]string{}}
}

// addWord adds a value that is not there yet. Long ones, those that one cannot quote, and too many are left out.
func addWord(values []string, value string) []string {
	if len(values) < wordValues && len(value) <= 80 && !strings.ContainsAny(value, "'\n") && !slices.Contains(values, value) {
		return append(values, value)
	}
	return values
}

// value adds what a name has on the page.
func (w *listWords) value(name, value string) {
	if value != "" {
		w.Values[name] = addWord(w.Values[name], value)
	}
}

// item adds the name and the tags of something on the page.
func (w *listWords) item(name string, tags []registry.KeyValue) {
	w.value("name", name)
	for _, t := range tags {
		w.tag(t.Key, t.Value)
	}
}

// tag adds a tag with its value.
func (w *listWords) tag(key, value string) {
	if strings.Contains(key, "`") {
		return
	}
	name := written("tags", key)
	if !slices.Contains(w.Names, name) {
		if len(w.Names) >= wordKeys {
			return
		}
		w.Names = append(w.Names, name)
	}
	w.value(name, value)
}

// keys adds the keys of a kind, in order, with their values.
func (w *listWords) keys(kind string, known map[string][]string) {
	for _, key := range slices.Sorted(maps.Keys(known)) {
		name := written(kind, key)
		w.Names = append(w.Names, name)
		if values := known[key]; len(values) > 0 {
			slices.Sort(values)
			w.Values[name] = values
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][\w.]*$`)

// written is a key of a kind as a filter names it.
func written(kind, key string) string {
	switch {
	case plainKey.MatchString(key):
		return kind + "." + key
	case strings.Contains(key, "`"):
		return kind + `."` + key + `"`
	}
	return kind + ".`" + key + "`"
}

// text is the words as JSON.
func (w *listWords) text() string {
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // strings only
	}
	return string(text)
}
