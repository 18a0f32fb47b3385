package artifacts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
)

// RemoteRepo is the part of a bucket of an external S3 store below a prefix. Files go both ways as streams.
type RemoteRepo struct {
	remote         *Remote
	bucket, prefix string
}

var _ direct = (*RemoteRepo)(nil)

// sender is a body on its way to another store. It remembers its own error, to tell the client's fault from the store's, and hides what
// kind it is: the S3 client takes io.ErrUnexpectedEOF for the end of the last part, and would store a body that broke off as if it were whole.
type sender struct {
	r    io.Reader
	read int64
	err  error
}

func (s *sender) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	s.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		s.err = err
		err = errors.New("the body broke off: " + err.Error())
	}
	return n, err
}

// Put implements Repo.
func (b *RemoteRepo) Put(ctx context.Context, p string, r io.Reader, size int64) error {
	if err := checkFilePath(p); err != nil {
		return err
	}
	body := &sender{r: r}
	o := minio.PutObjectOptions{ContentType: ContentType(p), PartSize: partSize(size)}
	var from io.Reader = body
	sent := size
	if size < 0 {
		// Most bodies without a length are small: one request then, that can be repeated.
		head, err := io.ReadAll(io.LimitReader(body, remotePart))
		if err != nil {
			return bodyError(body.err)
		}
		if from = bytes.NewReader(head); len(head) < remotePart {
			sent = int64(len(head))
		} else {
			from = io.MultiReader(from, body)
		}
	}
	_, err := b.remote.client.Client.PutObject(ctx, b.bucket, b.prefix+p, from, sent, o)
	switch {
	case body.err != nil:
		return bodyError(body.err)
	case size >= 0 && body.read < size && ctx.Err() == nil && isEndOfBody(err):
		return &Error{codeIncompleteBody, fmt.Sprintf("The body has %d bytes where %d were announced.", body.read, size)}
	}
	return b.remote.fail(err, b.bucket, p)
}

// isEndOfBody tells an upload that failed since its body ended too early.
func isEndOfBody(err error) bool {
	if err == nil {
		return false
	}
	var e minio.ErrorResponse
	return !errors.As(err, &e) || e.StatusCode == 0 || e.Code == codeIncompleteBody
}

// partSize keeps a body of a known size within S3's number of parts; one of an unknown size may have 156 GiB.
func partSize(size int64) uint64 {
	const step = 1 << 20
	if need := (size + maxPartNumber - 1) / maxPartNumber; need > remotePart {
		return uint64((need + step - 1) / step * step)
	}
	return remotePart
}

// Open implements Repo. The bytes are asked for when they are read, from where they are read.
func (b *RemoteRepo) Open(ctx context.Context, p string) (*File, error) {
	if p == "" {
		return nil, ErrIsDirectory
	}
	key := b.prefix + p
	info, err := b.remote.client.StatObject(ctx, b.bucket, key, minio.StatObjectOptions{})
	if err = b.remote.fail(err, b.bucket, p); err != nil {
		if errors.Is(err, ErrNotFound) || isCode(err, codeAccessDenied) { // the latter is what AWS says to those who may not list
			if found, lerr := b.holds(ctx, key+"/"); found && lerr == nil {
				return nil, ErrIsDirectory
			}
		}
		return nil, err
	}
	f := &remoteFile{ctx: ctx, size: info.Size, open: func(ctx context.Context, from int64) (io.ReadCloser, error) {
		o := minio.GetObjectOptions{}
		if err := o.SetMatchETag(info.ETag); err != nil { // one file to the end, even if it is replaced meanwhile
			return nil, err
		}
		if from > 0 {
			if err := o.SetRange(from, 0); err != nil {
				return nil, err
			}
		}
		body, _, _, err := b.remote.client.GetObject(ctx, b.bucket, key, o)
		return body, b.remote.fail(err, b.bucket, p)
	}}
	return &File{ReadSeekCloser: f, Size: info.Size, Modified: info.LastModified, ETag: info.ETag}, nil
}

// holds tells whether any key begins with a prefix.
func (b *RemoteRepo) holds(ctx context.Context, prefix string) (bool, error) {
	for o := range b.list(ctx, prefix, false, 1) {
		return o.Err == nil, o.Err
	}
	return false, nil
}

