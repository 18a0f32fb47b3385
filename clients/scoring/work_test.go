//go:build linux

package scoring_test

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"
	"time"
)

// peerVariable makes this test program the handler that scoring is measured against, at the address that it holds: in a process of its own,
// as the other servers are.
const peerVariable = "PRINZBOX_SCORING_PEER"

func TestMain(m *testing.M) {
	if address := os.Getenv(peerVariable); address != "" {
		s := &http.Server{Addr: address, Handler: http.HandlerFunc(decodeAndSum), ReadHeaderTimeout: time.Minute}
		if err := s.ListenAndServe(); err != nil {
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// decodeAndSum is a handler that only decodes the JSON and sums it.
func decodeAndSum(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	var body struct {
		Split struct {
			Columns []string    `json:"columns"`
			Data    [][]float64 `json:"data"`
		} `json:"dataframe_split"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sums := make([]float64, len(body.Split.Data))
	for i, row := range body.Split.Data {
		for _, v := range row {
			sums[i] += v
		}
	}
	answer, _ := json.Marshal(map[string]any{"predictions": sums})
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(answer)
}

var columns = []string{
	"fixed acidity", "volatile acidity", "citric acid", "residual sugar", "chlorides", "free sulfur dioxide",
	"total sulfur dioxide", "density", "pH", "sulphates", "alcohol",
}

// rows is a request of n wines.
func rows(n int) []byte {
	data := make([][]float64, n)
	for i := range data {
		data[i] = make([]float64, len(columns))
		for j := range columns {
			data[i][j] = float64(415+i*11+j) / 1000
		}
	}
	body, _ := json.Marshal(map[string]any{"dataframe_split": map[string]any{"columns": columns, "data": data}}) // numbers always encode
	return body
}

// v2Rows is the same in the V2 protocol.
func v2Rows(n int) []byte {
	inputs := make([]map[string]any, len(columns))
	for j, name := range columns {
		data := make([]float64, n)
		for i := range data {
			data[i] = float64(415+i*11+j) / 1000
		}
		inputs[j] = map[string]any{"name": name, "shape": []int{n, 1}, "datatype": "FP64", "data": data}
	}
	body, _ := json.Marshal(map[string]any{"inputs": inputs})
	return body
}
