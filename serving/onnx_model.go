package serving

import (
	"context"
	"fmt"
	"path"
	"path/filepath"

	"go.yaml.in/yaml/v3"

	"github.com/prinzbox/prinzbox/serving/frame"
	"github.com/prinzbox/prinzbox/serving/onnx"
)

func loadONNX(ctx context.Context, objects Objects, uri string, _ *mlmodel, node yaml.Node, signature *Signature, l *Loaded) error {
	flavor, data, err := readEngineFile(ctx, objects, uri, "onnx", node, signature, l)
	if err != nil {
		return err
	}
	engine, err := onnx.New(data, func(name string) ([]byte, error) {
		file, err := beside(flavor.Data, name)
		if err != nil {
			return nil, err
		}
		l.Files = append(l.Files, file)
		return readFile(ctx, objects, uri, file, maxModel)
	})
	if err != nil {
		return engineError(uri, flavor.Data, err)
	}
	l.Estimator = "ONNX"
	predict := func(_ context.Context, table *frame.Frame) (*frame.Result, error) { return engine.Predict(table) }
	l.Model = &engineModel{predict, signature}
	return nil
}

// beside is a file in the folder of another one, for names that stand in a model file.
func beside(file, name string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) || path.Clean(name) != name {
		return "", fmt.Errorf("its data lies in %q, outside its directory", name)
	}
	return path.Join(path.Dir(file), name), nil
}
