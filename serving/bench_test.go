package serving_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/sklearn"
)

var wineColumns = []string{
	"fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
	"total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
}

// wineBody is a 1.x body of n rows, as Prinz sends it.
func wineBody(n int) []byte {
	names, _ := json.Marshal(wineColumns)
	rows := make([]string, n)
	for i := range rows {
		cells := make([]string, len(wineColumns))
		for j := range cells {
			cells[j] = fmt.Sprintf("%.3f", 0.415+float64(i*11+j)/1000)
		}
		rows[i] = "[" + strings.Join(cells, ",") + "]"
	}
	return []byte(`{"columns":` + string(names) + `,"data":[` + strings.Join(rows, ",") + `]}`)
}

func wineInputs() string {
	fields := make([]string, len(wineColumns))
	for i, c := range wineColumns {
		fields[i] = `{"name": "` + c + `", "type": "double"}`
	}
	return "[" + strings.Join(fields, ", ") + "]"
}

// decodeAndSum is the handler that scoring is measured against: it only decodes the JSON and sums it.
func decodeAndSum(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct {
		Columns []string    `json:"columns"`
		Data    [][]float64 `json:"data"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sums := make([]float64, len(body.Data))
	for i, row := range body.Data {
		for _, v := range row {
			sums[i] += v
		}
	}
	answer, _ := json.Marshal(sums)
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

// BenchmarkHTTP scores over a kept connection, beside the handler that only decodes and sums; p50-ns is
// the median of a request.
func BenchmarkHTTP(b *testing.B) {
	root := b.TempDir()
	directory(b, root, "wine", "elasticnet.pkl", wineInputs())
	_, url := start(b, catalog{"wine": versions("wine", "wine")}, &folder{root: root}, 0)
	plain := httptest.NewServer(http.HandlerFunc(decodeAndSum))
	defer plain.Close()
	for _, rows := range []int{1, 1000} {
		body := wineBody(rows)
		for name, target := range map[string]string{"score": url + "/wine/invocations", "decode-and-sum": plain.URL} {
			b.Run(fmt.Sprintf("%s/%d", name, rows), func(b *testing.B) {
				b.ReportAllocs()
				times := make([]time.Duration, 0, b.N)
				for b.Loop() {
					begin := time.Now()
					r, err := http.Post(target, "application/json", bytes.NewReader(body))
					if err != nil {
						b.Fatal(err)
					}
					_, _ = io.Copy(io.Discard, r.Body)
					r.Body.Close()
					if r.StatusCode != 200 {
						b.Fatal(r.Status)
					}
					times = append(times, time.Since(begin))
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
			})
		}
	}
}

func benchModel(b *testing.B, file string) *sklearn.Model {
	b.Helper()
	text, err := os.ReadFile("testdata/sklearn-1.2.2/" + file)
	if err != nil {
		b.Fatal(err)
	}
	graph, err := pyobj.ReadPickle(text, pyobj.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	m, err := sklearn.New(graph, "predict", nil)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

// BenchmarkScore scores tables that are decoded already.
func BenchmarkScore(b *testing.B) {
	fraud := `{"columns":["age","gender","category","amount"],"data":[["4","F","es_transportation",800.0]]}`
	for _, c := range []struct {
		name, file string
		body       []byte
	}{{"wine/1", "elasticnet.pkl", wineBody(1)}, {"wine/1000", "elasticnet.pkl", wineBody(1000)}, {"fraud/1", "fraud.pkl", []byte(fraud)}, {"forest/1", "forest.pkl", wineBody(1)}} {
		b.Run(c.name, func(b *testing.B) {
			m := benchModel(b, c.file)
			r, err := frame.DecodeJSON(c.body, "")
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := m.Predict(r.Frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDecode reads 1,000 rows into columns, beside encoding/json into [][]float64.
func BenchmarkDecode(b *testing.B) {
	body := wineBody(1000)
	b.Run("frame", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := frame.DecodeJSON(body, ""); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("encoding-json", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			var v struct{ Data [][]float64 }
			if err := json.Unmarshal(body, &v); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkLoad compiles a model from its file.
func BenchmarkLoad(b *testing.B) {
	for _, file := range []string{"elasticnet.pkl", "fraud.pkl", "forest.pkl"} {
		b.Run(file, func(b *testing.B) {
			for b.Loop() {
				benchModel(b, file)
			}
		})
	}
}
