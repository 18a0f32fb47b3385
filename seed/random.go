package seed

// mersenneTwister is MT19937 as numpy.random.seed(n) starts it. Only what shuffling needs is here.
type mersenneTwister struct {
	state [624]uint32
	next  int
}

func newMersenneTwister(seed uint32) *mersenneTwister {
	m := &mersenneTwister{next: 624}
	m.state[0] = seed
	for i := 1; i < len(m.state); i++ {
		last := m.state[i-1]
		m.state[i] = 1812433253*(last^last>>30) + uint32(i)
	}
	return m
}

func (m *mersenneTwister) uint32() uint32 {
	if m.next == len(m.state) {
		m.twist()
	}
	y := m.state[m.next]
	m.next++
	y ^= y >> 11
	y ^= y << 7 & 0x9d2c5680
	y ^= y << 15 & 0xefc60000
	return y ^ y>>18
}

func (m *mersenneTwister) twist() {
	const n = 624
	for i := range n {
		y := m.state[i]&0x80000000 | m.state[(i+1)%n]&0x7fffffff
		v := m.state[(i+397)%n] ^ y>>1
		if y&1 != 0 {
			v ^= 0x9908b0df
		}
		m.state[i] = v
	}
	m.next = 0
}

// upTo returns a number in 0..limit, drawn as numpy's random_interval draws it: masked, and again if too large.
func (m *mersenneTwister) upTo(limit uint32) uint32 {
	mask := limit
	for shift := 1; shift < 32; shift *= 2 {
		mask |= mask >> shift
	}
	for {
		if v := m.uint32() & mask; v <= limit {
			return v
		}
	}
}

// permutation returns 0..n-1 in the order of numpy.random.RandomState.permutation(n).
func (m *mersenneTwister) permutation(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := m.upTo(uint32(i))
		order[i], order[j] = order[j], order[i]
	}
	return order
}

// splitSeed is the seed of Prinz's own training scripts: numpy.random.seed(40).
const splitSeed = 40

// split returns the row numbers that scikit-learn's train_test_split gives to each part of n rows with its default
// share (a quarter, rounded up, for testing) after numpy.random.seed(40).
func split(n int) (train, test []int) {
	order := newMersenneTwister(splitSeed).permutation(n)
	tests := (n + 3) / 4
	return order[tests:], order[:tests]
}

// splitMix is SplitMix64, the generator behind the made payments: small, fast and the same everywhere.
type splitMix struct{ state uint64 }

func (s *splitMix) uint64() uint64 {
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// float returns a number in [0, 1) with 53 random bits.
func (s *splitMix) float() float64 { return float64(float64(s.uint64()>>11) / (1 << 53)) }

// below returns a number in 0..n-1. The bias for the small n used here is below 2^-50.
func (s *splitMix) below(n int) int { return int(s.uint64() % uint64(n)) }

// pick returns an index into the cumulative weights, which end at 1 or a little below.
func (s *splitMix) pick(cumulative []float64) int {
	u := s.float()
	for i, c := range cumulative {
		if u < c {
			return i
		}
	}
	return len(cumulative) - 1
}
