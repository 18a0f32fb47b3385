package ui

import (
	"net/http"
	"net/url"
	"strings"
)

// csp allows what is embedded in this binary and nothing else: no inline script, no inline style, no other site.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'"

// secure sets the headers that every answer has and refuses forms of other sites (by Sec-Fetch-Site and Origin).
func secure(forbidden http.HandlerFunc, next http.Handler) http.Handler {
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(forbidden)
	guarded := guard.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", csp)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		guarded.ServeHTTP(w, r)
	})
}

// themeCookie remembers the choice of colours, so that the server can send the right page at once.
const themeCookie = "prinzbox_theme"

// theme is "light", "dark", or "" for what the system says.
func theme(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// setTheme is the theme switch of a browser without JavaScript.
func setTheme(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4096)
	http.SetCookie(w, &http.Cookie{Name: themeCookie, Value: next(theme(r)), Path: "/", MaxAge: 365 * 24 * 3600, SameSite: http.SameSiteLaxMode})
	http.Redirect(w, r, localPath(r.FormValue("back")), http.StatusSeeOther)
}

// next is the order of the switch: system, light, dark.
func next(theme string) string {
	switch theme {
	case "":
		return "light"
	case "light":
		return "dark"
	}
	return "system"
}

// localPath keeps a redirect on this server.
func localPath(back string) string {
	u, err := url.Parse(back)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(back, "/") || strings.HasPrefix(back, "//") || strings.ContainsAny(back, "\\\r\n") {
		return "/"
	}
	return u.RequestURI()
}
