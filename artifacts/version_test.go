package artifacts_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/prinzbox/prinzbox/artifacts"
)

// versionModel is what a bucket with versions must show: for each key its versions, the newest first.
type versionModel map[string][]modelVersion

type modelVersion struct {
	id     string
	marker bool
	data   string
}

// drop removes a version, if it is there.
func (m versionModel) drop(key, id string) {
	m[key] = slices.DeleteFunc(m[key], func(v modelVersion) bool { return v.id == id })
}

// add puts a version on top; one with the id null replaces the null version.
func (m versionModel) add(key string, v modelVersion) {
	if v.id == "null" {
		m.drop(key, "null")
	}
	m[key] = slices.Insert(m[key], 0, v)
}

// list is the model's listing, as text.
func (m versionModel) list(keys []string) (list []string) {
	for _, key := range keys {
		for i, v := range m[key] {
			list = append(list, fmt.Sprint(key, " ", v.id, " ", i == 0, " ", v.marker))
		}
	}
	return list
}

// Random histories of a bucket, compared with a model after every step; at the end nothing is left on disk.
func TestVersionsAgainstModel(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			s := openStore(t, openDB(t, dir), dir)
			if err := s.CreateBucket(t.Context(), "mlflow", false); err != nil {
				t.Fatal(err)
			}
			h := &history{t, s, rand.New(rand.NewPCG(seed, 1)), versionModel{}, "", 0}
			for range 150 {
				h.step()
				h.check()
			}
			h.removeAll()
			if f := files(t, dir); len(f) != 0 {
				t.Errorf("files left: %q", f)
			}
			if err := s.DeleteBucket(t.Context(), "mlflow"); err != nil {
				t.Error(err)
			}
		})
	}
}

var historyKeys = []string{"a", "a/b", "a/c", "b"}

type history struct {
	*testing.T
	store *artifacts.Store
	rand  *rand.Rand
	model versionModel
	state artifacts.Versioning
	n     int
}

func (h *history) step() {
	ctx := h.Context()
	key := historyKeys[h.rand.IntN(len(historyKeys))]
	h.n++
	switch what := h.rand.IntN(10); {
	case what == 0 && h.n > 20:
		h.state = []artifacts.Versioning{artifacts.VersioningEnabled, artifacts.VersioningSuspended}[h.rand.IntN(2)]
		if err := h.store.SetBucketVersioning(ctx, "mlflow", h.state); err != nil {
			h.Fatal(err)
		}
	case what < 5:
		data := bytes.Repeat([]byte{byte(h.n)}, 1+h.rand.IntN(2)*9000) // in the row, or in a file
		h.stored(key, put(h, h.store, key, data), string(data))
	case what == 5:
		from := historyKeys[h.rand.IntN(len(historyKeys))]
		info, _, err := h.store.Copy(ctx, "mlflow", from, "mlflow", key, artifacts.CopyOptions{})
		if now := h.model[from]; len(now) == 0 || now[0].marker {
			if !errors.Is(err, artifacts.ErrNotFound) {
				h.Fatal(err)
			}
			return
		}
		if err != nil {
			h.Fatal(err)
		}
		h.stored(key, info, h.model[from][0].data)
	case what == 6 && len(h.model[key]) > 0:
		v := h.model[key][h.rand.IntN(len(h.model[key]))]
		h.delete(artifacts.DeleteRequest{Key: key, Version: v.id})
		h.model.drop(key, v.id)
	default:
		r := h.delete(artifacts.DeleteRequest{Key: key})
		switch {
		case h.state == "":
			h.model.drop(key, "null")
		case !r.DeleteMarker || (r.Version == "null") != (h.state == artifacts.VersioningSuspended):
			h.Fatalf("%+v", r)
		default:
			h.model.add(key, modelVersion{id: r.Version, marker: true})
		}
	}
}

func (h *history) delete(r artifacts.DeleteRequest) artifacts.DeleteResult {
	results, err := h.store.DeleteObjects(h.Context(), "mlflow", r)
	if err != nil || results[0].Err != nil {
		h.Fatal(err, results)
	}
	return results[0]
}

