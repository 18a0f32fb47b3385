package frame

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Rows that share no columns would take the square of the body's size; they are refused before that.
func TestSparseBodiesAreRefused(t *testing.T) {
	const n = 20_000
	var records, rows, lines strings.Builder
	for i := range n {
		fmt.Fprintf(&records, `,{"c%d":1}`, i)
		rows.WriteString(",[]")
		lines.WriteString("1\n")
	}
	wide := strings.Repeat(",1", n)[1:]
	for name, decode := range map[string]func() error{
		"records": func() error {
			_, err := DecodeJSON([]byte(`{"dataframe_records":[`+records.String()[1:]+`]}`), "")
			return err
		},
		"1.x records": func() error {
			_, err := DecodeJSON([]byte(`[`+records.String()[1:]+`]`), "pandas-records")
			return err
		},
		"split": func() error {
			_, err := DecodeJSON([]byte(`{"dataframe_split":{"data":[[`+wide+`]`+rows.String()+`]}}`), "")
			return err
		},
		"inputs": func() error {
			r, err := DecodeJSON([]byte(`{"inputs":[`+records.String()[1:]+`]}`), "")
			if err == nil {
				_, err = r.Table(nil)
			}
			return err
		},
		"csv": func() error {
			_, err := DecodeCSV([]byte("a"+strings.Repeat(",a", n)+"\n"+lines.String()), nil)
			return err
		},
	} {
		if err := decode(); err == nil || !strings.Contains(err.Error(), "send rows of the same columns") {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}

func TestManyColumnsAreNamedInTime(t *testing.T) {
	const n = 100_000
	var names strings.Builder
	for i := range n {
		fmt.Fprintf(&names, `,"c%d"`, i)
	}
	start := time.Now()
	r, err := DecodeJSON([]byte(`{"dataframe_split":{"columns":[`+names.String()[1:]+`],"data":[[`+strings.Repeat(",1", n)[1:]+`]]}}`), "")
	if err != nil || len(r.Frame.Columns) != n {
		t.Fatal(err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("%d columns took %v", n, took)
	}
}
