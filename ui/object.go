package ui

import (
	"context"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
)

// shownVersions is how many versions of an object its page lists.
const shownVersions = 100

// objectView is an object, or one version of it.
type objectView struct {
	info artifacts.ObjectInfo
	// asked is the version that the address names; "" is the current one.
	asked    string
	modified moment
	owners   []owner
	headers  []keyValue
	metadata []keyValue
	tags     []keyValue
	versions []versionOfKey
	preview  *preview
	// link is a presigned URL; linkProblem says why there is none.
	link, linkProblem, linkLife string
	mayLink, mayWrite           bool
	mayDelete                   bool
	uri                         string
	// markers tells that the object was deleted: only its versions are left.
	gone bool
}

type versionOfKey struct {
	id       string
	size     int64
	modified moment
	latest   bool
	marker   bool
	current  bool
}

// linkLives are the lives of presigned URLs that are offered, by the value of the address.
var linkLives = []struct {
	value, text string
	life        time.Duration
}{{"1h", "1 hour", time.Hour}, {"1d", "1 day", 24 * time.Hour}, {"7d", "7 days", 7 * 24 * time.Hour}}

// object shows an object with all that is known of it.
func (u *UI) object(r *http.Request) (view, error) {
	ctx, q := r.Context(), r.URL.Query()
	bucket, key, version := r.PathValue("bucket"), q.Get("key"), q.Get("version")
	o, err := u.objects(r, artifacts.S3Read, bucket, key)
	if err != nil {
		return view{}, err
	}
	v := objectView{asked: version, uri: "s3://" + bucket + "/" + key}
	if v.versions, err = u.versionsOfKey(ctx, o, bucket, key, version); err != nil {
		return view{}, err
	}
	reader, err := o.Store.OpenVersion(ctx, bucket, key, version)
	var refused *artifacts.Error
	switch {
	case err == nil:
		defer func() { _ = reader.Close() }() // it was only read
		v.info = reader.ObjectInfo
		v.preview = u.previewOf(key, reader, reader.Size, string(fileURL("view", bucket, key, version)))
	case len(v.versions) > 0 && (errors.Is(err, artifacts.ErrNotFound) || errors.As(err, &refused) && refused.Code == "MethodNotAllowed"):
		v.info, v.gone = artifacts.ObjectInfo{Bucket: bucket, Key: key}, true
	default:
		return view{}, objectError(err)
	}
	v.modified = u.when(v.info.Modified.UnixMilli())
	v.headers, v.metadata = sortedPairs(v.info.Headers), sortedPairs(v.info.Metadata)
	for _, t := range v.info.Tags {
		v.tags = append(v.tags, keyValue(t))
	}
	if v.owners, err = u.newOwners(o, bucket).of(ctx, key); err != nil {
		return view{}, err
	}
	v.mayWrite = o.allows(ctx, artifacts.S3Write, bucket, key)
	v.mayDelete = o.allows(ctx, artifacts.S3Delete, bucket, key)
	v.mayLink = o.Presign != nil && !v.gone
	u.presign(r, o, &v, q.Get("link"))
	return view{title: key, section: "s3", body: objectPage(v)}, nil
}

// presign makes the URL that a form asks for.
func (u *UI) presign(r *http.Request, o *Objects, v *objectView, want string) {
	if want == "" || !v.mayLink {
		return
	}
	for _, l := range linkLives {
		if l.value != want {
			continue
		}
		link, err := o.Presign(r, v.info.Bucket, v.info.Key, v.asked, l.life)
		if err != nil {
			v.linkProblem = u.problemOf(err)
			return
		}
		v.link, v.linkLife = link, l.text
		return
	}
	v.linkProblem = "link: write 1h, 1d or 7d, not " + quoted(shorten(want, 20)) + "."
}

// versionsOfKey lists the versions of one key, the newest first. A bucket without versioning has nothing to list.
func (u *UI) versionsOfKey(ctx context.Context, o *Objects, bucket, key, version string) (out []versionOfKey, _ error) {
	state, err := o.Store.BucketVersioning(ctx, bucket)
	if err != nil {
		return nil, objectError(err)
	}
	if state == artifacts.VersioningOff {
		return nil, nil
	}
	page, err := o.Store.ListVersions(ctx, bucket, artifacts.VersionsOptions{Prefix: key, Max: shownVersions})
	if err != nil {
		return nil, objectError(err)
	}
	for _, info := range page.Versions {
		if info.Key != key {
			break
		}
		out = append(out, versionOfKey{
			id: info.Version, size: info.Size, modified: u.when(info.Modified.UnixMilli()), latest: info.Latest, marker: info.DeleteMarker,
			current: info.Version == version || version == "" && info.Latest,
		})
	}
	return out, nil
}

