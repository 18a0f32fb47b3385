package lightgbm

import "math"

// objective is what an objective does with raw scores.
type objective struct {
	// link turns a raw score into a prediction; nil for the same.
	link func(float64) float64
	// scaled objectives have a logistic link with the factor sigmoid.
	scaled  bool
	sigmoid float64
	// softmax makes probabilities of a row's scores.
	softmax bool
	// many tells that num_class may stand in the objective's text, roots that sqrt may.
	many, roots bool
}

var objectives = map[string]objective{
	"regression":           {roots: true},
	"regression_l1":        {roots: true},
	"huber":                {},
	"fair":                 {},
	"quantile":             {},
	"mape":                 {},
	"poisson":              {link: math.Exp},
	"gamma":                {link: math.Exp},
	"tweedie":              {link: math.Exp},
	"binary":               {scaled: true},
	"multiclass":           {softmax: true, many: true},
	"multiclassova":        {scaled: true, many: true},
	"cross_entropy":        {link: logistic},
	"cross_entropy_lambda": {link: func(x float64) float64 { return math.Log1p(math.Exp(x)) }},
	"lambdarank":           {},
	"rank_xendcg":          {},
	"custom":               {},
}

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// square undoes the square root of the target.
func square(x float64) float64 { return math.Copysign(x*x, x) }

// apply turns the raw scores of a row into predictions.
func (o *objective) apply(row []float64) {
	switch {
	case o.softmax:
		softmax(row)
	case o.scaled:
		for i, v := range row {
			row[i] = logistic(o.sigmoid * v)
		}
	case o.link != nil:
		for i, v := range row {
			row[i] = o.link(v)
		}
	}
}

func softmax(row []float64) {
	top := row[0]
	for _, v := range row[1:] {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range row {
		row[i] = math.Exp(v - top)
		sum += row[i]
	}
	for i := range row {
		row[i] /= sum
	}
}
