package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox/control"
	"github.com/prinzbox/prinzbox/registry"
)

// GC removes deleted runs, experiments and logged models for good, with their artifacts, and tells each to done. An
// artifact location that cannot be reached is skipped: the entity goes all the same, as with `mlflow gc`.
func (s *space) GC(ctx context.Context, o registry.GCOptions, done func(g registry.Garbage)) error {
	return s.collect(ctx, o, false, func(g registry.Garbage, _ error) { done(g) })
}

// collect is GC that tells, too, why artifacts were left, and may remove nothing.
func (s *space) collect(ctx context.Context, o registry.GCOptions, dry bool, done func(g registry.Garbage, left error)) error {
	w, err := s.enter(ctx)
	if err != nil {
		return err
	}
	defer w.leave()
	garbage, err := w.store.FindGarbage(ctx, o)
	if err != nil {
		return err
	}
	for _, g := range garbage {
		repo, path, left := w.files.locate(g.Location, "")
		if left == nil && path == "" {
			left = fmt.Errorf("the location %s is a whole bucket or root", g.Location)
		}
		if dry {
			done(g, left)
			continue
		}
		if left != nil {
			w.cfg.Log.Warn("artifacts not removed", "kind", g.Kind, "id", g.ID, "error", left)
		} else if err := repo.Delete(ctx, path); err != nil {
			return fmt.Errorf("remove the artifacts of %s %s: %w", g.Kind, g.ID, err)
		}
		if err := w.store.RemoveGarbage(ctx, g); err != nil {
			return err
		}
		done(g, left)
	}
	return nil
}

// garbage is collect in the words of the control API. tell hears of each as it goes; nil: nobody.
func (s *space) garbage(ctx context.Context, of control.Garbage, tell func(control.Removed)) (control.Collected, error) {
	all := control.Collected{Removed: []control.Removed{}}
	age, err := parseAge(of.OlderThan)
	if err != nil {
		return all, &control.UserError{Err: fmt.Errorf("older_than: %w", err)}
	}
	counts := map[string]*int{"run": &all.Runs, "experiment": &all.Experiments, "logged model": &all.LoggedModels}
	err = s.collect(ctx, registry.GCOptions{
		RunIDs: of.RunIDs, ExperimentIDs: of.ExperimentIDs, LoggedModelIDs: of.LoggedModelIDs, OlderThan: age.Milliseconds(),
	}, of.DryRun, func(g registry.Garbage, left error) {
		one := control.Removed{Kind: g.Kind, ID: g.ID}
		if left != nil {
			one.ArtifactsLeft = left.Error()
		}
		*counts[g.Kind]++
		all.Removed = append(all.Removed, one)
		if tell != nil {
			tell(one)
		}
	})
	return all, err
}

// Verify reads all that is in the environment's own store and compares it with the sizes and SHA-256 hashes that were taken when it was stored.
// Damage is told to found, and is no error. What is stored and deleted meanwhile counts as fine.
func (s *space) Verify(ctx context.Context, found func(artifacts.Damage)) (artifacts.VerifyReport, error) {
	w, err := s.enter(ctx)
	if err != nil {
		return artifacts.VerifyReport{}, err
	}
	defer w.leave()
	return artifacts.Verify(ctx, artifacts.VerifyConfig{DB: w.db.Read(), Dir: blobsIn(w.dir), Found: found})
}

// GC implements [control.Environment].
func (c controlled) GC(ctx context.Context, of control.Garbage) (control.Collected, error) {
	return c.garbage(ctx, of, nil)
}

// Verify implements [control.Environment].
func (c controlled) Verify(ctx context.Context) (control.Verified, error) {
	v := control.Verified{Damage: []artifacts.Damage{}}
	report, err := c.space.Verify(ctx, func(d artifacts.Damage) { v.Damage = append(v.Damage, d) })
	v.OK, v.VerifyReport = report.Damaged == 0, report
	return v, err
}

var agePattern = regexp.MustCompile(`^(?:([\d.]+)d)?(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?$`)

// maxAge is more than anything is old, and far below what a duration holds.
const maxAge = 100 * 365 * 24 * time.Hour

// parseAge reads a duration as `mlflow gc --older-than` does; empty is none.
func parseAge(text string) (age time.Duration, err error) {
	parts := agePattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("could not parse any time information from '%.80s'. Examples of valid strings: '8h', '2d8h5m20s', '2m4s'", text)
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return 0, fmt.Errorf("%.80s is no number", parts[i+1])
		}
		if n*float64(unit) > float64(maxAge) {
			return 0, errors.New("nothing is a hundred years old")
		}
		age += time.Duration(n * float64(unit))
	}
	return age, nil
}
