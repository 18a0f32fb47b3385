package rest_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

var (
	mlflowURL = flag.String("mlflow", "", "compare a running MLflow 3.17.2 with the golden answers, to see drift (testdata/record.sh starts one)")
	record    = flag.Bool("record", false, "with -mlflow: write the golden answers anew")
	deviate   = flag.Bool("deviate", false, "print every answer that differs from MLflow's as a block for testdata/deviations.txt")
)

func newReader(s string) io.Reader { return strings.NewReader(s) }

// answer is one line of a golden file and the request it belongs to.
type answer struct{ label, text string }

// run plays a case against a server.
func (c testCase) run(t testing.TB, base string) (answers []answer) {
	t.Helper()
	uniq, fresh := "u"+newID()[:9], "f"+newID()[:9]
	vars := variables{"uniq": uniq, "fresh": fresh}
	norm := &normalizer{names: map[string]string{uniq: "uniq", fresh: "fresh"}, ids: map[string]string{}, now: time.Now().UnixMilli()}
	for _, s := range c.steps {
		requests, err := s.requests(vars)
		if err != nil {
			t.Fatalf("%s: %s %s: %v", c.id(), s.method, s.path, err)
		}
		for _, r := range requests {
			status, contentType, body := call(t, r, base)
			for _, capture := range s.captures {
				var v any
				if err := json.Unmarshal(body, &v); err != nil {
					t.Fatalf("%s: %s: nothing to capture in %s", c.id(), r.label, body)
				}
				got, ok := at(v, capture[1])
				if !ok {
					t.Fatalf("%s: %s: no %s in %s", c.id(), r.label, capture[1], body)
				}
				text := fmt.Sprint(got)
				vars[capture[0]] = text
				norm.names[strings.TrimPrefix(text, "m-")] = capture[0]
			}
			answers = append(answers, answer{r.label, fmt.Sprint(status, " ", norm.body(contentType, body))})
		}
	}
	// The same label twice is told apart by its number, so that a deviation names one answer.
	seen := map[string]int{}
	for i := range answers {
		if seen[answers[i].label]++; seen[answers[i].label] > 1 {
			answers[i].label += fmt.Sprintf(" #%d", seen[answers[i].label])
		}
	}
	return answers
}

// readBlocks reads a file of blocks, "== name", each with pairs of lines: "-- label" and a text of one or more lines.
func readBlocks(t testing.TB, file string) map[string][]answer {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]answer{}
	name := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			name = line[3:]
			out[name] = []answer{}
		case strings.HasPrefix(line, "-- "):
			out[name] = append(out[name], answer{label: line[3:]})
		default:
			list := out[name]
			if len(list) == 0 {
				t.Fatalf("%s: %q stands under no label", file, line)
			}
			if list[len(list)-1].text != "" {
				line = "\n" + line
			}
			list[len(list)-1].text += line
		}
	}
	return out
}

func goldenFile(area string) string { return filepath.Join("testdata", "cases", area+".golden") }

func writeGolden(t testing.TB, area string, cases []testCase, answers map[string][]answer) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "# Answers of MLflow 3.17.2 to %s.txt, recorded by testdata/record.sh.\n", area)
	for _, c := range cases {
		fmt.Fprintf(&b, "\n== %s\n", c.name)
		for _, a := range answers[c.name] {
			fmt.Fprintf(&b, "-- %s\n%s\n", a.label, a.text)
		}
	}
	if err := os.WriteFile(goldenFile(area), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestConformance plays the corpus against prinzbox and compares every answer with MLflow's. An answer may differ only where
// testdata/deviations.txt says so, with a reason and the answer given instead; an entry that is not needed is an error too.
// With -mlflow URL it plays against a running MLflow instead and fails on any difference from the golden answers.
func TestConformance(t *testing.T) {
	byArea := map[string][]testCase{}
	for _, c := range readCorpus(t) {
		byArea[c.file] = append(byArea[c.file], c)
	}
	base := *mlflowURL
	deviations := map[string][]answer{}
	if base == "" {
		b := newBackend(t, sqldb.DurabilityOff)
		b.seedExperimentIDs(t)
		base = b.start(t)
		deviations = readBlocks(t, "testdata/deviations.txt")
	}
	areas := make([]string, 0, len(byArea))
	for area := range byArea {
		areas = append(areas, area)
	}
	slices.Sort(areas)
	for _, area := range areas {
		t.Run(area, func(t *testing.T) {
			if *record && *mlflowURL != "" {
				answers := map[string][]answer{}
				for _, c := range byArea[area] {
					answers[c.name] = c.run(t, base)
				}
				writeGolden(t, area, byArea[area], answers)
				return
			}
			tally := &tally{}
			golden := readBlocks(t, goldenFile(area))
			for _, c := range byArea[area] {
				t.Run(c.name, func(t *testing.T) { compare(t, c, c.run(t, base), golden[c.name], deviations[c.id()], tally) })
				delete(deviations, c.id())
			}
			t.Logf("%s: %d cases, %d answers, %d equal, %d intended deviations", area, len(byArea[area]), tally.answers, tally.equal, tally.deviations)
		})
	}
	for id := range deviations {
		if !*deviate && len(flag.Args()) == 0 && t.Failed() == false {
			t.Errorf("testdata/deviations.txt: there is no case %q", id)
		}
	}
}

type tally struct{ answers, equal, deviations int }

func compare(t *testing.T, c testCase, got, want, deviations []answer, n *tally) {
	if len(got) != len(want) {
		t.Fatalf("%d answers, the golden file has %d: record it anew", len(got), len(want))
	}
	used := map[string]bool{}
	headed := false
	for i := range got {
		n.answers++
		if got[i].label != want[i].label {
			t.Fatalf("answer %d is to %q, in the golden file to %q: record it anew", i, got[i].label, want[i].label)
		}
		expected, reason := want[i].text, ""
		if strings.Contains(expected, "(sqlite3.<driver text>") {
			// MLflow hands out its driver's words: only status and code are worth comparing.
			got[i].text, expected = withoutMessage(got[i].text), withoutMessage(expected)
			want[i].text = expected
		}
		for _, d := range deviations {
			if d.label == got[i].label {
				used[d.label] = true
				reason, expected, _ = strings.Cut(d.text, "\n")
			}
		}
		switch {
		case got[i].text == want[i].text && reason != "":
			t.Errorf("%s\nis no deviation any more: take it out of testdata/deviations.txt", got[i].label)
		case got[i].text == expected && reason != "":
			n.deviations++
		case got[i].text == expected:
			n.equal++
		case *deviate:
			if !headed {
				_, _ = fmt.Fprintf(os.Stdout, "\n== %s\n", c.id())
				headed = true
			}
			_, _ = fmt.Fprintf(os.Stdout, "-- %s\nTODO %s\n%s\n", got[i].label, want[i].text, got[i].text)
		default:
			t.Errorf("%s\n got %s\nwant %s", got[i].label, clip(got[i].text), clip(expected))
		}
	}
	for _, d := range deviations {
		if !used[d.label] {
			t.Errorf("testdata/deviations.txt: there is no answer to %q", d.label)
		}
	}
}

var messageField = regexp.MustCompile(`"message":"(?:[^"\\]|\\.)*"`)

func withoutMessage(answer string) string {
	return messageField.ReplaceAllString(answer, `"message":"…"`)
}

func clip(s string) string {
	const limit = 4000
	if len(s) > limit {
		return s[:limit] + "…"
	}
	return s
}
