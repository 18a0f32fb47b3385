package ui

import (
	"context"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
)

// keysOnPage is how many names a page of a bucket shows.
const keysOnPage = 100

// bucketView is one level of a bucket: the keys that begin with a prefix, rolled up at the next slash.
type bucketView struct {
	bucket, prefix string
	// folder is the prefix up to its last slash: what is uploaded goes there.
	folder      string
	after, next string
	keys        []keyLine
	hasOwners   bool
	owners      []owner
	// done tells what a form has done.
	done      string
	mayWrite  bool
	mayDelete bool
}

// keyLine is an object or, with folder, what keys have in common up to a slash.
type keyLine struct {
	key, name string
	folder    bool
	size      int64
	modified  moment
	owners    []owner
}

func (v bucketView) empty() bool { return len(v.keys) == 0 }

func (v bucketView) title() string {
	if v.prefix == "" {
		return v.bucket
	}
	return strings.TrimPrefix(v.prefix, parentOf(v.prefix))
}

// folderOf is a key up to its last slash.
func folderOf(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

// parentOf is folderOf for a key or a folder: the folder that it lies in.
func parentOf(key string) string { return folderOf(strings.TrimSuffix(key, "/")) }

// prefixCrumbs are the folders above a prefix. leaf says that the prefix is the folder of an object, whose own page is the last step.
func prefixCrumbs(prefix string, leaf bool) (out []crumb) {
	if !leaf {
		prefix = parentOf(prefix)
	}
	for at := 0; at < len(prefix); {
		n := strings.IndexByte(prefix[at:], '/') + 1
		if n == 0 {
			break
		}
		name := prefix[at : at+n-1]
		if name == "" {
			name = "(empty)"
		}
		at += n
		out = append(out, crumb{name: name, path: prefix[:at]})
	}
	return out
}

// bucket shows one page of one level of a bucket.
func (u *UI) bucket(r *http.Request) (view, error) {
	ctx, q := r.Context(), r.URL.Query()
	v := bucketView{bucket: r.PathValue("bucket"), prefix: q.Get("prefix"), after: q.Get("after")}
	v.folder = folderOf(v.prefix)
	o, err := u.objects(r, artifacts.S3List, v.bucket, v.prefix)
	if err != nil {
		return view{}, err
	}
	page, err := o.Store.List(ctx, v.bucket, artifacts.ListOptions{Prefix: v.prefix, Delimiter: "/", After: v.after, Max: keysOnPage})
	if err != nil {
		return view{}, objectError(err)
	}
	for _, p := range page.Prefixes {
		v.keys = append(v.keys, keyLine{key: p, folder: true})
	}
	for _, info := range page.Objects {
		v.keys = append(v.keys, keyLine{key: info.Key, size: info.Size, modified: u.when(info.Modified.UnixMilli())})
	}
	slices.SortFunc(v.keys, func(a, b keyLine) int { return strings.Compare(a.key, b.key) })
	if page.Truncated {
		v.next = page.Last
	}
	find := u.newOwners(o, v.bucket)
	if v.owners, err = find.of(ctx, v.prefix); err != nil {
		return view{}, err
	}
	for i := range v.keys {
		k := &v.keys[i]
		if k.name = strings.TrimPrefix(k.key, v.folder); k.name == "" {
			k.name = k.key // the object that marks the folder itself
		}
		if k.folder {
			if k.owners, err = find.named(ctx, k.key); err != nil {
				return view{}, err
			}
			v.hasOwners = v.hasOwners || len(k.owners) > 0
		}
	}
	v.done = bucketDone(q.Get("stored"), q.Get("deleted"))
	v.mayWrite = o.allows(ctx, artifacts.S3Write, v.bucket, v.folder)
	v.mayDelete = o.allows(ctx, artifacts.S3Manage, v.bucket, v.prefix)
	return view{title: v.title(), section: "s3", scripts: []string{"swap.js"}, body: bucketPage(v)}, nil
}

// bucketDone words what a form has done. Its numbers come from the address, so anything else is nothing.
func bucketDone(stored, deleted string) string {
	if n, err := strconv.Atoi(stored); err == nil && n > 0 {
		return countText(n, "file", false) + " stored."
	}
	if n, err := strconv.Atoi(deleted); err == nil && n > 0 {
		return countText(n, "key", false) + " deleted."
	}
	return ""
}

// upload stores the files of a form below a prefix. They are stored while they arrive, each completely or not at all.
func (u *UI) upload(r *http.Request) (view, error) {
	bucket, folder := r.PathValue("bucket"), folderOf(r.URL.Query().Get("prefix"))
	o, err := u.objects(r, artifacts.S3Write, bucket, folder)
	if err != nil {
		return view{}, err
	}
	parts, err := r.MultipartReader()
	if err != nil {
		return view{}, registry.Invalidf("The form must come as multipart/form-data with files in the field \"file\".")
	}
	stored := 0
	for {
		part, err := parts.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return view{}, registry.Invalidf("The upload broke off after %s: send it again.", countText(stored, "file", false))
		}
		name := uploadName(part)
		if part.FormName() != "file" || name == "" {
			continue // a field without a file
		}
		if !o.allows(r.Context(), artifacts.S3Write, bucket, folder+name) {
			return view{}, denied()
		}
		if err := storePart(r.Context(), o.Store, bucket, folder+name, part); err != nil {
			return view{}, objectError(err)
		}
		stored++
	}
	if stored == 0 {
		return view{}, registry.Invalidf("file: choose at least one file.")
	}
	return view{location: string(bucketURL(bucket) + query("prefix", folder, "stored", strconv.Itoa(stored)))}, nil
}

