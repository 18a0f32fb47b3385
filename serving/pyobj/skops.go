package pyobj

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// ReadSkops reads a skops file: a zip of schema.json, the object tree, and one .npy or .bin member for
// each array. Node kinds are those of skops protocol 0 to 3; a kind that is not known is an error.
func ReadSkops(data []byte, lim Limits) (Value, error) {
	lim = lim.orDefault()
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("skops: %w", err)
	}
	r := &skopsReader{lim: lim, files: map[string]*zip.File{}, arrays: map[string]*Array{}, seen: map[string]Value{}, left: lim.Bytes}
	if len(archive.File) > 100_000 {
		return nil, fmt.Errorf("skops: %w", refusef("%d zip members", len(archive.File)))
	}
	for _, f := range archive.File {
		r.files[f.Name] = f
	}
	schema, err := r.member("schema.json")
	if err != nil {
		return nil, fmt.Errorf("skops: %w", err)
	}
	root, err := decodeTree(jsontext.NewDecoder(bytes.NewReader(schema)), 4*lim.Depth)
	if err != nil {
		return nil, fmt.Errorf("skops: schema.json: %w", err)
	}
	v, err := r.node(root, 0)
	if err != nil {
		return nil, fmt.Errorf("skops: %w", err)
	}
	if err := checkGraph(v, lim); err != nil {
		return nil, fmt.Errorf("skops: %w", err)
	}
	return v, nil
}

// tree is decoded JSON with the order of keys kept. The whole schema is decoded once: re-parsing raw text
// at each level would cost the square of the depth.
type tree struct {
	kind  jsontext.Kind
	text  string // of a string, or the literal of a number or bool
	keys  []string
	items []*tree
}

func (t *tree) get(key string) *tree {
	if t == nil {
		return nil
	}
	for i, k := range t.keys {
		if k == key {
			return t.items[i]
		}
	}
	return nil
}

// str is the text of a string member, else "".
func (t *tree) str(key string) string {
	if m := t.get(key); m != nil && m.kind == '"' {
		return m.text
	}
	return ""
}

func decodeTree(dec *jsontext.Decoder, depth int) (*tree, error) {
	if depth < 0 {
		return nil, refusef("schema.json is nested too deep")
	}
	token, err := dec.ReadToken()
	if err != nil {
		return nil, err
	}
	t := &tree{kind: token.Kind()}
	switch t.kind {
	case '{', '[':
		for dec.PeekKind() != '}' && dec.PeekKind() != ']' {
			if t.kind == '{' {
				key, err := dec.ReadToken()
				if err != nil {
					return nil, err
				}
				t.keys = append(t.keys, key.String())
			}
			item, err := decodeTree(dec, depth-1)
			if err != nil {
				return nil, err
			}
			t.items = append(t.items, item)
		}
		_, err = dec.ReadToken()
		return t, err
	}
	t.text = token.String()
	return t, nil
}

type skopsReader struct {
	lim    Limits
	files  map[string]*zip.File
	arrays map[string]*Array
	seen   map[string]Value
	left   int64
	nodes  int64
}

func (r *skopsReader) member(name string) ([]byte, error) {
	f, ok := r.files[name]
	if !ok {
		return nil, fmt.Errorf("the file has no member %q", name)
	}
	rc, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", name, err)
	}
	defer rc.Close()
	b, err := io.ReadAll(io.LimitReader(rc, r.left+1))
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", name, err)
	}
	if int64(len(b)) > r.left {
		return nil, refusef("the unpacked parts have more than %d bytes", r.lim.Bytes)
	}
	r.left -= int64(len(b))
	return b, nil
}

func (r *skopsReader) node(n *tree, depth int) (Value, error) {
	if n == nil {
		return nil, nil
	}
	if depth > r.lim.Depth {
		return nil, refusef("objects are nested more than %d deep", r.lim.Depth)
	}
	if r.nodes++; r.nodes > r.lim.Nodes {
		return nil, refusef("more than %d values", r.lim.Nodes)
	}
	id := ""
	if t := n.get("__id__"); t != nil {
		id = t.text
	}
	if n.str("__loader__") == "CachedNode" {
		if v, ok := r.seen[id]; ok && id != "" {
			return v, nil
		}
		return nil, errors.New("a cached node refers to an object that is not known")
	}
	v, err := r.make(n, depth+1)
	if err != nil {
		return nil, err
	}
	if id != "" {
		r.seen[id] = v
	}
	return v, nil
}

