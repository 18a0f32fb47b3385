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

// resolveArtifactLocation checks the location of a new experiment; a relative path is taken from the server's working directory.
func resolveArtifactLocation(location string) (string, error) {
	scheme, rest, hasScheme := strings.Cut(location, ":")
	if hasScheme && scheme == "runs" {
		return "", Invalidf("Artifact location cannot be a runs:/ URI. Given: '%s'", location)
	}
	if strings.ContainsAny(location, "#;") {
		return "", Invalidf("'artifact_location' URL can't include fragments or params.")
	}
	if hasScheme && len(scheme) > 1 { // one letter is a Windows drive
		if u, err := url.Parse(location); err == nil && strings.Contains(u.RawQuery, "..") {
			return "", Invalidf("Invalid query string: %s", u.RawQuery)
		}
		if scheme == "file" && !strings.HasPrefix(rest, "/") {
			abs, err := filepath.Abs(rest)
			return "file://" + filepath.ToSlash(abs), err
		}
		return location, nil
	}
	abs, err := filepath.Abs(location)
	return filepath.ToSlash(abs), err
}
