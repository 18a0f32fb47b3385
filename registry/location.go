package registry

import (
	"net/url"
	"path/filepath"
	"strings"
)

// joinURI puts parts behind the path of a location; a query or fragment stays at the end.
func joinURI(location string, parts ...string) string {
	tail := ""
	if i := strings.IndexAny(location, "?#"); i >= 0 && strings.Contains(location, ":") {
		location, tail = location[:i], location[i:]
	}
	slash := "/"
	if strings.HasSuffix(location, "/") {
		slash = ""
	}
	return location + slash + strings.Join(parts, "/") + tail
}

var (
	schemesWithParams = map[string]bool{"ftp": true, "hdfs": true, "http": true, "https": true, "sftp": true}
	// hostSchemes make whoever reads them connect to a host that a client chose.
	hostSchemes = map[string]bool{
		"ftp": true, "sftp": true, "hdfs": true, "viewfs": true, "http": true, "https": true, "mlflow-artifacts": true, "r2": true, "b2": true, "abfss": true,
	}
)

// refuseHost refuses a URI that names a host for the server to connect to, unless its owner allows that host. mlflow-artifacts:/ without a host
// is this server itself.
func (s *Store) refuseHost(field, uri string) error {
	scheme := uriScheme(uri)
	if !hostSchemes[scheme] || s.cfg.AllowHost != nil && s.cfg.AllowHost(uri) || scheme == "mlflow-artifacts" && !strings.HasPrefix(uri[len(scheme)+1:], "//") {
		return nil
	}
	return Invalidf("'%s' cannot use the '%s' scheme: the '%s' scheme addresses a host other than the tracking server's configured artifact storage, "+
		"so the server would connect to the host named in the URI. Set the MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES environment variable on the server to allow it.", field, scheme, scheme)
}

// resolveArtifactLocation checks the location of a new experiment; a relative path is taken from the server's working directory.
func (s *Store) resolveArtifactLocation(location string) (string, error) {
	scheme, rest, hasScheme := strings.Cut(location, ":")
	if hasScheme && scheme == "runs" {
		return "", Invalidf("Artifact location cannot be a runs:/ URI. Given: '%s'", location)
	}
	// A ";" parts params from the path only in the schemes that have them.
	if strings.Contains(location, "#") || strings.Contains(location, ";") && (!hasScheme || schemesWithParams[scheme]) {
		return "", Invalidf("'artifact_location' URL can't include fragments or params.")
	}
	if hasScheme && len(scheme) > 1 { // one letter is a Windows drive
		if u, err := url.Parse(location); err == nil && strings.Contains(u.RawQuery, "..") {
			return "", Invalidf("Invalid query string")
		}
		if scheme == "file" && !strings.HasPrefix(rest, "/") {
			abs, err := filepath.Abs(rest)
			return "file://" + filepath.ToSlash(abs), err
		}
		return location, s.refuseHost("artifact_location", location)
	}
	abs, err := filepath.Abs(location)
	return filepath.ToSlash(abs), err
}
