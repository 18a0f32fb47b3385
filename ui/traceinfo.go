package ui

import "github.com/prinzbox/prinzbox/registry"

// traceName is what a trace is called; one without a name goes by its id.
func traceName(t registry.TraceInfo) string {
	if name := t.Tags[registry.TagTraceName]; name != "" {
		return name
	}
	return t.TraceID
}
