// Package s3_test holds the S3 store against what AWS documents: each case is named, grouped by feature, and listed by docs/s3.md.
package s3_test

import (
	"maps"
	"slices"
	"testing"
)

// TestConformance runs all cases against one environment, as raw signed requests and with the AWS SDK for Go.
func TestConformance(t *testing.T) {
	s := startServer(t)
	all := scripts(t)
	for _, feature := range slices.Sorted(maps.Keys(all)) {
		t.Run(feature, func(t *testing.T) {
			t.Parallel()
			for _, c := range all[feature] {
				t.Run(c.name, func(t *testing.T) {
					f := s.fixture(t)
					r := &scriptRun{f, t, f.variables()}
					for _, step := range c.steps {
						r.step(step)
					}
				})
			}
		})
	}
}
