package ui

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// maxDepth bounds a folder that is downloaded; a folder of another server may hold itself.
const maxDepth = 64

// zipFolder downloads a folder of a tree. The archive is made while it is sent, so it may be of any size; a file that cannot be
// read breaks the download off, since half an archive must not look whole.
func (u *UI) zipFolder(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	t, err := u.treeOf(r)
	dir := r.URL.Query().Get("path")
	switch {
	case err != nil:
	case u.cfg.Artifacts == nil:
		err = registry.Invalidf("This environment cannot read artifacts.")
	case !goodPath(dir):
		err = registry.Invalidf("%s", badPath(dir))
	}
	var top []File
	if err == nil {
		if top, err = u.cfg.Artifacts.List(ctx, t.root, dir); err == nil && len(top) == 0 {
			err = registry.NotFoundf("There are no files in the folder %s.", quoted(dir))
		}
	}
	if err != nil {
		u.write(w, r, u.errorView(r, err))
		return
	}
	name := t.name
	if dir != "" {
		name = path.Base(dir)
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": fileName(name) + ".zip"}))
	w.WriteHeader(http.StatusOK)
	z := zip.NewWriter(w)
	err = u.addFiles(ctx, z, t, dir, top, maxDepth)
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		if ctx.Err() == nil {
			u.cfg.Log.Error("folder not downloaded", "root", t.root, "path", dir, "error", err)
		}
		panic(http.ErrAbortHandler) // net/http's way to break an answer off
	}
}

func (u *UI) addFiles(ctx context.Context, z *zip.Writer, t tree, root string, files []File, depth int) error {
	if depth == 0 {
		return fmt.Errorf("folders deeper than %d", maxDepth)
	}
	for _, f := range files {
		if f.IsDir {
			below, err := u.cfg.Artifacts.List(ctx, t.root, f.Path)
			if err == nil {
				err = u.addFiles(ctx, z, t, root, below, depth-1)
			}
			if err != nil {
				return err
			}
			continue
		}
		inside := strings.TrimPrefix(strings.TrimPrefix(f.Path, root), "/")
		if inside == "" || !goodPath(inside) {
			continue // a name that would be unpacked elsewhere
		}
		if err := u.addFile(ctx, z, t, f.Path, inside); err != nil {
			return err
		}
	}
	return nil
}

func (u *UI) addFile(ctx context.Context, z *zip.Writer, t tree, file, inside string) error {
	body, _, err := u.cfg.Artifacts.Open(ctx, t.root, file)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was only read
	method := zip.Deflate
	switch _, picture := pictures[kindOfFile(file)]; kindOfFile(file) {
	case ".gz", ".zip", ".bz2", ".xz", ".zst", ".parquet", ".npz", ".onnx", ".mp4", ".whl":
		method = zip.Store
	default:
		if picture {
			method = zip.Store
		}
	}
	to, err := z.CreateHeader(&zip.FileHeader{Name: inside, Method: method, Modified: t.modified()})
	if err != nil {
		return err
	}
	_, err = io.Copy(to, body)
	return err
}

// fileName is a name that every system takes.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, name)
	if name = strings.Trim(name, ". "); name == "" {
		return "artifacts"
	}
	return shorten(name, 100)
}
