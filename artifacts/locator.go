package artifacts

import (
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"runtime"
	"strings"
)

// proxyPath is where the artifact proxy's files stand, below a host.
const proxyPath = "/mlflow-artifacts/artifacts"

// Locator finds the repository that an artifact URI speaks of.
type Locator struct {
	// Store holds what s3: URIs name.
	Store *Store
	// Proxy holds what mlflow-artifacts: URIs name.
	Proxy Repo
	// OwnHost tells whether HOST or HOST:PORT is this server, in mlflow-artifacts:// and http:// URIs. nil: none is.
	OwnHost func(host string) bool
	// AllowLocal permits file: URIs and absolute paths. nil: none are.
	AllowLocal func(dir string) bool
}

// ForeignURIError says that an artifact URI is not one that this server can read.
type ForeignURIError struct {
	URI, Reason string
}

func (e *ForeignURIError) Error() string {
	return fmt.Sprintf("the artifact location %q cannot be read by this server: %s", e.URI, e.Reason)
}

// Locate returns the repository of a URI and the path within. Understood are
//
//	s3://BUCKET/PATH
//	mlflow-artifacts:/PATH, mlflow-artifacts://HOST:PORT/PATH of this server
//	http(s)://HOST/api/2.0/mlflow-artifacts/artifacts/PATH of this server
//	file:///PATH, /PATH
//
// Errors: *ForeignURIError, and ErrInvalidPath for one that leads out of its repository.
func (l *Locator) Locate(uri string) (Repo, string, error) {
	foreign := func(format string, args ...any) (Repo, string, error) {
		return nil, "", &ForeignURIError{uri, fmt.Sprintf(format, args...)}
	}
	if isLocalPath(uri) {
		return l.local(uri, uri)
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "" {
		return foreign("it is neither a URI nor an absolute path")
	}
	switch u.Scheme {
	case "s3":
		if u.Host == "" {
			return foreign("it names no bucket: write s3://BUCKET/PATH")
		}
		p, err := cleanURIPath(uri, u)
		return NewBucketRepo(l.Store, u.Host, ""), p, err
	case "mlflow-artifacts":
		if u.Host != "" && !l.own(u.Host) {
			return foreign("%s is another server", u.Host)
		}
		p, err := cleanURIPath(uri, u)
		return l.Proxy, p, err
	case "http", "https":
		_, rest, ok := strings.Cut(u.Path, "/2.0"+proxyPath)
		if !ok || !l.own(u.Host) || rest != "" && rest[0] != '/' {
			return foreign("it is not below this server's artifact proxy")
		}
		u.Path = rest
		p, err := cleanURIPath(uri, u)
		return l.Proxy, p, err
	case "file":
		if u.Host != "" && u.Host != "localhost" {
			return foreign("%s is another machine", u.Host)
		}
		p := u.Path
		if runtime.GOOS == "windows" {
			p = strings.TrimPrefix(p, "/")
		}
		return l.local(uri, p)
	}
	return foreign("the scheme %s is not supported; use s3, mlflow-artifacts or file", u.Scheme)
}

func (l *Locator) own(host string) bool { return l.OwnHost != nil && l.OwnHost(host) }

func isLocalPath(uri string) bool { return strings.HasPrefix(uri, "/") || filepath.IsAbs(uri) }

// cleanURIPath gives a URI's path relative to its root. Unlike [CleanPath] it decodes only once: a URI is not a client's path but
// what the server itself stored.
func cleanURIPath(uri string, u *url.URL) (string, error) {
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == ".." {
			return "", fmt.Errorf(`%w: %q holds a ".." segment`, ErrInvalidPath, uri)
		}
	}
	return strings.Trim(path.Clean("/"+u.Path), "/"), nil
}

func (l *Locator) local(uri, dir string) (Repo, string, error) {
	if l.AllowLocal == nil || !l.AllowLocal(dir) {
		return nil, "", &ForeignURIError{uri, "local directories are not served"}
	}
	return NewDirRepo(filepath.FromSlash(dir), false), "", nil
}
