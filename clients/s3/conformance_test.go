// Package s3_test holds the S3 store against what AWS documents: each case is named, grouped by feature, and counted in docs/s3.md.
package s3_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// conformanceCase is one case with a bucket of its own.
type conformanceCase struct {
	name string
	run  func(*scriptRun)
}

// conformance gives all cases by feature.
func conformance(t *testing.T) map[string][]conformanceCase {
	t.Helper()
	all := map[string][]conformanceCase{}
	for feature, cases := range scripts(t) {
		for _, c := range cases {
			all[feature] = append(all[feature], conformanceCase{c.name, func(r *scriptRun) {
				for _, step := range c.steps {
					r.step(step)
				}
			}})
		}
	}
	for _, c := range postCases() {
		all["post"] = append(all["post"], conformanceCase{c.name, func(r *scriptRun) { r.post(c) }})
	}
	all["pages"] = pageCases()
	return all
}

// TestConformance runs all cases against one environment.
func TestConformance(t *testing.T) {
	s := startServer(t)
	all := conformance(t)
	for _, feature := range slices.Sorted(maps.Keys(all)) {
		t.Run(feature, func(t *testing.T) {
			t.Parallel()
			for _, c := range all[feature] {
				t.Run(c.name, func(t *testing.T) {
					f := s.fixture(t)
					c.run(&scriptRun{f, t, f.variables()})
				})
			}
		})
	}
}

// TestDocumentation holds the table of docs/s3.md against the cases: each feature with its count, and no other.
func TestDocumentation(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "s3.md"))
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]int{}
	for _, row := range regexp.MustCompile(`(?m)^\| \x60([\w-]+)\x60 \| (\d+) \|`).FindAllStringSubmatch(string(page), -1) {
		documented[row[1]], _ = strconv.Atoi(row[2]) // digits
	}
	total := 0
	for feature, cases := range conformance(t) {
		if documented[feature] != len(cases) {
			t.Errorf("docs/s3.md says %d cases of %s; there are %d", documented[feature], feature, len(cases))
		}
		delete(documented, feature)
		total += len(cases)
		names := map[string]bool{}
		for _, c := range cases {
			if names[c.name] {
				t.Errorf("%s: two cases are called %s", feature, c.name)
			}
			names[c.name] = true
		}
	}
	for feature := range documented {
		t.Errorf("docs/s3.md has %s, which has no cases", feature)
	}
	if want := fmt.Sprintf("%d cases", total); !strings.Contains(string(page), want) {
		t.Errorf("docs/s3.md does not say %q", want)
	}
	t.Logf("%d cases", total)
}
