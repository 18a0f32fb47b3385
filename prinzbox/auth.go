package prinzbox

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/registry/rest"
)

// BasicAuth is the AppName of MLflow's app that asks for user names and passwords.
const BasicAuth = "basic-auth"

// Auth is who may use an environment.
type Auth struct {
	// AppName is "" (nobody is asked for anything) or [BasicAuth].
	AppName string
	// AdminUsername ("admin" when empty) and AdminPassword make the first admin; once he is there they change nothing. An empty password is
	// made up, and told once: in [Ready] and on standard error.
	AdminUsername, AdminPassword string
	// DefaultPermission is the level of users on what nobody has given them a level on: READ (when empty), USE, EDIT, MANAGE or
	// NO_PERMISSIONS.
	DefaultPermission string
}

// check finds what is wrong with the settings. It fills in what is empty.
func (a *Auth) check() error {
	if a.AppName == "" {
		if a.AdminPassword != "" {
			return errors.New("--admin-password has no effect without --app-name basic-auth")
		}
		return nil
	}
	if a.AppName != BasicAuth {
		return fmt.Errorf("--app-name %s: the one app is %s", a.AppName, BasicAuth)
	}
	if a.AdminUsername == "" {
		a.AdminUsername = "admin"
	}
	if strings.Contains(a.AdminUsername, ":") {
		return fmt.Errorf("--admin-username %q: HTTP Basic cannot carry a colon in a name", a.AdminUsername)
	}
	if a.AdminPassword != "" {
		if err := registry.ValidatePassword(a.AdminPassword); err != nil {
			return fmt.Errorf("--admin-password: %s", registry.Body(err).Message)
		}
	}
	if a.DefaultPermission == "" {
		a.DefaultPermission = string(registry.PermissionRead)
	}
	if p, err := registry.ParsePermission(a.DefaultPermission); err != nil || p == registry.Deny {
		return fmt.Errorf("--default-permission %s: use READ, USE, EDIT, MANAGE or NO_PERMISSIONS", a.DefaultPermission)
	}
	return nil
}

// openAuth makes the first admin, who is there in a state that was made fresh, and what judges requests.
func (e *world) openAuth(ctx context.Context, fresh bool) error {
	a := e.cfg.Auth
	if a.AppName == "" {
		return nil
	}
	e.auth = registry.NewAuth(e.store, registry.Permission(a.DefaultPermission))
	if fresh {
		return nil // the admin is there
	}
	switch _, err := e.store.User(ctx, a.AdminUsername); {
	case registry.IsCode(err, registry.ResourceDoesNotExist):
		if a.AdminPassword == "" {
			var random [18]byte
			_, _ = rand.Read(random[:]) // never fails (crypto/rand)
			e.cfg.Auth.AdminPassword = base64.RawURLEncoding.EncodeToString(random[:])
			e.env.madeUp = true
		}
		_, err = e.store.CreateUser(ctx, a.AdminUsername, e.cfg.Auth.AdminPassword, true)
		return err
	case err != nil:
		return err
	case a.AdminPassword == "":
		return nil
	}
	ok, err := e.store.PasswordMatches(ctx, a.AdminUsername, a.AdminPassword)
	if err == nil && !ok {
		e.cfg.Log.Warn("--admin-password is not used: the admin is there already, with another password; change it with users/update-password", "username", a.AdminUsername)
		e.cfg.Auth.AdminPassword = ""
	}
	return err
}

// isOpen tells which paths ask nobody for a password: those that tell whether the server lives and what it can do.
func isOpen(path string) bool {
	switch path {
	case "/health", "/version", "/api/3.0/mlflow/server-info", "/ajax-api/3.0/mlflow/server-info":
		return true
	}
	return false
}

// authenticate asks for user name and password, and puts into the context what the user may do.
func (e *world) authenticate(next http.Handler) http.Handler {
	if e.auth == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if isOpen(r.URL.Path) {
			next.ServeHTTP(w, r)
			return
		}
		username, password, ok := r.BasicAuth()
		if !ok {
			rest.WriteUnauthenticated(w)
			return
		}
		access, err := e.auth.Authenticate(r.Context(), username, password)
		switch {
		case err == nil:
			next.ServeHTTP(w, r.WithContext(registry.WithAccess(r.Context(), access)))
		case errors.Is(err, registry.ErrUnauthenticated):
			rest.WriteUnauthenticated(w)
		case r.Context().Err() == nil:
			e.cfg.Log.Error("authentication failed", "error", err)
			rest.WriteError(w, err)
		}
	})
}

// mayScore judges a request to a scoring route, and answers it if it is refused.
func (e *world) mayScore(w http.ResponseWriter, r *http.Request) bool {
	if e.auth == nil {
		return true
	}
	name, _ := e.scoring.Model(r)
	return e.settle(w, r, name)
}

// settle answers unless the asking user may use a model.
func (e *world) settle(w http.ResponseWriter, r *http.Request, model string) bool {
	ok, err := rest.MayScore(r.Context(), e.auth, model)
	switch {
	case err != nil:
		e.cfg.Log.Error("permission not found out", "model", model, "error", err)
		rest.WriteError(w, err)
		return false
	case !ok:
		rest.WriteDenied(w)
	}
	return ok
}

// guardProxy judges requests to the artifact proxy by the path that they are about.
func (e *world) guardProxy(next http.Handler) http.Handler {
	if e.auth == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		area, raw, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
		switch area {
		case "artifacts":
			if raw == "" {
				raw = r.URL.Query().Get("path")
			}
		case "mpu":
			_, raw, _ = strings.Cut(raw, "/")
		}
		action := registry.ActionUpdate
		switch r.Method {
		case http.MethodGet, http.MethodHead:
			action = registry.ActionRead
		case http.MethodDelete:
			action = registry.ActionManage
		}
		clean, err := artifacts.CleanPath(raw)
		// A path that is refused names nothing: the proxy says what is wrong with it.
		if err == nil && !rest.MayTouchArtifact(registry.AccessOf(r.Context()), clean, action) {
			rest.WriteDenied(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// guardGUI judges requests for pages about one experiment, run or model. Lists show each user what he may read.
func (e *world) guardGUI(next http.Handler) http.Handler {
	if e.auth == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
		ok := true
		if len(parts) > 1 {
			switch parts[0] {
			case "experiments":
				ok = rest.MayReadExperiment(r.Context(), parts[1])
			case "runs":
				var err error
				if ok, err = rest.MayReadRun(r.Context(), e.auth, parts[1]); err != nil {
					rest.WriteError(w, err)
					return
				}
			case "models", "prompts":
				if name, valid := modelOfPage(r); !valid || !e.settle(w, r, name) {
					if !valid {
						rest.WriteDenied(w)
					}
					return
				}
			}
		}
		if !ok {
			rest.WriteDenied(w)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// modelOfPage is the name in /models/NAME…, which may hold an escaped slash.
func modelOfPage(r *http.Request) (string, bool) {
	parts := strings.Split(strings.TrimPrefix(r.URL.EscapedPath(), "/"), "/")
	if len(parts) < 2 {
		return "", false
	}
	name, err := url.PathUnescape(parts[1])
	return name, err == nil
}
