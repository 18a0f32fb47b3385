package serving

import (
	"context"

	"github.com/prinzbox/prinzbox/registry"
)

// Fallback loads models that no engine here scores.
type Fallback interface {
	// Load makes a model of the directory at uri. objects notes what is read of it; its method Unwrap() Objects gives those of the Config. reason is the NOT_IMPLEMENTED error that says why no engine here does. Errors are *registry.Error.
	Load(ctx context.Context, objects Objects, uri string, meta Meta, reason error) (*Loaded, error)
}

// Meta is what a fallback needs to know of an MLmodel file.
type Meta struct {
	// PythonFunction tells that the model has the python_function flavor; Loader is that flavor's loader_module.
	PythonFunction bool
	Loader         string
	Signature      *Signature // never nil
}

// Raw is a Model that takes whole request bodies, of any media type, and answers as MLflow's scoring server does.
type Raw interface {
	Invoke(ctx context.Context, body []byte, contentType string) (status int, answerType string, answer []byte)
}

// loadFallback asks the fallback, which reads files through noted.
func loadFallback(ctx context.Context, f Fallback, objects, noted Objects, uri string, reason error) (*Loaded, error) {
	file, err := loadMeta(ctx, objects, uri)
	if err != nil {
		return nil, err
	}
	var meta Meta
	if meta.Signature, err = file.signature(); err != nil {
		return nil, err
	}
	if node, ok := file.Flavors["python_function"]; ok {
		var flavor struct {
			Loader string `yaml:"loader_module"`
		}
		if err := node.Decode(&flavor); err != nil {
			return nil, registry.Invalidf("The python_function flavor of the model at %s is not understood: %v", uri, err)
		}
		meta.PythonFunction, meta.Loader = true, flavor.Loader
	}
	l, err := f.Load(ctx, noted, uri, meta, reason)
	if err == nil && file.Example != nil {
		l.ExamplePath = file.Example.Path
	}
	return l, err
}