// uploadName is the last part of the name that the browser gives a file.
func uploadName(part *multipart.Part) string {
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return ""
	}
	name := strings.ReplaceAll(params["filename"], `\`, "/") // some browsers of Windows tell the whole path
	if name = path.Base(name); name == "." || name == "/" || name == ".." {
		return ""
	}
	return name
}

func storePart(ctx context.Context, store *artifacts.Store, bucket, key string, part *multipart.Part) error {
	media := part.Header.Get("Content-Type")
	if media == "" || media == "application/octet-stream" {
		media = artifacts.ContentType(key)
	}
	_, err := store.Put(ctx, bucket, key, part, artifacts.PutOptions{Expect: artifacts.Expect{Size: -1}, Headers: map[string]string{"Content-Type": media}})
	return err
}

// deletion is what a user is asked to confirm: an object or one version of it, all keys with a prefix, or an empty bucket.
type deletion struct {
	bucket, key, prefix, version string
	// keys are the first of those that go; more tells that there are others.
	keys []string
	size int64
	more bool
	// keeps tells that the bucket is versioned, so that a deletion hides and does not destroy.
	keeps bool
}

// shownDeletions is how many keys are counted, and how many of them are named, before they are deleted.
const (
	countedDeletions = 1000
	shownDeletions   = 20
)

// what names what goes.
func (d deletion) what() string {
	switch {
	case d.key != "" && d.version != "":
		return "version " + d.version + " of " + d.key
	case d.key != "":
		return d.key
	case d.prefix != "" && d.more:
		return "more than " + strconv.Itoa(countedDeletions) + " keys"
	case d.prefix != "":
		return countText(len(d.keys), "key", false)
	}
	return "the bucket " + d.bucket
}

// back is the page that the deletion was asked for on.
func (d deletion) back() string {
	if d.key != "" {
		return string(objectURL(d.bucket, d.key, d.version))
	}
	return string(folderURL(d.bucket, d.prefix, ""))
}

// parseDeletion reads what a form or an address wants deleted, and whether the user may.
func (u *UI) parseDeletion(r *http.Request) (d deletion, o *Objects, err error) {
	d = deletion{bucket: r.PathValue("bucket"), key: r.FormValue("key"), prefix: r.FormValue("prefix"), version: r.FormValue("version")}
	action := artifacts.S3Manage
	if d.key != "" {
		action, d.prefix = artifacts.S3Delete, ""
	}
	o, err = u.objects(r, action, d.bucket, d.key+d.prefix)
	return d, o, err
}

// confirmDeletion asks before anything is deleted.
func (u *UI) confirmDeletion(r *http.Request) (view, error) {
	ctx := r.Context()
	d, o, err := u.parseDeletion(r)
	if err != nil {
		return view{}, err
	}
	state, err := o.Store.BucketVersioning(ctx, d.bucket)
	if err != nil {
		return view{}, objectError(err)
	}
	d.keeps = state == artifacts.VersioningEnabled && d.version == ""
	switch {
	case d.key != "":
		info, err := o.Store.StatVersion(ctx, d.bucket, d.key, d.version)
		if err != nil && d.version == "" { // a version may be a delete marker
			return view{}, objectError(err)
		}
		d.keys, d.size = []string{d.key}, info.Size
	default:
		page, err := o.Store.List(ctx, d.bucket, artifacts.ListOptions{Prefix: d.prefix, Max: countedDeletions})
		if err != nil {
			return view{}, objectError(err)
		}
		for _, info := range page.Objects {
			d.keys = append(d.keys, info.Key)
			d.size += info.Size
		}
		d.more = page.Truncated
		if d.prefix == "" && len(d.keys) > 0 {
			return view{}, registry.Invalidf("The bucket %s is not empty: delete its keys first.", d.bucket)
		}
	}
	return view{title: "Delete " + d.what(), section: "s3", body: deletionPage(d)}, nil
}

// deleteKeys does what confirmDeletion asked for.
func (u *UI) deleteKeys(r *http.Request) (view, error) {
	ctx := r.Context()
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	d, o, err := u.parseDeletion(r)
	if err != nil {
		return view{}, err
	}
	switch {
	case d.key != "":
		results, err := o.Store.DeleteObjects(ctx, d.bucket, artifacts.DeleteRequest{Key: d.key, Version: d.version})
		if err == nil {
			err = results[0].Err
		}
		if err != nil {
			return view{}, objectError(err)
		}
		return view{location: string(bucketURL(d.bucket) + query("prefix", folderOf(d.key), "deleted", "1"))}, nil
	case d.prefix != "":
		page, err := o.Store.List(ctx, d.bucket, artifacts.ListOptions{Prefix: d.prefix, Max: countedDeletions})
		if err == nil {
			err = o.Store.DeletePrefix(ctx, d.bucket, d.prefix)
		}
		if err != nil {
			return view{}, objectError(err)
		}
		return view{location: string(bucketURL(d.bucket) + query("prefix", parentOf(d.prefix), "deleted", strconv.Itoa(len(page.Objects))))}, nil
	}
	if err := o.Store.DeleteBucket(ctx, d.bucket); err != nil {
		return view{}, objectError(err)
	}
	return view{location: "/s3"}, nil
}
