package prinzbox

import (
	"context"
	"encoding/json"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/ui"
)

// catalog tells scoring which version a route means.
type catalog struct{ store *registry.Store }

func (c catalog) Resolve(ctx context.Context, name, selector string) (serving.Version, error) {
	v, err := c.store.SelectModelVersion(ctx, name, selector)
	return serving.Version{
		Name: v.Name, Number: v.Version, Source: v.StorageLocation, RunID: v.RunID, Updated: v.LastUpdated, Tags: tagMap(v.Tags),
	}, err
}

func (c catalog) Tags(ctx context.Context, name string) (map[string]string, error) {
	m, err := c.store.RegisteredModel(ctx, name)
	return tagMap(m.Tags), err
}

func tagMap(tags []registry.KeyValue) map[string]string {
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[t.Key] = t.Value
	}
	return out
}

// Generation changes whenever a version may resolve differently, so that scoring can remember what it resolved.
func (c catalog) Generation() uint64 { return c.store.ModelGeneration() }

// guiScoring shows the GUI how models score.
type guiScoring struct{ *serving.Server }

func (g guiScoring) Describe(ctx context.Context, name, selector string) (ui.Model, error) {
	info, err := g.Server.Describe(ctx, name, selector)
	if err != nil {
		return ui.Model{}, err
	}
	m := ui.Model{Flavor: info.Flavor, Estimator: info.Estimator, Upstream: info.Upstream, Native: info.Native || info.Python || info.Upstream != "" && info.Problem == "", Problem: info.Problem, InputExample: info.InputExample}
	if s := info.Signature; s != nil {
		m.Inputs, m.Outputs = uiFields(s.Inputs), uiFields(s.Outputs)
		if s.Params != nil {
			for _, p := range s.Params.Params {
				field := ui.Field{Name: p.Name, Type: string(p.Type), Shape: p.Shape, Optional: true}
				if p.Default != nil {
					field.Default, _ = json.Marshal(p.Default) // a scalar or list, read from JSON
				}
				m.Params = append(m.Params, field)
			}
		}
	}
	return m, nil
}

func uiFields(s *frame.Schema) []ui.Field {
	if s == nil {
		return nil
	}
	out := make([]ui.Field, len(s.Fields))
	for i, f := range s.Fields {
		out[i] = ui.Field{Name: f.Name, Type: string(f.Type), Shape: f.Shape, Optional: !f.Required}
		if s.Tensor {
			out[i].Type = f.DType
		}
	}
	return out
}
