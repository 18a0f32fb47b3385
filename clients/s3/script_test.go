package s3_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The scripts in testdata hold one feature each. "## name" begins a case, which has a fresh bucket. Then requests and what must come back:
//
//	PUT ~/key?query as WHO     ~ is the bucket, ~2 a second one; WHO is told in client_test.go
//	Header: value              of the request; "Header: !" takes one away that would be sent
//	|text                      the body, line by line; |"go\x00string"; |*5MiB a repeats
//	200                        the status, and for errors the code: 404 NoSuchKey
//	Header: value              of the answer; "!" none, "~regexp", "$name" keeps it as {name}
//	=text                      the whole body, line by line; =*5MiB a
//	~regexp                    the body has this; !regexp it has not
//	xml a/b = x, y             the texts of all elements at this path below the root
//	xml a/b $name              keeps the first of them
//
// {name} is replaced everywhere; {b} is the bucket, {host} the server's address. A line "# …" is a comment.

// scriptStep is one request with what is expected.
type scriptStep struct {
	line    int
	target  string // METHOD path as WHO
	headers [][2]string
	body    []byte
	status  string
	expect  []string
}

type scriptCase struct {
	name  string
	steps []scriptStep
}

var (
	requestLine = regexp.MustCompile(`^[A-Z]+ (~|/)`)
	statusLine  = regexp.MustCompile(`^[1-5]\d\d( \w+)?$`)
	headerLine  = regexp.MustCompile(`^[A-Za-z][\w-]*:( .*)?$`)
	placeholder = regexp.MustCompile(`\{[a-z]\w*\}`)
)

// readScript reads a file of cases.
func readScript(file string) ([]scriptCase, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return parseScript(file, string(text))
}

func parseScript(file, text string) ([]scriptCase, error) {
	var cases []scriptCase
	var step *scriptStep
	bodyLines := 0
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		bad := func(why string) error { return fmt.Errorf("%s:%d: %s: %s", file, i+1, why, line) }
		switch {
		case strings.HasPrefix(line, "## "):
			cases = append(cases, scriptCase{name: line[3:]})
			step = nil
		case line == "" || strings.HasPrefix(line, "# "):
		case len(cases) == 0:
			return nil, bad("outside a case")
		case requestLine.MatchString(line) && (step == nil || step.status != ""):
			c := &cases[len(cases)-1]
			c.steps = append(c.steps, scriptStep{line: i + 1, target: line})
			step, bodyLines = &c.steps[len(c.steps)-1], 0
		case step == nil:
			return nil, bad("no request before")
		case step.status == "" && strings.HasPrefix(line, "|"):
			piece, err := literal(line[1:])
			if err != nil {
				return nil, bad(err.Error())
			}
			if bodyLines++; bodyLines > 1 {
				step.body = append(step.body, '\n')
			}
			step.body = append(step.body, piece...)
		case step.status == "" && statusLine.MatchString(line):
			step.status = line
		case step.status == "" && headerLine.MatchString(line):
			name, value, _ := strings.Cut(line, ":")
			step.headers = append(step.headers, [2]string{name, strings.TrimPrefix(value, " ")})
		case step.status != "":
			step.expect = append(step.expect, line)
		default:
			return nil, bad("not understood")
		}
	}
	for _, c := range cases {
		for _, s := range c.steps {
			if s.status == "" {
				return nil, fmt.Errorf("%s:%d: no status expected of %s", file, s.line, s.target)
			}
		}
	}
	return cases, nil
}

// literal reads the text of a body: as it is, "quoted" as in Go, or *SIZE text repeated to the size.
func literal(s string) ([]byte, error) {
	switch {
	case strings.HasPrefix(s, `"`):
		text, err := strconv.Unquote(s)
		return []byte(text), err
	case strings.HasPrefix(s, "*"):
		size, unit, _ := strings.Cut(s[1:], " ")
		factor := 1
		if digits, ok := strings.CutSuffix(size, "MiB"); ok {
			size, factor = digits, 1<<20
		} else if digits, ok := strings.CutSuffix(size, "KiB"); ok {
			size, factor = digits, 1<<10
		}
		n, err := strconv.Atoi(size)
		if err != nil || unit == "" {
			return nil, fmt.Errorf("want *SIZE TEXT")
		}
		n *= factor
		return bytes.Repeat([]byte(unit), n/len(unit)+1)[:n], nil
	}
	return []byte(s), nil
}

// scriptRun is a case on its way.
type scriptRun struct {
	*fixture
	t    *testing.T
	vars map[string]string
}

func (r *scriptRun) fill(s string) string {
	return placeholder.ReplaceAllStringFunc(s, func(name string) string {
		value, ok := r.vars[name[1:len(name)-1]]
		if !ok {
			return name
		}
		return value
	})
}

// script runs the steps of a text.
func (r *scriptRun) script(text string) {
	r.t.Helper()
	cases, err := parseScript("here", "## here\n"+text)
	if err != nil {
		r.t.Fatal(err)
	}
	for _, s := range cases[0].steps {
		r.step(s)
	}
}

