package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"
)

// maxForeignList bounds the body of another server's listing, in bytes: some hundred thousand names.
const maxForeignList = 64 << 20

// maxForeignError bounds what is read of another server's error.
const maxForeignError = 64 << 10

// Proxies are the artifact proxies of other MLflow servers that the owner allows this one to speak to. Locations come from clients: without
// the owner's word, a client could have this server fetch whatever it can reach.
type Proxies struct {
	// allowed maps HOST or HOST:PORT to the scheme that the owner wrote, or "".
	allowed map[string]string
	// schemes are allowed with any host.
	schemes []string
	client  *http.Client
}

// NewProxies allows hosts, each as HOST, HOST:PORT, http://HOST:PORT or https://HOST:PORT; HOST alone stands for the scheme's own port. With
// the schemes (http, https, mlflow-artifacts) any host is allowed, as with MLflow's MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES.
func NewProxies(hosts, schemes []string) (*Proxies, error) {
	p := &Proxies{allowed: map[string]string{}, schemes: schemes, client: &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			DialContext:           (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			MaxIdleConnsPerHost:   8,
			IdleConnTimeout:       time.Minute,
			TLSHandshakeTimeout:   10 * time.Second,
			ResponseHeaderTimeout: remoteIdle,
			DisableCompression:    true,
		},
		// An allowed host must not send this server on to one that is not.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	for _, host := range hosts {
		scheme, rest := "", host
		if s, r, ok := strings.Cut(host, "://"); ok {
			scheme, rest = s, r
		}
		u, err := url.Parse("http://" + rest)
		if err != nil || u.Host == "" || u.Hostname() == "" || u.Host != rest || scheme != "" && scheme != "http" && scheme != "https" || strings.Contains(rest, "*") {
			return nil, fmt.Errorf("the artifact host %q: write HOST, HOST:PORT or https://HOST:PORT", host)
		}
		p.allowed[hostPort(scheme, strings.ToLower(u.Host))] = scheme
	}
	return p, nil
}

// hostPort leaves out the port that is the scheme's own.
func hostPort(scheme, host string) string {
	if h, port, err := net.SplitHostPort(host); err == nil && (scheme == "http" && port == "80" || scheme == "https" && port == "443") {
		if strings.Contains(h, ":") {
			h = "[" + h + "]"
		}
		return h
	}
	return host
}

// Allows tells whether the host that a URI names may be spoken to, by the URI's scheme.
func (p *Proxies) Allows(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return false
	}
	_, ok := p.find(u.Scheme, u.Host)
	return ok
}

// find gives the scheme, http or https, to use for a host in a URI of a scheme, if it is allowed.
func (p *Proxies) find(scheme, host string) (string, bool) {
	if p == nil {
		return "", false
	}
	any := slices.Contains(p.schemes, scheme)
	if scheme == "mlflow-artifacts" {
		scheme = ""
	}
	host = strings.ToLower(host)
	wanted, ok := p.allowed[host]
	if !ok {
		wanted, ok = p.allowed[hostPort(scheme, host)]
	}
	switch {
	case any && scheme != "":
		return scheme, true
	case any && !ok:
		return "http", true
	case !ok, scheme != "" && wanted != "" && scheme != wanted:
		return "", false
	case scheme != "":
		return scheme, true
	case wanted != "":
		return wanted, true
	}
	return "http", true
}

// repo is the proxy whose routes begin at base: …/api/2.0/mlflow-artifacts.
func (p *Proxies) repo(base *url.URL) *HTTPRepo { return &HTTPRepo{client: p.client, base: base} }

// HTTPRepo is what another MLflow server's artifact proxy holds.
type HTTPRepo struct {
	client *http.Client
	base   *url.URL
}

var _ Repo = (*HTTPRepo)(nil)

// send makes a request. An answer that is not a success comes as an error; the body of a success must be closed.
func (h *HTTPRepo) send(ctx context.Context, method, p string, query url.Values, body io.Reader, size int64, header http.Header) (*http.Response, error) {
	u := *h.base
	u.Path = strings.TrimSuffix(u.Path, "/") + "/artifacts"
	if p != "" {
		u.Path += "/" + p
	}
	u.RawPath, u.RawQuery = escapePath(u.Path), query.Encode()
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		r.ContentLength = size
		if size == 0 {
			r.Body = http.NoBody
		}
	}
	maps.Copy(r.Header, header)
	resp, err := h.client.Do(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, &Error{codeRemoteUnavailable, fmt.Sprintf("The artifact server %s cannot be reached: %v", h.base.Host, err)}
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer func() { _ = resp.Body.Close() }()
	return nil, h.refusal(resp, p)
}

// refusal turns another server's answer into an error.
func (h *HTTPRepo) refusal(resp *http.Response, p string) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxForeignError))
	var said struct {
		Message, Detail string
	}
	_ = json.Unmarshal(text, &said) // not every error is JSON
	if said.Message == "" {
		said.Message = said.Detail
	}
	if said.Message == "" {
		said.Message = resp.Status
	}
	from := fmt.Sprintf("The artifact server %s answered %d: %s", h.base.Host, resp.StatusCode, said.Message)
	switch status := resp.StatusCode; {
	case status == http.StatusNotFound:
		return fmt.Errorf("%w: %s", ErrNotFound, p)
	case status < 400:
		return &Error{codeInvalidRequest, fmt.Sprintf("The artifact server %s redirects to %s; redirects are not followed: use the address it redirects to.", h.base.Host, resp.Header.Get("Location"))}
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return &Error{codeAccessDenied, from}
	case status >= 500, status == http.StatusTooManyRequests:
		return &Error{codeRemoteUnavailable, from}
	}
	return &Error{codeInvalidRequest, from}
}

