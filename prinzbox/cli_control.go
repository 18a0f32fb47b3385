package prinzbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/prinzbox/prinzbox/prinzbox/control"
)

// controlCommands are the operations of the control API as commands.
func controlCommands() []*cobra.Command {
	return []*cobra.Command{
		statusCommand(), resetCommand(), seedCommand(), snapshotCommand(), restoreCommand(), exportCommand(), importCommand(), clockCommand(), idsCommand(), personaCommand(), faultsCommand(),
		callsCommand(), routesCommand(), namespacesCommand(),
	}
}

// controlCommand is a command for a running environment, with the flags that find it.
func controlCommand(use, short, long string, args cobra.PositionalArgs, run func(r *remote, args []string) error) *cobra.Command {
	r := &remote{}
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: func(cmd *cobra.Command, list []string) error {
		if err := args(cmd, list); err != nil {
			return usageError{fmt.Errorf("%w: prinzbox %s", err, cmd.UseLine()[len("prinzbox "):])}
		}
		return nil
	}}
	cmd.Flags().StringVar(&r.data, "data", DefaultData, "data `folder` of the environment")
	r.flags(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, list []string) error {
		if err := r.read(cmd); err != nil {
			return err
		}
		return run(r, list)
	}
	return cmd
}

func statusCommand() *cobra.Command {
	return controlCommand("status", "Tell how the running environment is", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("GET", "/status", nil, "") })
}

func resetCommand() *cobra.Command {
	return controlCommand("reset [empty|seeded]", "Bring the running environment back to a fresh state",
		"reset replaces everything by a fresh state, seeded or empty; by default the one that the environment began with. It clears the\nrequest log and the fault rules, and puts clock and ids back. Snapshots stay.",
		cobra.MaximumNArgs(1), func(r *remote, args []string) error {
			return r.do("POST", "/reset", map[string]string{"to": strings.Join(args, "")}, "reset")
		})
}

func seedCommand() *cobra.Command {
	var of control.Samples
	cmd := controlCommand("seed [MODEL]...", "Make the sample models that the running environment lacks: all, or those named", "", cobra.ArbitraryArgs, func(r *remote, args []string) error {
		of.Models = args
		return r.do("POST", "/seed", of, "")
	})
	cmd.Flags().Uint64Var(&of.Seed, "seed", 0, "other synthetic data than the usual, the same for the same number")
	return cmd
}

func snapshotCommand() *cobra.Command {
	var remove bool
	cmd := controlCommand("snapshot [NAME]", "Keep the state of now under a name, or list the snapshots", "", cobra.MaximumNArgs(1), func(r *remote, args []string) error {
		switch {
		case len(args) == 0 && remove:
			return usageError{errors.New("--delete: name the snapshot")}
		case len(args) == 0:
			return r.do("GET", "/snapshots", nil, "")
		case remove:
			return r.do("DELETE", "/snapshots/"+url.PathEscape(args[0]), nil, "removed snapshot "+args[0])
		}
		return r.do("PUT", "/snapshots/"+url.PathEscape(args[0]), nil, "kept as snapshot "+args[0])
	})
	cmd.Flags().BoolVar(&remove, "delete", false, "remove the snapshot")
	return cmd
}

func restoreCommand() *cobra.Command {
	return controlCommand("restore NAME", "Go back to a snapshot", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
		return r.do("POST", "/snapshots/"+url.PathEscape(args[0])+"/restore", nil, "restored snapshot "+args[0])
	})
}

func exportCommand() *cobra.Command {
	return controlCommand("export FILE", "Write everything that is kept into one file; - is standard output", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
		return r.download("/export", args[0])
	})
}

// download writes an answer into a file, which is whole or not there.
func (r *remote) download(path, file string) (err error) {
	resp, err := r.send(r.cmd.Context(), "GET", path, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if file == "-" {
		_, err = io.Copy(r.cmd.OutOrStdout(), resp.Body)
		return err
	}
	return writeWhole(file, func(w io.Writer) error {
		_, err := io.Copy(w, resp.Body)
		return err
	})
}

// writeWhole writes a file, which is whole or not there.
func writeWhole(file string, write func(io.Writer) error) error {
	out, err := os.Create(file + ".tmp")
	if err != nil {
		return err
	}
	if err = errors.Join(write(out), out.Close()); err != nil {
		return errors.Join(err, os.Remove(out.Name()))
	}
	return os.Rename(out.Name(), file)
}

func importCommand() *cobra.Command {
	return controlCommand("import FILE", "Replace everything by what an export wrote; - is standard input", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
		in, err := openInput(r.cmd, args[0])
		if err != nil {
			return err
		}
		defer in.Close()
		resp, err := r.send(r.cmd.Context(), "POST", "/import", "application/gzip", in)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		return r.print(json.RawMessage("{}"), "imported "+args[0])
	})
}

