package prinzbox

import (
	"errors"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// presigner makes presigned URLs of the environment's own S3 listener.
type presigner struct{ env *world }

// signer is for URLs that the client that sent this request can reach: the host by which it knows this server, and the S3 port. Where it does
// not come by the main port's own number, a proxy or a container's port map stands between, the S3 port has another number outside as well,
// and only Config.S3PublicURL tells it.
func (p presigner) signer(r *http.Request) (artifacts.Signer, bool) {
	c := p.env.cfg
	s := artifacts.Signer{Endpoint: c.S3PublicURL, AccessKey: p.env.ready.AccessKey, Secret: c.SecretKey, Region: c.Region, Clock: time.Now} // signatures are checked against the real time
	if s.Endpoint != "" {
		return s, true
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil || port != strconv.Itoa(c.Port) || r.Header.Get("X-Forwarded-Host") != "" {
		return artifacts.Signer{}, false
	}
	s.Endpoint = c.TLS.scheme() + "://" + net.JoinHostPort(host, strconv.Itoa(c.S3Port))
	return s, true
}

// Enabled implements rest.Presigner.
func (p presigner) Enabled(r *http.Request) bool {
	_, own := p.signer(r)
	return artifacts.CanPresign(r, p.env.files.locator.Proxy, own)
}

// Presign implements rest.Presigner.
func (p presigner) Presign(r *http.Request, method, location, name string, life time.Duration) (rest.PresignedURL, error) {
	signer, own := p.signer(r)
	repo, full, err := p.env.files.locate(location, name)
	if err != nil {
		return rest.PresignedURL{}, err
	}
	if !artifacts.CanPresign(r, repo, own) {
		return rest.PresignedURL{}, rest.ErrNoPresign
	}
	var got artifacts.Presigned
	var size *int64
	if method == http.MethodPut {
		got, err = artifacts.PresignUpload(r.Context(), signer, repo, full, life)
	} else if got, err = artifacts.PresignDownload(r, signer, repo, full, life); err == nil {
		size = &got.Size
	}
	if errors.Is(err, artifacts.ErrNoPresign) {
		err = rest.ErrNoPresign
	}
	return rest.PresignedURL{URL: got.URL, Headers: got.Headers, Size: size}, asRegistryError(err)
}
