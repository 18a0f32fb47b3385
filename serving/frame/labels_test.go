package frame_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// Names of columns are cut out of the body in one piece where they are plain; whatever they hold, they are what encoding/json reads.
func TestColumnNames(t *testing.T) {
	for _, c := range []struct {
		columns string
		want    []string
		problem string
	}{
		{`["a", "b"]`, []string{"a", "b"}, ""},
		{`["a]", "[b"]`, []string{"a]", "[b"}, ""},
		{`["a]b", "fixed acidity"]`, []string{"a]b", "fixed acidity"}, ""},
		{`["a\u005d", "b\\"]`, []string{"a]", `b\`}, ""},
		{`["", " "]`, []string{"", " "}, ""},
		{`["ä", "€"]`, []string{"ä", "€"}, ""},
		{`[0, "a"]`, []string{"0", "a"}, ""},
		{`[["x", 1], null]`, []string{"['x', 1]", "None"}, ""},
		{`null`, []string{"0", "1"}, ""},
		{`["a", "a"]`, nil, "column 'a' appears twice"},
		{`["a"]`, nil, "1 columns passed, passed data had 2 columns"},
		{`[]`, nil, "0 columns passed, passed data had 2 columns"},
		{`"ab"`, nil, "columns is of type str, want a list"},
		{`{"a": 1}`, nil, "columns is of type dict, want a list"},
		{`["a", "b"`, nil, "Expecting ',' delimiter"},
		{`["a",]`, nil, "Expecting value"},
		{"[\"a\", \"b\n\"]", nil, "Invalid control character"},
	} {
		for _, body := range []string{
			`{"dataframe_split": {"columns": ` + c.columns + `, "data": [[1, 2.5], [3, 4]]}}`,
			`{"dataframe_split": {"data": [[1, 2.5], [3, 4]], "columns": ` + c.columns + `}}`,
			`{"columns": ` + c.columns + `, "data": [[1, 2.5], [3, 4]]}`,
		} {
			r, err := frame.DecodeJSON([]byte(body), "")
			if c.problem != "" {
				if err == nil || !strings.Contains(err.Error(), c.problem) {
					t.Errorf("%s: %v", body, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %v", body, err)
				continue
			}
			var got []string
			for i := range r.Frame.Columns {
				got = append(got, r.Frame.Columns[i].Name)
			}
			if !slices.Equal(got, c.want) || r.Frame.Columns[0].At(1) != int64(3) || r.Frame.Columns[1].At(1) != 4.0 {
				t.Errorf("%s: %q, %v", body, got, r.Frame.Columns)
			}
		}
	}
}

// Columns are told apart however many there are.
func TestManyColumnNames(t *testing.T) {
	names, cells := make([]string, 3000), make([]string, 3000)
	for i := range names {
		names[i], cells[i] = fmt.Sprintf(`"c%d"`, i), "1"
	}
	body := func() []byte {
		return []byte(`{"dataframe_split": {"columns": [` + strings.Join(names, ",") + `], "data": [[` + strings.Join(cells, ",") + `]]}}`)
	}
	if r, err := frame.DecodeJSON(body(), ""); err != nil || len(r.Frame.Columns) != 3000 {
		t.Error(err)
	}
	names[2999] = `"c7"`
	if _, err := frame.DecodeJSON(body(), ""); err == nil || !strings.Contains(err.Error(), "column 'c7' appears twice") {
		t.Error(err)
	}
}