func openInput(cmd *cobra.Command, file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(cmd.InOrStdin()), nil
	}
	return os.Open(file)
}

// under puts commands below one.
func under(parent *cobra.Command, below ...*cobra.Command) *cobra.Command {
	parent.AddCommand(below...)
	return parent
}

func clockCommand() *cobra.Command {
	change := func(use, short, field string, value func(text string) (any, error)) *cobra.Command {
		return controlCommand(use, short, "", cobra.ExactArgs(1), func(r *remote, args []string) error {
			v, err := value(args[0])
			if err != nil {
				return usageError{err}
			}
			return r.do("PUT", "/clock", map[string]any{field: v}, "")
		})
	}
	text := func(text string) (any, error) { return text, nil }
	duration := func(text string) (any, error) {
		d, err := time.ParseDuration(text)
		if err != nil {
			return nil, fmt.Errorf("%q: write a duration as 90s, 5m or 24h", text)
		}
		return float64(d) / float64(time.Millisecond), nil
	}
	show := controlCommand("clock", "Show the clock of the running environment, stop it, move it", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("GET", "/clock", nil, "") })
	return under(show,
		change("freeze TIME", "Stop the clock at a time (2026-01-02T15:04:05Z, milliseconds since 1970, or now)", "freeze", text),
		change("set TIME", "Let the clock go on from a time", "set", text),
		change("advance DURATION", "Move the clock, as 24h or -5m", "advance_ms", duration),
		change("tick DURATION", "Move the stopped clock by so much at each look", "tick_ms", duration),
		controlCommand("real", "Go back to the clock of the machine", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("DELETE", "/clock", nil, "") }))
}

func idsCommand() *cobra.Command {
	show := controlCommand("ids", "Show where new ids come from, or take them from a seed", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("GET", "/ids", nil, "") })
	return under(show,
		controlCommand("seed NUMBER", "Take new ids from a seed", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
			seed, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usageError{fmt.Errorf("%q: a seed is a whole number, 0 or more", args[0])}
			}
			return r.do("PUT", "/ids", map[string]uint64{"seed": seed}, "")
		}),
		controlCommand("random", "Make ids random again", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("DELETE", "/ids", nil, "") }))
}

func personaCommand() *cobra.Command {
	return controlCommand("persona [auto|1.13|1.30|2|3]", "Show or choose the MLflow server whose calls there are", "", cobra.MaximumNArgs(1), func(r *remote, args []string) error {
		if len(args) == 0 {
			return r.do("GET", "/persona", nil, "")
		}
		return r.do("PUT", "/persona", map[string]string{"persona": args[0]}, "")
	})
}

func faultsCommand() *cobra.Command {
	show := controlCommand("faults", "List the fault rules with their counts, add and remove some", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("GET", "/faults", nil, "") })
	read := func(r *remote, text string) (json.RawMessage, error) {
		if file, ok := strings.CutPrefix(text, "@"); ok {
			in, err := openInput(r.cmd, file)
			if err != nil {
				return nil, err
			}
			defer in.Close()
			b, err := io.ReadAll(in)
			return b, err
		}
		return json.RawMessage(text), nil
	}
	post := func(use, short, method string) *cobra.Command {
		return controlCommand(use, short, `A rule is JSON (docs/control.md), or @FILE, or @- for standard input:

	prinzbox faults add '{"match": {"operation": "runs/*"}, "latency": {"ms": 500}}'`, cobra.ExactArgs(1), func(r *remote, args []string) error {
			rule, err := read(r, args[0])
			if err != nil {
				return err
			}
			if !json.Valid(rule) {
				return usageError{errors.New("the rule is no JSON")}
			}
			return r.do(method, "/faults", rule, "")
		})
	}
	return under(show, post("add RULE", "Add a fault rule", "POST"), post("set RULES", `Put rules, {"faults": […]}, in place of all`, "PUT"),
		controlCommand("remove ID", "Remove a fault rule", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
			return r.do("DELETE", "/faults/"+url.PathEscape(args[0]), nil, "removed "+args[0])
		}),
		controlCommand("clear", "Remove all fault rules", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("DELETE", "/faults", nil, "no faults") }))
}

func routesCommand() *cobra.Command {
	return controlCommand("routes", "List which versions of the models answer", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("GET", "/routes", nil, "") })
}

func namespacesCommand() *cobra.Command {
	show := controlCommand("namespaces", "List the namespaces of the running environment, make and delete some", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("GET", "/namespaces", nil, "") })
	return under(show,
		controlCommand("make NAME", "Make a namespace", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
			return r.do("PUT", "/namespaces/"+url.PathEscape(args[0]), nil, "")
		}),
		controlCommand("delete NAME", "Delete a namespace with all that is in it", "", cobra.ExactArgs(1), func(r *remote, args []string) error {
			return r.do("DELETE", "/namespaces/"+url.PathEscape(args[0]), nil, "deleted "+args[0])
		}))
}
