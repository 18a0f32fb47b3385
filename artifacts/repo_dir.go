package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// dirTemp is where a DirRepo writes files before they are complete, below its root.
const dirTemp = ".prinzbox-tmp"

// DirRepo is a directory on disk. Its files lie at their artifact paths, so that other programs can read them; symbolic links
// that lead out of it are not followed.
type DirRepo struct {
	dir  string
	sync bool
}

// NewDirRepo gives a directory as a tree of files. It is made when the first file is put. sync makes each Put wait for the disk.
func NewDirRepo(dir string, sync bool) *DirRepo { return &DirRepo{dir, sync} }

var _ Repo = (*DirRepo)(nil)

// root opens the directory for one operation: there may be many repositories, and none should hold a descriptor.
func (d *DirRepo) root() (*os.Root, error) { return os.OpenRoot(d.dir) }

// hidden tells paths that are ours alone.
func hidden(p string) bool { return p == dirTemp || strings.HasPrefix(p, dirTemp+"/") }

// Put implements Repo.
func (d *DirRepo) Put(_ context.Context, p string, r io.Reader, size int64) (err error) {
	if err := checkFilePath(p); err != nil {
		return err
	}
	if hidden(p) {
		return fmt.Errorf("%w: %s is reserved", ErrInvalidPath, dirTemp)
	}
	if err := os.MkdirAll(d.dir, 0o755); err != nil {
		return err
	}
	root, err := d.root()
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	if err := root.MkdirAll(dirTemp, 0o700); err != nil {
		return err
	}
	temp := dirTemp + "/" + randomHex(16)
	file, err := root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = file.Close()
			_ = root.Remove(temp)
		}
		_ = root.Remove(dirTemp) // only if it is empty
	}()
	n, err := io.Copy(file, r)
	if err != nil {
		return diskError(bodyError(err))
	}
	if size >= 0 && n != size {
		return &Error{codeIncompleteBody, fmt.Sprintf("The body has %d bytes where %d were announced.", n, size)}
	}
	if d.sync {
		if err := file.Sync(); err != nil {
			return diskError(err)
		}
	}
	if err := file.Close(); err != nil {
		return diskError(err)
	}
	if dir := path.Dir(p); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			if errors.Is(err, syscall.ENOTDIR) {
				err = fs.ErrExist // a file stands where a directory should
			}
			return pathError(p, err)
		}
	}
	if err := root.Rename(temp, p); err != nil {
		return pathError(p, err)
	}
	if d.sync {
		return syncDir(filepath.Join(d.dir, filepath.FromSlash(path.Dir(p))))
	}
	return nil
}

// pathError turns the refusals that come of the path into errors a client may see.
func pathError(p string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("%w: %s", ErrNotFound, p)
	case errors.Is(err, fs.ErrExist), errors.Is(err, syscall.EISDIR), errors.Is(err, syscall.ENOTEMPTY):
		return fmt.Errorf("%w: %s is, or lies below, something else than a directory", ErrInvalidPath, p)
	case errors.Is(err, syscall.ENAMETOOLONG), errors.Is(err, syscall.EINVAL):
		return fmt.Errorf("%w: the file system cannot hold the name %q", ErrInvalidPath, p)
	}
	if strings.Contains(err.Error(), "path escapes from parent") { // os.Root's error has no name
		return fmt.Errorf("%w: %s leads out of the artifact directory", ErrInvalidPath, p)
	}
	return diskError(err)
}

// RemoveLeftovers removes the unfinished files of a run that was killed. It must not run beside a Put.
func (d *DirRepo) RemoveLeftovers() error {
	return os.RemoveAll(filepath.Join(d.dir, dirTemp))
}

// Open implements Repo.
func (d *DirRepo) Open(_ context.Context, p string) (*File, error) {
	if hidden(p) {
		return nil, fmt.Errorf("%w: %s", ErrNotFound, p)
	}
	root, err := d.root()
	if err != nil {
		return nil, pathError(p, err)
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(name(p))
	if err != nil {
		return nil, pathError(p, err)
	}
	if info.IsDir() {
		return nil, ErrIsDirectory
	}
	if !info.Mode().IsRegular() { // a pipe would block
		return nil, fmt.Errorf("%w: %s is no regular file", ErrInvalidPath, p)
	}
	f, err := root.Open(name(p))
	if err != nil {
		return nil, pathError(p, err)
	}
	etag := strconv.FormatInt(info.ModTime().UnixNano(), 36) + "-" + strconv.FormatInt(info.Size(), 36)
	return &File{ReadSeekCloser: f, Size: info.Size(), Modified: info.ModTime(), ETag: etag}, nil
}

// name is the path as os.Root wants it.
func name(p string) string {
	if p == "" {
		return "."
	}
	return p
}

// List implements Repo.
func (d *DirRepo) List(_ context.Context, dir string) ([]FileInfo, error) {
	root, err := d.root()
	if err != nil {
		return nil, ignoreNotFound(pathError(dir, err))
	}
	defer func() { _ = root.Close() }()
	entries, err := fs.ReadDir(root.FS(), name(dir)) // sorted
	if err != nil {
		return nil, ignoreNotFound(pathError(dir, err))
	}
	var files []FileInfo
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		if hidden(p) {
			continue
		}
		info, err := root.Stat(p) // through links, unless they lead out
		if err != nil || !info.IsDir() && !info.Mode().IsRegular() {
			continue
		}
		f := FileInfo{Name: e.Name(), IsDir: info.IsDir()}
		if !f.IsDir {
			f.Size = info.Size()
		}
		files = append(files, f)
	}
	return files, nil
}

// Delete implements Repo.
func (d *DirRepo) Delete(_ context.Context, p string) error {
	root, err := d.root()
	if err != nil {
		return ignoreNotFound(pathError(p, err))
	}
	defer func() { _ = root.Close() }()
	if p != "" {
		if err := root.RemoveAll(p); err != nil {
			return ignoreNotFound(pathError(p, err))
		}
		return nil
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	for _, e := range entries {
		err = errors.Join(err, root.RemoveAll(e.Name()))
	}
	return err
}
