package serving

import "net/http"

func isV2(path string) bool                                                   { return false }
func parseV2(path string) (route, bool)                                       { return route{}, false }
func (s *Server) serveV2(w http.ResponseWriter, r *http.Request, path string) {}
