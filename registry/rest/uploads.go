package rest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
)

// maxUpload is the largest file that the UI uploads (contract/endpoints.md, section 9).
const maxUpload = 10 << 20

var errUploadTooLarge = registry.Invalidf("Artifact size is too large. Max size is 10MB.")

// uploadArtifact stores a small file below a run, for MLflow's own UI.
func (a *API) uploadArtifact(c *gin.Context, _ bool) {
	if err := a.upload(c); err != nil {
		c.Header("Connection", "close") // the rest of the body is not worth reading
		a.fail(c, err)
		return
	}
	write(c.Writer, http.StatusOK, nil)
}

func (a *API) upload(c *gin.Context) error {
	id, path := c.Query("run_uuid"), c.Query("path")
	switch {
	case id == "":
		return registry.Invalidf("Request must specify run_uuid.")
	case path == "":
		return registry.Invalidf("Request must specify path.")
	}
	path, err := a.cfg.Artifacts.CleanPath(path)
	switch {
	case err != nil:
		return err
	case path == "":
		return registry.Invalidf("Invalid path")
	case c.Request.ContentLength > maxUpload:
		return errUploadTooLarge
	}
	body := bufio.NewReader(c.Request.Body)
	if _, err := body.Peek(1); errors.Is(err, io.EOF) {
		return registry.Invalidf("Request must specify data.")
	}
	run, err := a.Run(c.Request.Context(), id)
	if err != nil {
		return err
	}
	limited := &limitedReader{r: body, left: maxUpload}
	err = a.cfg.Artifacts.Put(c.Request.Context(), run.Info.ArtifactURI, path, limited, c.Request.ContentLength)
	if limited.left < 0 {
		return errUploadTooLarge
	}
	return err
}

// limitedReader fails once more bytes were read than are left; io.LimitReader would make a long file a short one.
type limitedReader struct {
	r    io.Reader
	left int64
}

func (l *limitedReader) Read(b []byte) (int, error) {
	n, err := l.r.Read(b)
	if l.left -= int64(n); l.left < 0 {
		return 0, errUploadTooLarge
	}
	return n, err
}