// list goes through the keys that begin with a prefix, page at a time; an error comes last.
func (b *RemoteRepo) list(ctx context.Context, prefix string, deep bool, page int) iter.Seq[minio.ObjectInfo] {
	return func(yield func(minio.ObjectInfo) bool) {
		for o := range b.remote.client.ListObjectsIter(ctx, b.bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: deep, MaxKeys: page}) {
			if !yield(o) {
				return
			}
		}
		if err := ctx.Err(); err != nil { // a list that is cancelled just ends
			yield(minio.ObjectInfo{Err: err})
		}
	}
}

// List implements Repo.
func (b *RemoteRepo) List(ctx context.Context, dir string) ([]FileInfo, error) {
	prefix := b.prefix
	if dir != "" {
		prefix += dir + "/"
	}
	var files []FileInfo
	for o := range b.list(ctx, prefix, false, 1000) {
		if o.Err != nil {
			return nil, b.remote.fail(o.Err, b.bucket, dir)
		}
		switch name, isDir := strings.CutSuffix(o.Key[len(prefix):], "/"); {
		case name == "": // a marker that S3 consoles make for an empty directory
		case isDir:
			files = append(files, FileInfo{Name: name, IsDir: true})
		default:
			files = append(files, FileInfo{Name: path.Base(name), Size: o.Size})
		}
	}
	slices.SortStableFunc(files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Delete implements Repo.
func (b *RemoteRepo) Delete(ctx context.Context, p string) error {
	prefix := b.prefix
	if p != "" {
		err := b.remote.client.RemoveObject(ctx, b.bucket, prefix+p, minio.RemoveObjectOptions{})
		if err = ignoreNotFound(b.remote.fail(err, b.bucket, p)); err != nil {
			return err
		}
		prefix += p + "/"
	}
	var listing error
	results, err := b.remote.client.RemoveObjectsWithIter(ctx, b.bucket, func(yield func(minio.ObjectInfo) bool) {
		for o := range b.list(ctx, prefix, true, 1000) {
			if o.Err != nil {
				listing = o.Err
				return
			}
			if !yield(minio.ObjectInfo{Key: o.Key}) {
				return
			}
		}
	}, minio.RemoveObjectsOptions{})
	if err != nil {
		return b.remote.fail(err, b.bucket, p)
	}
	for r := range results {
		if r.Err != nil && err == nil {
			err = r.Err
		}
	}
	if err == nil {
		err = listing
	}
	return ignoreNotFound(b.remote.fail(err, b.bucket, p))
}

// reachable implements direct: any client that can reach the store at all. One on this machine's loopback is not to be had from elsewhere.
func (b *RemoteRepo) reachable(r *http.Request, _ bool) bool {
	return !isLoopbackHost(b.remote.public.EndpointURL().Host) || isLoopbackHost(r.Host)
}

// signURL implements direct. The store's own keys sign, not the given ones.
func (b *RemoteRepo) signURL(ctx context.Context, _ Signer, method, name string, life time.Duration, query url.Values) (string, error) {
	u, err := b.remote.public.Presign(ctx, method, b.bucket, b.prefix+name, life, query)
	if err != nil {
		return "", b.remote.fail(err, b.bucket, name)
	}
	return u.String(), nil
}

// createUpload implements direct.
func (b *RemoteRepo) createUpload(ctx context.Context, name string) (string, error) {
	id, err := b.remote.client.NewMultipartUpload(ctx, b.bucket, b.prefix+name, minio.PutObjectOptions{ContentType: ContentType(name)})
	return id, b.remote.fail(err, b.bucket, name)
}

// completeUpload implements direct.
func (b *RemoteRepo) completeUpload(ctx context.Context, name, id string, parts []PartInfo) error {
	named := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		named[i] = minio.CompletePart{PartNumber: p.Number, ETag: strings.Trim(p.ETag, `"`)}
	}
	_, err := b.remote.client.CompleteMultipartUpload(ctx, b.bucket, b.prefix+name, id, named, minio.PutObjectOptions{})
	return b.remote.fail(err, b.bucket, name)
}

// abortUpload implements direct.
func (b *RemoteRepo) abortUpload(ctx context.Context, name, id string) error {
	return b.remote.fail(b.remote.client.AbortMultipartUpload(ctx, b.bucket, b.prefix+name, id), b.bucket, name)
}
