package registry

import (
	"encoding/json"
	"fmt"
	"strings"
)

// What the SQL of this package does with JSON stands here, since it is what SQLite and PostgreSQL write most differently. Lists travel as one
// JSON value, so that the text of a statement does not depend on their length. Keys are our own words, never a client's.

// elements is the table of a bound JSON array: value is an element, key its place.
const elements = "json_each(?)"

// inList holds for what is an element of a bound array; see [jsonInts] and [jsonTexts].
const inList = "IN (SELECT value FROM " + elements + ")"

// jsonInts is the array of whole numbers that a list is bound as.
func jsonInts(values []any) string {
	var text strings.Builder
	text.WriteString("[")
	for i, v := range values {
		if i > 0 {
			text.WriteString(",")
		}
		_, _ = fmt.Fprint(&text, v)
	}
	return text.String() + "]"
}

// jsonTexts is the array of texts that a list is bound as.
func jsonTexts(values []string) string {
	if values == nil {
		return "[]"
	}
	b, _ := json.Marshal(values) // texts always encode
	return string(b)
}

// member is a member of an object, as SQL's own value.
func member(object, key string) string { return object + " ->> '" + key + "'" }

// membersOf is the table of the members of an object inside another: key and value.
func membersOf(object, key string) string { return "json_each(" + object + ", '$." + key + "')" }

// numberIn is a member of a text that may be an object, where it is a number; else NULL.
func numberIn(text, key string) string {
	path := text + ", '$." + key + "'"
	return "CASE WHEN json_valid(" + text + ") AND json_type(" + path + ") IN ('integer', 'real') THEN json_extract(" + path + ") END"
}

// textInText is the text that a member of an object inside another holds as JSON in JSON; NULL where it holds anything else. The outer object
// may have NaN in it, which only JSON5 (flag 2) knows.
func textInText(object, outer, key string) string {
	inner := "json_extract(" + object + ", '$." + outer + `."` + key + `"')`
	return "CASE WHEN json_valid(" + object + ", 2) AND json_valid(" + inner + ") AND json_type(" + inner + ") = 'text' THEN json_extract(" + inner + ", '$') END"
}
