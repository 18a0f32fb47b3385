package ui_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/prinzbox/prinzbox/registry"
)

func TestPreviews(t *testing.T) {
	h, experiment, _ := wine(t)
	id := training(h, experiment, "boosted", 0, registry.RunFinished)
	root := must[registry.Run](t)(h.store.Run(t.Context(), id)).Info.ArtifactURI + "/"
	h.files[root+"semicolons.csv"] = "\ufeffa;b\n1;2\n3\n"
	h.files[root+"long.csv"] = "n\n" + strings.Repeat("1\n", 1000)
	h.files[root+"wide.tsv"] = strings.Repeat("c\t", 99) + "c\n"
	h.files[root+"empty.csv"] = ""
	h.files[root+"bad.json"] = `{"a": `
	h.files[root+"long.txt"] = strings.Repeat("ü", 100_000)
	h.files[root+"evil.md"] = hostile + "\n\n[x](javascript:alert(1)) ![y](http://evil.example/y.png)"
	h.files[root+"evil.csv"] = hostile + "\n" + hostile + "\n"
	h.files[root+"model2/MLmodel"] = "flavors: [" + hostile
	h.files[root+"huge.png"] = strings.Repeat("x", 33<<20)
	for file, c := range map[string]struct{ has, lack []string }{
		"predictions.csv":     {[]string{`<th scope="col" class="num">predicted</th>`, `<td class="num">6.5</td>`}, nil},
		"semicolons.csv":      {[]string{`<th scope="col" class="num">a</th>`, `<td class="num">3</td><td class="num"></td>`}, nil},
		"long.csv":            {[]string{"The first 200 rows."}, nil},
		"wide.tsv":            {[]string{"The first 40 of 100 columns."}, nil},
		"empty.csv":           {[]string{`<pre id="preview" tabindex="0"></pre>`}, nil},
		"table.json":          {[]string{"<th scope=\"col\" class=\"\">question</th>", "pH 3.5", "9.4"}, nil},
		"config.json":         {[]string{"&#34;objective&#34;: &#34;reg:squarederror&#34;"}, nil},
		"bad.json":            {[]string{"{&#34;a&#34;: "}, nil},
		"long.txt":            {[]string{"The first 64.0 KiB of 195.3 KiB."}, nil},
		"NOTES.md":            {[]string{"<strong>red wine</strong>", `<th align="left">step</th>`}, nil},
		"evil.md":             {nil, []string{"javascript:", "<img", "<script>"}},
		"evil.csv":            {nil, []string{"<img", "<script>"}},
		"model/MLmodel":       {[]string{"python_function, sklearn", "3.11.9", "pH: double"}, nil},
		"model2/MLmodel":      {nil, []string{"<img", "<script>"}},
		"plots/residuals.png": {[]string{`<img class="picture" src="/runs/` + id + `/view?path=plots%2Fresiduals.png"`}, nil},
		"report.html":         {[]string{`sandbox="allow-scripts"`}, []string{"Made by a run"}},
		"huge.png":            {[]string{"too large to show"}, []string{"<img"}},
		"model/model.pkl":     {[]string{"This is not text"}, nil},
	} {
		status, page := h.get("/runs/" + id + "?" + url.Values{"file": {file}}.Encode())
		if status != http.StatusOK {
			t.Errorf("%s: status %d", file, status)
		}
		_, panel, ok := strings.Cut(page, `class="preview"`)
		panel, _, _ = strings.Cut(panel, "</section>")
		if !ok {
			t.Errorf("%s: no preview", file)
		}
		for _, want := range c.has {
			if !strings.Contains(panel, want) {
				t.Errorf("%s: no %s", file, want)
			}
		}
		for _, not := range c.lack {
			if strings.Contains(panel, not) {
				t.Errorf("%s holds %s", file, not)
			}
		}
	}
}

// A file that is shown in place has an origin of its own and no network.
func TestFilesInPlace(t *testing.T) {
	h, experiment, _ := wine(t)
	id := training(h, experiment, "boosted", 0, registry.RunFinished)
	root := must[registry.Run](t)(h.store.Run(t.Context(), id)).Info.ArtifactURI + "/"
	h.files[root+"x.svg"] = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	for file, media := range map[string]string{"report.html": "text/html; charset=utf-8", "plots/residuals.png": "image/png", "x.svg": "image/svg+xml"} {
		resp := h.ask("/runs/" + id + "/view?" + url.Values{"path": {file}}.Encode())
		policy := resp.Header.Get("Content-Security-Policy")
		if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != media || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d %v", file, resp.StatusCode, resp.Header)
		}
		if !strings.HasPrefix(policy, "sandbox allow-scripts; default-src 'none'") || strings.Contains(policy, "allow-same-origin") || strings.Contains(policy, "connect-src") {
			t.Errorf("%s: policy %s", file, policy)
		}
	}
	for path, want := range map[string]int{
		"/runs/" + id + "/view?path=model/model.pkl": 400, "/runs/" + id + "/view": 400, "/runs/" + id + "/view?path=../x.html": 400, "/runs/" + id + "/view?path=no.html": 404,
		"/runs/none/view?path=report.html": 404, "/runs/none/zip": 404, "/runs/" + id + "/zip?path=../..": 400, "/runs/" + id + "/zip?path=nothing": 404, "/runs/" + id + "/chart?key=none": 404,
	} {
		if status, _ := h.get(path); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

func TestFolderAsZip(t *testing.T) {
	h, experiment, _ := wine(t)
	id := training(h, experiment, `a/b: "name" ü`, 0, registry.RunFinished)
	root := must[registry.Run](t)(h.store.Run(t.Context(), id)).Info.ArtifactURI + "/"
	h.files[root+"deep/er/ü 1.txt"] = "deep"
	h.files[root+`deep/..\evil.txt`] = "no"
	for dir, want := range map[string]map[string]string{
		"":     {"deep/er/ü 1.txt": "deep", "model/MLmodel": h.files[root+"model/MLmodel"], "plots/residuals.png": h.files[root+"plots/residuals.png"], "report.html": reportPage},
		"deep": {"er/ü 1.txt": "deep"},
	} {
		status, body := h.get("/runs/" + id + "/zip?" + url.Values{"path": {dir}}.Encode())
		if status != http.StatusOK {
			t.Fatalf("%q: status %d", dir, status)
		}
		z := must[*zip.Reader](t)(zip.NewReader(bytes.NewReader([]byte(body)), int64(len(body))))
		for _, f := range z.File {
			if strings.Contains(f.Name, "..") {
				t.Errorf("%q holds %s", dir, f.Name)
			}
		}
		for name, content := range want {
			f := must[io.ReadCloser](t)(z.Open(name))
			if got := string(must[[]byte](t)(io.ReadAll(f))); got != content {
				t.Errorf("%q: %s holds %.40q", dir, name, got)
			}
			h.do(f.Close())
		}
		if dir != "" && len(z.File) != len(want) {
			t.Errorf("%q: %d files, want %d", dir, len(z.File), len(want))
		}
	}
	if d := h.ask("/runs/" + id + "/zip").Header.Get("Content-Disposition"); !strings.Contains(d, "attachment; filename*=utf-8''a_b_%20_name_%20%C3%BC.zip") {
		t.Errorf("Content-Disposition: %s", d)
	}
}
