package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/ui"
)

// files gives the other packages the artifacts below a location, whatever its scheme. It speaks the registry's errors.
type files struct {
	locator *artifacts.Locator
	server  *artifacts.FileServer
	store   *artifacts.Store
	// onDisk is set when artifacts may lie in a folder, where other programs change them too.
	onDisk bool
	// elsewhere is set when they may lie on other servers, which do not tell of changes either.
	elsewhere bool
	started   time.Time
	asked     atomic.Uint64
}

// proxyRepo is where mlflow-artifacts: locations lie.
func proxyRepo(c Config, store *artifacts.Store, remote *artifacts.Remote) (artifacts.Repo, error) {
	if rest, ok := strings.CutPrefix(c.ArtifactsDestination, "s3://"); ok {
		bucket, prefix, _ := strings.Cut(rest, "/")
		if bucket == "" {
			return nil, errors.New("--artifacts-destination s3:// needs a bucket: s3://BUCKET or s3://BUCKET/PREFIX")
		}
		if _, ok := c.remoteBucket(); ok {
			return remote.Repo(bucket, prefix), nil
		}
		return artifacts.NewBucketRepo(store, bucket, prefix), nil
	}
	dir := c.ArtifactsDestination
	if strings.HasPrefix(dir, "file:") {
		u, err := url.Parse(dir)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return nil, fmt.Errorf("--artifacts-destination %s: write file:///PATH", dir)
		}
		dir = filepath.FromSlash(u.Path)
	} else if strings.Contains(dir, "://") {
		return nil, fmt.Errorf("--artifacts-destination %s: use a folder, or s3://BUCKET/PREFIX of this server's own store or, with --s3-endpoint, of another", dir)
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(abs, 0o755); err != nil {
		return nil, fmt.Errorf("cannot use --artifacts-destination: %w", err)
	}
	return artifacts.NewDirRepo(abs, c.Durability == "full"), nil
}

func (f *files) locate(location, p string) (artifacts.Repo, string, error) {
	repo, base, err := f.locator.Locate(location)
	if err != nil {
		return nil, "", asRegistryError(err)
	}
	return repo, path.Join(base, p), nil
}

// asRegistryError gives an artifact error the code that MLflow's clients know.
func asRegistryError(err error) error {
	var foreign *artifacts.ForeignURIError
	var refused *artifacts.Error
	switch {
	case errors.As(err, &foreign):
		return registry.Invalidf("%s", foreign.Error())
	case errors.Is(err, artifacts.ErrInvalidPath):
		return registry.Invalidf("Invalid path")
	case errors.Is(err, artifacts.ErrNotFound):
		return registry.NotFoundf("%s", err.Error())
	case errors.Is(err, artifacts.ErrIsDirectory):
		return registry.Invalidf("%s", err.Error())
	case errors.As(err, &refused) && refused.HTTPStatus() == http.StatusForbidden:
		return registry.Errorf(registry.PermissionDenied, "%s", refused.Message)
	case errors.As(err, &refused) && refused.HTTPStatus() == http.StatusServiceUnavailable:
		return registry.Errorf(registry.TemporarilyUnavailable, "%s", refused.Message)
	case errors.As(err, &refused) && refused.HTTPStatus() < http.StatusInternalServerError:
		return registry.Invalidf("%s", refused.Message)
	}
	return err
}

// list gives one level below a location.
func (f *files) list(ctx context.Context, location, p string) ([]artifacts.FileInfo, error) {
	repo, full, err := f.locate(location, p)
	if err != nil {
		return nil, err
	}
	infos, err := repo.List(ctx, full)
	return infos, asRegistryError(err)
}

func (f *files) open(ctx context.Context, location, p string) (*artifacts.File, error) {
	repo, full, err := f.locate(location, p)
	if err != nil {
		return nil, err
	}
	file, err := repo.Open(ctx, full)
	return file, asRegistryError(err)
}

// put stores one file under its whole URI.
func (f *files) put(ctx context.Context, uri string, r io.Reader, size int64) error {
	repo, full, err := f.locate(uri, "")
	if err != nil {
		return err
	}
	return asRegistryError(repo.Put(ctx, full, r, size))
}

// restFiles is what the REST API sees.
type restFiles struct{ *files }

func (f restFiles) List(ctx context.Context, location, p string) ([]rest.File, error) {
	infos, err := f.list(ctx, location, p)
	out := make([]rest.File, len(infos))
	for i, info := range infos {
		out[i] = rest.File{Path: path.Join(p, info.Name), IsDir: info.IsDir, Size: info.Size}
	}
	return out, err
}

func (f restFiles) Serve(w http.ResponseWriter, r *http.Request, location, p string) {
	repo, full, err := f.locate(location, p)
	if err != nil {
		rest.WriteError(w, err)
		return
	}
	f.server.ServeFile(w, r, repo, full)
}

func (f restFiles) Put(ctx context.Context, location, p string, r io.Reader, size int64) error {
	repo, full, err := f.locate(location, p)
	if err != nil {
		return err
	}
	return asRegistryError(repo.Put(ctx, full, r, size))
}

func (f restFiles) CleanPath(p string) (string, error) {
	clean, err := artifacts.CleanPath(p)
	return clean, asRegistryError(err)
}

// uiFiles is what the GUI sees.
type uiFiles struct{ *files }

func (f uiFiles) List(ctx context.Context, location, p string) ([]ui.File, error) {
	infos, err := f.list(ctx, location, p)
	out := make([]ui.File, len(infos))
	for i, info := range infos {
		out[i] = ui.File{Path: path.Join(p, info.Name), IsDir: info.IsDir, Size: info.Size}
	}
	return out, err
}

func (f uiFiles) Open(ctx context.Context, location, p string) (io.ReadCloser, int64, error) {
	file, err := f.open(ctx, location, p)
	if err != nil {
		return nil, 0, err
	}
	return file, file.Size, nil
}

// modelFiles is what scoring sees.
type modelFiles struct{ *files }

func (f modelFiles) Open(ctx context.Context, location, p string) (io.ReadCloser, int64, error) {
	return uiFiles(f).Open(ctx, location, p)
}

func (f modelFiles) ETag(ctx context.Context, location, p string) (string, error) {
	file, err := f.open(ctx, location, p)
	if err != nil {
		return "", err
	}
	defer file.Close() //nolint:errcheck // only its ETag is wanted
	return file.ETag, nil
}

// Generation is the store's. Files in a folder change without its knowing, so with those every request counts as a change, and
// scoring compares the model's files, by time and size. To ask another server is too dear for that: what lies there counts as changed now and
// then.
func (f modelFiles) Generation() uint64 {
	if f.onDisk {
		return f.asked.Add(1)
	}
	if f.elsewhere {
		return f.store.Generation() + uint64(time.Since(f.started)/remoteFresh)
	}
	return f.store.Generation()
}

// localRoot is the folder that a location on disk names, or "".
func localRoot(location string) string {
	if u, err := url.Parse(location); err == nil && u.Scheme == "file" {
		location = u.Path
	} else if strings.Contains(location, ":/") && filepath.VolumeName(location) == "" {
		return ""
	}
	if location == "" {
		return ""
	}
	abs, err := filepath.Abs(filepath.FromSlash(location))
	if err != nil {
		return ""
	}
	return abs
}

// within tells whether dir is root or below it.
func within(dir, root string) bool {
	rel, err := filepath.Rel(root, filepath.FromSlash(dir))
	return err == nil && filepath.IsLocal(rel)
}
