package rest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The corpus: testdata/cases/*.txt, each with its golden answers of MLflow 3.17.2 beside it. The format:
//
//	# a comment
//	== name of a case
//	each filter                      what follows, indented, one value a line; the next step is made once for each.
//	  metrics.m > 1                  Several variables ("each key value") are parted by "|"; "\" begins a Go-quoted value.
//	  metrics.m < 'x'
//	POST mlflow/runs/search          a path without leading slash hangs under /api/2.0/
//	Content-Type: text/plain         headers, when they are to differ; an empty value removes one
//	{"filter": "${filter}"}          the body, up to an empty line
//	> run = runs.0.info.run_id       what to remember of the answer
//
// ${x} is a variable, escaped for the JSON string or the URL it stands in; ${raw x} is not escaped. ${uniq} differs with every run of a
// case, ${repeat x 300} is x 300 times, ${list 3 {"key":"k#"}} is that many objects, # their numbers. ${fresh} is a unique text that no answer shows.
type testCase struct {
	file, name string
	steps      []step
}

type step struct {
	method, path string
	headers      [][2]string
	body         string
	vars         []string // the names of each
	values       [][]string
	captures     [][2]string
}

func (c testCase) id() string { return c.file + "/" + c.name }

func readCorpus(t testing.TB) (cases []testCase) {
	t.Helper()
	files, err := filepath.Glob("testdata/cases/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		cases = append(cases, readCases(t, file)...)
	}
	return cases
}

var headerLine = regexp.MustCompile(`^([A-Z][A-Za-z-]*):(.*)$`)

func readCases(t testing.TB, file string) (cases []testCase) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	short := strings.TrimSuffix(filepath.Base(file), ".txt")
	seen := map[string]bool{}
	var s *step // being read
	var vars []string
	var values [][]string
	inBody := false
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		bad := func(why string) { t.Fatalf("%s:%d: %s: %q", file, n, why, line) }
		switch {
		case inBody && line != "" && !strings.HasPrefix(line, "> "):
			if s.body != "" {
				s.body += "\n"
			}
			if m := headerLine.FindStringSubmatch(line); m != nil && s.body == "" {
				s.headers = append(s.headers, [2]string{m[1], strings.TrimSpace(m[2])})
				continue
			}
			s.body += line
		case line == "":
			inBody = false
		case strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "== "):
			name := strings.TrimSpace(line[3:])
			if seen[name] {
				bad("a second case of that name")
			}
			seen[name], s, inBody, vars, values = true, nil, false, nil, nil
			cases = append(cases, testCase{file: short, name: name})
		case strings.HasPrefix(line, "each "):
			vars, values = strings.Fields(line[5:]), nil
		case strings.HasPrefix(line, "  ") && vars != nil:
			value := []string{line[2:]}
			if len(vars) > 1 {
				value = strings.Split(line, "|")
				for i := range value {
					value[i] = strings.TrimSpace(value[i])
				}
			}
			if len(value) != len(vars) {
				bad("wrong number of values")
			}
			for i := range value {
				if text, ok := strings.CutPrefix(value[i], `\`); ok {
					if value[i], err = strconv.Unquote(text); err != nil {
						bad("not Go-quoted")
					}
				}
			}
			values = append(values, value)
		case strings.HasPrefix(line, "> "):
			inBody = false
			name, path, ok := strings.Cut(line[2:], " = ")
			if s == nil || !ok {
				bad("not a capture")
			}
			s.captures = append(s.captures, [2]string{name, path})
		default:
			method, path, ok := strings.Cut(line, " ")
			if !ok || method != strings.ToUpper(method) || len(cases) == 0 {
				bad("neither a step nor anything else")
			}
			c := &cases[len(cases)-1]
			c.steps = append(c.steps, step{method: method, path: path, vars: vars, values: values})
			s, inBody, vars, values = &c.steps[len(c.steps)-1], true, nil, nil
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return cases
}

// variables are what ${…} means.
type variables map[string]string

// expand puts variables into a text; escape makes a value fit the place.
func (v variables) expand(text string, escape func(string) string) (string, error) {
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(text, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), nil
		}
		expr, after, err := braces(rest)
		if err != nil {
			return "", err
		}
		text = after
		value, raw, err := v.eval(expr)
		if err != nil {
			return "", err
		}
		if !raw {
			value = escape(value)
		}
		out.WriteString(value)
	}
}

// braces splits behind the closing brace of an expression.
func braces(text string) (expr, after string, err error) {
	depth := 1
	for i, c := range text {
		switch c {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return text[:i], text[i+1:], nil
			}
		}
	}
	return "", "", fmt.Errorf("${%s: no closing brace", text)
}

func (v variables) eval(expr string) (value string, raw bool, err error) {
	word, rest, _ := strings.Cut(expr, " ")
	switch word {
	case "raw":
		value, _, err = v.eval(rest)
		return value, true, err
	case "repeat":
		what, count, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		return strings.Repeat(what, n), false, err
	case "list":
		count, item, _ := strings.Cut(rest, " ")
		n, err := strconv.Atoi(count)
		items := make([]string, n)
		for i := range items {
			items[i] = strings.ReplaceAll(item, "#", strconv.Itoa(i))
		}
		return strings.Join(items, ","), true, err
	}
	value, ok := v[expr]
	if !ok {
		return "", false, fmt.Errorf("no variable %q", expr)
	}
	return value, false, nil
}

func escapeJSON(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")[1 : len(b.String())-2]
}

func unescaped(s string) string { return s }

// request is a step with its variables filled in.
type request struct {
	label, method, path, body string
	headers                   [][2]string
}

// requests gives the requests of a step: one, or one for each value.
func (s step) requests(v variables) ([]request, error) {
	values := s.values
	if values == nil {
		values = [][]string{nil}
	}
	out := make([]request, 0, len(values))
	for _, value := range values {
		r := request{label: s.method + " " + s.path, method: s.method}
		own := variables{}
		maps.Copy(own, v)
		for i, name := range s.vars {
			text, err := v.expand(value[i], unescaped)
			if err != nil {
				return nil, err
			}
			own[name] = text
		}
		if value != nil {
			r.label += " [" + escapeJSON(strings.Join(value, " | ")) + "]"
		}
		var err error
		for _, h := range s.headers {
			text, err := own.expand(h[1], unescaped)
			if err != nil {
				return nil, err
			}
			r.headers = append(r.headers, [2]string{h[0], text})
		}
		if r.path, err = own.expand(s.path, url.QueryEscape); err != nil {
			return nil, err
		}
		if !strings.HasPrefix(r.path, "/") {
			r.path = "/api/2.0/" + r.path
		}
		if r.body, err = own.expand(s.body, escapeJSON); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// at walks a decoded JSON value by a path such as runs.0.info.
func at(v any, path string) (any, bool) {
	for part := range strings.SplitSeq(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i >= len(x) {
				return nil, false
			}
			v = x[i]
		default:
			return nil, false
		}
	}
	return v, v != nil
}
