package xgboost

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/trees"
)

// objective is what an objective does with margins.
type objective struct {
	// start turns base_score into a margin; nil for the same.
	start func(float32) float32
	// link turns a margin into a prediction; nil for the same.
	link func(float32) float32
	// softmax makes probabilities of a row's margins, and choose the place of the greatest instead.
	softmax, choose bool
}

var objectives = map[string]objective{
	"reg:squarederror":     {},
	"reg:linear":           {}, // its name before 1.0
	"reg:squaredlogerror":  {},
	"reg:pseudohubererror": {},
	"reg:absoluteerror":    {},
	"reg:quantileerror":    {},
	"reg:logistic":         {start: logit, link: sigmoid},
	"binary:logistic":      {start: logit, link: sigmoid},
	"binary:logitraw":      {},
	"binary:hinge":         {link: positive},
	"count:poisson":        {start: log, link: exp},
	"reg:gamma":            {start: log, link: exp},
	"reg:tweedie":          {start: log, link: exp},
	"survival:cox":         {start: log, link: exp},
	"survival:aft":         {start: log, link: exp},
	"multi:softprob":       {softmax: true},
	"multi:softmax":        {softmax: true, choose: true},
	"rank:pairwise":        {},
	"rank:ndcg":            {},
	"rank:map":             {},
}

func newObjective(name string) (objective, error) {
	o, ok := objectives[name]
	if !ok {
		return o, trees.Unsupportedf("the objective %s is not supported", name)
	}
	return o, nil
}

// XGBoost computes links in float32; a float64 function rounded once is as near.

func exp(x float32) float32 { return float32(math.Exp(float64(x))) }

func log(x float32) float32 { return float32(math.Log(float64(x))) }

func logit(p float32) float32 { return -log(1/p - 1) }

func sigmoid(x float32) float32 {
	x = min(-x, 88.7) // as XGBoost keeps exp from overflowing
	return 1 / (exp(x) + 1)
}

func positive(x float32) float32 {
	if x > 0 {
		return 1
	}
	return 0
}

// softmax is XGBoost's: the greatest margin taken off, the sum in float64.
func softmax(row []float32) {
	top := row[0]
	for _, v := range row[1:] {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range row {
		row[i] = exp(v - top)
		sum += float64(row[i])
	}
	for i := range row {
		row[i] /= float32(sum)
	}
}

// greatest is the place of the greatest value, the first of equal ones.
func greatest(row []float32) int {
	best := 0
	for i, v := range row {
		if v > row[best] {
			best = i
		}
	}
	return best
}
