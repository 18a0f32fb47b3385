package prinzbox

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// guard refuses, as MLflow's server does, requests under a foreign host name (DNS rebinding) and state-changing requests from a foreign
// origin, and answers CORS for origins that are allowed (contract/behaviours.md, section 2).
type guard struct {
	// namespace may stand before a host, as NAME.ns.HOST.
	namespace string

	hosts   []string // names and patterns, beside loopback, private addresses and the address that is listened on
	origins []string
	own     string
}

func (e *world) guard() guard {
	return guard{namespace: e.space.name, hosts: e.cfg.AllowedHosts, origins: e.cfg.AllowedOrigins, own: hostName(e.cfg.Host)}
}

// s3Origin tells whether a page may call the S3 store. Where a bucket has no CORS rules, those pages may that may call the main port,
// and the GUI itself; where it has some (ruled), they say who else than the GUI and the origins that were named to this server.
func (e *world) s3Origin(origin, host string, ruled bool) bool {
	if u, err := url.Parse(origin); err == nil && hostName(u.Host) == hostName(host) && u.Port() == strconv.Itoa(e.cfg.Port) {
		return true
	}
	g := e.guard()
	if ruled {
		return slices.ContainsFunc(g.origins, func(pattern string) bool { return matches(pattern, origin) })
	}
	return g.allowsOrigin(origin, host)
}

func (g guard) wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; p != "/health" && p != "/version" && !g.allowsHost(r.Host) {
			http.Error(w, "Invalid Host header - possible DNS rebinding attack detected", http.StatusForbidden)
			return
		}
		origin := r.Header.Get("Origin")
		allowed := origin != "" && g.allowsOrigin(origin, r.Host)
		if allowed {
			h := w.Header()
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Add("Vary", "Origin")
		}
		switch r.Method {
		case http.MethodOptions:
			if allowed && r.Header.Get("Access-Control-Request-Method") != "" {
				w.Header().Set("Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT")
				w.Header().Set("Access-Control-Allow-Headers", r.Header.Get("Access-Control-Request-Headers"))
				w.Header().Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
			if origin != "" && !allowed {
				http.Error(w, "Cross-origin request blocked", http.StatusForbidden)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// hostName is a host without its port and brackets, in lower case.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

func (g guard) allowsHost(host string) bool {
	if namespace, base, ok := namespaceOfHost(host); ok && g.namespace != "" && namespace == g.namespace {
		host = base
	}
	name := hostName(host)
	if name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || name == g.own {
		return true
	}
	if ip, err := netip.ParseAddr(name); err == nil && (ip.IsLoopback() || ip.IsPrivate() || ip.IsUnspecified()) {
		return true
	}
	return slices.ContainsFunc(g.hosts, func(pattern string) bool {
		return matches(hostName(pattern), name) || matches(strings.ToLower(pattern), strings.ToLower(host))
	})
}

func (g guard) allowsOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	if strings.EqualFold(u.Host, host) {
		return true
	}
	if name := hostName(u.Host); name == "localhost" {
		return true
	} else if ip, err := netip.ParseAddr(name); err == nil && ip.IsLoopback() {
		return true
	}
	return slices.ContainsFunc(g.origins, func(pattern string) bool { return matches(pattern, origin) })
}

// matches compares with a pattern in which * stands for anything, as MLflow's settings have it.
func matches(pattern, text string) bool {
	if pattern == "*" || pattern == text {
		return true
	}
	// path.Match's * stops at a slash, of which an origin has two.
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "|"), strings.ReplaceAll(text, "/", "|"))
	return err == nil && ok
}
