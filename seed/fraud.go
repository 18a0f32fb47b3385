package seed

import (
	"fmt"
	"math"
	"slices"
)

// FraudModel is the fitted pipeline of Prinz's fraud sample: the amount with its median in place of a missing one, then
// brought to mean 0 and deviation 1; age, gender and category one-hot, a value never seen giving no 1 at all; then a
// logistic regression.
type FraudModel struct {
	Median, Mean, Variance, Scale float64 // of the amount; Scale divides
	Samples                       int     // rows fitted on
	Ages, Genders, Categories     []string
	Coef                          []float64 // amount, ages, genders, categories, in this order
	Intercept                     float64
	Iterations                    int
}

// mostColumns bounds the regression: its time grows with the square of the columns.
const mostColumns = 300

// fitFraud fits the pipeline. A column of the table with hundreds of different values is refused, and so is a table
// with only frauds or none.
func fitFraud(payments []Payment) (*FraudModel, error) {
	m := &FraudModel{Samples: len(payments)}
	frauds := 0
	var amounts []float64
	seen := [3]map[string]int32{{}, {}, {}}
	for i := range payments {
		p := &payments[i]
		if p.Fraud {
			frauds++
		}
		if !math.IsNaN(p.Amount) {
			amounts = append(amounts, p.Amount)
		}
		seen[0][p.Age], seen[1][p.Gender], seen[2][p.Category] = 0, 0, 0
	}
	switch {
	case len(payments) == 0:
		return nil, fmt.Errorf("fraud model: no payments to train on")
	case frauds == 0 || frauds == len(payments):
		return nil, fmt.Errorf("fraud model: column fraud is the same in all %d payments; both 0 and 1 must occur", len(payments))
	case len(amounts) == 0:
		return nil, fmt.Errorf("fraud model: column amount is empty in all %d payments", len(payments))
	}
	for i, name := range [...]string{"age", "gender", "category"} {
		if n := len(seen[i]); n > mostColumns {
			return nil, fmt.Errorf("fraud model: column %s has %d different values, at most %d can be used", name, n, mostColumns)
		}
	}

	// Each group's values in order, as the encoder keeps them, and the column of each.
	next := int32(1)
	for i, values := range [...]*[]string{&m.Ages, &m.Genders, &m.Categories} {
		for v := range seen[i] {
			*values = append(*values, v)
		}
		slices.Sort(*values)
		for _, v := range *values {
			seen[i][v] = next
			next++
		}
	}

	m.Median = median(amounts)
	d := &design{
		width: int(next), perRow: 3,
		number:  make([]float64, len(payments)),
		hot:     make([]int32, 0, 3*len(payments)),
		classes: make([]bool, len(payments)),
	}
	for i := range payments {
		p := &payments[i]
		d.number[i] = p.Amount
		if math.IsNaN(p.Amount) {
			d.number[i] = m.Median
		}
		d.hot = append(d.hot, seen[0][p.Age], seen[1][p.Gender], seen[2][p.Category])
		d.classes[i] = p.Fraud
	}
	m.Mean = mean(d.number)
	for _, v := range d.number {
		m.Variance += float64((v - m.Mean) * (v - m.Mean))
	}
	m.Variance /= float64(len(d.number))
	if math.IsInf(m.Variance, 0) || math.IsNaN(m.Variance) {
		return nil, fmt.Errorf("fraud model: column amount holds numbers that are too large to scale (the largest is %g)", amounts[len(amounts)-1])
	}
	m.Scale = math.Sqrt(m.Variance)
	if m.Scale < 1e-12*math.Max(1, math.Abs(m.Mean)) {
		m.Scale = 1 // a constant column stays as it is
	}
	for i, v := range d.number {
		d.number[i] = (v - m.Mean) / m.Scale
	}

	var err error
	m.Coef, m.Intercept, m.Iterations, err = fitLogistic(d)
	if err != nil {
		return nil, fmt.Errorf("fraud model: %w", err)
	}
	return m, nil
}

// median sorts the values and returns the middle one, or the mean of the middle two.
func median(values []float64) float64 {
	slices.Sort(values)
	half := len(values) / 2
	if len(values)%2 == 1 {
		return values[half]
	}
	return (values[half-1] + values[half]) / 2
}

// Probability returns the model's chance that a payment is fraud. Amount may be NaN.
func (m *FraudModel) Probability(age, gender, category string, amount float64) float64 {
	if math.IsNaN(amount) {
		amount = m.Median
	}
	margin := m.Intercept + float64((amount-m.Mean)/m.Scale*m.Coef[0])
	offset := 1
	for _, group := range [...]struct {
		values []string
		value  string
	}{{m.Ages, age}, {m.Genders, gender}, {m.Categories, category}} {
		if i, ok := slices.BinarySearch(group.values, group.value); ok {
			margin += m.Coef[offset+i]
		}
		offset += len(group.values)
	}
	p, _ := sigmoid(margin)
	return p
}
