package prinzbox

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/prinzbox/prinzbox/registry"
	"github.com/prinzbox/prinzbox/serving"
)

// Stub registers a new version of a model that answers as stub says, with no files and no training; the model is made if it is not there. It
// gives the version's number. Any MLflow client does the same with create_model_version(name, "stub:", tags={"prinzbox.stub": JSON}).
func (s *space) Stub(ctx context.Context, name string, stub serving.Stub) (version string, err error) {
	if err := stub.Check(); err != nil {
		return "", fmt.Errorf("the stub %s: %w", name, err)
	}
	text, err := json.Marshal(stub)
	if err != nil {
		return "", err
	}
	store := s.Store()
	_, err = store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: name})
	if err != nil && !registry.IsCode(err, registry.ResourceAlreadyExists) {
		return "", err
	}
	v, err := store.CreateModelVersion(ctx, registry.NewModelVersion{
		Name: name, Source: serving.StubSource, Tags: []registry.KeyValue{{Key: serving.TagStub, Value: string(text)}},
	})
	return v.Version, err
}