func (h *history) stored(key string, info artifacts.ObjectInfo, data string) {
	if (info.Version == "null") == (h.state == artifacts.VersioningEnabled) {
		h.Fatalf("version %s while %s", info.Version, h.state)
	}
	h.model.add(key, modelVersion{id: info.Version, data: data})
}

// check compares all that can be read.
func (h *history) check() {
	h.Helper()
	want := h.model.list(historyKeys)
	var got []string
	o := artifacts.VersionsOptions{Max: 1 + h.rand.IntN(5)}
	for {
		page, err := h.store.ListVersions(h.Context(), "mlflow", o)
		if err != nil {
			h.Fatal(err)
		}
		for _, v := range page.Versions {
			got = append(got, fmt.Sprint(v.Key, " ", v.Version, " ", v.Latest, " ", v.DeleteMarker))
		}
		if !page.Truncated {
			break
		}
		o.AfterKey, o.AfterVersion = page.LastKey, page.LastVersion
	}
	if !slices.Equal(got, want) {
		h.Fatalf("step %d, page of %d:\n%q\nwant\n%q", h.n, o.Max, got, want)
	}
	var current []string
	for _, key := range historyKeys {
		for i, v := range h.model[key] {
			h.read(key, v.id, v)
			if i == 0 {
				h.read(key, "", v)
				if !v.marker {
					current = append(current, key)
				}
			}
		}
	}
	page, err := h.store.List(h.Context(), "mlflow", artifacts.ListOptions{Max: 100})
	if err != nil || len(page.Objects) != len(current) {
		h.Fatalf("%v, %v; want %q", page, err, current)
	}
}

func (h *history) read(key, version string, want modelVersion) {
	r, err := h.store.OpenVersion(h.Context(), "mlflow", key, version)
	if want.marker {
		var e *artifacts.Error
		if !errors.As(err, &e) || e.Code != map[bool]string{true: "NoSuchKey", false: "MethodNotAllowed"}[version == ""] {
			h.Fatalf("%s %q: %v", key, version, err)
		}
		return
	}
	if err != nil {
		h.Fatalf("%s %q: %v", key, version, err)
	}
	defer func() { _ = r.Close() }()
	if got, err := io.ReadAll(r); err != nil || string(got) != want.data || r.Version != want.id {
		h.Fatalf("%s %q: %d bytes of %s, %v", key, version, len(got), r.Version, err)
	}
}

// removeAll deletes page by page, going on from markers that are deleted by then.
func (h *history) removeAll() {
	o := artifacts.VersionsOptions{Max: 3}
	for {
		page, err := h.store.ListVersions(h.Context(), "mlflow", o)
		if err != nil {
			h.Fatal(err)
		}
		for _, v := range page.Versions {
			h.delete(artifacts.DeleteRequest{Key: v.Key, Version: v.Version})
		}
		if !page.Truncated {
			return
		}
		o.AfterKey, o.AfterVersion = page.LastKey, page.LastVersion
	}
}

// Common prefixes of versions are paged like those of objects, and jumped over.
func TestVersionPrefixes(t *testing.T) {
	s := newStore(t)
	if err := s.SetBucketVersioning(t.Context(), "mlflow", artifacts.VersioningEnabled); err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		put(t, s, fmt.Sprintf("d%d/%d", i%3, i/6), []byte("x"))
	}
	put(t, s, "e", []byte("1"))
	put(t, s, "e", []byte("2"))
	for size := 1; size <= 6; size++ {
		o := artifacts.VersionsOptions{Delimiter: "/", Max: size}
		var got []string
		for {
			page, err := s.ListVersions(t.Context(), "mlflow", o)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, page.Prefixes...)
			for _, v := range page.Versions {
				got = append(got, fmt.Sprint(v.Key, v.Latest))
			}
			if !page.Truncated {
				break
			}
			o.AfterKey, o.AfterVersion = page.LastKey, page.LastVersion
		}
		if want := []string{"d0/", "d1/", "d2/", "etrue", "efalse"}; !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q", size, got)
		}
	}
}
