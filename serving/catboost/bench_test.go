package catboost_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/prinzbox/prinzbox/serving/catboost"
	"github.com/prinzbox/prinzbox/serving/trees/treestest"
)

// BenchmarkPredict scores one row and 1,000 rows with 60 trees of depth 6 over 4 columns.
func BenchmarkPredict(b *testing.B) {
	data := treestest.File(b, treestest.Archives(b, "catboost", 4), "catboost-1.2.10", "many_rows.cb")
	model, err := catboost.New(data, "CatBoostRegressor")
	if err != nil {
		b.Fatal(err)
	}
	for _, rows := range []int{1, 1000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 4))
			table := treestest.Uniform(rows, 4, r.Float64)
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
	data := treestest.File(b, treestest.Archives(b, "catboost", 4), "catboost-1.2.10", "many_rows.cb")
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := catboost.New(data, "CatBoostRegressor"); err != nil {
			b.Fatal(err)
		}
	}
}
