package artifacts

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"
)

// Signer makes URLs that let whoever holds them send one request to the S3 server, without credentials.
type Signer struct {
	// Endpoint is the S3 server's base URL as the client reaches it.
	Endpoint                  string
	AccessKey, Secret, Region string
	Clock                     func() time.Time
}

func (s Signer) sign(method, bucket, key string, life time.Duration, query url.Values) (string, error) {
	return Presign(PresignOptions{
		Method: method, Endpoint: s.Endpoint, Bucket: bucket, Key: key, AccessKey: s.AccessKey, Secret: s.Secret, Region: s.Region,
		Expires: life, Now: s.Clock(), Query: query,
	})
}

// Presigned is a URL for one request, as MLflow's clients are told of it.
type Presigned struct {
	URL string
	// Headers go with the request.
	Headers map[string]string
	// Size of the file in bytes, of downloads.
	Size int64
}

// ErrNoPresign means that the files lie where no URL leads.
var ErrNoPresign = errors.New("presigned URLs are not supported for the current artifact repository")

// direct is a Repo whose files clients can move themselves, by URLs.
type direct interface {
	Repo
	// reachable tells whether the client that sent a request can use such URLs; own says that it can reach this environment's S3 server.
	reachable(r *http.Request, own bool) bool
	// signURL makes a URL for one request. The signer is that of the environment's S3 server.
	signURL(ctx context.Context, s Signer, method, name string, life time.Duration, query url.Values) (string, error)
	createUpload(ctx context.Context, name string) (id string, err error)
	completeUpload(ctx context.Context, name, id string, parts []PartInfo) error
	abortUpload(ctx context.Context, name, id string) error
}

var _ direct = (*BucketRepo)(nil)

func (b *BucketRepo) reachable(_ *http.Request, own bool) bool { return own }

func (b *BucketRepo) signURL(_ context.Context, s Signer, method, name string, life time.Duration, query url.Values) (string, error) {
	return s.sign(method, b.bucket, b.prefix+name, life, query)
}

func (b *BucketRepo) createUpload(ctx context.Context, name string) (string, error) {
	return b.store.CreateUpload(ctx, b.bucket, b.prefix+name, UploadOptions{Headers: map[string]string{"Content-Type": ContentType(name)}})
}

func (b *BucketRepo) completeUpload(ctx context.Context, name, id string, parts []PartInfo) error {
	_, err := b.store.CompleteUpload(ctx, b.bucket, b.prefix+name, id, parts, CompleteOptions{})
	return err
}

func (b *BucketRepo) abortUpload(ctx context.Context, name, id string) error {
	return b.store.AbortUpload(ctx, b.bucket, b.prefix+name, id)
}

// CanPresign tells whether URLs lead to a repository's files for the client that sent a request; own says that it can reach this
// environment's S3 server.
func CanPresign(r *http.Request, repo Repo, own bool) bool {
	b, ok := repo.(direct)
	return ok && b.reachable(r, own)
}

// PresignDownload makes a URL that reads a file. Errors: ErrNoPresign, ErrNotFound, ErrIsDirectory.
func PresignDownload(r *http.Request, s Signer, repo Repo, name string, life time.Duration) (Presigned, error) {
	b, ok := repo.(direct)
	if !ok {
		return Presigned{}, ErrNoPresign
	}
	f, err := b.Open(r.Context(), name)
	if err != nil {
		return Presigned{}, err
	}
	defer f.Close() //nolint:errcheck // only its size is wanted
	query := url.Values{"response-content-disposition": {ContentDisposition(path.Base(name))}}
	u, err := b.signURL(r.Context(), s, http.MethodGet, name, life, query)
	return Presigned{URL: u, Headers: map[string]string{}, Size: f.Size}, err
}

// PresignUpload makes a URL that stores a file. Errors: ErrNoPresign, ErrInvalidPath.
func PresignUpload(ctx context.Context, s Signer, repo Repo, name string, life time.Duration) (Presigned, error) {
	b, ok := repo.(direct)
	if !ok {
		return Presigned{}, ErrNoPresign
	}
	if err := checkFilePath(name); err != nil {
		return Presigned{}, err
	}
	u, err := b.signURL(ctx, s, http.MethodPut, name, life, nil)
	return Presigned{URL: u, Headers: map[string]string{"Content-Type": ContentType(name)}}, err
}

// How long the proxy's URLs live: boto3's default for parts, MLflow's for downloads.
const (
	partLife     = time.Hour
	downloadLife = 5 * time.Minute
)

// maxPartList bounds the body of mpu/complete: 10,000 parts with their URLs need about 6 MiB.
const maxPartList = 32 << 20

// multipartRequest is the body of the three calls of a multipart upload.
type multipartRequest struct {
	// Path is the file's name; of a client's local path only the last part counts.
	Path     string          `json:"path"`
	NumParts json.RawMessage `json:"num_parts"`
	UploadID string          `json:"upload_id"`
	Parts    []uploadedPart  `json:"parts"`
}

type uploadedPart struct {
	Number int    `json:"part_number"`
	ETag   string `json:"etag"`
}

// direct is the proxy's repository and the signer, if URLs can lead there.
func (p *proxy) direct(r *http.Request) (direct, Signer, bool) {
	b, ok := p.repo.(direct)
	if !ok {
		return nil, Signer{}, false
	}
	var s Signer
	own := false
	if p.signer != nil {
		s, own = p.signer(r)
	}
	return b, s, b.reachable(r, own)
}

