package calls

import "slices"

// ring keeps calls in a circle, the oldest of which give way. Their numbers rise, with gaps.
type ring struct {
	// entries and limit bound how many calls, and how much memory, are kept.
	entries int
	limit   int64

	list  []*Call
	first int // the oldest
	count int
	bytes int64
	total int64 // how many have come
	gone  int64 // how many of them have given way
}

func (r *ring) add(c *Call) {
	size := c.bytes()
	for r.count > 0 && (r.count >= r.entries || r.bytes+size > r.limit) {
		r.drop()
	}
	if r.count == len(r.list) {
		r.grow()
	}
	r.list[(r.first+r.count)%len(r.list)] = c
	r.count++
	r.bytes += size
	r.total++
}

func (r *ring) drop() {
	r.bytes -= r.list[r.first].bytes()
	r.list[r.first] = nil
	r.first = (r.first + 1) % len(r.list)
	r.count--
	r.gone++
}

func (r *ring) grow() {
	list := make([]*Call, min(max(2*len(r.list), 64), r.entries))
	for i := range r.count {
		list[i] = r.at(i)
	}
	r.list, r.first = list, 0
}

// at is the i-th call from the oldest on.
func (r *ring) at(i int) *Call { return r.list[(r.first+i)%len(r.list)] }

// behind is the place of the first call with a greater number.
func (r *ring) behind(number int64) int {
	low, high := 0, r.count
	for low < high {
		middle := (low + high) / 2
		if r.at(middle).Number > number {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low
}

// since gives the calls with greater numbers than one, the oldest first.
func (r *ring) since(number int64) []*Call {
	from := r.behind(number)
	list := make([]*Call, 0, r.count-from)
	for i := from; i < r.count; i++ {
		list = append(list, r.at(i))
	}
	return list
}

// get gives a call by its number; nil where it is not kept.
func (r *ring) get(number int64) *Call {
	if i := r.behind(number) - 1; i >= 0 && r.at(i).Number == number {
		return r.at(i)
	}
	return nil
}

func (r *ring) clear() {
	r.list, r.first, r.count, r.bytes, r.gone = nil, 0, 0, 0, 0
}

// merge joins two lists by number.
func merge(a, b []*Call) []*Call {
	if len(b) == 0 {
		return a
	}
	list := make([]*Call, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].Number < b[0].Number {
			list, a = append(list, a[0]), a[1:]
		} else {
			list, b = append(list, b[0]), b[1:]
		}
	}
	return slices.Concat(list, a, b)
}