func (r *skopsReader) list(list []*tree, depth int) ([]Value, error) {
	items := make([]Value, len(list))
	for i, c := range list {
		v, err := r.node(c, depth)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	return items, nil
}

func (r *skopsReader) make(n *tree, depth int) (Value, error) {
	content := n.get("content")
	class := &Class{n.str("__module__"), n.str("__class__")}
	switch loader := n.str("__loader__"); loader {
	case "JsonNode":
		if content == nil || content.kind != '"' {
			return nil, errors.New("a JsonNode without text")
		}
		return pythonJSON(content.text)
	case "DictNode":
		return r.dict(n, depth)
	case "DefaultDictNode", "_DictWithDeprecatedKeysNode":
		return r.node(content.get("main"), depth)
	case "ListNode", "SetNode", "TupleNode":
		if content == nil || content.kind != '[' {
			return nil, fmt.Errorf("a %s without list", loader)
		}
		items, err := r.list(content.items, depth)
		if err != nil {
			return nil, err
		}
		switch loader {
		case "ListNode":
			return &List{Items: items}, nil
		case "SetNode":
			return &Set{Items: items}, nil
		}
		return &Tuple{Items: items}, nil
	case "TypeNode", "FunctionNode":
		return class, nil
	case "SliceNode":
		return r.slice(n)
	case "NdArrayNode":
		return r.array(n, depth)
	case "DTypeNode":
		v, err := r.node(content, depth)
		if err != nil {
			return nil, err
		}
		if a, ok := v.(*Array); ok {
			return a.DType, nil
		}
		return nil, errors.New("a DTypeNode without array")
	case "BytesNode", "BytearrayNode":
		b, err := r.member(n.str("file"))
		return Bytes(b), err
	case "ObjectNode":
		state, err := r.node(content, depth)
		if err != nil {
			return nil, err
		}
		return &Object{Class: class, State: state}, nil
	case "ConstructorFromReduceNode":
		v, err := r.node(content, depth)
		if err != nil {
			return nil, err
		}
		args, err := sequence([]Value{v})
		return &Object{Class: class, Args: args}, err
	case "RandomStateNode", "RandomGeneratorNode":
		// A generator's state plays no part in a prediction.
		return &Object{Class: class}, nil
	case "SparseMatrixNode":
		return r.sparse(n, class)
	case "MaskedArrayNode":
		// Searches keep their records in such arrays; no prediction looks at one.
		return &Object{Class: class}, nil
	case "PartialNode":
		f, err := r.node(content.get("func"), depth)
		return &Object{Class: &Class{"functools", "partial"}, Args: []Value{f}}, err
	}
	if reduce := n.get("__reduce__"); reduce != nil { // TreeNode, LossNode, KDTreeNode and the rest
		v, err := r.node(reduce.get("args"), depth)
		if err != nil {
			return nil, err
		}
		args, err := sequence([]Value{v})
		if err != nil {
			return nil, err
		}
		state, err := r.node(content, depth)
		return &Object{Class: class, Args: args, State: state}, err
	}
	return nil, fmt.Errorf("node kind %q (%s) is not supported", n.str("__loader__"), class)
}

// sparse reads a scipy matrix, a .npz inside the file, as an object with the attributes that its pickle has.
func (r *skopsReader) sparse(n *tree, class *Class) (Value, error) {
	data, err := r.member(n.str("file"))
	if err != nil {
		return nil, err
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("member %q: %w", n.str("file"), err)
	}
	if len(archive.File) > 16 {
		return nil, refusef("a sparse matrix of %d parts", len(archive.File))
	}
	// The parts are read by the same rules and out of the same budget.
	inner := &skopsReader{lim: r.lim, files: map[string]*zip.File{}, left: r.left}
	state := &Dict{}
	for _, f := range archive.File {
		inner.files[f.Name] = f
		b, err := inner.member(f.Name)
		if err != nil {
			return nil, err
		}
		a, err := ReadNPY(b)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", n.str("file"), err)
		}
		state.Entries = append(state.Entries, Entry{strings.TrimSuffix(f.Name, ".npy"), a})
	}
	r.left = inner.left
	return &Object{Class: class, State: state}, nil
}