func (r *scriptRun) step(s scriptStep) {
	t := r.t
	t.Helper()
	target, who, _ := strings.Cut(r.fill(s.target), " as ")
	method, path, _ := strings.Cut(target, " ")
	if strings.HasPrefix(path, "~2") {
		path = "/" + r.bucket + "2" + path[2:]
	} else if strings.HasPrefix(path, "~") {
		path = "/" + r.bucket + path[1:]
	}
	q := request{method: method, target: path, who: who, header: http.Header{}, body: s.body}
	if bytes.Contains(s.body, []byte("{")) && len(s.body) < 1<<20 {
		q.body = []byte(r.fill(string(s.body)))
	}
	for _, h := range s.headers {
		q.header[http.CanonicalHeaderKey(h[0])] = append(q.header[http.CanonicalHeaderKey(h[0])], r.fill(h[1]))
	}
	resp, body := r.send(t, q)
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("line %d: %s: %s\ngot %d %v\n%.700s", s.line, s.target, fmt.Sprintf(format, args...), resp.StatusCode, resp.Header, body)
	}
	status, code, _ := strings.Cut(s.status, " ")
	got := strconv.Itoa(resp.StatusCode)
	if got != status {
		fail("want %s", s.status)
		t.FailNow()
	}
	if code != "" {
		if all := elements(body, "Code"); len(all) != 1 || all[0] != code {
			fail("want code %s", code)
			t.FailNow()
		}
	}
	whole, lines := []byte{}, 0
	for _, line := range s.expect {
		switch {
		case strings.HasPrefix(line, "="):
			piece, err := literal(line[1:])
			if err != nil {
				t.Fatalf("line %d: %s: %v", s.line, line, err)
			}
			if lines++; lines > 1 {
				whole = append(whole, '\n')
			}
			whole = append(whole, r.fill(string(piece))...)
		case strings.HasPrefix(line, "~"), strings.HasPrefix(line, "!"):
			pattern, err := regexp.Compile("(?s)" + r.fill(line[1:]))
			if err != nil {
				t.Fatalf("line %d: %v", s.line, err)
			}
			if pattern.Match(body) != (line[0] == '~') {
				fail("%s", line)
			}
		case strings.HasPrefix(line, "xml "):
			r.checkXML(line[4:], body, fail)
		case headerLine.MatchString(line):
			r.checkHeader(line, resp.Header, fail)
		default:
			t.Fatalf("line %d: not understood: %s", s.line, line)
		}
	}
	if lines > 0 && !bytes.Equal(whole, body) {
		fail("want the body %.200q (%d bytes, got %d)", whole, len(whole), len(body))
	}
}

func (r *scriptRun) checkHeader(line string, got http.Header, fail func(string, ...any)) {
	r.t.Helper()
	name, want, _ := strings.Cut(line, ":")
	want = r.fill(strings.TrimPrefix(want, " "))
	values := got.Values(name)
	value := strings.Join(values, ", ")
	switch {
	case want == "!":
		if len(values) > 0 {
			fail("want no header %s", name)
		}
	case strings.HasPrefix(want, "$"):
		if value == "" {
			fail("want a header %s", name)
		}
		r.vars[want[1:]] = value
	case strings.HasPrefix(want, "~"):
		if !regexp.MustCompile(want[1:]).MatchString(value) {
			fail("want %s", line)
		}
	case value != want:
		fail("want %s", line)
	}
}

func (r *scriptRun) checkXML(line string, body []byte, fail func(string, ...any)) {
	r.t.Helper()
	if path, name, ok := strings.Cut(line, " $"); ok {
		all := elements(body, path)
		if len(all) == 0 {
			fail("want an element %s", path)
			return
		}
		r.vars[name] = all[0]
		return
	}
	path, want, ok := strings.Cut(line, " =")
	if !ok {
		r.t.Fatalf("not understood: xml %s", line)
	}
	got := strings.Join(elements(body, path), ", ")
	if want = r.fill(strings.TrimPrefix(want, " ")); got != want {
		fail("xml %s is %q, want %q", path, got, want)
	}
}

// elements gives the texts of all elements at a path below the root, in their order.
func elements(document []byte, path string) []string {
	want := strings.Split(path, "/")
	var out, at []string
	text := ""
	d := xml.NewDecoder(bytes.NewReader(document))
	for {
		token, err := d.Token()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				return append(out, "not XML: "+err.Error())
			}
			return out
		}
		switch e := token.(type) {
		case xml.StartElement:
			at = append(at, e.Name.Local)
			text = ""
		case xml.CharData:
			text += string(e)
		case xml.EndElement:
			if len(at) > 1 && slices.Equal(at[1:], want) {
				out = append(out, text)
			}
			at = at[:len(at)-1]
			text = ""
		}
	}
}

// scripts gives all cases of testdata by feature, which is the file's name.
func scripts(t *testing.T) map[string][]scriptCase {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "*.txt"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	all := map[string][]scriptCase{}
	for _, file := range files {
		cases, err := readScript(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = cases
	}
	return all
}