// multipart serves /mpu/create/DIR, /mpu/complete/DIR and /mpu/abort/DIR.
func (p *proxy) multipart(w http.ResponseWriter, r *http.Request, raw string) {
	b, signer, ok := p.direct(r)
	if !ok {
		p.fail(w, http.StatusNotImplemented, "NOT_IMPLEMENTED", "Multipart upload is not supported for the current artifact repository")
		return
	}
	call, rawDir, _ := strings.Cut(raw, "/")
	dir, err := CleanPath(rawDir)
	if err != nil {
		p.invalidPath(w)
		return
	}
	var req multipartRequest
	if err := json.NewDecoder(io.LimitReader(r.Body, maxPartList)).Decode(&req); err != nil {
		p.invalid(w, "The request body is not a JSON object with path, num_parts, upload_id or parts as MLflow's clients send it: %v", err)
		return
	}
	name := path.Join(dir, baseName(req.Path))
	if req.Path == "" || name == dir {
		p.invalid(w, "Missing value for required parameter 'path'. See the API docs for more information about request parameters.")
		return
	}
	switch call {
	case "create":
		p.createUpload(w, r, b, signer, name, req)
	case "complete":
		if len(req.Parts) == 0 {
			p.invalid(w, "Missing value for required parameter 'parts'. See the API docs for more information about request parameters.")
			return
		}
		parts := make([]PartInfo, len(req.Parts))
		for i, part := range req.Parts {
			parts[i] = PartInfo{Number: part.Number, ETag: part.ETag}
		}
		if err := b.completeUpload(r.Context(), name, req.UploadID, parts); err != nil {
			p.uploadError(w, r, name, err)
			return
		}
		writeJSON(w, http.StatusOK, struct{}{})
	case "abort":
		if err := b.abortUpload(r.Context(), name, req.UploadID); err != nil {
			p.uploadError(w, r, name, err)
			return
		}
		writeJSON(w, http.StatusOK, struct{}{})
	default:
		p.fail(w, http.StatusNotFound, "ENDPOINT_NOT_FOUND", "A multipart upload has the calls /mpu/create, /mpu/complete and /mpu/abort.")
	}
}

// credential is where one part goes.
type credential struct {
	URL     string            `json:"url"`
	Number  int               `json:"part_number"`
	Headers map[string]string `json:"headers,omitempty"`
}

func (p *proxy) createUpload(w http.ResponseWriter, r *http.Request, b direct, signer Signer, name string, req multipartRequest) {
	// A number, or one written as text, as protocol buffers have it.
	n, err := strconv.Atoi(strings.Trim(string(req.NumParts), `"`))
	if err != nil || n < 1 || n > maxPartNumber {
		p.invalid(w, "num_parts must be an integer between 1 and %d; choose larger parts for a larger file.", maxPartNumber)
		return
	}
	id, err := b.createUpload(r.Context(), name)
	if err != nil {
		p.files.error(w, r, name, err)
		return
	}
	answer := struct {
		UploadID    string       `json:"upload_id"`
		Credentials []credential `json:"credentials"`
	}{UploadID: id, Credentials: make([]credential, n)}
	for i := range answer.Credentials {
		u, err := b.signURL(r.Context(), signer, http.MethodPut, name, partLife, url.Values{"partNumber": {strconv.Itoa(i + 1)}, "uploadId": {id}})
		if err != nil {
			p.files.error(w, r, name, err)
			return
		}
		answer.Credentials[i] = credential{URL: u, Number: i + 1}
	}
	writeJSON(w, http.StatusOK, answer)
}

// presigned serves /presigned/FILE.
func (p *proxy) presigned(w http.ResponseWriter, r *http.Request, raw string) {
	b, signer, ok := p.direct(r)
	if !ok {
		p.fail(w, http.StatusNotImplemented, "NOT_IMPLEMENTED", "Multipart download is not supported for the current artifact repository")
		return
	}
	name, err := CleanPath(raw)
	if err != nil {
		p.invalidPath(w)
		return
	}
	got, err := PresignDownload(r, signer, b, name, downloadLife)
	if err != nil {
		p.files.error(w, r, name, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Size    int64             `json:"file_size"`
	}{got.URL, got.Headers, got.Size})
}

// uploadError tells of a missing upload in its own words: the file is not there yet in any case.
func (p *proxy) uploadError(w http.ResponseWriter, r *http.Request, name string, err error) {
	var e *Error
	if errors.As(err, &e) && e.HTTPStatus() == http.StatusNotFound {
		p.fail(w, http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", e.Message)
		return
	}
	p.files.error(w, r, name, err)
}

func (p *proxy) invalid(w http.ResponseWriter, format string, args ...any) {
	p.fail(w, http.StatusBadRequest, "INVALID_PARAMETER_VALUE", fmt.Sprintf(format, args...))
}

// baseName is the last part of a client's local path. A Windows path is known by its drive or its share: a backslash alone may well stand
// in a file's name elsewhere.
func baseName(local string) string {
	if windows := len(local) > 2 && isLetter(local[0]) && local[1:3] == `:\` || strings.HasPrefix(local, `\\`); windows {
		local = strings.ReplaceAll(local, `\`, "/")
	}
	switch base := local[strings.LastIndex(local, "/")+1:]; base {
	case ".", "..":
		return ""
	default:
		return base
	}
}
