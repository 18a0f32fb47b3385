package serving_test

import (
	"bytes"
	"net/http"
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

// TestBatchMemory scores 100,000 rows in one request, 6 MB, within a few times the memory of its body.
func TestBatchMemory(t *testing.T) {
	root := t.TempDir()
	directory(t, root, "wine", "elasticnet.pkl", wineInputs())
	s, _ := start(t, catalog{"wine": versions("wine", "wine")}, &folder{root: root}, 0)
	body := wineBody(100_000)
	score := func() int {
		answer, status := s.Score(t.Context(), "wine", "", body, "application/json")
		if status != http.StatusOK || bytes.Count(answer, []byte(",")) != 99_999 {
			t.Fatalf("%d, %d bytes", status, len(answer))
		}
		return len(answer)
	}
	n := score()
	// The peak: what is live while a request runs, sampled, with a collector that runs often.
	defer debug.SetGCPercent(debug.SetGCPercent(10))
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	done, peak := make(chan struct{}), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			select {
			case <-done:
				peak <- most
				return
			default:
				runtime.ReadMemStats(&now)
				most = max(most, now.HeapAlloc)
				time.Sleep(time.Millisecond)
			}
		}
	}()
	for range 5 {
		score()
	}
	close(done)
	most := <-peak
	used := int64(most) - int64(before.HeapAlloc)
	t.Logf("body %d bytes, answer %d bytes, peak %d bytes more than before", len(body), n, used)
	if limit := int64(5 * len(body)); used > limit {
		t.Errorf("100,000 rows took %d bytes, want less than %d", used, limit)
	}
}
