package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"sync"
	"time"

	"github.com/a-h/templ"
)

//go:embed assets
var assetFiles embed.FS

// assets are the embedded files. Their address holds a hash over all of them, so a browser may keep them for good.
type assets struct {
	hash string
	// files are compressed when they are first asked for.
	files map[string]func() asset
}

// asset is one file, as it is and compressed.
type asset struct{ data, gzip []byte }

func newAssets() assets {
	h := sha256.New()
	files := map[string]func() asset{}
	err := fs.WalkDir(assetFiles, "assets", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(path)
		h.Write(data)
		files[d.Name()] = sync.OnceValue(func() asset { return asset{data, best(data)} })
		return err
	})
	if err != nil {
		panic(err) // the files are embedded above
	}
	return assets{hash: hex.EncodeToString(h.Sum(nil))[:16], files: files}
}

func (a assets) url(file string) string { return "/assets/" + a.hash + "/" + file }

func (a assets) safeURL(file string) templ.SafeURL { return templ.SafeURL(a.url(file)) }

func (a assets) serve(w http.ResponseWriter, r *http.Request) {
	file := r.PathValue("file")
	open, ok := a.files[file]
	if !ok {
		http.Error(w, "There is no such asset.", http.StatusNotFound)
		return
	}
	// A page that was open during an upgrade asks with the old hash: it gets today's file, but may not keep it.
	cache := "no-cache"
	if r.PathValue("hash") == a.hash {
		cache = "public, max-age=31536000, immutable"
	}
	w.Header().Set("Cache-Control", cache)
	w.Header().Set("Vary", "Accept-Encoding")
	data := open().data
	if takesGzip(r) && r.Header.Get("Range") == "" {
		w.Header().Set("Content-Encoding", "gzip")
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(file)))
		data = open().gzip
	}
	http.ServeContent(w, r, file, time.Time{}, bytes.NewReader(data))
}