// getLoggedModelFile downloads one file of a logged model.
func (a *API) getLoggedModelFile(c *gin.Context, _ bool) {
	path, err := a.cfg.Artifacts.CleanPath(c.Query("artifact_file_path"))
	if err == nil && path == "" {
		err = registry.Errorf(registry.BadRequest, `Request must include the "artifact_file_path" query parameter.`)
	}
	var m registry.LoggedModel
	if err == nil {
		m, err = a.LoggedModel(c.Request.Context(), c.Param("p1"), false)
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	a.download(c, m.Info.ArtifactURI, path)
}

// ErrNoPresign is what a [Presigner] answers for a location that no URL leads to.
var ErrNoPresign = errors.New("no presigned URL leads there")

// Presigner makes URLs that let whoever holds them read or store one file, without credentials.
type Presigner interface {
	// Enabled tells whether the artifact proxy gives a client that sent this request such URLs.
	Enabled(r *http.Request) bool
	// Presign makes a URL for a GET or a PUT of the file at path below an artifact location, for a client that sent this request. Errors:
	// ErrNoPresign; RESOURCE_DOES_NOT_EXIST for a GET of a file that is not there.
	Presign(r *http.Request, method, location, path string, life time.Duration) (PresignedURL, error)
}

// PresignedURL answers both presign calls. Size, in bytes, is only of downloads.
type PresignedURL struct {
	URL     string            `json:"presigned_url"`
	Headers map[string]string `json:"headers,omitempty"`
	Size    *int64            `json:"file_size,omitempty"`
}

// Lives of presigned URLs in seconds: MLflow's defaults, and S3's longest (contract/endpoints.md, section 1).
const (
	uploadURLLife   = 900
	downloadURLLife = 300
	maxURLLife      = 7 * 24 * 3600
)

type presignRequest struct {
	RunID      string `json:"run_id"`
	ModelID    string `json:"model_id"`
	Path       string `json:"path" req:"true"`
	Expiration *int64 `json:"expiration"`
}

func (a *API) presignUpload(c *gin.Context, _ bool) {
	var req presignRequest
	if err := bind(c.Request, c.Param, &req, a.cfg.MaxBody); err != nil {
		a.fail(c, err)
		return
	}
	if (req.RunID == "") == (req.ModelID == "") {
		a.fail(c, registry.Invalidf("Exactly one of run_id and model_id must be provided."))
		return
	}
	if err := a.permitted(c.Request.Context(), "POST 2.0 /mlflow/artifacts/presigned-upload-url", &req); err != nil {
		a.fail(c, err)
		return
	}
	a.presign(c, http.MethodPut, req, uploadURLLife)
}

type presignDownloadRequest struct {
	RunID      string `json:"run_id" req:"true"`
	Path       string `json:"path" req:"true"`
	Expiration *int64 `json:"expiration"`
}

func (a *API) presignDownload(c *gin.Context, _ bool) {
	var req presignDownloadRequest
	if err := bind(c.Request, c.Param, &req, a.cfg.MaxBody); err != nil {
		a.fail(c, err)
		return
	}
	if err := a.permitted(c.Request.Context(), "POST 2.0 /mlflow/artifacts/presigned-download-url", &req); err != nil {
		a.fail(c, err)
		return
	}
	a.presign(c, http.MethodGet, presignRequest{RunID: req.RunID, Path: req.Path, Expiration: req.Expiration}, downloadURLLife)
}

func (a *API) presign(c *gin.Context, method string, req presignRequest, seconds int64) {
	answer, err := func() (PresignedURL, error) {
		path, err := a.cfg.Artifacts.CleanPath(req.Path)
		if err != nil {
			return PresignedURL{}, err
		}
		if req.Expiration != nil {
			seconds = *req.Expiration
		}
		// MLflow checks downloads only; a URL that is dead from the start helps nobody with an upload either.
		if seconds < 1 || seconds > maxURLLife {
			return PresignedURL{}, registry.Invalidf("expiration must be between 1 and %d seconds (got %d).", maxURLLife, seconds)
		}
		location, err := a.artifactsOf(c.Request.Context(), req)
		if err != nil {
			return PresignedURL{}, err
		}
		if err := checkDirect(method, location); err != nil {
			return PresignedURL{}, err
		}
		unsupported := map[string]string{http.MethodPut: "Presigned upload", http.MethodGet: "Presigned download"}[method]
		if a.cfg.Presigner == nil {
			return PresignedURL{}, registry.Errorf(registry.NotImplemented, "%s is not supported for the current artifact repository", unsupported)
		}
		got, err := a.cfg.Presigner.Presign(c.Request, method, location, path, time.Duration(seconds)*time.Second)
		if errors.Is(err, ErrNoPresign) {
			err = registry.Errorf(registry.NotImplemented, "%s is not supported for the current artifact repository", unsupported)
		}
		return got, err
	}()
	if err != nil {
		a.fail(c, err)
		return
	}
	writeJSON(c.Writer, http.StatusOK, answer)
}

func (a *API) artifactsOf(ctx context.Context, req presignRequest) (string, error) {
	if req.ModelID != "" {
		m, err := a.LoggedModel(ctx, req.ModelID, false)
		return m.Info.ArtifactURI, err
	}
	run, err := a.Run(ctx, req.RunID)
	return run.Info.ArtifactURI, err
}

// checkDirect refuses locations whose bytes go through the proxy: a client that got its artifact location there has no S3 to speak of.
func checkDirect(method, location string) error {
	u, err := url.Parse(location)
	if err != nil {
		return nil // the locator says what is wrong
	}
	switch u.Scheme {
	case "http", "https", "mlflow-artifacts":
	default:
		return nil
	}
	if method == http.MethodPut {
		return registry.Invalidf("Presigned upload is not supported for proxied artifact storage (artifact URI scheme: %s). "+
			"This endpoint requires a direct cloud storage artifact URI.", u.Scheme)
	}
	return registry.Invalidf("Presigned download is not supported for runs with proxied artifact storage (artifact URI scheme: %s). "+
		"This endpoint requires a run with a direct cloud storage artifact URI.", u.Scheme)
}
