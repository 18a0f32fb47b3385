package rest

import (
	"context"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/registry"
)

// serverInfoResponse is what the 3.x client asks before a download (contract/endpoints.md, section 9).
type serverInfoResponse struct {
	StoreType         string          `json:"store_type"`
	Workspaces        bool            `json:"workspaces_enabled"`
	TraceArchival     bool            `json:"trace_archival_enabled"`
	MultipartUpload   bool            `json:"multipart_uploads_enabled"`
	MultipartDownload bool            `json:"multipart_downloads_enabled"`
	PresignedRun      bool            `json:"presigned_upload_run_id_supported"`
	PresignedModel    bool            `json:"presigned_upload_model_id_supported"`
	Features          map[string]bool `json:"features_enabled"`
}

// serverInfo tells what this server can do for this client: whether its multipart and presigned calls lead anywhere depends on where it
// comes from.
func (a *API) serverInfo(c *gin.Context, _ bool) {
	multipart := a.cfg.Presigner != nil && a.cfg.Presigner.Enabled(c.Request)
	writeJSON(c.Writer, http.StatusOK, serverInfoResponse{
		StoreType: "SqlStore", MultipartUpload: multipart, MultipartDownload: multipart, PresignedRun: true, PresignedModel: true,
		Features: map[string]bool{"gateway": false},
	})
}

// getArtifact downloads one file of a run.
func (a *API) getArtifact(c *gin.Context) {
	id := c.Query("run_id")
	if id == "" {
		id = c.Query("run_uuid")
	}
	a.serveFile(c, "run_id", id, func(ctx context.Context) (string, error) {
		run, err := a.Run(ctx, id)
		return run.Info.ArtifactURI, err
	})
}

// getVersionArtifact downloads one file of a model version.
func (a *API) getVersionArtifact(c *gin.Context) {
	a.serveFile(c, "name", c.Query("name"), func(ctx context.Context) (string, error) {
		v, err := a.ModelVersion(ctx, c.Query("name"), c.Query("version"))
		return v.StorageLocation, err
	})
}

func (a *API) serveFile(c *gin.Context, idName, id string, location func(context.Context) (string, error)) {
	if id == "" {
		a.fail(c, missingValue(idName))
		return
	}
	path, err := a.cfg.Artifacts.CleanPath(c.Query("path"))
	if err == nil && path == "" {
		err = missingValue("path")
	}
	if err != nil {
		a.fail(c, err)
		return
	}
	root, err := location(c.Request.Context())
	if err != nil {
		a.fail(c, err)
		return
	}
	a.download(c, root, path)
}

// download answers with a file below an artifact location. As MLflow says, a browser is to ask again each time: files may be replaced.
func (a *API) download(c *gin.Context, location, path string) {
	c.Header("Cache-Control", "no-cache")
	a.cfg.Artifacts.Serve(c.Writer, c.Request, location, path)
}

// NotFound answers a path that no route has.
func NotFound(w http.ResponseWriter, r *http.Request) {
	WriteError(w, registry.Errorf(registry.EndpointNotFound, "No route for %s %s", r.Method, r.URL.Path))
}
