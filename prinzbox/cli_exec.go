package prinzbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes of a shell for a command that cannot be run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

func execCommand() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "exec [flags] -- command [argument …]",
		Short: "Run a command inside a fresh environment and pass on its exit code",
		Long: `exec starts an environment that keeps nothing, on free ports unless flags name some, runs the command with
MLFLOW_TRACKING_URI, MLFLOW_S3_ENDPOINT_URL and the AWS_ variables set, stops the environment, and exits with the
command's exit code.

	prinzbox exec -- pytest tests`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{errors.New("exec needs a command: prinzbox exec -- command [argument …]")}
			}
			return nil
		},
	}
	s.flags(cmd.Flags())
	for flag, value := range map[string]string{"port": "0", "s3-port": "0", "static-port": "0", "data": "", "log-level": "warn"} {
		f := cmd.Flags().Lookup(flag)
		f.DefValue = value
		if err := f.Value.Set(value); err != nil {
			panic(err) // the values stand above
		}
	}
	cmd.Flags().SetInterspersed(false) // what follows the command is the command's
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		s.ephemeral = s.ephemeral || s.config.Data == ""
		c, err := s.read(cmd)
		if err != nil {
			return err
		}
		env, err := s.open(cmd.Context(), c)
		if err != nil {
			return err
		}
		if s.readyFile != "" {
			if err := writeReadyFile(s.readyFile, env.Ready()); err != nil {
				return errors.Join(fmt.Errorf("--ready-file: %w", err), env.Close())
			}
		}
		err = runChild(cmd, env.Ready(), args)
		if cerr := s.close(env); cerr != nil {
			if _, failed := errors.AsType[exitCode](err); !failed {
				return cerr
			}
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "prinzbox: %v\n", cerr) // the command's own failure counts
		}
		return err
	}
	return cmd
}

// runChild runs the command with the environment's variables. Signals go to it; the environment lives until it ends.
func runChild(cmd *cobra.Command, r Ready, args []string) error {
	child := exec.Command(args[0], args[1:]...) //nolint:gosec,noctx // running the user's command is the point; it ends by itself or by a signal
	child.Stdin, child.Stdout, child.Stderr = cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()
	child.Env = os.Environ()
	for _, v := range r.Env() {
		child.Env = append(child.Env, v.Name+"="+v.Value)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	if err := child.Start(); err != nil {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "prinzbox: %v\n", err)
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist) {
			return exitCode(exitNotFound)
		}
		return exitCode(exitNotExecutable)
	}
	done := make(chan error, 1)
	go func() { done <- child.Wait() }()
	for {
		select {
		case sig := <-signals:
			_ = child.Process.Signal(sig) // it may have ended just now
		case err := <-done:
			var exit *exec.ExitError
			if !errors.As(err, &exit) {
				return err
			}
			if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return exitCode(128 + int(status.Signal()))
			}
			return exitCode(exit.ExitCode())
		}
	}
}
