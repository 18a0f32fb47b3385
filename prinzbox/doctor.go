package prinzbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
)

// Finding is one thing that doctor looked at.
type Finding struct {
	// Check is what was looked at: ports, environment, keys, clock, python, data.
	Check string `json:"check"`
	// Level is ok, warning (it may surprise you) or problem (it will not work).
	Level string `json:"level"`
	// Found says what is so, and Fix what to do.
	Found string `json:"found"`
	Fix   string `json:"fix,omitempty"`
}

const (
	levelOK      = "ok"
	levelWarning = "warning"
	levelProblem = "problem"
)

// doctor looks for what keeps a set-up from working. What it asks the machine is in its fields, so that tests give the answers.
type doctor struct {
	config  Config
	getenv  func(name string) string
	listen  func(ctx context.Context, address string) error
	holder  func(ctx context.Context, address string) string // what answers at a busy address
	running func(dir string) (Ready, bool)
	// serverTime is the time by the server's clock.
	serverTime func(ctx context.Context, r Ready) (time.Time, error)
	python     func(ctx context.Context, interpreter string) (version string, err error)
	now        func() time.Time
	goos       string
}

// maxSkew is how far clocks may differ for S3 signatures to be taken, in S3 itself and here.
const maxSkew = 15 * time.Minute

// examine looks at everything.
func (d *doctor) examine(ctx context.Context) []Finding {
	var all []Finding
	ready, up := Ready{}, false
	if d.config.Data != "" {
		ready, up = d.running(d.config.Data)
	}
	all = append(all, d.data(ready, up)...)
	all = append(all, d.ports(ctx, ready, up)...)
	if !up {
		ready = d.config.withDefaults().ready()
	}
	all = append(all, d.environment(ready, up)...)
	all = append(all, d.keys(ready)...)
	if up {
		all = append(all, d.clock(ctx, ready))
	}
	return append(all, d.interpreter(ctx))
}

// data looks at the data folder and its lock.
func (d *doctor) data(ready Ready, up bool) []Finding {
	dir := d.config.Data
	if dir == "" {
		return []Finding{{"data", levelOK, "nothing is kept (--ephemeral)", ""}}
	}
	if up {
		return []Finding{{"data", levelOK, fmt.Sprintf("prinzbox runs in %s (pid %d) at %s", dir, ready.PID, ready.TrackingURI), ""}}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []Finding{{"data", levelOK, dir + " is not there yet; the first start makes it", ""}}
	case err != nil:
		return []Finding{{"data", levelProblem, err.Error(), "choose another folder with --data"}}
	case !info.IsDir():
		return []Finding{{"data", levelProblem, dir + " is a file", "choose a folder with --data"}}
	}
	var found []Finding
	if probe, err := os.CreateTemp(dir, ".doctor-*"); err != nil {
		return []Finding{{"data", levelProblem, fmt.Sprintf("nothing can be written into %s: %v", dir, err), "give this user the right to, or choose another folder with --data"}}
	} else if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		found = append(found, Finding{"data", levelWarning, err.Error(), "look at the folder's rights"})
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	if _, err := os.Stat(lock.Path()); err == nil {
		free, err := lock.TryLock()
		_ = lock.Unlock() // it was held to look
		if err == nil && !free {
			return append(found, Finding{"data", levelProblem, dir + " is locked by another process, which is not ready or has no ready file", "wait until it is ready or stop it, or choose another folder with --data"})
		}
	}
	if r, err := readReady(dir); err == nil {
		found = append(found, Finding{"data", levelWarning, fmt.Sprintf("%s tells of pid %d at %s, which has ended without tidying up (it was killed)", filepath.Join(dir, readyFile), r.PID, r.TrackingURI), "nothing: the next start removes it; clients with these settings reach nobody"})
	}
	state, err := find(dir)
	if err != nil {
		return append(found, Finding{"data", levelProblem, err.Error(), "restore the folder from a backup, or choose another one with --data"})
	}
	if has, _ := hasState(state); !has {
		if entries, _ := os.ReadDir(dir); len(entries) > 0 && !isOwnFolder(entries) {
			return append(found, Finding{"data", levelWarning, dir + " holds other files and no state of prinzbox", "choose a folder of its own with --data"})
		}
	}
	if len(found) == 0 {
		found = append(found, Finding{"data", levelOK, dir + " can be used", ""})
	}
	return found
}

