package seed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// Config is what Run needs from its environment.
type Config struct {
	Store *registry.Store
	// Put stores one artifact under its whole URI, s3://mlflow/1/<run id>/artifacts/model/MLmodel, over whatever is
	// there. It is called from several goroutines at once.
	Put   func(ctx context.Context, uri string, data []byte) error
	Clock func() time.Time
	// Progress, when set, is told in a few words what has been done. It is called from one goroutine at a time.
	Progress func(message string)
	// FraudData, when set, is a table such as ReadBankSim reads, for the fraud model to be trained on instead of the
	// synthetic payments. It is read only when that model is not there yet.
	FraudData io.Reader
	// Models are the samples to make; empty means all.
	Models []string
	// Seed, when it is not 0, makes other synthetic payments for the fraud model than the usual ones: the same for the same number.
	Seed uint64
}

// Alias is the alias that every sample's version carries.
const Alias = "champion"

// tagComplete is on a seeded run once everything about its model is in place.
const tagComplete = "prinzbox.seed"

// sample is one model to seed.
type sample struct {
	name       string
	experiment int // N of "Test experiment N"
	train      func() (*Trained, error)
}

// chosen are the samples that Models names. INVALID_PARAMETER_VALUE when it names one that there is not.
func (cfg *Config) chosen() ([]sample, error) {
	all := cfg.samples()
	if len(cfg.Models) == 0 {
		return all, nil
	}
	var names []string
	chosen := all[:0:0]
	for _, s := range all {
		names = append(names, s.name)
		if slices.Contains(cfg.Models, s.name) {
			chosen = append(chosen, s)
		}
	}
	for _, m := range cfg.Models {
		if !slices.Contains(names, m) {
			return nil, registry.Invalidf("models: there is no sample %.100q: use %s.", m, strings.Join(names, ", "))
		}
	}
	return chosen, nil
}

func (cfg *Config) samples() []sample {
	var all []sample
	for i, spec := range Wines() {
		all = append(all, sample{spec.Name, i + 1, func() (*Trained, error) { return Wine(spec) }})
	}
	return append(all, sample{FraudName, 3, func() (*Trained, error) {
		payments, origin, err := fraudPayments(cfg.FraudData, cfg.Seed)
		if err != nil {
			return nil, err
		}
		return Fraud(payments, origin)
	}})
}

// Bucket is where the sample models' experiments keep their files; it must be there before Run.
const Bucket = "mlflow"

