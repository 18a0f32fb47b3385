package ui

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/prinzbox/prinzbox/registry"
)

// filesView is one level of a tree and, when asked for, one file.
type filesView struct {
	tree
	dir string
	// keep is the rest of the page's address.
	keep    url.Values
	crumbs  []crumb
	files   []File
	problem string
	preview *preview
}

type crumb struct{ name, path string }

// files lists a folder. What is wrong with it is shown in place: the rest of the page is still worth reading.
func (u *UI) files(ctx context.Context, t tree, q url.Values) filesView {
	dir, file := q.Get("path"), q.Get("file")
	v := filesView{tree: t, dir: dir, keep: url.Values{}}
	parsePlotting(q).set(v.keep)
	if u.cfg.Artifacts == nil {
		v.problem = "This environment cannot read artifacts."
		return v
	}
	for _, p := range []string{dir, file} {
		if !goodPath(p) {
			v.problem = badPath(p)
			return v
		}
	}
	if dir != "" {
		parts := strings.Split(dir, "/")
		for i, part := range parts {
			v.crumbs = append(v.crumbs, crumb{part, strings.Join(parts[:i+1], "/")})
		}
	}
	var err error
	if v.files, err = u.cfg.Artifacts.List(ctx, t.root, dir); err != nil {
		v.problem = u.problemOf(err)
		return v
	}
	slices.SortFunc(v.files, func(a, b File) int {
		if a.IsDir != b.IsDir {
			if a.IsDir {
				return -1
			}
			return 1
		}
		return strings.Compare(a.Path, b.Path)
	})
	if file != "" {
		v.preview = u.preview(ctx, t, file)
	}
	return v
}

func badPath(p string) string {
	return "The path " + quoted(p) + " leads nowhere: it must be relative and without '..'."
}

// goodPath refuses paths that the artifact routes refuse as well.
func goodPath(p string) bool {
	return p == "" || path.Clean(p) == p && !strings.HasPrefix(p, "/") && p != ".." && !strings.HasPrefix(p, "../") && !strings.Contains(p, `\`)
}

// url is the page with a folder open and, unless it is "", a file.
func (v filesView) url(dir, file string) templ.SafeURL {
	q := url.Values{}
	maps.Copy(q, v.keep)
	q.Set("path", dir)
	if file != "" {
		q.Set("file", file)
	}
	return v.page + templ.SafeURL("?"+q.Encode()+"#artifacts")
}

// problemOf is what a user may read of an error; the rest goes to the log.
func (u *UI) problemOf(err error) string {
	body := registry.Body(err)
	if body.Code.HTTPStatus() >= http.StatusInternalServerError {
		u.cfg.Log.Error("artifacts not read", "error", err)
	}
	return body.Message
}