// isOwnFolder tells whether a folder holds what prinzbox leaves.
func isOwnFolder(entries []os.DirEntry) bool {
	for _, e := range entries {
		switch e.Name() {
		case lockFile, readyFile, "python", "tls":
		default:
			return false
		}
	}
	return true
}

// ports looks whether they are free, or held by the environment that runs.
func (d *doctor) ports(ctx context.Context, ready Ready, up bool) []Finding {
	if up {
		return nil // they are its own
	}
	var found []Finding
	main, s3, static := d.config.endpoints()
	host := d.config.Host
	if host == "" {
		host = "127.0.0.1"
	}
	for _, e := range []endpoint{main, s3, static} {
		if e.port == 0 {
			continue
		}
		address := net.JoinHostPort(host, strconv.Itoa(e.port))
		err := d.listen(ctx, address)
		switch {
		case err == nil:
			found = append(found, Finding{"ports", levelOK, fmt.Sprintf("port %d, for %s, is free", e.port, e.name), ""})
		case errors.Is(err, syscall.EADDRINUSE):
			who, fix := d.holder(ctx, net.JoinHostPort(reachable(host), strconv.Itoa(e.port))), "stop it, or choose another port with "+e.flag
			if e.port == 5000 && d.goos == "darwin" && (who == "" || strings.Contains(who, "AirTunes")) {
				who, fix = "macOS's AirPlay Receiver", "turn it off in System Settings, General, AirDrop & Handoff, or choose another port with "+e.flag
			}
			if who == "" {
				who = "another program"
			}
			found = append(found, Finding{"ports", levelProblem, fmt.Sprintf("port %d, for %s, is taken by %s", e.port, e.name, who), fix})
		default:
			found = append(found, Finding{"ports", levelProblem, fmt.Sprintf("port %d, for %s, cannot be used: %v", e.port, e.name, err), "choose another port with " + e.flag + ", or another address with --host"})
		}
	}
	return found
}

// environment looks for variables that lead clients elsewhere.
func (d *doctor) environment(ready Ready, up bool) []Finding {
	var found []Finding
	for variable, want := range map[string]string{
		"MLFLOW_TRACKING_URI": ready.TrackingURI, "MLFLOW_REGISTRY_URI": ready.TrackingURI, "MLFLOW_S3_ENDPOINT_URL": ready.S3Endpoint, "AWS_ENDPOINT_URL_S3": ready.S3Endpoint, "AWS_ENDPOINT_URL": ready.S3Endpoint,
	} {
		value := d.getenv(variable)
		if value == "" || leadsTo(value, want) {
			continue
		}
		found = append(found, Finding{"environment", levelWarning, fmt.Sprintf("%s is %s: clients go there, not to %s", variable, withoutUser(value), want), `eval "$(prinzbox env)", or unset ` + variable})
	}
	local := hostName(hostOf(ready.TrackingURI))
	for _, variable := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		if value := d.getenv(variable); value != "" && !noProxy(d.getenv("NO_PROXY")+","+d.getenv("no_proxy"), local) {
			found = append(found, Finding{"environment", levelWarning, fmt.Sprintf("%s is %s: some clients ask that proxy for %s", variable, withoutUser(value), local), "export NO_PROXY=" + local + ",localhost"})
		}
	}
	if name, value := "MLFLOW_TRACKING_TOKEN", d.getenv("MLFLOW_TRACKING_TOKEN"); value != "" && ready.TrackingUsername != "" {
		found = append(found, Finding{"environment", levelWarning, name + " is set, but the server asks for a user name and a password", "unset " + name + ", and set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"})
	}
	if len(found) == 0 {
		found = append(found, Finding{"environment", levelOK, "no variable leads clients elsewhere", ""})
	}
	return found
}