// dict gives keys their Python types back: JSON has only text keys.
func (r *skopsReader) dict(n *tree, depth int) (Value, error) {
	types, err := r.node(n.get("key_types"), depth)
	if err != nil {
		return nil, err
	}
	content := n.get("content")
	kinds, err := sequence([]Value{types})
	if err != nil || content == nil || content.kind != '{' || len(kinds) != len(content.keys) {
		return nil, errors.New("a dict's keys and their types differ in number")
	}
	d := &Dict{Entries: make([]Entry, 0, len(kinds))}
	for i, name := range content.keys {
		v, err := r.node(content.items[i], depth)
		if err != nil {
			return nil, err
		}
		key, err := typedKey(kinds[i], name)
		if err != nil {
			return nil, err
		}
		d.Entries = append(d.Entries, Entry{key, v})
	}
	return d, nil
}

func typedKey(kind Value, key string) (Value, error) {
	c, ok := kind.(*Class)
	if !ok {
		return nil, fmt.Errorf("a dict key's type is %s", TypeName(kind))
	}
	switch {
	case c.Name == "str" || strings.HasPrefix(c.Name, "str"):
		return key, nil
	case strings.HasPrefix(c.Name, "int") || strings.HasPrefix(c.Name, "uint"):
		return strconv.ParseInt(key, 10, 64)
	case strings.HasPrefix(c.Name, "float"):
		return strconv.ParseFloat(key, 64)
	case strings.HasPrefix(c.Name, "bool"):
		return key == "true" || key == "True", nil
	case c.Name == "NoneType":
		return nil, nil
	}
	return nil, fmt.Errorf("a dict key's type is %s", c)
}

func (r *skopsReader) slice(n *tree) (Value, error) {
	o := &Object{Class: &Class{"builtins", "slice"}, Args: make([]Value, 3)}
	for i, part := range []string{"start", "stop", "step"} {
		if t := n.get("content").get(part); t != nil && t.kind == '0' {
			v, err := pythonJSON(t.text)
			if err != nil {
				return nil, err
			}
			o.Args[i] = v
		}
	}
	return o, nil
}

func (r *skopsReader) array(n *tree, depth int) (Value, error) {
	file := n.str("file")
	kind := n.str("type")
	switch kind {
	case "numpy":
		if a, ok := r.arrays[file]; ok {
			return a, nil
		}
		b, err := r.member(file)
		if err != nil {
			return nil, err
		}
		a, err := ReadNPY(b)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", file, err)
		}
		r.arrays[file] = a
		return a, nil
	case "json":
		content := n.get("content")
		if content == nil || content.kind != '[' {
			return nil, errors.New("an object array without list")
		}
		items, err := r.list(content.items, depth)
		if err != nil {
			return nil, err
		}
		dims, err := r.node(n.get("shape"), depth)
		if err != nil {
			return nil, err
		}
		shape, err := shapeOf(dims)
		if err != nil {
			return nil, err
		}
		for d := 1; d < len(shape); d++ { // nested lists, one level a dimension
			var flat []Value
			for _, row := range items {
				cells, err := sequence([]Value{row})
				if err != nil {
					return nil, err
				}
				flat = append(flat, cells...)
			}
			items = flat
		}
		return newArray(&DType{Kind: 'O', Size: 8}, shape, false, &List{Items: items})
	}
	return nil, fmt.Errorf("array kind %q is not known", kind)
}

// pythonJSON decodes what Python's json.dumps wrote, NaN and Infinity included.
func pythonJSON(s string) (Value, error) {
	switch s {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return fromJSON(v)
}

func fromJSON(v any) (Value, error) {
	switch v := v.(type) {
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		if !strings.ContainsAny(v.String(), ".eE") && len(v) < 10_000 {
			if i, ok := new(big.Int).SetString(v.String(), 10); ok {
				return i, nil
			}
		}
		return v.Float64()
	case []any:
		l := &List{Items: make([]Value, len(v))}
		for i, c := range v {
			x, err := fromJSON(c)
			if err != nil {
				return nil, err
			}
			l.Items[i] = x
		}
		return l, nil
	case map[string]any:
		d := &Dict{}
		for k, c := range v {
			x, err := fromJSON(c)
			if err != nil {
				return nil, err
			}
			d.Entries = append(d.Entries, Entry{k, x})
		}
		return d, nil
	}
	return v, nil
}
