package serving

import (
	"context"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving/statsmodels"
)

func loadStatsmodels(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	flavor, data, err := readEngineFile(ctx, objects, uri, "statsmodels", node, signature, l)
	if err != nil {
		return err
	}
	graph, _, err := readObject("pickle", data)
	if err != nil {
		// Results of other kinds hold objects that hold each other, which are not read here.
		return registry.Errorf(registry.NotImplemented, "The model file %s at %s is not read without Python: %v.", flavor.Data, uri, err)
	}
	engine, err := statsmodels.New(graph)
	if err != nil {
		return engineError(uri, flavor.Data, err)
	}
	l.Estimator = engine.Class
	l.Model = &engineModel{engine.Predict, signature}
	return nil
}