// leadsTo tells whether two addresses are the same server: loopback has several names, and a namespace is below it.
func leadsTo(value, want string) bool {
	a, errA := url.Parse(value)
	b, errB := url.Parse(want)
	if errA != nil || errB != nil || a.Scheme != b.Scheme || a.Port() != b.Port() {
		return false
	}
	local := func(host string) bool {
		return host == "localhost" || strings.HasSuffix(host, ".localhost") || isLoopback(host)
	}
	return strings.EqualFold(a.Hostname(), b.Hostname()) || local(a.Hostname()) && local(b.Hostname())
}

func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// withoutUser is an address without the credentials in it.
func withoutUser(address string) string {
	if u, err := url.Parse(address); err == nil && u.User != nil {
		u.User = url.User("xxxxx")
		return u.String()
	}
	return address
}

func noProxy(list, host string) bool {
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		if item == "*" || item != "" && strings.EqualFold(item, host) {
			return true
		}
	}
	return false
}

// keys looks whether the keys in the environment open the S3 store.
func (d *doctor) keys(ready Ready) []Finding {
	access, secret := d.getenv("AWS_ACCESS_KEY_ID"), d.getenv("AWS_SECRET_ACCESS_KEY")
	fix := `eval "$(prinzbox env)"`
	switch own, _, _ := strings.Cut(access, namespaceLabel); {
	case access == "" && secret == "":
		if profile := d.getenv("AWS_PROFILE"); profile != "" {
			return []Finding{{"keys", levelWarning, "AWS_PROFILE is " + profile + ": S3 clients take that profile's keys", fix}}
		}
		return []Finding{{"keys", levelOK, "AWS_ACCESS_KEY_ID is not set; clients need it for s3: locations", ""}}
	case access == "" || secret == "":
		return []Finding{{"keys", levelProblem, "of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY only one is set", fix}}
	case own != ready.AccessKey:
		for _, k := range d.config.S3Keys {
			if k.AccessKey == own && k.Secret == secret {
				return []Finding{{"keys", levelOK, "AWS_ACCESS_KEY_ID is one of the store's keys", ""}}
			}
		}
		return []Finding{{"keys", levelProblem, fmt.Sprintf("AWS_ACCESS_KEY_ID is %s, the store's key is %s", access, ready.AccessKey), fix}}
	case secret != ready.SecretKey:
		return []Finding{{"keys", levelProblem, "AWS_SECRET_ACCESS_KEY is not the secret of " + ready.AccessKey, fix}}
	}
	if token := d.getenv("AWS_SESSION_TOKEN"); token != "" {
		return []Finding{{"keys", levelWarning, "AWS_SESSION_TOKEN is set: it belongs to other keys", "unset AWS_SESSION_TOKEN"}}
	}
	return []Finding{{"keys", levelOK, "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY open the store", ""}}
}

// clock compares this machine's clock with the server's.
func (d *doctor) clock(ctx context.Context, ready Ready) Finding {
	theirs, err := d.serverTime(ctx, ready)
	if err != nil {
		return Finding{"clock", levelProblem, fmt.Sprintf("the server at %s does not answer: %v", ready.TrackingURI, err), "look at its log, or start it again"}
	}
	skew := d.now().Sub(theirs)
	if skew.Abs() > maxSkew {
		return Finding{"clock", levelProblem, fmt.Sprintf("this clock is %v off the server's: signatures of S3 requests are refused beyond %v", skew.Round(time.Second), maxSkew), "set the clock of this machine, or of the server's"}
	}
	if skew.Abs() > time.Minute {
		return Finding{"clock", levelWarning, fmt.Sprintf("this clock is %v off the server's", skew.Round(time.Second)), "set the clock of this machine, or of the server's"}
	}
	return Finding{"clock", levelOK, "the clocks of this machine and the server agree", ""}
}

// interpreter looks for the Python that scores what the engines do not.
func (d *doctor) interpreter(ctx context.Context) Finding {
	asked := d.config.Python
	if asked == "off" || asked == "" {
		return Finding{"python", levelOK, "Python is off: models that no engine here reads are not scored", ""}
	}
	version, err := d.python(ctx, asked)
	switch {
	case err == nil:
		return Finding{"python", levelOK, "Python with mlflow " + version + " scores what no engine here reads", ""}
	case asked == "auto":
		return Finding{"python", levelWarning, "no Python with mlflow is active: models that no engine here reads cannot be scored (" + err.Error() + ")", "activate a virtual environment with mlflow, name one with --python, or say --python off"}
	}
	return Finding{"python", levelProblem, fmt.Sprintf("--python %s cannot be used: %v", asked, err), "name an interpreter that has mlflow"}
}

