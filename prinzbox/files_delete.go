package prinzbox

import "context"

// Delete implements rest.Artifacts. A location that is a whole bucket or root is passed over: it holds more than one entity's files.
func (f restFiles) Delete(ctx context.Context, location string) error {
	repo, path, err := f.locate(location, "")
	if err != nil || path == "" {
		return err
	}
	return asRegistryError(repo.Delete(ctx, path))
}
