package ui

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
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

// value adds what a name has on the page. Long values, and those that one cannot quote, are left out.
func (w *listWords) value(name, value string) {
	values := w.Values[name]
	if value != "" && len(values) < wordValues && len(value) <= 80 && !strings.ContainsAny(value, "'\n") && !slices.Contains(values, value) {
		w.Values[name] = append(values, value)
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][\w.]*$`)

// tag adds a tag with its value.
func (w *listWords) tag(key, value string) {
	name := "tags." + key
	if !plainKey.MatchString(key) {
		if strings.Contains(key, "`") {
			return
		}
		name = "tags.`" + key + "`"
	}
	if !slices.Contains(w.Names, name) {
		if len(w.Names) >= wordKeys {
			return
		}
		w.Names = append(w.Names, name)
	}
	w.value(name, value)
}

// text is the words as JSON.
func (w *listWords) text() string {
	text, err := json.Marshal(w)
	if err != nil {
		panic(err) // strings only
	}
	return string(text)
}
