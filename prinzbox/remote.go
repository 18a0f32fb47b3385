package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
)

// RemoteS3 is an S3 store elsewhere, for artifacts that outgrow this machine's disk and for runs that lie there already.
type RemoteS3 struct {
	// Endpoint is its base URL, for example https://s3.eu-central-1.amazonaws.com. Empty means that there is none.
	Endpoint string
	// PublicURL is its base URL as clients reach it, for presigned URLs; empty means Endpoint.
	PublicURL string
	// AccessKey and SecretKey open it. Empty means what AWS's own tools take: AWS_ACCESS_KEY_ID and its companions, ~/.aws, the machine's role.
	AccessKey, SecretKey string
	// Region defaults to us-east-1; on AWS that of the bucket is asked for.
	Region string
}

// remoteCheck is how long the store may take to answer at start.
const remoteCheck = 15 * time.Second

// remoteFresh is how long a model read from elsewhere is used before it is asked whether its files have changed.
const remoteFresh = 5 * time.Second

// remoteBucket is the bucket of the remote store in which mlflow-artifacts: locations lie, if they do.
func (c Config) remoteBucket() (bucket string, ok bool) {
	if c.Remote.Endpoint == "" || c.ownDestination {
		return "", false
	}
	location, ok := strings.CutPrefix(c.ArtifactsDestination, "s3://")
	bucket, _, _ = strings.Cut(location, "/")
	return bucket, ok
}

// open prepares the remote store; nil without one.
func (r RemoteS3) open() (*artifacts.Remote, error) {
	if r.Endpoint == "" {
		r.Region = "" // AWS_REGION may stand in any environment
		if r != (RemoteS3{}) {
			return nil, errors.New("--s3-endpoint-access-key, --s3-endpoint-secret-key and --s3-endpoint-public-url need --s3-endpoint")
		}
		return nil, nil //nolint:nilnil // there is none
	}
	remote, err := artifacts.NewRemote(artifacts.RemoteConfig{
		Endpoint: r.Endpoint, PublicEndpoint: r.PublicURL, AccessKey: r.AccessKey, SecretKey: r.SecretKey, Region: r.Region,
	})
	if err != nil {
		return nil, fmt.Errorf("--s3-endpoint: %w", err)
	}
	return remote, nil
}

// openRemote prepares the remote store, and sees that the bucket of mlflow-artifacts: locations can be used: better now than at the first upload.
func (e *Env) openRemote(ctx context.Context) (*artifacts.Remote, error) {
	c := e.cfg
	remote, err := c.Remote.open()
	if err != nil || remote == nil {
		return nil, err
	}
	if u, err := url.Parse(c.Remote.Endpoint); err == nil && u.Port() == strconv.Itoa(c.S3Port) && (u.Hostname() == c.Host || u.Hostname() == "localhost" || isLoopback(u.Hostname())) {
		return nil, fmt.Errorf("--s3-endpoint %s is this server's own store: leave it out", c.Remote.Endpoint)
	}
	bucket, ok := c.remoteBucket()
	if !ok {
		return remote, nil
	}
	ctx, cancel := context.WithTimeout(ctx, remoteCheck)
	defer cancel()
	switch err := remote.Check(ctx, bucket); {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("--s3-endpoint %s does not answer", c.Remote.Endpoint)
	case err != nil:
		if said, ok := errors.AsType[*artifacts.Error](err); ok {
			err = errors.New(said.Message)
		}
		return nil, fmt.Errorf("--artifacts-destination %s: %w", c.ArtifactsDestination, err)
	}
	return remote, nil
}

// tellOfBothBuckets logs that the remote bucket of mlflow-artifacts: locations has a namesake here.
func (e *world) tellOfBothBuckets(ctx context.Context) error {
	bucket, ok := e.cfg.remoteBucket()
	if !ok {
		return nil
	}
	own, err := e.blobs.BucketExists(ctx, bucket)
	if own {
		e.cfg.Log.Info("a bucket of this name is in this server's own store too: s3: locations mean that one, mlflow-artifacts: locations the other",
			"bucket", bucket, "s3_endpoint", e.cfg.Remote.Endpoint)
	}
	return err
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
