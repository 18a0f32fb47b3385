package pyobj

import (
	"fmt"
	"strconv"
)

// stepContainer handles the opcodes that make and fill lists, tuples, dicts and sets.
func (u *unpickler) stepContainer(op byte) (bool, error) {
	switch op {
	case ')':
		return true, u.push(&Tuple{})
	case ']':
		return true, u.push(&List{})
	case '}':
		return true, u.push(&Dict{})
	case 0x8f:
		return true, u.push(&Set{})
	case 't', 'l', 'd', 0x91, 'a', 'e', 's', 'u', 0x90:
	case 0x85, 0x86, 0x87:
		items, err := u.pops(int(op) - 0x84)
		if err != nil {
			return true, err
		}
		return true, u.push(&Tuple{Items: items})
	default:
		return false, nil
	}
	var items []Value
	var err error
	switch op {
	case 'a':
		items, err = u.pops(1)
	case 's':
		items, err = u.pops(2)
	default:
		items, err = u.popMark()
	}
	if err != nil {
		return true, err
	}
	switch op {
	case 't':
		return true, u.push(&Tuple{Items: items})
	case 'l':
		return true, u.push(&List{Items: items})
	case 0x91:
		return true, u.push(&Set{Items: items})
	case 'd':
		d := &Dict{}
		if err := setItems(d, items); err != nil {
			return true, err
		}
		return true, u.push(d)
	}
	target, err := u.top()
	if err != nil {
		return true, err
	}
	switch op {
	case 'a', 'e', 0x90:
		switch t := target.(type) {
		case *List:
			t.Items = append(t.Items, items...)
		case *Set:
			t.Items = append(t.Items, items...)
		case *Object:
			t.Items = append(t.Items, items...)
		default:
			return true, fmt.Errorf("items cannot be added to %s", TypeName(target))
		}
		return true, nil
	}
	return true, setItems(target, items)
}

func setItems(target Value, items []Value) error {
	if len(items)%2 != 0 {
		return fmt.Errorf("a dict has a key without a value")
	}
	var entries *[]Entry
	switch t := target.(type) {
	case *Dict:
		entries = &t.Entries
	case *Object:
		entries = &t.Entries
	default:
		return fmt.Errorf("keys cannot be set on %s", TypeName(target))
	}
	for i := 0; i < len(items); i += 2 {
		*entries = append(*entries, Entry{items[i], items[i+1]})
	}
	return nil
}

// stepMemo handles the opcodes that store and fetch shared values.
func (u *unpickler) stepMemo(op byte) (bool, error) {
	var index int64
	var err error
	switch op {
	case 0x94: // MEMOIZE
		index = int64(len(u.memo))
	case 'q', 'h':
		index, err = u.number(1)
	case 'r', 'j':
		index, err = u.number(4)
	case 'p', 'g':
		var s string
		if s, err = u.line(); err == nil {
			index, err = strconv.ParseInt(s, 10, 32)
		}
	default:
		return false, nil
	}
	if err != nil {
		return true, err
	}
	switch op {
	case 'h', 'j', 'g':
		v, ok := u.memo[int(index)]
		if !ok {
			return true, fmt.Errorf("memo %d is fetched before it is stored", index)
		}
		return true, u.push(v)
	}
	v, err := u.top()
	if err != nil {
		return true, err
	}
	u.memo[int(index)] = v
	return true, nil
}

// stepObject handles the opcodes of classes and instances.
func (u *unpickler) stepObject(op byte) (bool, error) {
	switch op {
	case 'c': // GLOBAL
		module, err := u.line()
		if err != nil {
			return true, err
		}
		name, err := u.line()
		if err != nil {
			return true, err
		}
		return true, u.push(&Class{module, name})
	case 0x93: // STACK_GLOBAL
		parts, err := u.pops(2)
		if err != nil {
			return true, err
		}
		module, ok1 := parts[0].(string)
		name, ok2 := parts[1].(string)
		if !ok1 || !ok2 {
			return true, fmt.Errorf("a class name is no text")
		}
		return true, u.push(&Class{module, name})
	case 'R', 0x81: // REDUCE, NEWOBJ
		parts, err := u.pops(2)
		if err != nil {
			return true, err
		}
		return true, u.call(parts[0], parts[1], nil)
	case 0x92: // NEWOBJ_EX
		parts, err := u.pops(3)
		if err != nil {
			return true, err
		}
		return true, u.call(parts[0], parts[1], parts[2])
	case 'i', 'o': // INST, OBJ
		return true, u.oldInstance(op)
	case 'b': // BUILD
		parts, err := u.pops(1)
		if err != nil {
			return true, err
		}
		target, err := u.top()
		if err != nil {
			return true, err
		}
		return true, build(target, parts[0])
	}
	return false, nil
}

func (u *unpickler) oldInstance(op byte) error {
	var class Value
	if op == 'i' {
		module, err := u.line()
		if err != nil {
			return err
		}
		name, err := u.line()
		if err != nil {
			return err
		}
		class = &Class{module, name}
	}
	items, err := u.popMark()
	if err != nil {
		return err
	}
	if op == 'o' {
		if len(items) == 0 {
			return fmt.Errorf("an instance has no class")
		}
		class, items = items[0], items[1:]
	}
	return u.call(class, &Tuple{Items: items}, nil)
}

// call records a call, or makes the value itself for the few constructors that are understood.
func (u *unpickler) call(callable, args, kwargs Value) error {
	tuple, ok := args.(*Tuple)
	if !ok {
		return fmt.Errorf("call arguments are %s, want a tuple", TypeName(args))
	}
	class, ok := callable.(*Class)
	if !ok {
		// The result of a call is called (functools.partial, cloudpickle's skeletons): keep it opaque.
		return u.push(&Object{Class: &Class{"builtins", "object"}, Args: append([]Value{callable}, tuple.Items...)})
	}
	v, err := construct(class, tuple.Items)
	if err != nil {
		return fmt.Errorf("%s: %w", class, err)
	}
	if o, ok := v.(*Object); ok && kwargs != nil {
		o.Args = append(o.Args, kwargs)
	}
	return u.push(v)
}
