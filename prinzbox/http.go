package prinzbox

import (
	"context"
	"net/http"
	"os"
	"strings"
	"sync"

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

// worldKey is the context's key for the world that answers a request of the router.
type worldKey struct{}

func worldOf(r *http.Request) *world { return r.Context().Value(worldKey{}).(*world) }

// inWorld is a handler of the router, which all worlds share, over one of a world.
func inWorld(handle func(*world, http.ResponseWriter, *http.Request)) gin.HandlerFunc {
	return func(c *gin.Context) { handle(worldOf(c.Request), c.Writer, c.Request) }
}

// newRouter makes the routes of the main port, but scoring's and the control API's. Making them takes longer than opening a world.
func (c Config) newRouter() http.Handler {
	r := gin.New()
	r.UseRawPath = true // %2F in a model's name is part of the name
	r.UnescapePathValues = true
	r.RedirectTrailingSlash = false
	r.HandleMethodNotAllowed = true

	rest.Mount(r, c.Auth.AppName != "", func(r *http.Request) *rest.API { return worldOf(r).api })
	if c.receives() {
		receive := inWorld(func(e *world, w http.ResponseWriter, r *http.Request) { e.receiver.receive(w, r) })
		r.POST(ReceivePath, receive)
		r.POST(ReceivePath+"/*path", receive)
		r.GET(ReceivedPath, inWorld(func(e *world, w http.ResponseWriter, r *http.Request) { e.receiver.admin(w, r, e.receiver.show) }))
		r.DELETE(ReceivedPath, inWorld(func(e *world, w http.ResponseWriter, r *http.Request) { e.receiver.admin(w, r, e.receiver.forget) }))
	}
	r.Match([]string{http.MethodGet, http.MethodHead}, "/health", func(c *gin.Context) { c.String(http.StatusOK, "OK") })
	r.GET("/metrics", inWorld((*world).serveMetrics))
	for _, prefix := range []string{"/api/2.0/mlflow-artifacts", "/ajax-api/2.0/mlflow-artifacts"} {
		proxy := http.StripPrefix(prefix, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { worldOf(r).proxy.ServeHTTP(w, r) }))
		r.Any(prefix+"/*path", gin.WrapH(proxy))
	}
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
			worldOf(c.Request).gui().ServeHTTP(c.Writer, c.Request)
		}
	})
	return r
}

// mainHandler is everything on the main port: REST, the artifact proxy, scoring, GUI.
func (e *world) mainHandler() http.Handler {
	e.api = rest.New(rest.Config{
		Auth: e.auth, ArtifactPath: e.artifactPath, Store: e.store, Artifacts: restFiles{e.files}, Presigner: presigner{e}, Log: e.cfg.Log, Version: MLflowVersion, MaxBody: e.cfg.MaxBody, Webhooks: e.hooks,
	})
	e.proxy = e.guardProxy(artifacts.NewProxy(e.files.locator.Proxy, e.proxyConfig()))
	var all http.Handler
	// Most namespaces are a test's, which looks at no page, and rarely asks the control API.
	e.gui = sync.OnceValue(func() http.Handler {
		return e.newGUI(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { all.ServeHTTP(w, r) }))
	})
	controls := sync.OnceValue(e.control)
	own, router := e.guard(), e.env.router()
	all = http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if isControl(req.URL.Path) {
			controls().ServeHTTP(w, req)
			return
		}
		// Scoring first: a model may have any name, and its routes are known by how they end.
		if !isAPI(req.URL.Path) && !isModelPage(req) && e.scoring.Match(req) {
			if e.mayScore(w, req) {
				e.scoring.ServeHTTP(w, req)
			}
			return
		}
		router.ServeHTTP(w, req.WithContext(context.WithValue(req.Context(), worldKey{}, e)))
	})
	if e.cfg.MLflowUI != "" {
		all = (&mlflowUI{dir: os.DirFS(e.cfg.MLflowUI)}).wrap(all)
	}
	return own.wrap(e.authenticate(e.space.asPersona(all)))
}

// newGUI is the pages, some of which are made of the API; users who are no admins get them without the environment's keys.
func (e *world) newGUI(api http.Handler) http.Handler {
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
