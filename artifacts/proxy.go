package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"
)

// ProxyConfig is what the artifact proxy needs beside its repository.
type ProxyConfig struct {
	// WriteError writes an error in MLflow's JSON shape: its code, for example RESOURCE_DOES_NOT_EXIST, and a message.
	WriteError func(w http.ResponseWriter, status int, code, message string)
	// Log defaults to no log.
	Log *slog.Logger
	// Signer makes URLs of the S3 server for a client that sent this request; not ok if none of them would reach it. nil: there are none.
	Signer func(r *http.Request) (s Signer, ok bool)
}

type proxy struct {
	repo  Repo
	fail  func(w http.ResponseWriter, status int, code, message string)
	log   *slog.Logger
	files *FileServer
	// signer is nil where there are no presigned URLs.
	signer func(r *http.Request) (Signer, bool)
}

// NewProxy serves MLflow's artifact proxy (contract/artifacts.md, section 1). It is mounted where /api/2.0/mlflow-artifacts and
// /ajax-api/2.0/mlflow-artifacts have been cut off the path, so that it sees /artifacts/…; both URL.Path and, if set, URL.RawPath
// must be cut.
func NewProxy(repo Repo, c ProxyConfig) http.Handler {
	p := &proxy{repo: repo, fail: c.WriteError, log: c.Log, signer: c.Signer}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	if p.fail == nil {
		p.fail = func(w http.ResponseWriter, status int, code, message string) {
			writeJSON(w, status, map[string]string{"error_code": code, "message": message})
		}
	}
	p.files = &FileServer{fail: p.fail, log: p.log}
	return p
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	area, raw, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	switch {
	case area == "artifacts" && raw == "" && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		p.list(w, r)
	case area == "artifacts":
		p.file(w, r, raw)
	case area == "mpu" && r.Method == http.MethodPost:
		p.multipart(w, r, raw)
	case area == "presigned" && r.Method == http.MethodGet:
		p.presigned(w, r, raw)
	default:
		p.fail(w, http.StatusNotFound, "ENDPOINT_NOT_FOUND", "The artifact proxy serves /artifacts, /mpu and /presigned.")
	}
}

// fileList is the answer of a listing.
type fileList struct {
	Files []listedFile `json:"files,omitempty"`
}

type listedFile struct {
	Path  string `json:"path"`
	IsDir bool   `json:"is_dir"`
	// Size is left out of directories and empty files, as MLflow does.
	Size int64 `json:"file_size,omitempty"`
}

func (p *proxy) list(w http.ResponseWriter, r *http.Request) {
	dir, err := CleanPath(r.URL.Query().Get("path"))
	if err != nil {
		p.invalidPath(w)
		return
	}
	files, err := p.repo.List(r.Context(), dir)
	if err != nil {
		p.files.error(w, r, dir, err)
		return
	}
	var answer fileList
	for _, f := range files {
		answer.Files = append(answer.Files, listedFile{f.Name, f.IsDir, f.Size})
	}
	writeJSON(w, http.StatusOK, answer)
}

