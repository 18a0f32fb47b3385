package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"time"

	"github.com/a-h/templ"
)

//go:embed assets
var assetFiles embed.FS

// assets are the embedded files. Their address holds a hash over all of them, so a browser may keep them for good.
type assets struct{ hash string }

func newAssets() assets {
	h := sha256.New()
	err := fs.WalkDir(assetFiles, "assets", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(path)
		h.Write(data)
		return err
	})
	if err != nil {
		panic(err) // the files are embedded above
	}
	return assets{hash: hex.EncodeToString(h.Sum(nil))[:16]}
}

func (a assets) url(file string) string { return "/assets/" + a.hash + "/" + file }

func (a assets) safeURL(file string) templ.SafeURL { return templ.SafeURL(a.url(file)) }

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	data, err := assetFiles.ReadFile("assets/" + r.PathValue("file"))
	if err != nil {
		http.Error(w, "There is no such asset.", http.StatusNotFound)
		return
	}
	// A page that was open during an upgrade asks with the old hash: it gets today's file, but may not keep it.
	cache := "no-cache"
	if r.PathValue("hash") == a.hash {
		cache = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", cache)
	http.ServeContent(w, r, r.PathValue("file"), time.Time{}, bytes.NewReader(data))
}
