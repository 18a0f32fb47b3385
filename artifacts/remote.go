package artifacts

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// remotePart is the size of the parts of a large upload, in bytes: what an upload needs of memory, since a part is sent again when it fails.
const remotePart = 16 << 20

// remoteTries is how often a request that may be repeated is sent.
const remoteTries = 4

// RemoteConfig is how an external S3 store is reached.
type RemoteConfig struct {
	// Endpoint is its base URL, for example https://s3.eu-central-1.amazonaws.com or http://minio:9000.
	Endpoint string
	// PublicEndpoint is the base URL by which clients reach it, for presigned URLs; empty means Endpoint.
	PublicEndpoint string
	// AccessKey and SecretKey open it. Empty means what AWS's own tools take: AWS_ACCESS_KEY_ID and its companions, the profile AWS_PROFILE of
	// ~/.aws, and on AWS the role of the machine, container or web identity.
	AccessKey, SecretKey string
	// Region defaults to us-east-1; on AWS that of the bucket is asked for when it is empty.
	Region string
	// Transport sends the requests; nil means one with time limits.
	Transport http.RoundTripper
}

// Remote is an external S3 store. It keeps no connection that needs closing.
type Remote struct {
	endpoint *url.URL
	client   *minio.Core
	// public signs URLs for clients.
	public *minio.Client
}

// NewRemote prepares the access to a store; nothing is sent yet. Path style is used but on AWS itself.
func NewRemote(c RemoteConfig) (*Remote, error) {
	endpoint, err := parseEndpoint(c.Endpoint)
	if err != nil {
		return nil, err
	}
	public := endpoint
	if c.PublicEndpoint != "" {
		if public, err = parseEndpoint(c.PublicEndpoint); err != nil {
			return nil, err
		}
	}
	if (c.AccessKey == "") != (c.SecretKey == "") {
		return nil, errors.New("an access key needs a secret key, and the other way round")
	}
	if c.Region == "" && !onAWS(endpoint) {
		c.Region = "us-east-1"
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   32,
			IdleConnTimeout:       time.Minute,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: 2 * time.Minute, // a store may be slow to put parts together
			ExpectContinueTimeout: time.Second,
			DisableCompression:    true, // an object that was stored compressed stays so
		}
	}
	options := func(u *url.URL) *minio.Options {
		return &minio.Options{
			Creds: c.credentials(endpoint), Secure: u.Scheme == "https", Region: c.Region, Transport: c.Transport, MaxRetries: remoteTries,
		}
	}
	r := &Remote{endpoint: endpoint}
	if r.client, err = minio.NewCore(endpoint.Host, options(endpoint)); err != nil {
		return nil, err
	}
	if r.public, err = minio.New(public.Host, options(public)); err != nil {
		return nil, err
	}
	return r, nil
}

func parseEndpoint(endpoint string) (*url.URL, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("the S3 endpoint %q: write http://HOST:PORT or https://HOST", endpoint)
	}
	return u, nil
}

func onAWS(u *url.URL) bool {
	host := u.Hostname()
	return strings.HasSuffix(host, ".amazonaws.com") || strings.HasSuffix(host, ".amazonaws.com.cn")
}

// credentials finds the keys. The service of the machine's role is asked only where there can be one: elsewhere its address does not answer,
// and every request would wait for it.
func (c RemoteConfig) credentials(endpoint *url.URL) *credentials.Credentials {
	if c.AccessKey != "" {
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, "")
	}
	from := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	role := onAWS(endpoint)
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		role = role || os.Getenv(name) != ""
	}
	if role {
		from = append(from, &credentials.IAM{})
	}
	return credentials.NewChainCredentials(from)
}

// Endpoint is the store's base URL.
func (r *Remote) Endpoint() string { return r.endpoint.Scheme + "://" + r.endpoint.Host }

// Repo gives a bucket, or the part of it below a prefix, as a tree of files.
func (r *Remote) Repo(bucket, prefix string) *RemoteRepo {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	return &RemoteRepo{remote: r, bucket: bucket, prefix: prefix}
}

// Check tells whether a bucket can be used. Errors: NoSuchBucket, AccessDenied, RemoteUnavailable, with a message that says what to do.
func (r *Remote) Check(ctx context.Context, bucket string) error {
	// A list, not a HEAD: that has no body, so no reason for a refusal.
	_, err := r.Repo(bucket, "").holds(ctx, "")
	return r.fail(err, bucket, "")
}

// fail turns an error of the client into one that tells what happened at the other store.
func (r *Remote) fail(err error, bucket, key string) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if invalid := s3utils.CheckValidBucketName(bucket); invalid != nil {
		return &Error{codeInvalidBucketName, fmt.Sprintf("The bucket name %q is not valid: %v.", bucket, invalid)}
	}
	if invalid := s3utils.CheckValidObjectName(key); key != "" && invalid != nil {
		return fmt.Errorf("%w: %q: %w", ErrInvalidPath, key, invalid)
	}
	e, ok := errors.AsType[minio.ErrorResponse](err)
	if !ok {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // its text would hold the whole URL
		}
		return &Error{codeRemoteUnavailable, fmt.Sprintf("The S3 store at %s cannot be reached: %v", r.Endpoint(), err)}
	}
	said := e.Code
	if e.Message != "" {
		said += ": " + strings.TrimSuffix(e.Message, ".")
	}
	switch {
	case e.Code == codeNoSuchKey:
		return fmt.Errorf("%w: %s", ErrNotFound, key)
	case e.Code == codeNoSuchBucket:
		return &Error{codeNoSuchBucket, fmt.Sprintf("There is no bucket %s at %s.", bucket, r.Endpoint())}
	case e.StatusCode == http.StatusForbidden, e.StatusCode == http.StatusUnauthorized:
		return &Error{codeAccessDenied, fmt.Sprintf("The S3 store at %s refuses this server the bucket %s (%s): check its keys and what they permit.", r.Endpoint(), bucket, said)}
	case e.StatusCode == http.StatusNotFound && e.Code != codeNoSuchUpload:
		return fmt.Errorf("%w: %s", ErrNotFound, key)
	case e.StatusCode >= 500, e.StatusCode == http.StatusTooManyRequests, e.StatusCode == http.StatusRequestTimeout, e.StatusCode == 0:
		return &Error{codeRemoteUnavailable, fmt.Sprintf("The S3 store at %s failed: %s", r.Endpoint(), said)}
	}
	return &Error{e.Code, fmt.Sprintf("The S3 store at %s: %s", r.Endpoint(), said)}
}
