package prinzbox

import (
	"net/http"
	"os"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/ui"
)

func init() {
	// gin's mode is the library's own global; its other modes print every route.
	gin.SetMode(gin.ReleaseMode)
}

// mainHandler is everything on the main port: REST, the artifact proxy, scoring, GUI.
func (e *world) mainHandler() http.Handler {
	r := gin.New()
	r.UseRawPath = true // %2F in a model's name is part of the name
	r.UnescapePathValues = true
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true

	rest.New(rest.Config{
		Auth: e.auth, ArtifactPath: e.artifactPath, Store: e.store, Artifacts: restFiles{e.files}, Presigner: presigner{e}, Log: e.cfg.Log, Version: MLflowVersion, MaxBody: e.cfg.MaxBody, Webhooks: e.hooks,
	}).Mount(r)
	if e.receiver != nil {
		e.receiver.mount(r)
	}
	r.Match([]string{http.MethodGet, http.MethodHead}, "/health", func(c *gin.Context) { c.String(http.StatusOK, "OK") })
	r.GET("/metrics", gin.WrapF(e.serveMetrics))

	proxy := e.guardProxy(artifacts.NewProxy(e.files.locator.Proxy, e.proxyConfig()))
	for _, prefix := range []string{"/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"} {
		r.Any(prefix+"/*path", gin.WrapH(http.StripPrefix(prefix, proxy)))
	}

	var all http.Handler
	gui := e.gui(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { all.ServeHTTP(w, r) }))
	r.NoMethod(func(c *gin.Context) {
		rest.WriteErrorStatus(c.Writer, http.StatusMethodNotAllowed, registry.EndpointNotFound,
			"Method "+c.Request.Method+" is not allowed for "+c.Request.URL.Path)
	})
	r.NoRoute(func(c *gin.Context) {
		// gin has written 404 into its own writer; what answers now decides for itself.
		c.Status(http.StatusOK)
		switch {
		case isAPI(c.Request.URL.Path):
			rest.NotFound(c.Writer, c.Request)
		default:
			gui.ServeHTTP(c.Writer, c.Request)
		}
	})
	own, controls := e.guard(), e.control()
	all = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isControl(req.URL.Path) {
			controls.ServeHTTP(w, req)
			return
		}
		// Scoring first: a model may have any name, and its routes are known by how they end.
		if !isAPI(req.URL.Path) && !isModelPage(req) && e.scoring.Match(req) {
			if e.mayScore(w, req) {
				e.scoring.ServeHTTP(w, req)
			}
			return
		}
		r.ServeHTTP(w, req)
	})
	if e.cfg.MLflowUI != "" {
		all = (&mlflowUI{dir: os.DirFS(e.cfg.MLflowUI)}).wrap(all)
	}
	return own.wrap(e.authenticate(all))
}

// gui is the pages, some of which are made of the API; users who are no admins get them without the environment's keys.
func (e *world) gui(api http.Handler) http.Handler {
	c := ui.Config{
		Store: e.store, Scoring: guiScoring{e.scoring}, Artifacts: uiFiles{e.files}, Objects: e.guiObjects(), Environment: e.environment, Clock: e.cfg.Clock, Log: e.cfg.Log, API: api,
	}
	all := ui.New(c)
	if e.auth == nil {
		return all
	}
	c.Environment = e.userEnvironment
	user := ui.New(c)
	return e.guardGUI(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if who := registry.AccessOf(r.Context()); who != nil && who.User.IsAdmin {
			all.ServeHTTP(w, r)
			return
		}
		user.ServeHTTP(w, r)
	}))
}

func isAPI(path string) bool {
	return strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/ajax-api/")
}

// isModelPage tells a page of the GUI, /models/<name>, from a scoring route: a model may be called "health".
func isModelPage(r *http.Request) bool {
	return r.Method == http.MethodGet && strings.HasPrefix(r.URL.Path, "/models/")
}
