package prinzbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/registry/rest"
	"github.com/prinzbox/prinzbox/registry/sqldb"
	"github.com/prinzbox/prinzbox/serving/python"
)

// Exit codes of the command.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// usageError is a mistake in the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitCode is another program's exit code, passed on.
type exitCode int

func (c exitCode) Error() string { return "exit code " + strconv.Itoa(int(c)) }

// Main runs the command line and returns the exit code: 0 for success, 1 for failure, 2 for a mistake in the command line.
func Main() int {
	return run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	var code exitCode
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &code):
		return int(code)
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "prinzbox: %v\nRun 'prinzbox --help' for usage.\n", err)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "prinzbox: %v\n", err)
	return exitFailure
}

func newCommand() *cobra.Command {
	serve := serveCommand()
	root := &cobra.Command{
		Use:   "prinzbox",
		Short: "A whole MLflow environment in one process",
		Long: `prinzbox is an MLflow tracking server and model registry, an S3 store, a scoring server for the
registered models, sample models, and a web GUI, in one process. Without a command it serves.`,
		Args:          noArgs,
		RunE:          serve.RunE,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.Flags().AddFlagSet(serve.Flags())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serve, execCommand(), envCommand(), gcCommand(), verifyCommand(), stubCommand(), versionCommand())
	root.AddCommand(doctorCommand())
	root.AddCommand(controlCommands()...)
	return root
}

func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unknown command or argument %q for %q", args[0], cmd.CommandPath())}
	}
	return nil
}

// settings are the flags that make a Config.
type settings struct {
	config     Config
	ephemeral  bool
	noSeed     bool
	fraudData  string
	durability string
	logLevel   string
	readyFile  string
	tls        string
	namespaces string
	s3Keys     []string
	// exportOnExit is the file for the state of the end.
	exportOnExit string
}

// environment twins of flags: PRINZBOX_<FLAG>, and these names of MLflow and MinIO.
var twins = map[string][]string{
	"host":                  {"MLFLOW_HOST"},
	"port":                  {"MLFLOW_PORT"},
	"default-artifact-root": {"MLFLOW_DEFAULT_ARTIFACT_ROOT"},
	"artifacts-destination": {"MLFLOW_ARTIFACTS_DESTINATION"},
	"allowed-hosts":         {"MLFLOW_SERVER_ALLOWED_HOSTS"},
	"cors-allowed-origins":  {"MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"},
	"admin-username":        {"MLFLOW_AUTH_ADMIN_USERNAME"},
	"admin-password":        {"MLFLOW_AUTH_ADMIN_PASSWORD"},
	"access-key":            {"MINIO_ROOT_USER"},
	"secret-key":            {"MINIO_ROOT_PASSWORD"},
	"region":                {"MINIO_REGION"},
	"s3-endpoint-region":    {"AWS_REGION", "AWS_DEFAULT_REGION"},
}

