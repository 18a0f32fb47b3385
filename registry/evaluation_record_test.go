package registry_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// datasetStore is a store with one empty evaluation dataset.
func datasetStore(t testing.TB) (s *registry.Store, id string) {
	t.Helper()
	db, err := sqldb.Open(context.Background(), filepath.Join(t.TempDir(), "prinzbox.db"), sqldb.DurabilityOff)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	s, err = registry.Open(context.Background(), registry.Config{DB: db, Clock: time.Now, NewID: func() string {
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		return hex.EncodeToString(b[:])
	}})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.CreateEvaluationDataset(context.Background(), registry.NewEvaluationDataset{Name: "d"})
	if err != nil {
		t.Fatal(err)
	}
	return s, d.ID
}

// manyRecords are n records with different inputs, each with a field that no other has.
func manyRecords(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf(`{"inputs": {"n": %d, "f%d": 1}, "expectations": {"answer": "%d"}}`, i, i, i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

func TestRecordsPages(t *testing.T) {
	s, id := datasetStore(t)
	const n = 2500
	if inserted, updated, err := s.UpsertRecords(t.Context(), id, manyRecords(n)); err != nil || inserted != n || updated != 0 {
		t.Fatal(inserted, updated, err)
	}
	if inserted, updated, err := s.UpsertRecords(t.Context(), id, manyRecords(10)); err != nil || inserted != 0 || updated != 10 {
		t.Fatal(inserted, updated, err)
	}
	seen := map[string]bool{}
	token, pages := "", 0
	for {
		records, next, err := s.Records(t.Context(), id, 0, token)
		if err != nil {
			t.Fatal(err)
		}
		var list []struct {
			ID string `json:"dataset_record_id"`
		}
		if err := json.Unmarshal([]byte(records), &list); err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			seen[r.ID] = true
		}
		if pages++; next == "" {
			break
		}
		token = next
	}
	if len(seen) != n || pages != 3 {
		t.Errorf("%d records on %d pages", len(seen), pages)
	}
	if d, err := s.EvaluationDataset(t.Context(), id); err != nil || *d.Profile != fmt.Sprintf(`{"num_records": %d}`, n) {
		t.Errorf("%+v %v", d, err)
	}
	for _, token := range []string{"zz", "-1", "MTIz", "OnJlYw==", "1e3", strings.Repeat("9", 40)} {
		if _, _, err := s.Records(t.Context(), id, 0, token); !registry.IsCode(err, registry.InvalidParameterValue) {
			t.Errorf("token %q: %v", token, err)
		}
	}
}

// Whatever a client sends, it is taken, or refused as the client's mistake; and what was taken can be read back.
func FuzzUpsertRecords(f *testing.F) {
	for _, text := range []string{
		`[{"inputs": {"q": "a"}, "expectations": {"x": 1}, "tags": {"mlflow.user": "u"}, "source": {"source_type": "human", "source_data": {"source_id": 5}}}]`,
		`[{"inputs": {"q": NaN}, "outputs": "text"}, {"inputs": {}, "outputs": {"a": null}}, {}]`, `{}`, `[5]`, `[{"inputs": [1]}]`, `[{"source": {"source_type": "TRACE"}}]`,
	} {
		f.Add(text)
	}
	s, id := datasetStore(f)
	f.Fuzz(func(t *testing.T, text string) {
		inserted, updated, err := s.UpsertRecords(t.Context(), id, text)
		if err != nil && !registry.IsCode(err, registry.InvalidParameterValue) {
			t.Fatalf("%q: %v", text, err)
		}
		if err != nil && inserted+updated > 0 {
			t.Fatalf("%q was refused, but %d and %d records were counted", text, inserted, updated)
		}
		if _, _, err := s.Records(t.Context(), id, 3, ""); err != nil {
			t.Fatalf("after %q: %v", text, err)
		}
	})
}

func BenchmarkUpsertRecords(b *testing.B) {
	s, id := datasetStore(b)
	records := manyRecords(1000)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.UpsertRecords(b.Context(), id, records); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(1000*b.N)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkRecords(b *testing.B) {
	s, id := datasetStore(b)
	if _, _, err := s.UpsertRecords(b.Context(), id, manyRecords(1000)); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := s.Records(b.Context(), id, 1000, ""); err != nil {
			b.Fatal(err)
		}
	}
}
