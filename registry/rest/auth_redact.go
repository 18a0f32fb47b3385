package rest

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/prinzbox/prinzbox/registry"
)

// What a user may see can name what he is denied: a version names its run, a run its logged models. Where a grant denies all of a type, such
// references are left out of answers, as MLflow's basic-auth app does.

// withheld says which references are left out.
type withheld struct{ runs, loggedModels, versions, promptVersions bool }

// withheldFrom is what a user does not get to see of others' fields; ok is false when that is nothing, as for nearly everybody.
func withheldFrom(who *registry.Access) (w withheld, ok bool) {
	if who == nil || who.Admin() {
		return w, false
	}
	denied := func(kind string) bool { return !who.Allows(need(kind, "", registry.NotDenied)) }
	w = withheld{denied(registry.OnRun), denied(registry.OnLoggedModel), denied(registry.OnModelVersion), denied(registry.OnPromptVer)}
	return w, w != withheld{}
}

// redact leaves out of an answer, which resp points to, what the asking user is denied.
func (a *API) redact(ctx context.Context, resp any) {
	if a.cfg.Auth == nil {
		return
	}
	if w, ok := withheldFrom(registry.AccessOf(ctx)); ok {
		w.clean(reflect.ValueOf(resp))
	}
}

// clean walks plain data and cleans the structs that hold references.
func (w withheld) clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			w.clean(v.Elem())
		}
	case reflect.Slice:
		if k := v.Type().Elem().Kind(); k == reflect.Struct || k == reflect.Pointer || k == reflect.Interface {
			for i := range v.Len() {
				w.clean(v.Index(i))
			}
		}
	case reflect.Struct:
		if v.CanAddr() {
			w.cleanStruct(v.Addr().Interface())
		}
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				w.clean(v.Field(i))
			}
		}
	}
}

func (w withheld) cleanStruct(p any) {
	switch s := p.(type) {
	case *registry.RegisteredModel:
		prompt := false
		for _, t := range s.Tags {
			prompt = prompt || t.Key == registry.TagIsPrompt && strings.EqualFold(t.Value, "true")
		}
		if prompt && w.promptVersions || !prompt && w.versions {
			s.LatestVersions = nil
		}
	case *registry.ModelVersion:
		if w.runs {
			s.RunID, s.RunLink = "", ""
		}
	case *registry.Run:
		if w.loggedModels {
			s.Inputs.ModelInputs = nil
			if s.Outputs != nil {
				s.Outputs = &registry.RunOutputs{}
			}
		}
	case *registry.LoggedModelInfo:
		if w.runs {
			s.SourceRunID = ""
		}
	case *registry.Metric:
		if w.loggedModels {
			s.ModelID = ""
		}
		if w.runs {
			s.RunID = ""
		}
	case *registry.TraceInfo:
		for _, key := range w.metadata() {
			delete(s.Metadata, key)
		}
	case *traceInfoV2:
		kept := s.Metadata[:0]
		for _, kv := range s.Metadata {
			if !slices.Contains(w.metadata(), kv.Key) {
				kept = append(kept, kv)
			}
		}
		s.Metadata = kept
	}
}

// metadata lists the metadata of traces that name what is withheld.
func (w withheld) metadata() (keys []string) {
	if w.runs {
		keys = append(keys, registry.MetaSourceRun)
	}
	if w.loggedModels {
		keys = append(keys, registry.MetaModelID)
	}
	return keys
}

// selectsNoRun refuses a filter that looks at runs to users who are denied all of them: by asking often enough they would learn what is left out.
func selectsNoRun(p *permit) error {
	if strings.Contains(p.text("filter"), "run_id") {
		return p.demand(need(registry.OnRun, "", registry.NotDenied))
	}
	return nil
}
