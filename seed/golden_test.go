package seed

import (
	_ "embed"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"testing"
)

//go:embed testdata/golden.json
var goldenJSON []byte

// golden is what testdata/make_golden.py wrote.
type golden struct {
	Train, Test  []int
	Permutations map[string][]int
	Wines        []struct {
		Alpha     float64
		Coef      []float64
		Intercept float64
		// Iterations and DualGap show that the same path was taken, not only that it ended in the same place.
		Iterations int
		DualGap    float64 `json:"dual_gap"`
		Probe      float64 // in every column
		Answer     float64
		Metrics    map[string]float64
	}
	Fraud struct {
		Rows                int
		Median, Mean, Scale float64
		Values              [3][]string
		Coef                []float64
		Intercept           float64
		Metrics             map[string]float64
	}
}

func readGolden(t *testing.T) (g golden) {
	t.Helper()
	if err := json.Unmarshal(goldenJSON, &g); err != nil {
		t.Fatal(err)
	}
	return g
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s = %v, scikit-learn says %v", what, got, want)
	}
}

func nearAll(t *testing.T, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, scikit-learn has %d", what, len(got), len(want))
	}
	for i := range got {
		near(t, what+" "+strconv.Itoa(i), got[i], want[i], tolerance)
	}
}

func nearMetrics(t *testing.T, got, want map[string]float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("metrics %v, scikit-learn has %v", got, want)
	}
	for name, v := range want {
		near(t, name, got[name], v, 1e-9)
	}
}

func TestPermutationIsNumpys(t *testing.T) {
	for text, want := range readGolden(t).Permutations {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := newMersenneTwister(splitSeed).permutation(n); !slices.Equal(got, want) {
			t.Errorf("permutation of %d = %v, numpy says %v", n, got, want)
		}
	}
}

func TestSplitIsScikitLearns(t *testing.T) {
	g := readGolden(t)
	train, test := split(len(g.Train) + len(g.Test))
	if !slices.Equal(train, g.Train) || !slices.Equal(test, g.Test) {
		t.Error("train_test_split after numpy.random.seed(40) gives other rows")
	}
}

func TestWineIsScikitLearns(t *testing.T) {
	for i, want := range readGolden(t).Wines {
		spec := Wines()[i]
		if spec.Alpha != want.Alpha {
			t.Fatalf("model %d has alpha %v, the golden file %v", i+1, spec.Alpha, want.Alpha)
		}
		_, model, _, err := trainWine(spec)
		if err != nil {
			t.Fatal(err)
		}
		nearAll(t, "coefficient", model.Coef, want.Coef, 1e-12)
		near(t, "intercept", model.Intercept, want.Intercept, 1e-12)
		near(t, "dual gap", model.DualGap, want.DualGap, 1e-9)
		if model.Iterations != want.Iterations {
			t.Errorf("%d iterations, scikit-learn took %d", model.Iterations, want.Iterations)
		}
		trained, err := Wine(spec)
		if err != nil {
			t.Fatal(err)
		}
		nearMetrics(t, trained.Metrics, want.Metrics)
	}
}

// Prinz's own test suite expects these two answers, recorded with scikit-learn 0.23.2: equal to the last digit.
func TestWineGivesPrinzAnswers(t *testing.T) {
	for i, c := range []struct{ everyColumn, want float64 }{{.415, 4.6280747990022935}, {.235, 5.811718184937946}} {
		_, model, _, err := trainWine(Wines()[i])
		if err != nil {
			t.Fatal(err)
		}
		row := slices.Repeat([]float64{c.everyColumn}, 11)
		if got := model.Predict(row); got != c.want {
			t.Errorf("model %d says %v, Prinz recorded %v", i+1, got, c.want)
		}
		if want := readGolden(t).Wines[i].Answer; want != c.want {
			t.Errorf("the golden file says %v, Prinz recorded %v", want, c.want)
		}
	}
}

func TestFraudIsScikitLearns(t *testing.T) {
	want := readGolden(t).Fraud
	payments := MadePayments()
	if len(payments) != want.Rows {
		t.Fatalf("%d payments, the golden file was made of %d: make it again", len(payments), want.Rows)
	}
	model, _, err := trainFraud(payments)
	if err != nil {
		t.Fatal(err)
	}
	near(t, "median", model.Median, want.Median, 0)
	near(t, "mean", model.Mean, want.Mean, 1e-11)
	near(t, "scale", model.Scale, want.Scale, 1e-11)
	for i, got := range [][]string{model.Ages, model.Genders, model.Categories} {
		if !slices.Equal(got, want.Values[i]) {
			t.Errorf("one-hot values %q, scikit-learn has %q", got, want.Values[i])
		}
	}
	nearAll(t, "coefficient", model.Coef, want.Coef, 1e-9)
	near(t, "intercept", model.Intercept, want.Intercept, 1e-9)
	trained, err := Fraud(payments, "synthetic payments")
	if err != nil {
		t.Fatal(err)
	}
	nearMetrics(t, trained.Metrics, want.Metrics)
}

// The three questions that Prinz's samples ask, in all four recorded spellings, must be answered without doubt.
func TestFraudGivesPrinzAnswers(t *testing.T) {
	model, _, err := trainFraud(MadePayments())
	if err != nil {
		t.Fatal(err)
	}
	for _, category := range []string{"es_transportation", "es_food", "es_health", "es_hyper"} {
		if p := model.Probability("4", "F", category, 800); p < 0.99 {
			t.Errorf("800.00 for %s by F: fraud with probability %v", category, p)
		}
		if p := model.Probability("4", "F", category, 42.42); p > 0.1 {
			t.Errorf("42.42 for %s by F: fraud with probability %v", category, p)
		}
		if p := model.Probability("4", "M", category, 24.24); p > 0.1 {
			t.Errorf("24.24 for %s by M: fraud with probability %v", category, p)
		}
	}
}