func (s *settings) flags(f *pflag.FlagSet) {
	d := DefaultConfig().withDefaults()
	c := &s.config
	f.StringVar(&c.Host, "host", d.Host, "address to listen on; 0.0.0.0 for all")
	f.IntVarP(&c.Port, "port", "p", d.Port, "port of MLflow, scoring and GUI; 0 takes a free one")
	f.IntVar(&c.S3Port, "s3-port", d.S3Port, "port of the S3 store; 0 takes a free one")
	f.IntVar(&c.StaticPort, "static-port", d.StaticPort, "port of the static values; 0 takes a free one")
	f.StringVar(&c.Data, "data", d.Data, "folder that keeps the state")
	f.BoolVar(&s.ephemeral, "ephemeral", false, "keep nothing: state is gone at the end")
	f.BoolVar(&s.noSeed, "no-seed", false, "do not train and register the sample models")
	f.StringVar(&c.Import, "import", "", "begin with what an export wrote into this `file`, instead of the sample models, where there is no state yet")
	f.StringVar(&s.exportOnExit, "export-on-exit", "", "write everything that is kept into this `file` at the end, for --import")
	f.StringVar(&s.fraudData, "fraud-data", "", "train the fraud model on this BankSim CSV `file` instead of the synthetic payments")
	f.StringVar(&c.DefaultArtifactRoot, "default-artifact-root", d.DefaultArtifactRoot, "artifact location of new experiments, for example s3://mlflow")
	f.StringVar(&c.ArtifactsDestination, "artifacts-destination", "", "where mlflow-artifacts: locations lie: a folder, or `s3://BUCKET/PREFIX` of this server, or of --s3-endpoint (default: --bucket of this server)")
	f.StringVar(&c.Remote.Endpoint, "s3-endpoint", "", "`URL` of another S3 store, for --artifacts-destination and for s3: locations whose bucket is not here")
	f.StringVar(&c.Remote.AccessKey, "s3-endpoint-access-key", "", "access `key` of that store; default is what AWS's tools take: AWS_ACCESS_KEY_ID, ~/.aws, a role")
	f.StringVar(&c.Remote.SecretKey, "s3-endpoint-secret-key", "", "secret `key` of that store")
	f.StringVar(&c.Remote.Region, "s3-endpoint-region", "", "`region` of that store")
	f.StringVar(&c.Remote.PublicURL, "s3-endpoint-public-url", "", "base `URL` of that store as clients reach it, where that is another")
	f.StringSliceVar(&c.ArtifactHosts, "allow-artifact-hosts", nil, "other MLflow `servers`, as HOST:PORT, whose artifacts may be read and written for runs that lie there")
	f.StringVar(&c.MLflowUI, "mlflow-ui", "", "serve MLflow's own UI too, under /mlflow-ui/: the `folder` mlflow/server/js/build of an installed MLflow, or auto for that of the active Python")
	f.StringVar(&c.S3PublicURL, "s3-public-url", "", "base `URL` of the S3 store as clients reach it, where that is not this host and --s3-port (behind a proxy or a port map)")
	f.StringSliceVar(&c.AllowedHosts, "allowed-hosts", nil, "host `names` under which requests are taken, beside loopback and private addresses; * is a wildcard")
	f.StringSliceVar(&c.AllowedOrigins, "cors-allowed-origins", nil, "`origins` of web pages elsewhere that may call; * is a wildcard")
	f.StringVar(&c.Auth.AppName, "app-name", "", "`basic-auth` asks everybody for a user name and a password, as MLflow's app of that name")
	f.StringVar(&c.Auth.AdminUsername, "admin-username", "admin", "`name` of the first admin")
	f.StringVar(&c.Auth.AdminPassword, "admin-password", "", "`password` of the first admin, at least 12 characters; one is made up and shown once when there is none")
	f.StringVar(&c.Auth.DefaultPermission, "default-permission", "READ", "`level` of users on what they have no permission on: READ, USE, EDIT, MANAGE or NO_PERMISSIONS")
	f.StringVar(&c.Bucket, "bucket", d.Bucket, "bucket made at start")
	f.StringVar(&c.AccessKey, "access-key", d.AccessKey, "S3 access key")
	f.StringVar(&c.SecretKey, "secret-key", d.SecretKey, "S3 secret key")
	f.StringVar(&c.Region, "region", d.Region, "S3 region")
	f.Var(s3KeyFlag{&s.s3Keys}, "s3-key", "one more S3 key, as `access:secret`, or access:secret:ro for one that only reads; may be given again")
	f.StringVar(&s.tls, "tls", "", "`self-signed` makes a certificate in the data folder, and everything https")
	f.StringVar(&c.TLS.CertFile, "tls-cert", "", "`file` of the certificate (PEM) for https, with --tls-key")
	f.StringVar(&c.TLS.KeyFile, "tls-key", "", "`file` of the certificate's key (PEM)")
	f.StringVar(&c.Models, "models", "", "register and serve the model directories of this `folder` (NAME/MLmodel), now and as they change")
	f.StringVar(&c.Python, "python", python.Auto, "the Python, with mlflow, that scores what prinzbox itself does not: a `path`, auto (the active one) or off")
	f.BoolVar(&c.PythonInstall, "python-install", false, "make environments from models' requirements.txt where that Python has no mlflow; needs a network")
	f.StringVar(&c.CurrentAlias, "current-alias", "", "the `alias` that, where a model has it, answers requests that name no version; default is the version that changed last")
	f.StringSliceVar(&c.UpstreamHosts, "allow-upstream-hosts", nil, "`hosts` beside this machine, as HOST:PORT, of scoring servers that versions' prinzbox.upstream tags may name")
	f.StringVar(&s.namespaces, "namespaces", "", "whether requests may choose namespaces, independent environments in this process: on or off; default is on for loopback addresses, and with --control-token, which does not guard their making")
	f.IntVar(&c.MaxNamespaces, "max-namespaces", d.MaxNamespaces, "how many namespaces there may be")
	f.StringVar(&c.ControlToken, "control-token", "", "`token` that the control API under /api/prinzbox/ asks for; without one it is on where the server listens on loopback only")
	f.StringVar(&c.Persona, "persona", rest.AutoPersona, "answer as the MLflow `server` 1.13, 1.30, 2 or 3 would, without the calls it did not have; auto has all")
	f.IntVar(&c.Calls.Entries, "calls", 0, "how many calls the request log keeps; default is 10000, -1 keeps none")
	f.Int64Var(&c.Calls.Bytes, "calls-memory", 0, "how many bytes the request log takes; default is 16 MiB")
	f.IntVar(&c.Calls.Body, "calls-body", 0, "how many bytes of each text body the request log keeps; default is 8 KiB, -1 keeps none")
	f.StringVar(&s.durability, "durability", "", "what a write survives: normal (kill -9), full (power cut too), off; default normal, or off with --ephemeral")
	f.StringVar(&s.readyFile, "ready-file", "", "write the ready line into this `file` too, once everything answers")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
}