func sortedPairs(m map[string]string) (out []keyValue) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, keyValue{Key: k, Value: m[k]})
	}
	return out
}

// facts are what S3 knows of an object.
func (v objectView) facts() (out []keyValue) {
	add := func(key, value string) {
		if value != "" {
			out = append(out, keyValue{Key: key, Value: value})
		}
	}
	size := bytesText(v.info.Size)
	if v.info.Size >= 1024 {
		size += " (" + itoa64(v.info.Size) + " bytes)"
	}
	add("Size", size)
	add("Type", v.info.Headers["Content-Type"])
	add("ETag", v.info.ETag)
	add("Changed", v.modified.exact)
	if len(v.versions) > 0 {
		add("Version", v.info.Version)
	}
	add("Storage class", v.info.StorageClass)
	if v.info.Checksum != "" {
		add("Checksum", v.info.ChecksumType+" "+v.info.Checksum)
	}
	if n := v.info.Parts(); n > 0 {
		add("Uploaded in", countText(n, "part", false))
	}
	for _, h := range v.headers {
		if h.Key != "Content-Type" {
			add(h.Key, h.Value)
		}
	}
	return out
}

// fileURL is a route that sends an object: "file" as a download, "view" to be seen in place.
func fileURL(route, bucket, key, version string) templ.SafeURL {
	return bucketURL(bucket) + templ.SafeURL("/"+route) + query("key", key, "version", version)
}

// changeObject sets or removes a tag, and leads back to the object.
func (u *UI) changeObject(r *http.Request) (view, error) {
	ctx := r.Context()
	r.Body = http.MaxBytesReader(nil, r.Body, maxForm)
	bucket, key, version := r.PathValue("bucket"), r.FormValue("key"), r.FormValue("version")
	o, err := u.objects(r, artifacts.S3Write, bucket, key)
	if err != nil {
		return view{}, err
	}
	info, err := o.Store.StatVersion(ctx, bucket, key, version)
	if err != nil {
		return view{}, objectError(err)
	}
	name := r.FormValue("tag")
	tags := slices.DeleteFunc(slices.Clone(info.Tags), func(t artifacts.Tag) bool { return t.Key == name })
	switch do := r.FormValue("do"); do {
	case "tag":
		tags = append(tags, artifacts.Tag{Key: name, Value: r.FormValue("value")})
	case "untag":
	default:
		return view{}, registry.Invalidf("do: write tag or untag, not %s.", quoted(shorten(do, 40)))
	}
	if _, err := o.Store.SetTags(ctx, bucket, key, version, tags); err != nil {
		return view{}, objectError(err)
	}
	return view{location: string(objectURL(bucket, key, version)) + "#tags"}, nil
}

// sendObject sends an object to be kept, viewObject one to be seen in place.
func (u *UI) sendObject(w http.ResponseWriter, r *http.Request) {
	if err := u.download(w, r); err != nil {
		u.write(w, r, u.errorView(r, err))
	}
}

func (u *UI) viewObject(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	err := sendInPlace(w, "key", q.Get("key"), func() (io.ReadCloser, int64, error) {
		reader, err := u.openObject(r)
		if err != nil {
			return nil, 0, err
		}
		return reader, reader.Size, nil
	})
	if err != nil {
		u.write(w, r, u.errorView(r, err))
	}
}

func (u *UI) openObject(r *http.Request) (*artifacts.ObjectReader, error) {
	q := r.URL.Query()
	bucket, key := r.PathValue("bucket"), q.Get("key")
	o, err := u.objects(r, artifacts.S3Read, bucket, key)
	if err != nil {
		return nil, err
	}
	reader, err := o.Store.OpenVersion(r.Context(), bucket, key, q.Get("version"))
	return reader, objectError(err)
}

func (u *UI) download(w http.ResponseWriter, r *http.Request) error {
	reader, err := u.openObject(r)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }() // it was only read
	name := base(reader.Key)
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name)}))
	h.Set("ETag", strconv.Quote(reader.ETag))
	h.Set("Cache-Control", "no-cache")
	http.ServeContent(w, r, "", reader.Modified, reader)
	return nil
}

// shellCopy is the command that fetches the object with AWS's tool.
func (v objectView) shellCopy() string {
	return "aws s3 cp " + shellQuote(v.uri) + " " + shellQuote(strings.TrimLeft(base(v.info.Key), "-"))
}
