package prinzbox

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/prinzbox/prinzbox/prinzbox/control"
	"github.com/prinzbox/prinzbox/registry"
)

// remote is a running environment, as the commands that do something to one reach it.
type remote struct {
	url, data, readyFile, token, namespace, output string
	// dataSaid tells that somebody has said which folder, rather than nobody; tracking, that MLFLOW_TRACKING_URI leads there.
	dataSaid, tracking bool

	cmd *cobra.Command
}

// flags adds those that find an environment, but --data, whose default the commands do not share.
func (r *remote) flags(f *pflag.FlagSet) {
	f.StringVar(&r.url, "url", "", "base `URL` of the environment; default is that of MLFLOW_TRACKING_URI, then the one that runs in the data folder")
	f.StringVar(&r.readyFile, "ready-file", "", "`file` that the environment was told to write its ready line into")
	f.StringVar(&r.token, "control-token", "", "`token` that the environment was started with")
	f.StringVar(&r.namespace, "namespace", "", "`name` of the namespace that is meant")
	f.StringVarP(&r.output, "output", "o", "text", "text, or json")
}

// read takes what flags do not say from the variables, as PRINZBOX_URL.
func (r *remote) read(cmd *cobra.Command) error {
	r.cmd, r.dataSaid = cmd, cmd.Flags().Changed("data")
	for flag, to := range map[string]*string{"url": &r.url, "data": &r.data, "ready-file": &r.readyFile, "control-token": &r.token, "namespace": &r.namespace} {
		if value := os.Getenv("PRINZBOX_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))); value != "" && !cmd.Flags().Changed(flag) {
			*to = value
			r.dataSaid = r.dataSaid || flag == "data"
		}
	}
	if r.output != "text" && r.output != "json" {
		return usageError{fmt.Errorf("-o %s: use text or json", r.output)}
	}
	return nil
}

// find gives the base URL and what speaks to it: an address or a ready file that was given, the folder that was given, what MLflow's clients are
// told, or the folder that is the default.
func (r *remote) find() (string, *http.Client, error) {
	base, bundle := r.url, os.Getenv("MLFLOW_TRACKING_SERVER_CERT_PATH")
	if tracking := os.Getenv("MLFLOW_TRACKING_URI"); base == "" && r.readyFile == "" && !r.dataSaid && isServer(tracking) {
		base, r.tracking = tracking, true
	}
	switch {
	case base != "":
		if !isServer(base) {
			return "", nil, usageError{fmt.Errorf("%s is no address of a server: write http://HOST:PORT", base)}
		}
	case r.readyFile != "":
		var ready Ready
		text, err := os.ReadFile(r.readyFile)
		if err == nil {
			err = json.Unmarshal(text, &ready)
		}
		if err != nil {
			return "", nil, fmt.Errorf("--ready-file: nothing is ready: %w", err)
		}
		base, bundle = ready.TrackingURI, ready.CABundle
	default:
		ready, ok := running(r.data)
		if !ok {
			return "", nil, fmt.Errorf("nothing runs in %s: start 'prinzbox serve', or name the data folder (--data), the ready file (--ready-file), or the address (--url)", r.data)
		}
		base, bundle = ready.TrackingURI, ready.CABundle
	}
	client := http.DefaultClient
	if bundle != "" && strings.HasPrefix(base, "https:") {
		pem, err := os.ReadFile(bundle)
		if err != nil {
			return "", nil, fmt.Errorf("the certificates to trust: %w", err)
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return "", nil, fmt.Errorf("the certificates to trust: %s holds none", bundle)
		}
		client = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}}
	}
	return strings.TrimRight(base, "/"), client, nil
}

// isServer tells whether a text is the base address of a server.
func isServer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// send asks the control API. The answer's body is the caller's to close.
func (r *remote) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	return r.sendTo(ctx, method, ControlPrefix+path, contentType, body)
}

// sendTo asks the environment. The answer's body is the caller's to close. What it refuses is a [*registry.Error].
func (r *remote) sendTo(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	base, client, err := r.find()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if r.token != "" {
		req.Header.Set(control.TokenHeader, r.token)
	}
	if r.namespace != "" {
		req.Header.Set(NamespaceHeader, r.namespace)
	}
	if user := os.Getenv("MLFLOW_TRACKING_USERNAME"); user != "" {
		req.SetBasicAuth(user, os.Getenv("MLFLOW_TRACKING_PASSWORD"))
	} else if token := os.Getenv("MLFLOW_TRACKING_TOKEN"); token != "" { // which may name a namespace
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := client.Do(req)
	if err != nil {
		which := "the environment"
		if r.tracking {
			which = "the environment that MLFLOW_TRACKING_URI names"
		}
		return nil, fmt.Errorf("%s does not answer: %w", which, err)
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what came tells enough
	var failure registry.ErrorBody
	if json.Unmarshal(text, &failure) == nil && failure.Message != "" {
		return nil, &registry.Error{Code: failure.Code, Message: strings.TrimSuffix(failure.Message, ".")}
	}
	return nil, fmt.Errorf("%s %s: %s %.200s", method, base+path, resp.Status, text)
}

// ask sends a body of JSON, if there is one, to the control API, and reads the answer.
func (r *remote) ask(method, path string, body any) (json.RawMessage, error) {
	return r.askAt(method, ControlPrefix+path, body)
}

// askAt is ask for any path.
func (r *remote) askAt(method, path string, body any) (json.RawMessage, error) {
	var in io.Reader
	contentType := ""
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		in, contentType = bytes.NewReader(text), "application/json"
	}
	resp, err := r.sendTo(r.cmd.Context(), method, path, contentType, in)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// do asks and prints the answer; told is what text says where there is nothing to show.
func (r *remote) do(method, path string, body any, told string) error {
	answer, err := r.ask(method, path, body)
	if err != nil {
		return err
	}
	return r.print(answer, told)
}

// print shows an answer.
func (r *remote) print(answer json.RawMessage, told string) error {
	out := r.cmd.OutOrStdout()
	if r.output == "json" {
		_, err := fmt.Fprintf(out, "%s\n", bytes.TrimSpace(answer))
		return err
	}
	if told != "" {
		_, err := fmt.Fprintln(out, told)
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(answer))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	rows(table, v)
	return table.Flush()
}

// rows writes an object as a line for each field, and a list of objects as a table.
func rows(out io.Writer, v any) {
	object, ok := v.(map[string]any)
	if !ok {
		_, _ = fmt.Fprintln(out, cell(v)) // the table's flush tells
		return
	}
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list, ok := object[name].([]any)
		if !ok || len(list) == 0 {
			_, _ = fmt.Fprintf(out, "%s\t%s\n", name, cell(object[name]))
			continue
		}
		first, ok := list[0].(map[string]any)
		if !ok {
			for _, item := range list {
				_, _ = fmt.Fprintf(out, "%s\t%s\n", name, cell(item))
			}
			continue
		}
		columns := make([]string, 0, len(first))
		for column := range first {
			columns = append(columns, column)
		}
		slices.Sort(columns)
		_, _ = fmt.Fprintln(out, strings.ToUpper(strings.Join(columns, "\t")))
		for _, item := range list {
			fields, _ := item.(map[string]any)
			cells := make([]string, 0, len(columns))
			for _, column := range columns {
				cells = append(cells, cell(fields[column]))
			}
			_, _ = fmt.Fprintln(out, strings.Join(cells, "\t"))
		}
	}
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return v
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
