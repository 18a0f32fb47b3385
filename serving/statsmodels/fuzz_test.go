package statsmodels_test

import (
	"archive/zip"
	"io/fs"
	"testing"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/statsmodels"
	"github.com/prinzbox/prinzbox/serving/trees/treestest"
)

// FuzzModel holds that a broken or hostile model file is refused or scores, and never panics. Run it with
// -fuzzminimizetime 5x: otherwise the fuzzer spends most of its time shrinking what it found.
func FuzzModel(f *testing.F) {
	var seeds [][]byte
	for _, release := range []string{"0.12.2", "0.15.0"} {
		archive, err := zip.OpenReader("../testdata/sm-" + release + ".zip")
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range []string{"ols_removed", "glm_gamma", "logit", "poisson"} {
			data, err := fs.ReadFile(archive, name+"/model.statsmodels")
			if err != nil {
				f.Fatal(err)
			}
			seeds = append(seeds, data)
		}
		if err := archive.Close(); err != nil {
			f.Fatal(err)
		}
	}
	treestest.Fuzz(f, seeds, func(data []byte) (engines []treestest.Engine) {
		graph, err := pyobj.ReadPickle(data, pyobj.Limits{})
		if err != nil {
			return nil
		}
		if m, err := statsmodels.New(graph); err == nil {
			engines = append(engines, m)
		}
		return engines
	})
}
