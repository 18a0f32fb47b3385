package prinzbox

import (
	"context"
	"strings"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// s3Secret is the secret of an access key: the environment's own, one of its further keys, or, where passwords are asked for, that of the user of that name.
func (e *world) s3Secret(accessKey string) (string, bool) {
	accessKey = e.ownKey(accessKey)
	if accessKey == e.cfg.AccessKey {
		return e.cfg.SecretKey, true
	}
	if k, ok := e.env.s3Keys[accessKey]; ok {
		return k.Secret, true
	}
	if e.auth == nil {
		return "", false
	}
	secret, err := e.store.KnownS3Secret(context.Background(), accessKey)
	if err != nil && !registry.IsCode(err, registry.ResourceDoesNotExist) {
		e.cfg.Log.Error("S3 key not read", "username", accessKey, "error", err)
	}
	return secret, err == nil && secret != ""
}

// s3Allow judges an S3 request of a user. What lies below the artifact root belongs to experiments; the rest is judged by the default
// permission. The environment's own key may do everything, other keys of the store what they are for.
func (e *world) s3Allow(ctx context.Context, accessKey string, do artifacts.S3Action, bucket, key string) bool {
	accessKey = e.ownKey(accessKey)
	if accessKey == e.cfg.AccessKey {
		return true
	}
	if k, ok := e.env.s3Keys[accessKey]; ok {
		return !k.ReadOnly || do == artifacts.S3Read || do == artifacts.S3List
	}
	if e.auth == nil {
		return false
	}
	who, err := e.auth.Access(ctx, accessKey)
	return err == nil && e.userMay(who, do, bucket, key)
}

// userMay judges what a user does with the S3 store, by whatever way.
func (e *world) userMay(who *registry.Access, do artifacts.S3Action, bucket, key string) bool {
	if who.Admin() {
		return true
	}
	action := registry.ActionUpdate
	switch do {
	case artifacts.S3Read, artifacts.S3List:
		action = registry.ActionRead
	case artifacts.S3Delete:
		action = registry.ActionDelete
	case artifacts.S3Manage:
		return false // buckets, and deletions of many objects at a time
	}
	path, own := e.belowArtifactRoot(bucket, key)
	if do == artifacts.S3List && (bucket == "" || !strings.Contains(path, "/")) {
		// A list from here shows the files of many experiments.
		v := who.Visible(registry.OnExperiment, registry.Need{Type: registry.OnRun}, registry.Need{Type: registry.OnTrace}, registry.Need{Type: registry.OnLoggedModel})
		return !v.Nothing && len(v.Except) == 0
	}
	if !own {
		path = ""
	}
	return rest.MayTouchArtifact(who, path, action)
}

// belowArtifactRoot is the path of an object below the artifact root that it lies in: "<experiment id>/…".
func (e *world) belowArtifactRoot(bucket, key string) (string, bool) {
	best, found := "", false
	longest := -1
	for _, root := range []string{e.cfg.ArtifactsDestination, e.cfg.DefaultArtifactRoot} {
		location, ok := strings.CutPrefix(root, "s3://")
		if !ok {
			continue
		}
		rootBucket, prefix, _ := strings.Cut(location, "/")
		if prefix = strings.Trim(prefix, "/"); prefix != "" {
			prefix += "/"
		}
		if rest, ok := strings.CutPrefix(key, prefix); ok && rootBucket == bucket && len(prefix) > longest {
			best, longest, found = rest, len(prefix), true
		}
	}
	return best, found
}

// artifactPath is the path below the artifact root that a URI leads to.
func (e *world) artifactPath(uri string) (string, bool) {
	repo, path, err := e.files.locate(uri, "")
	if err != nil {
		return "", false
	}
	if repo == e.files.locator.Proxy {
		return path, true
	}
	if rest, ok := strings.CutPrefix(uri, "s3://"); ok {
		bucket, _, _ := strings.Cut(rest, "/")
		return e.belowArtifactRoot(bucket, path)
	}
	for _, root := range []string{e.cfg.ArtifactsDestination, e.cfg.DefaultArtifactRoot} {
		if dir, below := localRoot(root), localRoot(uri); dir != "" && below != "" && within(below, dir) {
			return strings.Trim(strings.TrimPrefix(below, dir), "/\\"), true
		}
	}
	return "", false
}