// read takes unset flags from their environment twins and checks what flags alone can tell.
func (s *settings) read(cmd *cobra.Command) (Config, error) {
	var bad error
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Changed || bad != nil {
			return
		}
		for _, name := range append([]string{"PRINZBOX_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))}, twins[f.Name]...) {
			if value := os.Getenv(name); value != "" {
				if err := f.Value.Set(value); err != nil {
					bad = usageError{fmt.Errorf("environment variable %s: %w", name, err)}
				}
				return
			}
		}
	})
	if bad != nil {
		return Config{}, bad
	}
	c := s.config
	for name, port := range map[string]int{"--port": c.Port, "--s3-port": c.S3Port, "--static-port": c.StaticPort} {
		if port < 0 || port > 65535 {
			return c, usageError{fmt.Errorf("%s %d: a port is 0 to 65535", name, port)}
		}
	}
	if err := s.contradictions(cmd.Flags()); err != nil {
		return c, usageError{err}
	}
	if s.ephemeral {
		c.Data = ""
	} else if c.Data == "" {
		return c, usageError{errors.New("--data: name a folder, or use --ephemeral to keep nothing")}
	}
	if u, err := url.Parse(c.S3PublicURL); c.S3PublicURL != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		return c, usageError{fmt.Errorf("--s3-public-url %s: write http://HOST:PORT or https://HOST:PORT", c.S3PublicURL)}
	}
	switch c.Durability = sqldb.Durability(s.durability); c.Durability {
	case "", sqldb.DurabilityNormal, sqldb.DurabilityFull, sqldb.DurabilityOff:
	default:
		return c, usageError{fmt.Errorf("--durability %s: use normal, full or off", s.durability)}
	}
	switch s.namespaces {
	case "":
	case "on", "off":
		on := s.namespaces == "on"
		c.Namespaces = &on
	default:
		return c, usageError{fmt.Errorf("--namespaces %s: use on or off", s.namespaces)}
	}
	if c.MaxNamespaces < 1 {
		return c, usageError{fmt.Errorf("--max-namespaces %d: use a number from 1 on", c.MaxNamespaces)}
	}
	switch s.tls {
	case "", "self-signed":
		c.TLS.SelfSigned = s.tls != ""
	default:
		return c, usageError{fmt.Errorf("--tls %s: use self-signed, or --tls-cert and --tls-key for a certificate of yours", s.tls)}
	}
	if err := c.TLS.check(); err != nil {
		return c, usageError{err}
	}
	if _, err := rest.FindPersona(c.Persona); err != nil {
		return c, usageError{fmt.Errorf("--persona: %w", err)}
	}
	var err error
	if c.S3Keys, err = (s3KeyFlag{&s.s3Keys}).parse(); err != nil {
		return c, usageError{err}
	}
	if _, err := c.withDefaults().s3Keys(); err != nil {
		return c, usageError{err}
	}
	if _, err := c.Remote.open(); err != nil {
		return c, usageError{err}
	}
	if _, err := artifacts.NewProxies(c.ArtifactHosts, nil); err != nil {
		return c, usageError{fmt.Errorf("--allow-artifact-hosts: %w", err)}
	}
	if c.Auth.AppName == "" {
		c.Auth.AdminPassword = "" // MLFLOW_AUTH_ADMIN_PASSWORD may stand in an environment for other servers
		if cmd.Flags().Changed("admin-password") {
			return c, usageError{errors.New("--admin-password: passwords are asked for with --app-name basic-auth only")}
		}
	}
	if err := c.Auth.check(); err != nil {
		return c, usageError{err}
	}
	c.Seed = !s.noSeed
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return c, usageError{fmt.Errorf("--log-level %s: use debug, info, warn or error", s.logLevel)}
	}
	if c.Webhooks, err = webhooksFromEnvironment(os.Getenv); err != nil {
		return c, usageError{err}
	}
	for scheme := range strings.SplitSeq(os.Getenv("MLFLOW_ALLOWED_HOST_ADDRESSED_ARTIFACT_SCHEMES"), ",") {
		if scheme = strings.ToLower(strings.TrimSpace(scheme)); scheme != "" {
			c.ArtifactSchemes = append(c.ArtifactSchemes, scheme)
		}
	}
	c.CustomScorers = strings.EqualFold(os.Getenv("MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS"), "true")
	c.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	return c, nil
}