func doctorCommand() *cobra.Command {
	var s settings
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what keeps a set-up from working, and say what to do",
		Long: `doctor looks at ports, data folder, environment variables, S3 keys, clock and Python, as 'prinzbox serve' with the
same flags and clients in this shell would find them. It changes nothing. The exit code is 1 if there is a problem.`,
		Args: noArgs,
	}
	s.flags(cmd.Flags())
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text, or json")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if output != "text" && output != "json" {
			return usageError{fmt.Errorf("-o %s: use text or json", output)}
		}
		c, err := s.read(cmd)
		if err != nil {
			return err
		}
		found := newDoctor(c).examine(cmd.Context())
		problems := 0
		for _, f := range found {
			if f.Level == levelProblem {
				problems++
			}
		}
		if output == "json" {
			err = json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"findings": found, "problems": problems})
		} else {
			for _, f := range found {
				_, werr := fmt.Fprintf(cmd.OutOrStdout(), "%-8s %-12s %s\n", f.Level, f.Check, f.Found)
				if f.Fix != "" && werr == nil {
					_, werr = fmt.Fprintf(cmd.OutOrStdout(), "%22s→ %s\n", "", f.Fix)
				}
				err = errors.Join(err, werr)
			}
		}
		if err == nil && problems > 0 {
			return exitCode(exitFailure)
		}
		return err
	}
	return cmd
}

// newDoctor asks the real machine.
func newDoctor(c Config) *doctor {
	return &doctor{
		config: c, getenv: os.Getenv, running: running, now: time.Now, goos: runtime.GOOS,
		listen: func(ctx context.Context, address string) error {
			l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
			if err != nil {
				return err
			}
			return l.Close()
		},
		holder: holderOf, serverTime: timeOf, python: mlflowOf,
	}
}

// holderOf asks a busy port by HTTP who it is.
func holderOf(ctx context.Context, address string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/version", nil)
	if err != nil {
		return ""
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	server := resp.Header.Get("Server")
	var text [100]byte
	n, _ := resp.Body.Read(text[:])
	version := strings.TrimSpace(string(text[:n]))
	switch {
	case resp.Header.Get("X-Request-Id") != "" && resp.Header.Get("X-Frame-Options") == "SAMEORIGIN" && server == "":
		return "another prinzbox"
	case resp.StatusCode == http.StatusOK && len(version) < 20 && strings.Count(version, ".") == 2:
		return "an MLflow server " + version
	case server != "":
		return "a server that calls itself " + server
	}
	return ""
}

// timeOf is the Date of an answer, which the machine's clock there makes.
func timeOf(ctx context.Context, ready Ready) (time.Time, error) {
	r := remote{url: ready.TrackingURI}
	if ready.CABundle != "" {
		r = remote{data: filepath.Dir(ready.CABundle)}
		if ready.DataDir != nil {
			r.data = *ready.DataDir
		}
	}
	base, client, err := r.find()
	if err != nil {
		return time.Time{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health", nil)
	if err != nil {
		return time.Time{}, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	return http.ParseTime(resp.Header.Get("Date"))
}

// mlflowOf is the version of mlflow that an interpreter has.
func mlflowOf(ctx context.Context, interpreter string) (string, error) {
	if interpreter == "auto" {
		interpreter = "python3"
		if active := os.Getenv("VIRTUAL_ENV"); active != "" {
			interpreter = filepath.Join(active, "bin", "python")
			if runtime.GOOS == "windows" {
				interpreter = filepath.Join(active, "Scripts", "python.exe")
			}
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, interpreter, "-c", "import importlib.metadata as m; print(m.version('mlflow'))").Output() //nolint:gosec // the user named it
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("%s has no mlflow", interpreter)
	}
	if err != nil {
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}
