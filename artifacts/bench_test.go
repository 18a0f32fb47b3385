package artifacts_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"

	"github.com/prinzbox/prinzbox/artifacts"
)

// exchange sends a request over keep-alive and reads the answer to its end.
func exchange(b *testing.B, r *http.Request) {
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	n, err := io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.StatusCode, n, err)
	}
}

// median reports the p50 of a request beside the mean that the benchmark prints.
func median(b *testing.B, do func()) {
	var times []time.Duration
	for b.Loop() {
		start := time.Now()
		do()
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Microseconds()), "p50-µs")
}

// The requests are signed once: signing is the client's cost.
func BenchmarkGet1KiB(b *testing.B) {
	data := noise(1024, 1)
	b.Run("prinzbox", func(b *testing.B) {
		s := newS3(b)
		put(b, s.store, "k", data)
		r := sign(s.request("GET", "/mlflow/k", nil))
		median(b, func() { exchange(b, r) })
	})
	b.Run("prinzbox-file", func(b *testing.B) {
		s := newS3(b)
		put(b, s.store, "k", noise(8192, 1))
		r := sign(s.request("GET", "/mlflow/k", nil))
		median(b, func() { exchange(b, r) })
	})
	b.Run("stock-in-memory", func(b *testing.B) {
		mem := s3mem.New()
		srv := httptest.NewServer(gofakes3.New(mem).Server())
		b.Cleanup(srv.Close)
		if err := mem.CreateBucket("mlflow"); err != nil {
			b.Fatal(err)
		}
		if _, err := mem.PutObject("mlflow", "k", map[string]string{}, bytes.NewReader(data), int64(len(data)), nil); err != nil {
			b.Fatal(err)
		}
		r, err := http.NewRequest("GET", srv.URL+"/mlflow/k", nil)
		if err != nil {
			b.Fatal(err)
		}
		median(b, func() { exchange(b, r) })
	})
}

func BenchmarkPut1KiB(b *testing.B) {
	data := noise(1024, 1)
	b.Run("prinzbox", func(b *testing.B) {
		s := newS3(b)
		r := sign(s.request("PUT", "/mlflow/k", data))
		median(b, func() {
			r.Body = io.NopCloser(bytes.NewReader(data))
			exchange(b, r)
		})
	})
	b.Run("stock-in-memory", func(b *testing.B) {
		mem := s3mem.New()
		srv := httptest.NewServer(gofakes3.New(mem).Server())
		b.Cleanup(srv.Close)
		if err := mem.CreateBucket("mlflow"); err != nil {
			b.Fatal(err)
		}
		median(b, func() {
			r, err := http.NewRequest("PUT", srv.URL+"/mlflow/k", bytes.NewReader(data))
			if err != nil {
				b.Fatal(err)
			}
			exchange(b, r)
		})
	})
}

func BenchmarkPut1KiBParallel(b *testing.B) {
	s := newS3(b)
	data := noise(1024, 1)
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		r := sign(s.request("PUT", "/mlflow/k", data))
		for pb.Next() {
			r := r.Clone(r.Context())
			r.Body = io.NopCloser(bytes.NewReader(data))
			exchange(b, r)
		}
	})
}

// BenchmarkProxy moves 64 MiB; file is http.ServeContent of the same bytes.
func BenchmarkProxy64MiB(b *testing.B) {
	data := noise(64<<20, 1)
	store := newStore(b)
	srv := httptest.NewServer(artifacts.NewProxy(artifacts.NewBucketRepo(store, "mlflow", ""), artifacts.ProxyConfig{}))
	b.Cleanup(srv.Close)
	run := func(method, url string, body []byte) func(*testing.B) {
		return func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				r, err := http.NewRequest(method, url, bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				exchange(b, r)
			}
		}
	}
	b.Run("put", run("PUT", srv.URL+"/artifacts/f", data))
	b.Run("get", run("GET", srv.URL+"/artifacts/f", nil))
	file := filepath.Join(b.TempDir(), "f")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		b.Fatal(err)
	}
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, file) }))
	b.Cleanup(plain.Close)
	b.Run("get-plain-file", run("GET", plain.URL, nil))
	s3 := newS3(b)
	put(b, s3.store, "f", data)
	get := sign(s3.request("GET", "/mlflow/f", nil))
	b.Run("s3-get", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			exchange(b, get)
		}
	})
}

// Listing a page does not depend on what else the bucket holds.
func BenchmarkList1000(b *testing.B) {
	for _, n := range []int{2_000, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newS3(b)
			for i := range n {
				put(b, s.store, fmt.Sprintf("dir%03d/%06d", i%100, i), []byte("v"))
			}
			r := sign(s.request("GET", "/mlflow?list-type=2&start-after=dir050", nil))
			median(b, func() { exchange(b, r) })
		})
	}
}

// Nor does listing a page of versions; half of these are not current.
func BenchmarkListVersions1000(b *testing.B) {
	for _, n := range []int{2_000, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := newS3(b)
			if err := s.store.SetBucketVersioning(b.Context(), "mlflow", artifacts.VersioningEnabled); err != nil {
				b.Fatal(err)
			}
			for i := range n {
				put(b, s.store, fmt.Sprintf("dir%03d/%06d", i%100, i/2), []byte("v"))
			}
			r := sign(s.request("GET", "/mlflow?versions&key-marker=dir050", nil))
			median(b, func() { exchange(b, r) })
		})
	}
}