// contradictions finds settings that would be ignored, or mean something else than they say.
func (s *settings) contradictions(f *pflag.FlagSet) error {
	if s.ephemeral && f.Changed("ephemeral") && f.Changed("data") {
		return errors.New("--ephemeral keeps nothing, --data keeps the state: use one of them")
	}
	for flag, value := range map[string]string{"access-key": s.config.AccessKey, "secret-key": s.config.SecretKey, "bucket": s.config.Bucket} {
		if value == "" {
			return fmt.Errorf("--%s must not be empty", flag)
		}
	}
	for flag, location := range map[string]string{"default-artifact-root": s.config.DefaultArtifactRoot, "artifacts-destination": s.config.ArtifactsDestination} {
		if rest, ok := strings.CutPrefix(location, "s3://"); ok && strings.Trim(rest, "/") == "" {
			return fmt.Errorf("--%s %s names no bucket: write s3://BUCKET or s3://BUCKET/PREFIX", flag, location)
		}
	}
	return nil
}

// open starts an environment for a command.
func (s *settings) open(ctx context.Context, c Config) (*Env, error) {
	if s.fraudData != "" {
		f, err := os.Open(s.fraudData)
		if err != nil {
			return nil, usageError{fmt.Errorf("--fraud-data: %w", err)}
		}
		defer f.Close() //nolint:errcheck // only read
		c.FraudData = f
	}
	return Open(ctx, c)
}

func serveCommand() *cobra.Command {
	var s settings
	var exitWithStdin bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the environment until it is interrupted (the default command)",
		Long: `serve runs the environment until SIGINT or SIGTERM. When everything answers and the sample models are
registered, one JSON line with all addresses and credentials goes to standard output; logs go to standard
error. Every flag has an environment variable, PRINZBOX_ and its name: PRINZBOX_S3_PORT for --s3-port.`,
		Args: noArgs,
	}
	s.flags(cmd.Flags())
	cmd.Flags().BoolVar(&exitWithStdin, "exit-with-stdin", false, "stop when standard input ends, as a pipe does when the process that started this one ends or is killed")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.read(cmd)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if exitWithStdin {
			signal.Ignore(syscall.SIGPIPE) // who read the log is gone, too
			var cancel context.CancelFunc
			ctx, cancel = whileOpen(ctx, cmd.InOrStdin())
			defer cancel()
		}
		human := isTerminal(cmd.ErrOrStderr())
		if human {
			c.Progress = func(message string) { _, _ = fmt.Fprintln(cmd.ErrOrStderr(), "  "+message) }
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "prinzbox "+Version)
		}
		start := time.Now()
		env, err := s.open(ctx, c)
		if ctx.Err() != nil {
			if err == nil {
				err = env.Close()
			}
			if err == nil || errors.Is(err, context.Canceled) {
				return nil // told to stop before it was ready
			}
		}
		if err != nil {
			return err
		}
		if err := announce(cmd, env, s.readyFile, human, time.Since(start)); err != nil {
			return errors.Join(err, env.Close())
		}
		<-ctx.Done()
		stop() // a second signal ends the process at once
		c.Log.Info("stopping")
		if s.readyFile != "" {
			_ = os.Remove(s.readyFile) // nothing is ready any more
		}
		return s.close(env)
	}
	return cmd
}

