// Package archive unpacks the file that an export of an environment is: a tar file, compressed with gzip or not, with prinzbox.json first, then
// the database, then the files of large objects below blobs/. It knows nothing of what is in them.
package archive

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// The names in an archive.
const (
	InfoFile     = "prinzbox.json"
	DatabaseFile = "prinzbox.db"
	// Blobs stands before the names of large objects' files.
	Blobs = "blobs/"
)

// maxInfo bounds InfoFile, in bytes.
const maxInfo = 1 << 20

// Error says what is wrong with a file that should be an archive.
type Error struct{ Reason string }

func (e *Error) Error() string { return e.Reason }

func errorf(format string, args ...any) error { return &Error{fmt.Sprintf(format, args...)} }

// Rules judge what an archive holds.
type Rules struct {
	// Info takes the text of InfoFile, before anything else is looked at.
	Info func(text []byte) error
	// IsBlob tells whether a slashed path below Blobs is one that an export has.
	IsBlob func(path string) bool
}

// Unpack writes the files of an archive, but InfoFile, into a folder that is empty. What is no archive, damaged, cut short, or holds what no export
// does is an *Error; then some files may be there.
func (r Rules) Unpack(ctx context.Context, from io.Reader, dir string) error {
	plain, err := unzip(from)
	if err != nil {
		return err
	}
	archive := tar.NewReader(plain)
	seen := map[string]bool{}
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return errorf("it is no export of prinzbox, or is cut short: %v", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if h.Typeflag != tar.TypeReg || seen[h.Name] {
			return errorf("it holds %.100q, which no export does", h.Name)
		}
		if seen[h.Name] = true; len(seen) == 1 && h.Name != InfoFile {
			return errorf("it does not begin with %s: it is no export of prinzbox", InfoFile)
		}
		if h.Name == InfoFile {
			text, err := io.ReadAll(io.LimitReader(archive, maxInfo))
			if err == nil {
				err = r.Info(text)
			}
			if err != nil {
				return errorf("%s: %v", InfoFile, err)
			}
			continue
		}
		if err := r.file(dir, h.Name, archive); err != nil {
			return err
		}
	}
	if !seen[DatabaseFile] {
		return errorf("it holds no %s: it is no export of prinzbox", DatabaseFile)
	}
	return nil
}

// unzip reads through gzip where the text begins so.
func unzip(from io.Reader) (io.Reader, error) {
	buffered := bufio.NewReader(from)
	if magic, _ := buffered.Peek(2); len(magic) < 2 || magic[0] != 0x1f || magic[1] != 0x8b {
		return buffered, nil
	}
	plain, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, errorf("it begins as gzip does, but: %v", err)
	}
	return plain, nil
}

// file writes one of the files.
func (r Rules) file(dir, name string, from io.Reader) error {
	if blob, ok := strings.CutPrefix(name, Blobs); name != DatabaseFile && (!ok || !r.IsBlob(blob)) {
		return errorf("it holds %.100q, which no export does", name)
	}
	file := filepath.Join(dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	source := &sourceReader{r: from}
	_, err = io.Copy(out, source)
	err = errors.Join(err, out.Close())
	if err != nil && source.err != nil && !errors.Is(source.err, io.EOF) {
		return errorf("%s is cut short or damaged: %v", name, source.err)
	}
	return err
}

// sourceReader remembers how reading ended, to tell a bad source from a full disk.
type sourceReader struct {
	r   io.Reader
	err error
}

func (c *sourceReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil {
		c.err = err
	}
	return n, err
}
