package prinzbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prinzbox/prinzbox/registry"
)

// tagModelFolder marks a version that came from the folder of models; its value is the hash of the files.
const tagModelFolder = "prinzbox.folder"

// modelsEvery is how often the folder of models is looked at. A model that is being copied there is taken once nothing has changed between two looks.
const modelsEvery = 500 * time.Millisecond

// modelFolder registers the model directories of a folder: DIR/NAME/MLmodel is model NAME. Whatever changes there becomes a new version.
type modelFolder struct {
	env *world
	dir string
	// seen is each model's look: sizes and times of its files. taken is the look that has been registered, or refused.
	seen, taken map[string]string
}

// watchModels looks at the folder until the context ends. The first look registers what is there, before the environment is ready.
func (e *world) watchModels(ctx context.Context) error {
	if e.cfg.Models == "" {
		return nil
	}
	dir, err := filepath.Abs(e.cfg.Models)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("--models %s: it is no folder; make it, then put model directories (with an MLmodel file) into it", e.cfg.Models)
	}
	w := &modelFolder{env: e, dir: dir, seen: map[string]string{}, taken: map[string]string{}}
	w.look(ctx)
	w.look(ctx) // what stays the same is taken
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e.stop = append(e.stop, cancel)
	e.background.Go(func() {
		tick := time.NewTicker(modelsEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.look(ctx)
			}
		}
	})
	return nil
}

// look registers the models that have not changed since the last look and are not registered as they are. Trouble with one is logged, once.
func (w *modelFolder) look(ctx context.Context) {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		w.env.cfg.Log.Warn("the folder of models cannot be read", "error", err)
		return
	}
	for _, entry := range entries {
		name := entry.Name()
		dir := filepath.Join(w.dir, name)
		if strings.HasPrefix(name, ".") || !isModelDir(dir) {
			continue
		}
		files, look, err := listModelFiles(dir)
		if err != nil {
			continue // it is being changed
		}
		before := w.seen[name]
		w.seen[name] = look
		if look != before || look == w.taken[name] {
			continue
		}
		w.taken[name] = look
		version, added, err := w.env.registerModel(ctx, name, dir, files)
		switch {
		case err != nil && ctx.Err() == nil:
			w.env.cfg.Log.Error("a model of the folder was not registered", "model", name, "error", err)
		case added:
			w.env.cfg.Log.Info("registered a model of the folder", "model", name, "version", version)
		}
	}
}

func isModelDir(dir string) bool {
	info, err := os.Stat(filepath.Join(dir, "MLmodel"))
	return err == nil && info.Mode().IsRegular()
}

// listModelFiles lists a model directory's files by their slashed paths, and describes their sizes and times.
func listModelFiles(dir string) (files []string, look string, err error) {
	var text strings.Builder
	err = filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && p != dir || d.Name() == "__pycache__" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() { // a link could lead anywhere
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files = append(files, filepath.ToSlash(name))
		fmt.Fprintf(&text, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	slices.Sort(files)
	return files, text.String(), err
}

// registerModel makes a version of the files of a model directory, unless one of the newest holds the same, and gives its number.
func (e *world) registerModel(ctx context.Context, name, dir string, files []string) (version string, added bool, err error) {
	sum, err := hashFiles(dir, files)
	if err != nil {
		return "", false, err
	}
	store := e.store
	model, err := store.RegisteredModel(ctx, name)
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		_, err = store.CreateRegisteredModel(ctx, registry.NewRegisteredModel{Name: name})
	}
	if err != nil {
		return "", false, err
	}
	for _, v := range model.LatestVersions {
		if slices.Contains(v.Tags, registry.KeyValue{Key: tagModelFolder, Value: sum}) {
			return v.Version, false, nil
		}
	}
	run, err := e.newModelRun(ctx, name)
	if err != nil {
		return "", false, err
	}
	source := run.ArtifactURI + "/model"
	for _, file := range files {
		if err := e.uploadFile(ctx, source+"/"+file, filepath.Join(dir, filepath.FromSlash(file))); err != nil {
			return "", false, err
		}
	}
	finished, end := registry.RunFinished, e.cfg.Clock().UnixMilli()
	if _, err := store.UpdateRun(ctx, run.RunID, registry.RunUpdate{Status: &finished, EndTime: &end}); err != nil {
		return "", false, err
	}
	v, err := store.CreateModelVersion(ctx, registry.NewModelVersion{
		Name: name, Source: source, RunID: run.RunID, Tags: []registry.KeyValue{{Key: tagModelFolder, Value: sum}},
	})
	return v.Version, err == nil, err
}

// folderExperiment holds a run for each version from the folder: Prinz, for one, asks for every version's run.
const folderExperiment = "Model folder"

func (e *world) newModelRun(ctx context.Context, name string) (registry.RunInfo, error) {
	store := e.store
	experiment, err := store.ExperimentByName(ctx, folderExperiment)
	if registry.IsCode(err, registry.ResourceDoesNotExist) {
		experiment.ID, err = store.CreateExperiment(ctx, registry.NewExperiment{Name: folderExperiment, ArtifactLocation: "s3://" + e.cfg.Bucket + "/model-folder"})
	}
	if err != nil {
		return registry.RunInfo{}, err
	}
	run, err := store.CreateRun(ctx, registry.NewRun{
		ExperimentID: experiment.ID, Name: name, UserID: "prinzbox", StartTime: e.cfg.Clock().UnixMilli(),
	})
	return run.Info, err
}

func (e *world) uploadFile(ctx context.Context, uri, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // read-only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return e.files.put(ctx, uri, f, info.Size())
}

func hashFiles(dir string, files []string) (string, error) {
	h := sha256.New()
	for _, name := range files {
		f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			return "", err
		}
		_, _ = fmt.Fprintf(h, "%d %s\n", len(name), name) // a hash takes all
		n, err := io.Copy(h, f)
		_, _ = fmt.Fprintf(h, "\n%d\n", n)
		if err := errors.Join(err, f.Close()); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
