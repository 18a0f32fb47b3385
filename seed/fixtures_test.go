package seed

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var fixtures = flag.String("fixtures", "", "folder to write the payments, the model directories and Go's answers to, for the Python scripts in testdata")

// TestWriteFixtures writes what make_golden.py and check_models.py read. Without -fixtures it writes to a temporary
// folder, which still proves that the directories can be laid out as files.
func TestWriteFixtures(t *testing.T) {
	folder := *fixtures
	if folder == "" {
		folder = t.TempDir()
	}
	type expected struct {
		Name          string    `json:"name"`
		Columns       []string  `json:"columns"`
		Rows          [][]any   `json:"rows"`
		Answers       []float64 `json:"answers"`
		Probabilities []float64 `json:"probabilities,omitempty"`
	}
	var all []expected
	write := func(trained *Trained, e expected) {
		t.Helper()
		where := filepath.Join(folder, trained.Name)
		if err := os.MkdirAll(where, 0o755); err != nil {
			t.Fatal(err)
		}
		for name, data := range trained.Files {
			if err := os.WriteFile(filepath.Join(where, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		e.Name = trained.Name
		all = append(all, e)
	}

	for _, spec := range Wines() {
		trained, err := Wine(spec)
		if err != nil {
			t.Fatal(err)
		}
		table, model, _, err := trainWine(spec)
		if err != nil {
			t.Fatal(err)
		}
		e := expected{Columns: table.names}
		for i := range table.quality {
			row := table.row(i)
			values := make([]any, len(row))
			for j, v := range row {
				values[j] = v
			}
			e.Rows = append(e.Rows, values)
			e.Answers = append(e.Answers, model.Predict(row))
		}
		write(trained, e)
	}

	payments := MadePayments()
	trained, err := Fraud(payments, "synthetic payments")
	if err != nil {
		t.Fatal(err)
	}
	model, _, err := trainFraud(payments)
	if err != nil {
		t.Fatal(err)
	}
	e := expected{Columns: []string{"age", "gender", "category", "amount"}}
	add := func(age, gender, category string, amount float64) {
		p := model.Probability(age, gender, category, amount)
		e.Rows = append(e.Rows, []any{age, gender, category, amount})
		e.Probabilities = append(e.Probabilities, p)
		e.Answers = append(e.Answers, label(p))
	}
	for _, p := range payments[:2000] {
		add(p.Age, p.Gender, p.Category, p.Amount)
	}
	add("4", "F", "es_transportation", 800)
	add("9", "X", "es_unknown", 800) // values that training never saw
	add("9", "X", "es_unknown", 24.24)
	write(trained, e)

	out, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "expected.json"), out, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(folder, "payments.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteBankSim(f, payments); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

func label(p float64) float64 {
	if p > 0.5 {
		return 1
	}
	return 0
}
