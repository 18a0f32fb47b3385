// Package pyobj reads Python objects from pickles, skops files and .npy arrays into a closed graph of
// plain Go values. It imports, calls and executes nothing: a class is a name, an instance is a name with
// an attribute map, and only numpy's own constructors are understood.
//
// What a reader returns is a directed graph without cycles whose depth and whose fully expanded size are
// bounded by [Limits], so that code which walks it recursively cannot be driven into a stack overflow or
// an endless loop by a hostile file.
package pyobj

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// Value is one Python value: nil (None), bool, int64, *big.Int, float64, complex128, string, Bytes, *List,
// *Tuple, *Dict, *Set, *Class, *Object, *DType or *Array.
type Value any

// Bytes is a bytes or bytearray object.
type Bytes []byte

// List is a Python list.
type List struct{ Items []Value }

// Tuple is a Python tuple.
type Tuple struct{ Items []Value }

// Set is a Python set or frozenset; its items stand in file order.
type Set struct{ Items []Value }

// Entry is one item of a Dict.
type Entry struct{ Key, Value Value }

// Dict is a Python dict (or OrderedDict, defaultdict) in insertion order. Repeated keys are kept; Get
// answers the last.
type Dict struct{ Entries []Entry }

// Get returns the value of a string key.
func (d *Dict) Get(key string) (Value, bool) {
	for _, v := range slices.Backward(d.Entries) {
		if k, ok := v.Key.(string); ok && k == key {
			return v.Value, true
		}
	}
	return nil, false
}

// Class is a class or function by its name.
type Class struct{ Module, Name string }

func (c *Class) String() string { return c.Module + "." + c.Name }

// Object is an instance of a class that this package does not know, or the result of a call that was
// recorded instead of made.
type Object struct {
	Class *Class
	// Args are the arguments given to the class (or function) to make the object.
	Args []Value
	// State is what BUILD gave: usually a *Dict of attributes.
	State Value
	// Items and Entries are what was appended to an object that is a list or a dict by inheritance.
	Items   []Value
	Entries []Entry
}

// Attr returns an attribute of the object's state.
func (o *Object) Attr(name string) (Value, bool) {
	switch s := o.State.(type) {
	case *Dict:
		return s.Get(name)
	case *Tuple: // (dict, slots)
		for _, part := range s.Items {
			if d, ok := part.(*Dict); ok {
				if v, ok := d.Get(name); ok {
					return v, true
				}
			}
		}
	}
	return nil, false
}

// Limits bounds what a file may cost. A zero field means the default.
type Limits struct {
	// Bytes is the greatest size of a file, or of all unpacked parts of a zip (default 1 GiB).
	Bytes int64
	// Nodes is the greatest number of values, with every shared value counted as often as it is
	// reached (default 20 million).
	Nodes int64
	// Depth is the greatest nesting (default 200).
	Depth int
}

func (l Limits) orDefault() Limits {
	if l.Bytes <= 0 {
		l.Bytes = 1 << 30
	}
	if l.Nodes <= 0 {
		l.Nodes = 20_000_000
	}
	if l.Depth <= 0 {
		l.Depth = 200
	}
	return l
}

// ErrUnsafe is wrapped by errors about files that go over a limit or contain themselves.
var ErrUnsafe = errors.New("refused")

func refusef(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsafe, fmt.Sprintf(format, args...))
}

// checkGraph refuses cycles, too deep nesting, and graphs whose expansion is over the node budget.
func checkGraph(root Value, lim Limits) error {
	g := graphCheck{lim: lim, done: map[any]measure{}}
	_, err := g.visit(root, 0)
	return err
}

type measure struct {
	size   int64
	height int
	open   bool
}

type graphCheck struct {
	lim  Limits
	done map[any]measure
}

func (g *graphCheck) visit(v Value, depth int) (measure, error) {
	switch v.(type) {
	case *List, *Tuple, *Dict, *Set, *Object, *Array:
	default:
		return measure{size: 1}, nil
	}
	if m, ok := g.done[v]; ok {
		if m.open {
			return m, refusef("the object graph contains itself")
		}
		if depth+m.height > g.lim.Depth {
			return m, refusef("objects are nested more than %d deep", g.lim.Depth)
		}
		return m, nil
	}
	if depth >= g.lim.Depth {
		return measure{}, refusef("objects are nested more than %d deep", g.lim.Depth)
	}
	g.done[v] = measure{open: true}
	total := measure{size: 1}
	var err error
	children(v, func(c Value) bool {
		var m measure
		if m, err = g.visit(c, depth+1); err != nil {
			return false
		}
		total.size += m.size
		total.height = max(total.height, m.height+1)
		if total.size > g.lim.Nodes {
			err = refusef("the object graph unfolds to more than %d values", g.lim.Nodes)
			return false
		}
		return true
	})
	if err != nil {
		return total, err
	}
	g.done[v] = total
	return total, nil
}

// children calls yield for every value directly inside v until it returns false.
func children(v Value, yield func(Value) bool) {
	list := func(items []Value) bool {
		for _, c := range items {
			if !yield(c) {
				return false
			}
		}
		return true
	}
	entries := func(items []Entry) bool {
		for _, e := range items {
			if !yield(e.Key) || !yield(e.Value) {
				return false
			}
		}
		return true
	}
	switch v := v.(type) {
	case *List:
		list(v.Items)
	case *Tuple:
		list(v.Items)
	case *Set:
		list(v.Items)
	case *Dict:
		entries(v.Entries)
	case *Array:
		list(v.Objects)
	case *Object:
		_ = list(v.Args) && yield(v.State) && list(v.Items) && entries(v.Entries)
	}
}

// TypeName names a value's Python type for messages.
func TypeName(v Value) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "bool"
	case int64, *big.Int:
		return "int"
	case float64:
		return "float"
	case complex128:
		return "complex"
	case string:
		return "str"
	case Bytes:
		return "bytes"
	case *List:
		return "list"
	case *Tuple:
		return "tuple"
	case *Dict:
		return "dict"
	case *Set:
		return "set"
	case *Class:
		return v.String()
	case *Object:
		return v.Class.String()
	case *DType:
		return "numpy.dtype"
	case *Array:
		return "numpy.ndarray"
	}
	return fmt.Sprintf("%T", v)
}
