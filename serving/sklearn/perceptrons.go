package sklearn

import (
	"math"

	"github.com/prinzbox/prinzbox/serving/frame"
)

// layer is a dense layer: width outputs of x @ weights + bias.
type layer struct {
	weights, bias []float64
	in, out       int
}

func activation(name string) func([]float64) {
	each := func(f func(float64) float64) func([]float64) {
		return func(x []float64) {
			for i, v := range x {
				x[i] = f(v)
			}
		}
	}
	switch name {
	case "logistic":
		return each(expit)
	case "tanh":
		return each(math.Tanh)
	case "relu":
		return each(func(v float64) float64 { return math.Max(v, 0) })
	case "exp":
		return each(exp)
	case "softmax":
		return softMax
	}
	return func([]float64) {}
}

// loadPerceptrons reads a multi-layer perceptron.
func loadPerceptrons(_ *loader, e *estimator, _ int) (*model, error) {
	hidden := activation(e.option("activation", "relu", "identity", "logistic", "tanh"))
	last := e.option("out_activation_", "identity", "logistic", "softmax", "exp")
	weights, biases := e.list("coefs_"), e.list("intercepts_")
	if e.err == nil && (len(weights) != len(biases) || len(weights) == 0) {
		e.fail("coefs_ has %d layers, intercepts_ %d", len(weights), len(biases))
	}
	var layers []layer
	widest := 0
	for i := range weights {
		if e.err != nil {
			return nil, e.err
		}
		w, shape, err1 := e.numbersOf(weights[i])
		c, _, err2 := e.numbersOf(biases[i])
		if err1 != nil || err2 != nil || len(shape) != 2 || len(c) != shape[1] || shape[0] > maxFeatures || shape[1] > maxFeatures || i > 0 && layers[i-1].out != shape[0] {
			e.fail("layer %d is not understood", i)
			break
		}
		layers = append(layers, layer{w, c, shape[0], shape[1]})
		widest = max(widest, shape[1])
	}
	if e.err != nil {
		return nil, e.err
	}
	in := readFeatures(e, layers[0].in, false)
	outputs := layers[len(layers)-1].out
	if e.err != nil {
		return nil, e.err
	}
	forward := func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		scratch := b.add(max(1, 2*widest))[0]
		out := b.add(outputs)
		final := activation(last)
		b.do(func(r *registers) error {
			x := r.num[first : first+in.width]
			for i := range layers {
				l := &layers[i]
				at := scratch + i%2*widest
				y := r.num[at : at+l.out]
				if i == len(layers)-1 {
					y = r.num[out[0] : out[0]+l.out]
				}
				copy(y, l.bias)
				for k, v := range x {
					if v == 0 {
						continue
					}
					for j, w := range l.weights[k*l.out : (k+1)*l.out] {
						y[j] += v * w
					}
				}
				if i == len(layers)-1 {
					final(y)
				} else {
					hidden(y)
				}
				x = y
			}
			return nil
		})
		return out, nil
	}
	if e.name == "MLPRegressor" {
		m := regressor(e, forward)
		m.matrix = outputs > 1
		return m, e.err
	}
	m := classifier(e, readLabels(e, "classes_"))
	if e.err != nil {
		return nil, e.err
	}
	n := m.classes.len()
	switch {
	case last == "softmax" && n == outputs && n > 1:
		m.fns[predictProba] = forward
		m.mostOf(predictProba)
	case last == "logistic" && n == 2 && outputs == 1:
		m.fns[predictProba] = then(forward, func(b *builder, p []int) []int { return b.pair(p[0]) })
		m.above(predictProba, 0.5)
	case last == "logistic" && n == outputs && m.classes.kind == frame.Int:
		// Several labels at once: a column of 0 and 1 for each.
		m.classes, m.matrix, m.ints = nil, true, true
		m.fns[predictProba] = forward
		m.fns[predict] = func(b *builder, regs []int) ([]int, error) {
			p, err := forward(b, regs)
			if err != nil {
				return nil, err
			}
			return b.each(p, func(v float64) float64 {
				if v > 0.5 {
					return 1
				}
				return 0
			}), nil
		}
	default:
		e.fail("%d outputs of %s for %d classes are not supported", outputs, last, n)
	}
	return m, e.err
}
