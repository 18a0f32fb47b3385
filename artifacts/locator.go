package artifacts

import (
	"context"
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
	// Remote holds what s3: URIs name whose bucket is not in Store; nil: there is no other store.
	Remote *Remote
	// Proxy holds what mlflow-artifacts: URIs name.
	Proxy Repo
	// OwnHost tells whether HOST or HOST:PORT is this server, in mlflow-artifacts:// and http:// URIs. nil: none is.
	OwnHost func(host string) bool
	// Proxies holds what such URIs name on other servers. nil: nothing.
	Proxies *Proxies
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
//	mlflow-artifacts:/PATH, mlflow-artifacts://HOST:PORT/PATH of this server or an allowed one
//	http(s)://HOST/api/2.0/mlflow-artifacts/artifacts/PATH of this server or an allowed one
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
		if err != nil || l.Remote == nil {
			return NewBucketRepo(l.Store, u.Host, ""), p, err
		}
		if own, err := l.Store.BucketExists(context.Background(), u.Host); err != nil || own {
			return NewBucketRepo(l.Store, u.Host, ""), p, err
		}
		return l.Remote.Repo(u.Host, ""), p, nil
	case "mlflow-artifacts":
		p, err := cleanURIPath(uri, u)
		if err != nil || u.Host == "" || l.own(u.Host) {
			return l.Proxy, p, err
		}
		scheme, ok := l.Proxies.find(u.Scheme, u.Host)
		if !ok {
			return foreign(notAllowed, u.Host, u.Host)
		}
		return l.Proxies.repo(&url.URL{Scheme: scheme, User: u.User, Host: u.Host, Path: "/api/2.0/mlflow-artifacts"}), p, nil
	case "http", "https":
		before, rest, ok := strings.Cut(u.Path, "/2.0"+proxyPath)
		if !ok || rest != "" && rest[0] != '/' {
			return foreign("it is not below an artifact proxy: write http(s)://HOST/api/2.0/mlflow-artifacts/artifacts/PATH")
		}
		base := *u
		base.Path, base.RawPath, base.RawQuery, base.Fragment = before+"/2.0/mlflow-artifacts", "", "", ""
		u.Path = rest
		p, err := cleanURIPath(uri, u)
		if err != nil || l.own(u.Host) {
			return l.Proxy, p, err
		}
		if _, ok := l.Proxies.find(u.Scheme, u.Host); !ok {
			return foreign(notAllowed, u.Host, u.Host)
		}
		return l.Proxies.repo(&base), p, nil
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
	if instead := instead[u.Scheme]; instead != "" {
		return foreign("the scheme %s (%s) is not supported; copy the files to S3, or have the MLflow server that can read them serve them by its artifact proxy", u.Scheme, instead)
	}
	return foreign("the scheme %s is not supported; use s3, mlflow-artifacts, http(s) of an artifact proxy, or file", u.Scheme)
}

// notAllowed is told of other servers.
const notAllowed = "%s is another server; its owner can let this one read from there with --allow-artifact-hosts %s"

// instead names the stores that MLflow knows and we do not, by their scheme.
var instead = map[string]string{
	"gs": "Google Cloud Storage", "wasb": "Azure Blob Storage", "wasbs": "Azure Blob Storage", "abfs": "Azure Data Lake", "abfss": "Azure Data Lake",
	"dbfs": "Databricks", "hdfs": "HDFS", "viewfs": "HDFS", "ftp": "FTP", "sftp": "SFTP", "r2": "Cloudflare R2", "b2": "Backblaze B2", "oss": "Aliyun OSS",
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
