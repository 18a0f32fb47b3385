package prinzbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
)

// sink is an answer that goes nowhere.
type sink struct {
	header http.Header
	status int
	n      int
}

func (s *sink) Header() http.Header         { return s.header }
func (s *sink) WriteHeader(status int)      { s.status = status }
func (s *sink) Write(b []byte) (int, error) { s.n += len(b); return len(b), nil }

// BenchmarkScorePath is what scoring costs behind net/http: everything that the main port's handler does for a wine, beside a handler that
// decodes the same JSON and sums it.
func BenchmarkScorePath(b *testing.B) {
	env := Start(b)
	row := `[0.415, 0.416, 0.417, 0.418, 0.419, 0.42, 0.421, 0.422, 0.423, 0.424, 0.425]`
	head := `{"dataframe_split": {"columns": ["fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide", "total sulfur dioxide", "density", "pH", "sulphates", "alcohol"], "data": [`
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		var in struct {
			Split struct {
				Columns []string    `json:"columns"`
				Data    [][]float64 `json:"data"`
			} `json:"dataframe_split"`
		}
		if err := json.Unmarshal(text, &in); err != nil {
			b.Error(err)
		}
		sums := make([]float64, len(in.Split.Data))
		for i, row := range in.Split.Data {
			for _, v := range row {
				sums[i] += v
			}
		}
		answer, _ := json.Marshal(map[string]any{"predictions": sums})
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(answer)
	})
	for _, rows := range []int{1, 1000} {
		body := []byte(head)
		for i := range rows {
			if i > 0 {
				body = append(body, ", "...)
			}
			body = append(body, row...)
		}
		body = append(body, "]}}"...)
		for name, h := range map[string]http.Handler{"prinzbox": env.chain("mlflow", onMain), "decode and sum (peer)": plain} {
			b.Run(fmt.Sprintf("%s/%d", name, rows), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					r, err := http.NewRequest("POST", "http://127.0.0.1/MLF-ElasticnetWineModel-1/invocations", bytes.NewReader(body))
					if err != nil {
						b.Fatal(err)
					}
					r.Header.Set("Content-Type", "application/json")
					w := &sink{header: http.Header{}, status: 200}
					h.ServeHTTP(w, r)
					if w.status != 200 || w.n == 0 {
						b.Fatal(w.status)
					}
				}
			})
		}
	}
}
