package serving_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// registered is a catalog of models with tags and aliases that change.
type registered struct {
	mu         sync.Mutex
	generation uint64
	versions   map[string][]serving.Version
	tags       map[string]map[string]string
	aliases    map[string]int
	current    int // number of the version that Prinz's rule finds; 0 is the last
}

func (r *registered) Generation() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.generation
}

func (r *registered) Tags(_ context.Context, name string) (map[string]string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.versions[name]; !ok {
		return nil, registry.NotFoundf("Registered Model with name=%s not found", name)
	}
	return r.tags[name], nil
}

func (r *registered) Resolve(_ context.Context, name, selector string) (serving.Version, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	versions, ok := r.versions[name]
	if !ok {
		return serving.Version{}, registry.NotFoundf("Registered Model with name=%s not found", name)
	}
	n, err := strconv.Atoi(selector)
	switch {
	case selector == "" || selector == name:
		n = r.current
		if n == 0 {
			n = len(versions)
		}
	case err != nil:
		n = r.aliases[selector]
	}
	if n < 1 || n > len(versions) {
		return serving.Version{}, registry.NotFoundf("no version %s", selector)
	}
	return versions[n-1], nil
}

// change alters the catalog as a client's call does: the generation changes after the change.
func (r *registered) change(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fn()
	r.generation++
}

func stub(name string, number int, text string) serving.Version {
	return serving.Version{Name: name, Number: strconv.Itoa(number), Source: serving.StubSource, Tags: map[string]string{serving.TagStub: text}}
}

// answering is a model "m" whose versions answer with their numbers.
func answering(versions int) *registered {
	r := &registered{versions: map[string][]serving.Version{}, tags: map[string]map[string]string{}, aliases: map[string]int{}}
	for i := range versions {
		r.versions["m"] = append(r.versions["m"], stub("m", i+1, fmt.Sprintf(`{"answer": %d}`, i+1)))
	}
	return r
}

