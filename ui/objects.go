package ui

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
)

// Objects is the S3 store behind the pages of buckets.
type Objects struct {
	Store *artifacts.Store
	// Allow tells whether the asking user may act on a key, on a bucket (key is then the prefix of a list, or empty) or on all buckets (no
	// bucket). nil allows everything.
	Allow func(ctx context.Context, do artifacts.S3Action, bucket, key string) bool
	// Presign makes a URL by which anybody reads an object, or one version of it, for a while. It leads to the S3 server as the client that
	// sent the request reaches it; INVALID_PARAMETER_VALUE says why there is none. nil: there are none.
	Presign func(r *http.Request, bucket, key, version string, life time.Duration) (string, error)
	// Locate tells where in the store an artifact URI leads. nil understands s3://BUCKET/KEY.
	Locate func(uri string) (bucket, key string, ok bool)
}

// objectRoutes are the pages of buckets.
func (u *UI) objectRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /s3/{bucket}/file", u.sendObject)
	mux.HandleFunc("GET /s3/{bucket}/view", u.viewObject)
	for pattern, p := range map[string]page{
		"GET /s3":                  u.buckets,
		"POST /s3":                 u.makeBucket,
		"GET /s3/{bucket}":         u.bucket,
		"GET /s3/{bucket}/object":  u.object,
		"POST /s3/{bucket}/object": u.changeObject,
		"POST /s3/{bucket}/upload": u.upload,
		"GET /s3/{bucket}/delete":  u.confirmDeletion,
		"POST /s3/{bucket}/delete": u.deleteKeys,
	} {
		mux.HandleFunc(pattern, u.show(p))
	}
}

func (o *Objects) allows(ctx context.Context, do artifacts.S3Action, bucket, key string) bool {
	return o.Allow == nil || o.Allow(ctx, do, bucket, key)
}

// locate is Locate with its default. A bucket must be named.
func (o *Objects) locate(uri string) (bucket, key string, ok bool) {
	if o.Locate != nil {
		return o.Locate(uri)
	}
	rest, ok := strings.CutPrefix(uri, "s3://")
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key, ok && bucket != ""
}

// objects is the store, if the asking user may do this with it.
func (u *UI) objects(r *http.Request, do artifacts.S3Action, bucket, key string) (*Objects, error) {
	o := u.cfg.Objects
	switch {
	case o == nil:
		return nil, registry.NotFoundf("This environment has no S3 store.")
	case !o.allows(r.Context(), do, bucket, key):
		return nil, denied()
	}
	return o, nil
}

// objectError gives an error of the S3 store the code by which a page shows it.
func objectError(err error) error {
	var e *artifacts.Error
	if !errors.As(err, &e) {
		return err
	}
	switch status := e.HTTPStatus(); {
	case status == http.StatusNotFound:
		return registry.NotFoundf("%s", e.Message)
	case status == http.StatusForbidden:
		return registry.Errorf(registry.PermissionDenied, "%s", e.Message)
	case status == http.StatusServiceUnavailable:
		return registry.Errorf(registry.TemporarilyUnavailable, "%s", e.Message)
	case status < http.StatusInternalServerError:
		return registry.Invalidf("%s", e.Message)
	}
	return err
}

// storedAt is the page of the folder, or object, that an artifact URI leads to; "" if there is none.
func (u *UI) storedAt(uri string, folder bool) templ.SafeURL {
	if u.cfg.Objects == nil {
		return ""
	}
	bucket, key, ok := u.cfg.Objects.locate(uri)
	switch {
	case !ok:
		return ""
	case !folder:
		return objectURL(bucket, key, "")
	case key != "":
		key = strings.TrimSuffix(key, "/") + "/"
	}
	return folderURL(bucket, key, "")
}

type bucketsView struct {
	buckets  []bucketLine
	endpoint string
	client   []snippet
	mayMake  bool
}

type bucketLine struct {
	name       string
	created    moment
	versioning artifacts.Versioning
}

type versioning = artifacts.Versioning

// snippet is a text to copy, with the id of the element that shows it.
type snippet struct{ id, title, text string }

// buckets lists the buckets that the user may list.
func (u *UI) buckets(r *http.Request) (view, error) {
	ctx := r.Context()
	o := u.cfg.Objects
	if o == nil {
		return view{}, registry.NotFoundf("This environment has no S3 store.")
	}
	all, err := o.Store.ListBuckets(ctx)
	if err != nil {
		return view{}, err
	}
	v := bucketsView{mayMake: o.allows(ctx, artifacts.S3Manage, "", "")}
	for _, b := range all {
		if !o.allows(ctx, artifacts.S3Read, b.Name, "") && !o.allows(ctx, artifacts.S3List, b.Name, "") {
			continue
		}
		line := bucketLine{name: b.Name, created: u.when(b.Created.UnixMilli())}
		if line.versioning, err = o.Store.BucketVersioning(ctx, b.Name); err != nil {
			if errors.Is(err, artifacts.ErrNotFound) { // deleted meanwhile
				continue
			}
			return view{}, err
		}
		v.buckets = append(v.buckets, line)
	}
	env := u.cfg.Environment()
	v.endpoint, v.client = env.S3Endpoint, s3Settings(env)
	return view{title: "S3", section: "s3", body: bucketsPage(v)}, nil
}

// s3Settings are what an S3 client needs to be told; none without an endpoint.
func s3Settings(env Environment) []snippet {
	if env.S3Endpoint == "" {
		return nil
	}
	shell := "export AWS_ENDPOINT_URL=" + shellQuote(env.S3Endpoint) + "\n" +
		"export AWS_DEFAULT_REGION=" + shellQuote(env.Region) + "\n"
	python := "import boto3\n\ns3 = boto3.client(\n    \"s3\", endpoint_url=" + quote(env.S3Endpoint) + ", region_name=" + quote(env.Region) + ",\n"
	if env.AccessKey != "" {
		shell += "export AWS_ACCESS_KEY_ID=" + shellQuote(env.AccessKey) + "\nexport AWS_SECRET_ACCESS_KEY=" + shellQuote(env.SecretKey) + "\n"
		python += "    aws_access_key_id=" + quote(env.AccessKey) + ", aws_secret_access_key=" + quote(env.SecretKey) + ",\n"
	}
	bucket := env.Bucket
	if bucket == "" {
		bucket = "BUCKET"
	}
	return []snippet{
		{"s3-shell", "Shell", shell + "\naws s3 ls " + shellQuote("s3://"+bucket)},
		{"s3-python", "Python", python + ")\nfor item in s3.list_objects_v2(Bucket=" + quote(bucket) + ").get(\"Contents\", []):\n    print(item[\"Key\"], item[\"Size\"])"},
	}
}

// makeBucket makes a bucket of a form, and leads to it.
func (u *UI) makeBucket(r *http.Request) (view, error) {
	o, err := u.objects(r, artifacts.S3Manage, "", "")
	if err != nil {
		return view{}, err
	}
	name := strings.TrimSpace(r.FormValue("name"))
	if err := o.Store.CreateBucket(r.Context(), name, false); err != nil {
		return view{}, objectError(err)
	}
	return view{location: string(bucketURL(name))}, nil
}
