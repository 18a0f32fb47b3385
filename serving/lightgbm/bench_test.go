package lightgbm_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/lightgbm"
	"github.com/prinzbox/prinzbox/serving/trees/treestest"
)

const benchFeatures = 11

// grown is a model text of 100 full trees of depth 6.
func grown() []byte {
	r := rand.New(rand.NewPCG(1, 2))
	const inner, leaves = 63, 64
	list := func(n int, item func(i int) string) string {
		out := make([]string, n)
		for i := range out {
			out[i] = item(i)
		}
		return strings.Join(out, " ")
	}
	child := func(side int) func(int) string {
		return func(i int) string {
			if c := 2*i + side; c < inner {
				return fmt.Sprint(c)
			}
			return fmt.Sprint(-(2*i + side - inner) - 1)
		}
	}
	var b strings.Builder
	b.WriteString("tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nmax_feature_idx=10\nobjective=binary sigmoid:1\nfeature_infos=none\n\n")
	for i := range 100 {
		fmt.Fprintf(&b, "Tree=%d\nnum_leaves=%d\nnum_cat=0\nsplit_feature=%s\nthreshold=%s\ndecision_type=%s\nleft_child=%s\nright_child=%s\nleaf_value=%s\n\n", i, leaves,
			list(inner, func(int) string { return fmt.Sprint(r.IntN(benchFeatures)) }),
			list(inner, func(int) string { return fmt.Sprint(r.Float64()) }),
			list(inner, func(int) string { return "2" }), list(inner, child(1)), list(inner, child(2)),
			list(leaves, func(int) string { return fmt.Sprint(r.NormFloat64()) }))
	}
	b.WriteString("end of trees\n\npandas_categorical:null\n")
	return []byte(b.String())
}

// BenchmarkPredict scores one row and 1,000 rows with 100 trees of depth 6.
func BenchmarkPredict(b *testing.B) {
	model, err := lightgbm.New(grown())
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
		if _, err := lightgbm.New(data); err != nil {
			b.Fatal(err)
		}
	}
}
