package seed

import (
	"bufio"
	"bytes"
	_ "embed"
	"fmt"
	"strconv"
	"strings"
)

//go:embed data/winequality-red.csv
var wineCSV []byte

// wineTable is the red-wine data by columns: eleven measurements and the quality.
type wineTable struct {
	names   []string
	columns [][]float64
	quality []float64
}

func readWine() (*wineTable, error) {
	lines := bufio.NewScanner(bytes.NewReader(wineCSV))
	lines.Scan()
	names := strings.Split(lines.Text(), ",")
	columns := make([][]float64, len(names))
	for lines.Scan() {
		values := strings.Split(lines.Text(), ",")
		if len(values) != len(names) {
			return nil, fmt.Errorf("wine data: row %d has %d values instead of %d", len(columns[0])+1, len(values), len(names))
		}
		for j, text := range values {
			v, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, fmt.Errorf("wine data: row %d, %s: %w", len(columns[j])+1, names[j], err)
			}
			columns[j] = append(columns[j], v)
		}
	}
	last := len(names) - 1
	return &wineTable{names: names[:last], columns: columns[:last], quality: columns[last]}, lines.Err()
}

// rows returns the chosen rows of the table, in the order chosen.
func (t *wineTable) rows(chosen []int) *wineTable {
	pick := func(from []float64) []float64 {
		to := make([]float64, len(chosen))
		for i, row := range chosen {
			to[i] = from[row]
		}
		return to
	}
	part := &wineTable{names: t.names, quality: pick(t.quality)}
	for _, column := range t.columns {
		part.columns = append(part.columns, pick(column))
	}
	return part
}

// row returns the measurements of one wine.
func (t *wineTable) row(i int) []float64 {
	row := make([]float64, len(t.columns))
	for j, column := range t.columns {
		row[j] = column[i]
	}
	return row
}