// Run trains and registers the chosen sample models that are not there yet, all at once, and returns the names of all that were chosen.
// Each gets an experiment "Test experiment N" at s3://mlflow/N, a finished run with its training data as a dataset, its model directory under the run's
// artifacts, a registered model with one version, and the alias champion.
//
// It may be run again at every start: a registered model that is there is left alone, whatever has become of it; a seed
// that was cut short is finished. Experiments, runs and registered models that a user deleted, but that a missing model
// needs, come back.
func Run(ctx context.Context, cfg Config) (names []string, err error) {
	samples, err := cfg.chosen()
	if err != nil {
		return nil, err
	}
	var missing []sample
	for _, s := range samples {
		names = append(names, s.name)
		needed, err := cfg.needed(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("seed: %s: %w", s.name, err)
		}
		if needed {
			missing = append(missing, s)
		}
	}
	// One after the other, so that a fresh store numbers them 1, 2 and 3.
	experiments := make([]string, len(missing))
	for i, s := range missing {
		if experiments[i], err = cfg.experiment(ctx, s.experiment); err != nil {
			return nil, fmt.Errorf("seed: %s: %w", s.name, err)
		}
	}
	var (
		group sync.WaitGroup
		mu    sync.Mutex
	)
	errs := make([]error, len(missing))
	for i, s := range missing {
		group.Go(func() {
			start := cfg.Clock()
			trained, err := s.train()
			if err == nil {
				err = cfg.register(ctx, trained, experiments[i], start)
			}
			if err != nil {
				errs[i] = fmt.Errorf("seed: %s: %w", s.name, err)
				return
			}
			if cfg.Progress != nil {
				mu.Lock()
				defer mu.Unlock()
				cfg.Progress("trained and registered " + s.name)
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return names, nil
}

// needed tells whether a sample must be made, or finished: its registered model is missing, or its run is not complete.
func (cfg *Config) needed(ctx context.Context, s sample) (bool, error) {
	_, err := cfg.Store.RegisteredModel(ctx, s.name)
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	run, err := cfg.Store.Run(ctx, runID(s.name))
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		return false, nil // the model is somebody else's, or its run is gone for good
	}
	return err == nil && !complete(run), err
}

func complete(run registry.Run) bool {
	return slices.ContainsFunc(run.Data.Tags, func(t registry.KeyValue) bool { return t.Key == tagComplete })
}

// experiment returns the id of "Test experiment n", made or restored if need be.
func (cfg *Config) experiment(ctx context.Context, n int) (id string, err error) {
	name := "Test experiment " + strconv.Itoa(n)
	e, err := cfg.Store.ExperimentByName(ctx, name)
	switch {
	case registry.IsCode(err, registry.ResourceDoesNotExist):
		return cfg.Store.CreateExperiment(ctx, registry.NewExperiment{
			Name: name, ArtifactLocation: "s3://" + Bucket + "/" + strconv.Itoa(n),
		})
	case err == nil && e.LifecycleStage == registry.StageDeleted:
		err = cfg.Store.RestoreExperiment(ctx, e.ID)
	}
	return e.ID, err
}

// register puts a trained model in place. The params, metrics and tags come last, in one transaction with the tag that
// says that all is done; a process killed before it leaves nothing that a second try would contradict.
func (cfg *Config) register(ctx context.Context, t *Trained, experimentID string, start time.Time) error {
	run, err := cfg.run(ctx, t, experimentID, start)
	if err != nil {
		return err
	}
	source := run.Info.ArtifactURI + "/" + artifactPath
	if err := cfg.putAll(ctx, source, t.Files); err != nil {
		return err
	}
	model, err := cfg.Store.RegisteredModel(ctx, t.Name)
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		model, err = cfg.Store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{
			Name: t.Name, Description: &t.Description,
		})
	}
	if err != nil {
		return err
	}
	if len(model.LatestVersions) == 0 {
		version, err := cfg.Store.CreateModelVersion(ctx, registry.NewModelVersion{
			Name: t.Name, Source: source, RunID: t.RunID, Description: t.Description,
		})
		if err != nil {
			return err
		}
		model.LatestVersions = append(model.LatestVersions, version)
	}
	if !slices.ContainsFunc(model.Aliases, func(a registry.Alias) bool { return a.Alias == Alias }) {
		if err := cfg.Store.SetAlias(ctx, t.Name, Alias, model.LatestVersions[0].Version); err != nil {
			return err
		}
	}

	if err := cfg.Store.LogInputs(ctx, t.RunID, []registry.DatasetInput{t.Data}, nil); err != nil {
		return err
	}
	finished, end := registry.RunFinished, cfg.Clock().UnixMilli()
	if _, err := cfg.Store.UpdateRun(ctx, t.RunID, registry.RunUpdate{Status: &finished, EndTime: &end}); err != nil {
		return err
	}
	batch := registry.Batch{Params: pairs(t.Params), Tags: append(pairs(t.Tags), registry.KeyValue{Key: tagComplete, Value: "complete"})}
	for _, name := range slices.Sorted(maps.Keys(t.Metrics)) {
		batch.Metrics = append(batch.Metrics, registry.Metric{
			Key: name, Value: registry.Float(t.Metrics[name]), Timestamp: run.Info.StartTime,
		})
	}
	return cfg.Store.LogBatch(ctx, t.RunID, batch)
}

// run returns the run of a trained model, made or restored if need be.
func (cfg *Config) run(ctx context.Context, t *Trained, experimentID string, start time.Time) (registry.Run, error) {
	run, err := cfg.Store.Run(ctx, t.RunID)
	switch {
	case registry.IsCode(err, registry.ResourceDoesNotExist):
		return cfg.Store.CreateRun(ctx, registry.NewRun{
			ExperimentID: experimentID, RunID: t.RunID, UserID: seedUser, Name: t.RunName, StartTime: start.UnixMilli(),
			Tags: pairs(map[string]string{
				registry.TagUser: t.Tags[registry.TagUser], registry.TagSourceName: t.Tags[registry.TagSourceName],
				registry.TagSourceType: t.Tags[registry.TagSourceType],
			}),
		})
	case err != nil:
		return run, err
	}
	for _, p := range run.Data.Params {
		if want, ok := t.Params[p.Key]; ok && want != p.Value {
			return run, fmt.Errorf("its run %s is there with %s %q, not %q: it was trained on other data; use that data again, or a new data directory",
				t.RunID, p.Key, p.Value, want)
		}
	}
	if run.Info.LifecycleStage == registry.StageDeleted {
		err = cfg.Store.RestoreRun(ctx, t.RunID)
	}
	return run, err
}

// putAll stores the files of a model directory at once, since a disk may take its time over each.
func (cfg *Config) putAll(ctx context.Context, under string, files map[string][]byte) error {
	names := slices.Sorted(maps.Keys(files))
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { errs[i] = cfg.Put(ctx, under+"/"+name, files[name]) })
	}
	group.Wait()
	return errors.Join(errs...)
}

// pairs are the entries of a map in the order of their keys.
func pairs(m map[string]string) []registry.KeyValue {
	list := make([]registry.KeyValue, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		list = append(list, registry.KeyValue{Key: key, Value: m[key]})
	}
	return list
}