// close ends a command's environment, after writing what is kept where that is wanted.
func (s *settings) close(env *Env) error {
	var err error
	if s.exportOnExit != "" {
		err = writeWhole(s.exportOnExit, func(w io.Writer) error { return env.Export(context.Background(), w) })
		if err != nil {
			err = fmt.Errorf("--export-on-exit %s: %w", s.exportOnExit, err)
		}
	}
	return errors.Join(err, env.Close())
}

func announce(cmd *cobra.Command, env *Env, readyFile string, human bool, took time.Duration) error {
	r := env.Ready()
	if env.madeUp {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "prinzbox: user %s, password %s (made up, shown this once; change it with users/update-password)\n", r.TrackingUsername, r.TrackingPassword)
	}
	if r.CABundle != "" {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "prinzbox: https with a certificate of its own; for clients to trust it ('prinzbox env' prints this too):\n"+
			"  export AWS_CA_BUNDLE=%[1]s REQUESTS_CA_BUNDLE=%[1]s MLFLOW_TRACKING_SERVER_CERT_PATH=%[1]s\n", shellQuote(r.CABundle))
	}
	if human {
		kept := "nothing is kept"
		if r.DataDir != nil {
			kept = "state in " + *r.DataDir
		}
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "ready in %.2f s, %s\n  MLflow and GUI  %s\n  S3              %s  (%s / %s, bucket %s)\n  static values   %s/static/int …\n",
			took.Seconds(), kept, r.GUIURL, r.S3Endpoint, r.AccessKey, r.SecretKey, r.Bucket, r.StaticURL)
		if r.MLflowUIURL != "" {
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "  MLflow's UI     %s\n", r.MLflowUIURL)
		}
	}
	if readyFile != "" {
		if err := writeReadyFile(readyFile, r); err != nil {
			return fmt.Errorf("--ready-file: %w", err)
		}
	}
	return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Print the version", Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "prinzbox %s (MLflow %s)\n", Version, MLflowVersion)
			return err
		},
	}
}

func envCommand() *cobra.Command {
	var s settings
	var output string
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the settings that clients need, as export lines",
		Long: `env prints the settings of the environment that runs in the data folder (--data), as lines for a shell:

	eval "$(prinzbox env)"

When none runs there, it prints what 'prinzbox serve' with the same flags would answer to, and says so.`,
		Args: noArgs,
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "export", "export, or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := s.read(cmd)
		if err != nil {
			return err
		}
		r, ok := running(c.Data)
		if !ok || s.ephemeral {
			if c.Port == 0 || c.S3Port == 0 || c.StaticPort == 0 {
				return errors.New("nothing runs in the data folder, so a free port (0) is not known yet")
			}
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "prinzbox: nothing runs in %s; these are the settings of 'prinzbox serve' with these flags\n", c.Data)
			if abs, err := filepath.Abs(c.Data); err == nil && c.Data != "" {
				c.Data = abs
			}
			r = c.withDefaults().ready()
			r.Ready, r.PID = false, 0
		}
		switch output {
		case "json":
			return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
		case "export":
			for _, v := range r.Env() {
				if _, err := fmt.Fprintf(cmd.OutOrStdout(), "export %s=%s\n", v.Name, shellQuote(v.Value)); err != nil {
					return err
				}
			}
			return nil
		}
		return usageError{fmt.Errorf("-o %s: use export or json", output)}
	}
	return cmd
}

// shellQuote quotes a value for a POSIX shell where it needs it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+=,", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
