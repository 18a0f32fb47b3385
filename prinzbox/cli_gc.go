package prinzbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/prinzbox/prinzbox/prinzbox/control"
)

// gcSettings are the settings of a server that tell where it keeps what gc removes, and how gc works.
var gcSettings = []string{
	"data", "ephemeral", "bucket", "artifacts-destination", "default-artifact-root", "s3-endpoint", "s3-endpoint-access-key", "s3-endpoint-secret-key",
	"s3-endpoint-region", "allow-artifact-hosts", "durability", "log-level",
}

func gcCommand() *cobra.Command {
	var s settings
	var r remote
	var of control.Garbage
	var runs, experiments, models string
	cmd := &cobra.Command{
		Use:   "gc",
		Short: "Remove deleted runs, experiments and logged models for good",
		Long: `gc removes what is in the lifecycle stage "deleted" for good, with its artifacts, as 'mlflow gc' does: in the
environment that runs in the data folder (--data) or at an address (--url), or in the folder of one that does not run.`,
		Args: noArgs,
	}
	f := cmd.Flags()
	s.some(f, &r, gcSettings...)
	f.StringVar(&of.OlderThan, "older-than", "", "only what was deleted at least this long ago, for example 30d or 2d8h5m20s")
	f.StringVar(&runs, "run-ids", "", "only these runs, separated by commas")
	f.StringVar(&experiments, "experiment-ids", "", "only these experiments, with all their runs")
	f.StringVar(&models, "logged-model-ids", "", "only these logged models")
	f.BoolVar(&of.DryRun, "dry-run", false, "remove nothing, and tell what would go")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		of.RunIDs, of.ExperimentIDs, of.LoggedModelIDs = ids(runs), ids(experiments), ids(models)
		if _, err := parseAge(of.OlderThan); err != nil {
			return usageError{fmt.Errorf("--older-than: %w", err)}
		}
		c, runs, err := s.folder(cmd, &r)
		if err != nil {
			return err
		}
		fate := "has been"
		if of.DryRun {
			fate = "would be"
		}
		tell := func(one control.Removed) {
			if r.output == "text" {
				_, _ = fmt.Fprintf(cmd.OutOrStdout(), "%s with ID %s %s permanently deleted.\n", strings.ToUpper(one.Kind[:1])+one.Kind[1:], one.ID, fate)
			}
		}
		if runs {
			answer, err := r.ask("POST", "/gc", of)
			if err != nil {
				return err
			}
			if r.output == "json" {
				return r.print(answer, "")
			}
			var all control.Collected
			if err := json.Unmarshal(answer, &all); err != nil {
				return err
			}
			for _, one := range all.Removed {
				tell(one)
			}
			return nil
		}
		c.Seed, c.Port, c.S3Port, c.StaticPort = false, 0, 0, 0
		env, err := Open(cmd.Context(), c)
		if err != nil {
			return err
		}
		all, err := env.garbage(cmd.Context(), of, tell)
		if err = errors.Join(err, env.Close()); err == nil && r.output == "json" {
			err = json.NewEncoder(cmd.OutOrStdout()).Encode(all)
		}
		return err
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

// some adds the flags of these names, and those of a running environment, to a command that looks after a data folder.
func (s *settings) some(f *pflag.FlagSet, r *remote, names ...string) {
	all := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	s.flags(all)
	for _, name := range names {
		f.AddFlag(all.Lookup(name))
	}
	f.Lookup("ephemeral").Hidden = true // a set PRINZBOX_EPHEMERAL is told, rather than passed over
	r.flags(f)
	f.Lookup("url").Usage = "base `URL` of a running environment that does it; default is the one that runs in the data folder"
}

// folder reads the settings of a command that looks after a data folder, and tells whether a running environment is to do the work: one that is
// named, or that has the folder.
func (s *settings) folder(cmd *cobra.Command, r *remote) (c Config, runs bool, err error) {
	if err := r.read(cmd); err != nil {
		return c, false, err
	}
	if r.url != "" || r.readyFile != "" {
		return c, true, nil
	}
	if c, err = s.read(cmd); err != nil {
		return c, false, err
	}
	if s.ephemeral {
		return c, false, usageError{fmt.Errorf("%s needs a data folder: leave out --ephemeral", cmd.Name())}
	}
	r.data, r.dataSaid = c.Data, true
	if _, runs = running(c.Data); !runs && r.namespace != "" {
		return c, false, fmt.Errorf("--namespace %s: nothing runs in %s, and only a running environment has namespaces", r.namespace, c.Data)
	}
	return c, runs, nil
}
