package pyobj_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// TestHostilePickles holds that files made to hurt end in an error: no panic, no endless work.
func TestHostilePickles(t *testing.T) {
	huge := string(binary.LittleEndian.AppendUint64(nil, 1<<62))
	// 40 levels of a pair of the same pair: 2^40 copies when unfolded.
	laughs := "\x80\x04)" + strings.Repeat("2\x86", 40) + "."
	deep := "\x80\x04" + strings.Repeat("]", 5000) + strings.Repeat("a", 4999) + "."
	array := func(shape, data string) string {
		return "\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR(K\x01" + shape +
			"cnumpy\ndtype\n(X\x02\x00\x00\x00f8K\x00K\x01tR" + "\x89" + data + "tb."
	}
	for name, c := range map[string]struct{ text, reason string }{
		"empty":                    {"", "ends before"},
		"no stop":                  {"\x80\x04N", "ends before"},
		"list in itself":           {"\x80\x04]q\x00h\x00a.", "contains itself"},
		"object in itself":         {"\x80\x04csklearn.pipeline\nPipeline\n)\x81q\x00}X\x05\x00\x00\x00stepsh\x00sb.", "contains itself"},
		"many laughs":              {laughs, "unfolds to more than"},
		"deep lists":               {deep, "nested more than"},
		"frame over the end":       {"\x80\x04\x95" + huge + "N.", "over the end"},
		"text over the end":        {"\x80\x04\x8d" + huge + "N.", "over the end"},
		"negative length":          {"\x80\x04\x8d" + "\xff\xff\xff\xff\xff\xff\xff\xff" + "N.", "over the end"},
		"bytes over the end":       {"\x80\x04B\xff\xff\xff\x7fN.", "over the end"},
		"integer over the end":     {"\x80\x02\x8b\xff\xff\xff\xff.", "over the end"},
		"memo not set":             {"\x80\x04h\x05.", "memo 5"},
		"pop of nothing":           {"\x80\x040.", "stack is empty"},
		"pop below the mark":       {"\x80\x04N(a.", "stack is empty"},
		"persistent id":            {"\x80\x04NQ.", "persistent"},
		"extension":                {"\x80\x02\x82\x01.", "extension"},
		"protocol 6":               {"\x80\x06N.", "protocol 6"},
		"unknown opcode":           {"\x80\x04\xff.", "opcode 0xff"},
		"array larger than data":   {array("J\xff\xff\xff\x7f\x85", "C\x08\x00\x00\x00\x00\x00\x00\x00\x00"), "does not fit"},
		"array of negative length": {array("J\xff\xff\xff\xff\x85", "C\x00"), "shape"},
		"array of overflow":        {array("J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86", "C\x00"), "does not fit"},
		"dtype of odd size":        {"\x80\x02cnumpy\ndtype\n(X\x03\x00\x00\x00f99tR.", "not understood"},
		"append to a class":        {"\x80\x02cos\nsystem\nNa.", "cannot be added"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pyobj.ReadPickle([]byte(c.text), pyobj.Limits{})
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want one that says %q", err, c.reason)
			}
		})
	}
}

// TestNothingRuns holds that a call is recorded, not made.
func TestNothingRuns(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "ran")
	v, err := pyobj.ReadPickle([]byte("cos\nsystem\n(S'touch "+mark+"'\ntR."), pyobj.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	o, ok := v.(*pyobj.Object)
	if !ok || o.Class.String() != "os.system" || len(o.Args) != 1 || o.Args[0] != "touch "+mark {
		t.Errorf("%#v", v)
	}
	if _, err := os.Stat(mark); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the command ran: %v", err)
	}
}

func TestLimits(t *testing.T) {
	text := []byte("\x80\x04](K\x01K\x02K\x03e.")
	if _, err := pyobj.ReadPickle(text, pyobj.Limits{}); err != nil {
		t.Error(err)
	}
	for _, lim := range []pyobj.Limits{{Bytes: 5}, {Nodes: 3}, {Depth: 0, Nodes: 4}} {
		if _, err := pyobj.ReadPickle(text, lim); !errors.Is(err, pyobj.ErrUnsafe) {
			t.Errorf("%+v: %v", lim, err)
		}
	}
}

