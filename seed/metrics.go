package seed

import (
	"math"
	"slices"
)

// regressionMetrics are the three that Prinz's wine runs log: rmse, mae and r2.
func regressionMetrics(actual, predicted []float64) map[string]float64 {
	center := mean(actual)
	var squares, absolute, total float64
	for i, a := range actual {
		d := a - predicted[i]
		squares += float64(d * d)
		absolute += math.Abs(d)
		total += float64((a - center) * (a - center))
	}
	n := float64(len(actual))
	return map[string]float64{
		"rmse": math.Sqrt(squares / n),
		"mae":  absolute / n,
		"r2":   1 - squares/total,
	}
}

// classificationMetrics are scikit-learn's usual figures for a two-class model: accuracy, precision, recall and f1 of
// class 1 at a probability of one half, roc_auc and log_loss. A ratio with nothing below the line is 0, and roc_auc is
// 0.5 when only one class is present.
func classificationMetrics(actual []bool, probability []float64) map[string]float64 {
	var tp, fp, fn, right, loss float64
	for i, is := range actual {
		says := probability[i] > 0.5
		switch {
		case says && is:
			tp++
		case says:
			fp++
		case is:
			fn++
		}
		if says == is {
			right++
		}
		// Clipped as scikit-learn clips it, so that a sure mistake is not infinite.
		const smallest = 0x1p-52
		p := math.Min(math.Max(probability[i], smallest), 1-smallest)
		if is {
			loss -= log(p)
		} else {
			loss -= log(1 - p)
		}
	}
	n := float64(len(actual))
	return map[string]float64{
		"accuracy":  right / n,
		"precision": ratio(tp, tp+fp),
		"recall":    ratio(tp, tp+fn),
		"f1_score":  ratio(2*tp, 2*tp+fp+fn),
		"roc_auc":   rocAUC(actual, probability),
		"log_loss":  loss / n,
	}
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// rocAUC is the chance that a random member of class 1 scores above a random other, ties counting half.
func rocAUC(actual []bool, score []float64) float64 {
	order := make([]int, len(score))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		switch {
		case score[a] < score[b]:
			return -1
		case score[a] > score[b]:
			return 1
		}
		return a - b
	})
	var positives, ranks float64
	for start := 0; start < len(order); {
		end := start
		for end < len(order) && score[order[end]] == score[order[start]] {
			end++
		}
		rank := float64(float64(start+1+end) / 2) // the mean rank of the ties
		for _, i := range order[start:end] {
			if actual[i] {
				positives++
				ranks += rank
			}
		}
		start = end
	}
	negatives := float64(len(actual)) - positives
	if positives == 0 || negatives == 0 {
		return 0.5
	}
	return (ranks - float64(positives*(positives+1)/2)) / (positives * negatives)
}
