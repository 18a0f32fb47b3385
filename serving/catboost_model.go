package serving

import (
	"context"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/catboost"
)

func loadCatBoost(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	var settings struct {
		Class  string `yaml:"model_type"`
		Format string `yaml:"save_format"`
	}
	if err := node.Decode(&settings); err != nil {
		return registry.Invalidf("The catboost flavor of the model at %s is not understood: %v", uri, err)
	}
	if settings.Format != "cbm" {
		return registry.Errorf(registry.NotImplemented, "The save_format %q of the model at %s is not supported without Python (supported: cbm).", settings.Format, uri)
	}
	flavor, data, err := readEngineFile(ctx, objects, uri, "catboost", node, signature, l)
	if err != nil {
		return err
	}
	engine, err := catboost.New(data, settings.Class)
	if err != nil {
		return engineError(uri, flavor.Data, err)
	}
	l.Estimator = engine.Class
	l.Model = &engineModel{engine.Predict, signature}
	return nil
}
