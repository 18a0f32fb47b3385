package trees

import (
	"fmt"
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// UnsupportedError names what a model file asks for and an engine does not fully understand. It is an
// error at load, so that a model never answers with a silent guess.
type UnsupportedError struct{ What string }

func (e *UnsupportedError) Error() string { return e.What }

// Unsupportedf makes an *UnsupportedError.
func Unsupportedf(format string, args ...any) error {
	return &UnsupportedError{fmt.Sprintf(format, args...)}
}

// InputErrorf makes a *frame.PredictError: data that the library would raise an error about. kind is the
// Python exception.
func InputErrorf(kind, format string, args ...any) error {
	return &frame.PredictError{Kind: kind, Message: fmt.Sprintf(format, args...)}
}

// Block is how many rows of so many columns are scored together: enough that a tree stays in the
// processor's cache, few enough that the rows do too.
func Block(rows, columns int) int {
	return min(rows, 64, max(1, 1<<16/max(1, columns)))
}

// maxValues bounds one answer, since a small file may ask for very many outputs.
const maxValues = 1 << 26

// Values makes room for so many outputs of each row.
func Values[T any](rows, outputs int) ([]T, error) {
	if rows > maxValues/outputs {
		return nil, InputErrorf("MemoryError", "%d rows of %d outputs are over the limit of %d values; send fewer rows at a time", rows, outputs, maxValues)
	}
	return make([]T, rows*outputs), nil
}

// Fill copies the rows from first on into x, row after row with a stride of its own, as numbers with NaN
// for missing values. A column whose cell is no number is reported by its place.
func Fill(x []float64, stride int, f *frame.Frame, first, rows int) (badColumn int, ok bool) {
	for j := range f.Columns {
		c := &f.Columns[j]
		switch c.Kind {
		case frame.Float, frame.Empty:
			for i, v := range c.Floats[first : first+rows] {
				x[i*stride+j] = v
			}
		case frame.Int:
			for i, v := range c.Ints[first : first+rows] {
				x[i*stride+j] = float64(v)
			}
		case frame.Bool:
			for i, v := range c.Bools[first : first+rows] {
				x[i*stride+j] = 0
				if v {
					x[i*stride+j] = 1
				}
			}
		default:
			for i := range rows {
				switch v := c.At(first + i).(type) {
				case nil:
					x[i*stride+j] = math.NaN()
				case bool:
					x[i*stride+j] = 0
					if v {
						x[i*stride+j] = 1
					}
				case int64:
					x[i*stride+j] = float64(v)
				case float64:
					x[i*stride+j] = v
				case string:
					number, isNumber := frame.ParsePyFloat(v)
					if !isNumber {
						return j, false
					}
					x[i*stride+j] = number
				default:
					return j, false
				}
			}
		}
	}
	return 0, true
}
