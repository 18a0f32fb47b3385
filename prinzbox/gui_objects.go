package prinzbox

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/ui"
)

// guiObjects is the S3 store as the GUI shows it: a user sees and does what he could with an S3 client.
func (e *world) guiObjects() *ui.Objects {
	return &ui.Objects{Store: e.blobs, Allow: e.guiAllow, Presign: e.guiPresign, Locate: e.guiLocate}
}

// guiAllow judges a user of the GUI as the S3 server judges his key. Policies can deny what that allows, in words of S3's requests: a bucket
// that has one is for S3 clients, and for admins.
func (e *world) guiAllow(ctx context.Context, do artifacts.S3Action, bucket, key string) bool {
	if e.auth == nil {
		return true
	}
	who := registry.AccessOf(ctx)
	switch {
	case who == nil || !e.userMay(who, do, bucket, key):
		return false
	case who.Admin() || bucket == "":
		return true
	}
	_, err := e.blobs.BucketPolicy(ctx, bucket)
	return errors.Is(err, artifacts.ErrNotFound) || isNoPolicy(err)
}

func isNoPolicy(err error) bool {
	var e *artifacts.Error
	return errors.As(err, &e) && e.Code == "NoSuchBucketPolicy"
}

// guiPresign makes a URL of the S3 listener, signed with the environment's own key: the caller has asked guiAllow.
func (e *world) guiPresign(r *http.Request, bucket, key, version string, life time.Duration) (string, error) {
	signer, ok := presigner{e}.signer(r)
	if !ok {
		return "", registry.Invalidf("Nobody has said how the S3 store is reached from where you are: a proxy or a port map stands between. Start prinzbox with --s3-public-url.")
	}
	q := url.Values{}
	if version != "" {
		q.Set("versionId", version)
	}
	// Signatures are checked against the real time, whatever the environment's clock says.
	return artifacts.Presign(artifacts.PresignOptions{
		Method: http.MethodGet, Endpoint: signer.Endpoint, Bucket: bucket, Key: key, AccessKey: signer.AccessKey, Secret: signer.Secret,
		Region: signer.Region, Expires: life, Now: time.Now(), Query: q,
	})
}

// guiLocate tells where in the S3 store an artifact URI leads.
func (e *world) guiLocate(uri string) (bucket, key string, ok bool) {
	repo, path, err := e.files.locate(uri, "")
	if err != nil {
		return "", "", false
	}
	if _, ok := repo.(*artifacts.BucketRepo); !ok { // a folder, or another server
		return "", "", false
	}
	switch root, inStore := strings.CutPrefix(e.cfg.ArtifactsDestination, "s3://"); {
	case repo == e.files.locator.Proxy && inStore:
		bucket, key, _ = strings.Cut(root, "/")
		key = strings.Trim(key, "/")
		if key != "" && path != "" {
			key += "/"
		}
		key += path
	case strings.HasPrefix(uri, "s3://"):
		bucket, _, _ = strings.Cut(strings.TrimPrefix(uri, "s3://"), "/")
		key = path
	default:
		return "", "", false
	}
	return bucket, key, bucket != ""
}
