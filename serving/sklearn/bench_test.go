package sklearn_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/serving/sklearn"
)

// BenchmarkPredict scores rows of 11 numbers by models of a usual size.
func BenchmarkPredict(b *testing.B) {
	set := readSet(b, "../testdata/estimators-1.9.1.zip")
	for _, name := range []string{"bench_elasticnet", "bench_forest", "bench_hist"} {
		model, err := sklearn.New(set.graph(b, name+".pkl"), "predict", nil)
		if err != nil {
			b.Fatal(err)
		}
		for _, rows := range []int{1, 1000} {
			lines := make([]string, rows)
			for i := range lines {
				cells := make([]string, 11)
				for k := range cells {
					cells[k] = fmt.Sprint(float64((i*31+k*17)%97) / 10)
				}
				lines[i] = "[" + strings.Join(cells, ",") + "]"
			}
			table := decode(b, []byte(`{"inputs":[`+strings.Join(lines, ",")+`]}`))
			b.Run(fmt.Sprintf("%s/%d", strings.TrimPrefix(name, "bench_"), rows), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := model.Predict(table); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkLoad reads a forest of 100 trees.
func BenchmarkLoad(b *testing.B) {
	set := readSet(b, "../testdata/estimators-1.9.1.zip")
	for _, name := range []string{"bench_forest", "bench_hist"} {
		b.Run(strings.TrimPrefix(name, "bench_"), func(b *testing.B) {
			for b.Loop() {
				if _, err := sklearn.New(set.graph(b, name+".pkl"), "predict", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