// TestHostileSkops holds the same for zips.
func TestHostileSkops(t *testing.T) {
	for name, c := range map[string]struct {
		members map[string]string
		lim     pyobj.Limits
		reason  string
	}{
		"no schema":      {map[string]string{"a": "b"}, pyobj.Limits{}, "schema.json"},
		"no JSON":        {map[string]string{"schema.json": "{"}, pyobj.Limits{}, "schema.json"},
		"deep JSON":      {map[string]string{"schema.json": strings.Repeat("[", 9000) + strings.Repeat("]", 9000)}, pyobj.Limits{}, "too deep"},
		"zip bomb":       {map[string]string{"schema.json": strings.Repeat(" ", 1<<20)}, pyobj.Limits{Bytes: 1 << 16}, "unpacked parts"},
		"unknown cached": {map[string]string{"schema.json": `{"__loader__":"CachedNode","__id__":5}`}, pyobj.Limits{}, "cached node"},
		"unknown node":   {map[string]string{"schema.json": `{"__loader__":"EvilNode","__module__":"os","__class__":"system"}`}, pyobj.Limits{}, "EvilNode"},
		"no member":      {map[string]string{"schema.json": `{"__loader__":"NdArrayNode","type":"numpy","file":"x.npy"}`}, pyobj.Limits{}, "x.npy"},
		"bad npy":        {map[string]string{"schema.json": `{"__loader__":"NdArrayNode","type":"numpy","file":"x.npy"}`, "x.npy": "\x93NUMPY\x01\x00\xff\xff"}, pyobj.Limits{}, "x.npy"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			z := zip.NewWriter(&b)
			for member, text := range c.members {
				w, err := z.Create(member)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			_, err := pyobj.ReadSkops(b.Bytes(), c.lim)
			if err == nil || !strings.Contains(err.Error(), c.reason) {
				t.Errorf("error %v, want one that says %q", err, c.reason)
			}
		})
	}
}

// touch reads all arrays of a graph, as an engine would.
func touch(v pyobj.Value) {
	switch v := v.(type) {
	case *pyobj.List:
		for _, c := range v.Items {
			touch(c)
		}
	case *pyobj.Tuple:
		for _, c := range v.Items {
			touch(c)
		}
	case *pyobj.Dict:
		for _, e := range v.Entries {
			touch(e.Key)
			touch(e.Value)
		}
	case *pyobj.Object:
		touch(v.State)
		for _, c := range v.Args {
			touch(c)
		}
	case *pyobj.Array:
		_, _ = v.Floats()
		_, _ = v.Values()
		for _, f := range v.DType.Fields {
			_, _ = v.Member(f.Name)
		}
	}
}

func seeds(f *testing.F, pattern string) {
	f.Helper()
	files, err := filepath.Glob("../testdata/sklearn-*/" + pattern)
	if err != nil || len(files) == 0 {
		f.Fatal("no seeds", err)
	}
	for i, file := range files {
		if i%7 != 0 {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 20_000 {
			f.Add(text)
		}
	}
}

func FuzzPickle(f *testing.F) {
	seeds(f, "*.pkl")
	f.Fuzz(func(_ *testing.T, text []byte) {
		if v, err := pyobj.ReadPickle(text, pyobj.Limits{Nodes: 100_000}); err == nil {
			touch(v)
		}
	})
}

func FuzzSkops(f *testing.F) {
	seeds(f, "*.skops")
	f.Fuzz(func(t *testing.T, text []byte) {
		began := time.Now()
		if v, err := pyobj.ReadSkops(text, pyobj.Limits{Nodes: 100_000, Bytes: 1 << 22}); err == nil {
			touch(v)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%d bytes took %v", len(text), took)
		}
	})
}

func FuzzNPY(f *testing.F) {
	f.Add([]byte("\x93NUMPY\x01\x00\x36\x00{'descr': '<f8', 'fortran_order': True, 'shape': (1, 1)}01234567"))
	f.Add([]byte("\x93NUMPY\x01\x00\x40\x00{'descr': [('a', '<i8'), ('', '|V7')], 'fortran_order': False, 'shape': (0,)}"))
	f.Fuzz(func(_ *testing.T, text []byte) {
		if a, err := pyobj.ReadNPY(text); err == nil {
			touch(a)
		}
	})
}