// Put implements Repo.
func (h *HTTPRepo) Put(ctx context.Context, p string, r io.Reader, size int64) error {
	if err := checkFilePath(p); err != nil {
		return err
	}
	body := &sender{r: r}
	resp, err := h.send(ctx, http.MethodPut, p, nil, body, size, http.Header{"Content-Type": {ContentType(p)}})
	if body.err != nil {
		return bodyError(body.err)
	}
	if err != nil {
		if size >= 0 && body.read < size && isCode(err, codeRemoteUnavailable) && strings.Contains(err.Error(), "Body length") {
			return &Error{codeIncompleteBody, fmt.Sprintf("The body has %d bytes where %d were announced.", body.read, size)}
		}
		return err
	}
	return resp.Body.Close()
}

// Open implements Repo. The bytes are asked for when they are read.
func (h *HTTPRepo) Open(ctx context.Context, p string) (*File, error) {
	if p == "" {
		return nil, ErrIsDirectory
	}
	resp, err := h.send(ctx, http.MethodHead, p, nil, nil, 0, nil)
	f := &File{Size: -1}
	tag := ""
	if err == nil {
		_ = resp.Body.Close()
		f.Size = resp.ContentLength
		f.Modified, _ = http.ParseTime(resp.Header.Get("Last-Modified"))
		tag = resp.Header.Get("ETag")
	} else if !isCode(err, codeInvalidRequest) && !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	if f.Size < 0 {
		// A server that knows no HEAD, or no length; or a directory.
		if f.Size, err = h.sizeInList(ctx, p); err != nil {
			return nil, err
		}
	}
	f.ETag = strings.Trim(strings.TrimPrefix(tag, "W/"), `"`)
	if f.ETag == "" {
		f.ETag = fmt.Sprintf("%d-%d", f.Modified.Unix(), f.Size)
	}
	f.ReadSeekCloser = &remoteFile{ctx: ctx, size: f.Size, once: tag == "", open: func(ctx context.Context, from int64) (io.ReadCloser, error) {
		return h.get(ctx, p, tag, from)
	}}
	return f, nil
}

// sizeInList is the size that the listing of a file's directory tells.
func (h *HTTPRepo) sizeInList(ctx context.Context, p string) (int64, error) {
	dir := path.Dir(p)
	if dir == "." {
		dir = ""
	}
	files, err := h.List(ctx, dir)
	if err != nil {
		return 0, err
	}
	i := slices.IndexFunc(files, func(f FileInfo) bool { return f.Name == path.Base(p) })
	switch {
	case i < 0:
		return 0, fmt.Errorf("%w: %s", ErrNotFound, p)
	case files[i].IsDir:
		return 0, ErrIsDirectory
	}
	return files[i].Size, nil
}

// get begins a download at an offset, of the file that had an ETag.
func (h *HTTPRepo) get(ctx context.Context, p, tag string, from int64) (io.ReadCloser, error) {
	header := http.Header{}
	if from > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", from))
		if tag != "" {
			header.Set("If-Range", tag)
		}
	}
	resp, err := h.send(ctx, http.MethodGet, p, nil, nil, 0, header)
	if err != nil {
		return nil, err
	}
	if now := resp.Header.Get("ETag"); tag != "" && now != tag {
		_ = resp.Body.Close()
		return nil, &Error{codePreconditionFailed, fmt.Sprintf("The file %s changed at %s while it was read.", p, h.base.Host)}
	}
	if from > 0 && resp.StatusCode != http.StatusPartialContent {
		if _, err := io.CopyN(io.Discard, resp.Body, from); err != nil { // a server that knows no ranges
			_ = resp.Body.Close()
			return nil, err
		}
	}
	return resp.Body, nil
}

// List implements Repo.
func (h *HTTPRepo) List(ctx context.Context, dir string) ([]FileInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, remoteIdle)
	defer cancel()
	query := url.Values{}
	if dir != "" {
		query.Set("path", dir)
	}
	resp, err := h.send(ctx, http.MethodGet, "", query, nil, 0, nil)
	if err != nil {
		return nil, ignoreNotFound(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var list fileList
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxForeignList+1))
	switch {
	case err != nil:
		return nil, &Error{codeRemoteUnavailable, fmt.Sprintf("The artifact server %s broke off: %v", h.base.Host, err)}
	case len(text) > maxForeignList:
		return nil, &Error{codeInvalidRequest, fmt.Sprintf("The artifact server %s lists more than %d MiB.", h.base.Host, maxForeignList>>20)}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, &Error{codeInvalidRequest, fmt.Sprintf("The artifact server %s does not answer as MLflow's artifact proxy does: %v", h.base.Host, err)}
	}
	var files []FileInfo
	for _, f := range list.Files {
		// The name is all that counts: a hostile server's path must not lead elsewhere.
		if name := path.Base(f.Path); f.Path != "" && name != "." && name != ".." && name != "/" {
			files = append(files, FileInfo{Name: name, IsDir: f.IsDir, Size: f.Size})
		}
	}
	slices.SortStableFunc(files, func(a, b FileInfo) int { return strings.Compare(a.Name, b.Name) })
	return files, nil
}

// Delete implements Repo.
func (h *HTTPRepo) Delete(ctx context.Context, p string) error {
	resp, err := h.send(ctx, http.MethodDelete, p, nil, nil, 0, nil)
	if err != nil {
		return ignoreNotFound(err)
	}
	return resp.Body.Close()
}