func (p *proxy) file(w http.ResponseWriter, r *http.Request, raw string) {
	name, err := CleanPath(raw)
	if err != nil {
		p.invalidPath(w)
		return
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		p.files.ServeFile(w, r, p.repo, name)
	case http.MethodPut:
		if raw == "" || strings.HasSuffix(raw, "/") || name == "" {
			writeDetail(w, http.StatusBadRequest, "Artifact path must include a filename (cannot end with '/').")
			return
		}
		if err := p.repo.Put(r.Context(), name, r.Body, r.ContentLength); err != nil {
			p.files.error(w, r, name, err)
			return
		}
		w.WriteHeader(http.StatusOK)
	case http.MethodDelete:
		if err := p.repo.Delete(r.Context(), name); err != nil {
			p.files.error(w, r, name, err)
			return
		}
		writeJSON(w, http.StatusOK, struct{}{})
	default:
		w.Header().Set("Allow", "GET, HEAD, PUT, DELETE")
		writeDetail(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	}
}

func (p *proxy) invalidPath(w http.ResponseWriter) {
	p.fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Invalid path")
}

// FileServer sends single artifacts as downloads.
type FileServer struct {
	fail func(w http.ResponseWriter, status int, code, message string)
	log  *slog.Logger
}

// NewFileServer makes one for other routes than the proxy's, for example /get-artifact.
func NewFileServer(c ProxyConfig) *FileServer {
	return NewProxy(nil, c).(*proxy).files
}

// ServeFile answers with a file as an attachment, with ranges and conditions. The path is clean as [CleanPath] gives it.
// A missing file is 404 RESOURCE_DOES_NOT_EXIST, a directory 400.
func (s *FileServer) ServeFile(w http.ResponseWriter, r *http.Request, repo Repo, name string) {
	f, err := repo.Open(r.Context(), name)
	if err != nil {
		s.error(w, r, name, err)
		return
	}
	defer func() { _ = f.Close() }()
	h := w.Header()
	h.Set("Content-Type", ContentType(name))
	h.Set("Content-Disposition", ContentDisposition(path.Base(name)))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("ETag", `"`+f.ETag+`"`)
	content := io.ReadSeeker(f.ReadSeekCloser)
	if far, ok := content.(*remoteFile); ok {
		// The answer has begun when the other server fails: it breaks off, and only the log can say why.
		far.fail = func(err error) {
			if r.Context().Err() == nil {
				s.log.Warn("artifact download broke off", "path", name, "error", err)
			}
		}
	}
	// It seeks to the end to find the size, sends the file by the kernel, and knows ranges and conditions.
	http.ServeContent(w, r, "", f.Modified, content)
}

func (s *FileServer) error(w http.ResponseWriter, r *http.Request, name string, err error) {
	var e *Error
	switch {
	case isCode(err, codeNoSuchBucket) && errors.As(err, &e):
		s.fail(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", e.Message)
	case errors.Is(err, ErrNotFound):
		s.fail(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", "No such artifact: '"+name+"'")
	case errors.Is(err, ErrIsDirectory):
		writeDetail(w, http.StatusBadRequest, "Artifact path refers to a directory, not a file: '"+name+"'")
	case errors.Is(err, ErrInvalidPath):
		s.fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", "Invalid path: "+err.Error())
	case errors.As(err, &e):
		s.fail(w, e.HTTPStatus(), mlflowCode(e), e.Message)
	case errors.Is(err, context.Canceled), errors.Is(err, io.ErrClosedPipe):
		// Nobody is left to read an answer.
		panic(http.ErrAbortHandler)
	default:
		s.log.Error("artifact request failed", "method", r.Method, "path", name, "error", err)
		s.fail(w, http.StatusInternalServerError, "INTERNAL_ERROR", "The artifact could not be read or stored; the server's log has the details.")
	}
}

// mlflowCode is MLflow's code for an error.
func mlflowCode(e *Error) string {
	switch status := e.HTTPStatus(); {
	case status == http.StatusForbidden:
		return "PERMISSION_DENIED"
	case status == http.StatusServiceUnavailable:
		return "TEMPORARILY_UNAVAILABLE"
	case status == http.StatusInsufficientStorage:
		return "RESOURCE_EXHAUSTED"
	case status >= http.StatusInternalServerError:
		return "INTERNAL_ERROR"
	}
	return "INVALID_PARAMETER_VALUE"
}

// writeDetail writes an error in FastAPI's shape, which MLflow's proxy routes have for some.
func writeDetail(w http.ResponseWriter, status int, detail string) {
	writeJSON(w, status, map[string]string{"detail": detail})
}

func writeJSON(w http.ResponseWriter, status int, doc any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(doc) // the client has gone away
}