func serve(t testing.TB, c serving.Config) (*serving.Server, string) {
	t.Helper()
	if c.Objects == nil {
		c.Objects = &folder{root: t.TempDir()}
	}
	s := serving.New(c)
	h := httptest.NewServer(s)
	t.Cleanup(func() {
		h.Close()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s, h.URL
}

// ask posts one row and gives status, answer and the version that answered.
func ask(t testing.TB, url string, header ...string) (int, string, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, url, strings.NewReader(`{"inputs":[[1]]}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(text), a.Header.Get(serving.VersionHeader)
}

// TestCurrent holds which version answers a request that names none.
func TestCurrent(t *testing.T) {
	for _, c := range []struct {
		name, tag, alias string
		want             string
	}{
		{"Prinz's rule", "", "", "2"},
		{"a number", "1", "", "1"},
		{"an alias", "champion", "", "3"},
		{"the alias of all models", "", "champion", "3"},
		{"an alias that the model lacks", "", "challenger", "2"},
		{"the tag wins", " 1 ", "champion", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := answering(3)
			r.current, r.aliases["champion"] = 2, 3
			if c.tag != "" {
				r.tags["m"] = map[string]string{serving.TagCurrent: c.tag}
			}
			s, url := serve(t, serving.Config{Catalog: r, CurrentAlias: c.alias})
			for _, route := range []string{"/m", "/model/m", "/model/m/m"} {
				status, answer, version := ask(t, url+route+"/invocations")
				if status != 200 || answer != `{"predictions": [`+c.want+`]}` || version != c.want {
					t.Errorf("%s: %d %s of version %s, want %s", route, status, answer, version, c.want)
				}
			}
			if _, answer, version := ask(t, url+"/model/m/2/invocations"); version != "2" {
				t.Errorf("a named version: %s of version %s", answer, version)
			}
			if got, err := s.Routing(t.Context(), "m"); err != nil || len(got.Shares) != 1 || got.Shares[0] != (serving.Share{Version: c.want, Weight: 1}) {
				t.Errorf("%+v %v", got, err)
			}
		})
	}
}

// TestBadSettings holds that a tag that means nothing is a 400 that names it, in answers and in Describe, and
// that versions by their names answer all the same.
func TestBadSettings(t *testing.T) {
	for _, c := range []struct{ tag, value, reason string }{
		{serving.TagCurrent, "9", "no version, stage or alias '9'"},
		{serving.TagCurrent, "nobody", "'nobody'"},
		{serving.TagCurrent, "m", "name a version"},
		{serving.TagSplit, "1", "write versions and their weights"},
		{serving.TagSplit, "1=x", "write versions and their weights"},
		{serving.TagSplit, "1=-1", "write versions and their weights"},
		{serving.TagSplit, "1=NaN", "write versions and their weights"},
		{serving.TagSplit, "1=1,", "write versions and their weights"},
		{serving.TagSplit, "1=0,2=0", "greater than 0"},
		{serving.TagSplit, "1=1,7=1", "'7'"},
		{serving.TagSplit, strings.Repeat("1=1,", 20) + "1=1", "at most 20"},
		{serving.TagShadow, "9", "'9'"},
	} {
		r := answering(2)
		r.tags["m"] = map[string]string{c.tag: c.value}
		s, url := serve(t, serving.Config{Catalog: r})
		status, answer, _ := ask(t, url+"/m/invocations")
		if status != 400 || !strings.Contains(answer, c.tag) || !strings.Contains(answer, c.reason) || !strings.Contains(answer, "INVALID_PARAMETER_VALUE") {
			t.Errorf("%s=%s: %d %s", c.tag, c.value, status, answer)
		}
		if info, err := s.Describe(t.Context(), "m", ""); err != nil || !strings.Contains(info.Problem, c.tag) || info.Version.Number != "2" {
			t.Errorf("%s=%s: %+v %v", c.tag, c.value, info, err)
		}
		if status, _, version := ask(t, url+"/model/m/1/invocations"); status != 200 || version != "1" {
			t.Errorf("%s=%s: version 1 answers %d", c.tag, c.value, status)
		}
		eventually(t, "the failure is noted", func() bool { return len(s.Failures("m")) > 0 })
		if f := s.Failures("m"); len(f) != 1 || f[0].Status != 400 || f[0].Version != "" || f[0].RequestID == "" || !strings.Contains(f[0].Message, c.tag) {
			t.Errorf("%s=%s: %+v", c.tag, c.value, f)
		}
	}
}

// TestSplit holds that weights are kept, that a seed gives the same sequence, and that a sticky text gets one
// version.
func TestSplit(t *testing.T) {
	r := answering(3)
	r.aliases["champion"] = 3
	r.tags["m"] = map[string]string{serving.TagSplit: "1=90, champion=10"}
	sequence := func() (out []string) {
		chance := rand.New(rand.NewPCG(1, 2))
		var mu sync.Mutex
		s, url := serve(t, serving.Config{Catalog: r, Random: func() float64 {
			mu.Lock()
			defer mu.Unlock()
			return chance.Float64()
		}})
		if got, _ := s.Routing(t.Context(), "m"); len(got.Shares) != 2 || got.Shares[0] != (serving.Share{Version: "1", Weight: 0.9}) {
			t.Errorf("%+v", got)
		}
		for range 400 {
			_, _, version := ask(t, url+"/m/invocations")
			out = append(out, version)
		}
		return out
	}
	first, second := sequence(), sequence()
	n := 0
	for i := range first {
		if first[i] != second[i] {
			t.Fatalf("request %d got version %s, then %s", i, first[i], second[i])
		}
		if first[i] == "3" {
			n++
		}
	}
	if n < 20 || n > 60 {
		t.Errorf("%d of 400 requests went to the version of 10 %%", n)
	}
	_, url := serve(t, serving.Config{Catalog: r})
	n = 0
	for user := range 300 {
		_, _, version := ask(t, url+"/m/invocations", serving.StickyHeader, fmt.Sprint("user-", user))
		if version == "3" {
			n++
		}
		if _, _, again := ask(t, url+"/m/invocations", serving.StickyHeader, fmt.Sprint("user-", user)); again != version {
			t.Fatalf("user %d got version %s, then %s", user, version, again)
		}
	}
	if n < 12 || n > 50 {
		t.Errorf("%d of 300 users got the version of 10 %%", n)
	}
}

// eventually waits for what happens after an answer.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(2 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Errorf("%s: not within 10 s", what)
}

// TestShadow holds that a shadow's answers are counted and compared, and never reach the client.
func TestShadow(t *testing.T) {
	r := answering(1)
	r.versions["m"] = append(r.versions["m"], stub("m", 2, `{"answers": [1.0000000001]}`), stub("m", 3, `{"answer": 7}`), stub("m", 4, `{"error": {"status": 503, "message": "too busy"}}`))
	r.current = 1
	for _, c := range []struct{ shadow, result string }{{"2", "agree"}, {"3", "differ"}, {"4", "error"}} {
		r.change(func() { r.tags["m"] = map[string]string{serving.TagShadow: c.shadow} })
		s, url := serve(t, serving.Config{Catalog: r})
		for range 5 {
			if status, answer, version := ask(t, url+"/m/invocations", "X-Request-Id", "seen"); status != 200 || answer != `{"predictions": [1]}` || version != "1" {
				t.Errorf("%d %s of version %s", status, answer, version)
			}
		}
		ask(t, url+"/model/m/1/invocations") // a named version has no shadow
		var shadows map[string]uint64
		eventually(t, c.result, func() bool {
			for _, v := range s.Stats() {
				if v.Version == c.shadow {
					shadows = v.Shadows
				}
			}
			return shadows[c.result] >= 5
		})
		if shadows[c.result] != 5 || len(shadows) != 1 {
			t.Errorf("%s: %v", c.result, shadows)
		}
		if c.result == "error" {
			f := s.Failures("m")
			if len(f) != 5 || !f[0].Shadow || f[0].Message != "too busy" || f[0].Version != "4" || f[0].RequestID != "seen" || f[0].Code != "TEMPORARILY_UNAVAILABLE" {
				t.Errorf("%+v", f)
			}
		}
	}
}

// TestShadowIsBounded holds that a slow shadow costs the client nothing, and that copies are dropped when too many wait.
func TestShadowIsBounded(t *testing.T) {
	r := answering(1)
	r.versions["m"] = append(r.versions["m"], stub("m", 2, `{"answer": 1, "latency": "10s"}`))
	r.current, r.tags["m"] = 1, map[string]string{serving.TagShadow: "2"}
	s, url := serve(t, serving.Config{Catalog: r})
	began := time.Now()
	for range 300 {
		ask(t, url+"/m/invocations")
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("300 requests took %v", took)
	}
	for _, v := range s.Stats() {
		if v.Version == "2" && (v.Shadows["dropped"] < 40 || v.Shadows["dropped"] > 44) {
			t.Errorf("%v", v.Shadows)
		}
	}
}

// TestChangeUnderLoad moves the current version, the split and the tags under load: no request fails, and each change is seen by the
// next request.
func TestChangeUnderLoad(t *testing.T) {
	r := answering(2)
	r.current = 1
	_, url := serve(t, serving.Config{Catalog: r})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if status, answer, _ := ask(t, url+"/m/invocations"); status != 200 {
					t.Errorf("%d %s", status, answer)
					return
				}
			}
		})
	}
	for i := range 60 {
		want := strconv.Itoa(i%2 + 1)
		switch i % 4 {
		case 0, 1:
			r.change(func() { r.tags["m"], r.current = nil, i%2+1 })
		case 2:
			r.change(func() { r.tags["m"] = map[string]string{serving.TagSplit: want + "=1", serving.TagShadow: "2"} })
		default:
			r.change(func() { r.aliases["a"] = i%2 + 1; r.tags["m"] = map[string]string{serving.TagCurrent: "a"} })
		}
		if _, _, version := ask(t, url+"/m/invocations"); version != want {
			t.Errorf("change %d: version %s answers, want %s", i, version, want)
		}
	}
	close(stop)
	wg.Wait()
}
