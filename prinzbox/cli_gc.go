package prinzbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/prinzbox/prinzbox/registry"
)

// GC removes deleted runs, experiments and logged models for good, with their artifacts, and tells each to done. An
// artifact location that cannot be reached is skipped: the entity goes all the same, as with `mlflow gc`.
func (e *Env) GC(ctx context.Context, o registry.GCOptions, done func(g registry.Garbage)) error {
	w, err := e.enter(ctx)
	if err != nil {
		return err
	}
	defer w.leave()
	garbage, err := w.store.FindGarbage(ctx, o)
	if err != nil {
		return err
	}
	for _, g := range garbage {
		if repo, path, err := w.files.locate(g.Location, ""); err != nil {
			e.cfg.Log.Warn("artifacts not removed", "kind", g.Kind, "id", g.ID, "error", err)
		} else if path == "" {
			e.cfg.Log.Warn("artifacts not removed: the location is a whole bucket or root", "kind", g.Kind, "id", g.ID, "location", g.Location)
		} else if err := repo.Delete(ctx, path); err != nil {
			return fmt.Errorf("remove the artifacts of %s %s: %w", g.Kind, g.ID, err)
		}
		if err := w.store.RemoveGarbage(ctx, g); err != nil {
			return err
		}
		done(g)
	}
	return nil
}

// gcSettings are the settings of a server that tell where it keeps what gc removes, and how gc works.
var gcSettings = []string{
	"data", "ephemeral", "bucket", "artifacts-destination", "default-artifact-root", "s3-endpoint", "s3-endpoint-access-key", "s3-endpoint-secret-key",
	"s3-endpoint-region", "allow-artifact-hosts", "durability", "log-level",
}

func gcCommand() *cobra.Command {
	var s settings
	var olderThan, runs, experiments, models string
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove deleted runs, experiments and logged models for good",
		Long: `gc removes what is in the lifecycle stage "deleted" from the data folder (--data) for good, with its artifacts, as
'mlflow gc' does. It needs the folder for itself: stop the server first.`,
		Args: noArgs,
	}
	f := cmd.Flags()
	all := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(all)
	for _, name := range gcSettings {
		f.AddFlag(all.Lookup(name))
	}
	f.Lookup("ephemeral").Hidden = true // a set PRINZBOX_EPHEMERAL is told, rather than passed over
	f.StringVar(&olderThan, "older-than", "", "only what was deleted at least this long ago, for example 30d or 2d8h5m20s")
	f.StringVar(&runs, "run-ids", "", "only these runs, separated by commas")
	f.StringVar(&experiments, "experiment-ids", "", "only these experiments, with all their runs")
	f.StringVar(&models, "logged-model-ids", "", "only these logged models")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.read(cmd)
		if err != nil {
			return err
		}
		if s.ephemeral {
			return usageError{errors.New("gc needs a data folder: leave out --ephemeral")}
		}
		age, err := parseAge(olderThan)
		if err != nil {
			return usageError{err}
		}
		c.Seed, c.Port, c.S3Port, c.StaticPort = false, 0, 0, 0
		env, err := Open(cmd.Context(), c)
		if err != nil {
			return err
		}
		err = env.GC(cmd.Context(), registry.GCOptions{
			RunIDs: ids(runs), ExperimentIDs: ids(experiments), LoggedModelIDs: ids(models), OlderThan: age.Milliseconds(),
		}, func(g registry.Garbage) {
			_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s with ID %s has been permanently deleted.\n", strings.ToUpper(g.Kind[:1])+g.Kind[1:], g.ID)
		})
		return errors.Join(err, env.Close())
	}
	return cmd
}

// ids splits a list; nothing is nil, which means "no choice".
func ids(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

var agePattern = regexp.MustCompile(`^(?:([\d.]+)d)?(?:([\d.]+)h)?(?:([\d.]+)m)?(?:([\d.]+)s)?$`)

// parseAge reads a duration as `mlflow gc --older-than` does; empty is none.
func parseAge(text string) (age time.Duration, err error) {
	parts := agePattern.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("--older-than: could not parse any time information from '%s'. Examples of valid strings: '8h', '2d8h5m20s', '2m4s'", text)
	}
	for i, unit := range []time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if parts[i+1] == "" {
			continue
		}
		n, err := strconv.ParseFloat(parts[i+1], 64)
		if err != nil {
			return 0, fmt.Errorf("--older-than: %s is no number", parts[i+1])
		}
		age += time.Duration(n * float64(unit))
	}
	return age, nil
}
