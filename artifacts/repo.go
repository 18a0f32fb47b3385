package artifacts

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"sort"
	"strings"
	"time"
)

// Repo is a tree of artifact files. Paths are slash-separated, relative and clean as [CleanPath] gives them; "" is the root.
// Directories exist by what is in them.
type Repo interface {
	// Put stores a file completely or not at all, replacing one that was there. size is in bytes, or -1 if unknown.
	Put(ctx context.Context, path string, r io.Reader, size int64) error
	// Open opens a file. Errors: ErrNotFound, ErrIsDirectory.
	Open(ctx context.Context, path string) (*File, error)
	// List lists one level of a directory by name. A directory that does not exist, or a file, has no entries.
	List(ctx context.Context, dir string) ([]FileInfo, error)
	// Delete removes a file or a tree; one that is not there is no error.
	Delete(ctx context.Context, path string) error
}

// FileInfo describes an entry of a directory.
type FileInfo struct {
	// Name is the last element of the path.
	Name  string
	IsDir bool
	// Size in bytes; 0 for a directory.
	Size int64
}

// File is an open artifact. It must be closed.
type File struct {
	io.ReadSeekCloser
	Size     int64
	Modified time.Time
	// ETag without quotes.
	ETag string
}

// BucketRepo is the part of a bucket below a prefix.
type BucketRepo struct {
	store          *Store
	bucket, prefix string
}

// NewBucketRepo gives a bucket, or the part of it below a prefix, as a tree of files. The bucket need not exist yet to be read from: it
// is then empty.
func NewBucketRepo(store *Store, bucket, prefix string) *BucketRepo {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &BucketRepo{store, bucket, prefix}
}

var _ Repo = (*BucketRepo)(nil)

func checkFilePath(p string) error {
	if p == "" {
		return fmt.Errorf("%w: it names no file", ErrInvalidPath)
	}
	return nil
}

// Put implements Repo.
func (b *BucketRepo) Put(ctx context.Context, p string, r io.Reader, size int64) error {
	if err := checkFilePath(p); err != nil {
		return err
	}
	_, err := b.store.Put(ctx, b.bucket, b.prefix+p, r, PutOptions{
		Expect: Expect{Size: size}, Headers: map[string]string{"Content-Type": ContentType(p)},
	})
	return err
}

// Open implements Repo.
func (b *BucketRepo) Open(ctx context.Context, p string) (*File, error) {
	if p == "" {
		return nil, ErrIsDirectory
	}
	r, err := b.store.Open(ctx, b.bucket, b.prefix+p)
	if errors.Is(err, ErrNotFound) {
		if page, lerr := b.store.List(ctx, b.bucket, ListOptions{Prefix: b.prefix + p + "/", Max: 1}); lerr == nil && len(page.Objects) > 0 {
			return nil, ErrIsDirectory
		}
		return nil, fmt.Errorf("%w: %s", ErrNotFound, p)
	}
	if err != nil {
		return nil, err
	}
	return &File{ReadSeekCloser: r, Size: r.Size, Modified: r.Modified, ETag: r.ETag}, nil
}

// List implements Repo.
func (b *BucketRepo) List(ctx context.Context, dir string) ([]FileInfo, error) {
	o := ListOptions{Prefix: b.prefix, Delimiter: "/", Max: 1000}
	if dir != "" {
		o.Prefix += dir + "/"
	}
	var files []FileInfo
	for {
		page, err := b.store.List(ctx, b.bucket, o)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, info := range page.Objects {
			if info.Key != o.Prefix { // a marker that S3 consoles make for an empty directory
				files = append(files, FileInfo{Name: path.Base(info.Key), Size: info.Size})
			}
		}
		for _, p := range page.Prefixes {
			if name := strings.TrimSuffix(p[len(o.Prefix):], "/"); name != "" {
				files = append(files, FileInfo{Name: name, IsDir: true})
			}
		}
		if !page.Truncated {
			sort.SliceStable(files, func(i, j int) bool { return files[i].Name < files[j].Name })
			return files, nil
		}
		o.After = page.Last
	}
}

// Delete implements Repo.
func (b *BucketRepo) Delete(ctx context.Context, p string) error {
	prefix := b.prefix
	if p != "" {
		if err := b.store.Delete(ctx, b.bucket, b.prefix+p); err != nil {
			return ignoreNotFound(err)
		}
		prefix += p + "/"
	}
	return ignoreNotFound(b.store.DeletePrefix(ctx, b.bucket, prefix))
}

func ignoreNotFound(err error) error {
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}
