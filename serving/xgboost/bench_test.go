package xgboost_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/trees/treestest"
	"github.com/prinzbox/prinzbox/serving/xgboost"
)

const benchFeatures = 11

// grown is a model file of 100 full trees of depth 6.
func grown() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	const inner, nodes = 63, 127
	list := func(item func(i int) string) string {
		out := make([]string, nodes)
		for i := range out {
			out[i] = item(i)
		}
		return "[" + strings.Join(out, ",") + "]"
	}
	child := func(side int) func(int) string {
		return func(i int) string {
			if i >= inner {
				return "-1"
			}
			return fmt.Sprint(2*i + side)
		}
	}
	var all, info []string
	for range 100 {
		all = append(all, `{"default_left":`+list(func(int) string { return fmt.Sprint(r.IntN(2)) })+
			`,"left_children":`+list(child(1))+`,"right_children":`+list(child(2))+
			`,"split_indices":`+list(func(int) string { return fmt.Sprint(r.IntN(benchFeatures)) })+
			`,"split_conditions":`+list(func(int) string { return fmt.Sprint(r.Float32()) })+
			`,"tree_param":{"size_leaf_vector":"1"}}`)
		info = append(info, "0")
	}
	return []byte(`{"version":[3,2,0],"learner":{"learner_model_param":{"base_score":"[5E-1]","num_class":"0","num_feature":"11","num_target":"1"},` +
		`"objective":{"name":"binary:logistic"},"gradient_booster":{"name":"gbtree","model":{"trees":[` + strings.Join(all, ",") + `],"tree_info":[` + strings.Join(info, ",") + `]}}}}`)
}

// BenchmarkPredict scores one row and 1,000 rows with 100 trees of depth 6.
func BenchmarkPredict(b *testing.B) {
	model, err := xgboost.New(grown(), "xgboost.core.Booster")
	if err != nil {
		b.Fatal(err)
	}
	for _, rows := range []int{1, 1000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 4))
			table := treestest.Uniform(rows, benchFeatures, r.Float64)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := model.Predict(b.Context(), table); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkNew reads that model.
func BenchmarkNew(b *testing.B) {
	data := grown()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := xgboost.New(data, ""); err != nil {
			b.Fatal(err)
		}
	}
}
