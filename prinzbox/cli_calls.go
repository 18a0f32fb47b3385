package prinzbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/prinzbox/prinzbox/prinzbox/calls"
)

// queryFlags are the parameters that choose calls, as flags.
func queryFlags(cmd *cobra.Command) func() string {
	values := map[string]*string{}
	for _, name := range calls.Parameters() {
		values[name] = cmd.Flags().String(strings.ReplaceAll(name, "_", "-"), "", "choose calls by "+strings.ReplaceAll(name, "_", " ")+" (docs/control.md)")
	}
	return func() string {
		q := url.Values{}
		for name, value := range values {
			if *value != "" {
				q.Set(name, *value)
			}
		}
		if len(q) == 0 {
			return ""
		}
		return "?" + q.Encode()
	}
}

func callsCommand() *cobra.Command {
	chosen := func(use, short string, run func(r *remote, query string) error) *cobra.Command {
		var query func() string
		cmd := controlCommand(use, short, "", cobra.NoArgs, func(r *remote, _ []string) error { return run(r, query()) })
		query = queryFlags(cmd)
		return cmd
	}
	list := chosen("calls", "List what was asked of the running environment, the newest first", func(r *remote, query string) error {
		answer, err := r.ask("GET", "/calls"+query, nil)
		if err != nil || r.output == "json" {
			return errors.Join(err, printIf(r, answer))
		}
		var page calls.Page
		if err := json.Unmarshal(answer, &page); err != nil {
			return err
		}
		table := tabwriter.NewWriter(r.cmd.OutOrStdout(), 0, 8, 2, ' ', 0)
		_, _ = fmt.Fprintln(table, "NUMBER\tTIME\tKIND\tMETHOD\tSTATUS\tMS\tPATH") // the flush tells
		for _, c := range page.Calls {
			_, _ = fmt.Fprintln(table, callLine(&c))
		}
		return table.Flush()
	})
	file := func(use, path, short string) *cobra.Command {
		return chosen(use, short, func(r *remote, query string) error { return r.download(path+query, "-") })
	}
	return under(list,
		chosen("count", "Count calls", func(r *remote, query string) error { return r.do("GET", "/calls/count"+query, nil, "") }),
		chosen("keys", "List the S3 keys of calls", func(r *remote, query string) error { return r.do("GET", "/calls/keys"+query, nil, "") }),
		chosen("tail", "Print calls as they come", tailCalls),
		file("har", "/calls/har", "Print calls as an HTTP Archive (HAR 1.2)"), file("curl", "/calls/curl", "Print calls as curl commands"),
		file("session", "/calls/session", "Print calls as a recorded session, for a bug report"),
		controlCommand("clear", "Forget all calls", "", cobra.NoArgs, func(r *remote, _ []string) error { return r.do("DELETE", "/calls", nil, "no calls") }),
		controlCommand("replay NUMBER|FILE", "Send one call again, or all of a recorded session, and compare the statuses",
			"The exit code is 1 where a status is another one than was recorded.", cobra.ExactArgs(1), replayCalls))
}

func printIf(r *remote, answer json.RawMessage) error {
	if answer == nil {
		return nil
	}
	return r.print(answer, "")
}

func callLine(c *calls.Call) string {
	target := c.Path
	if c.Query != "" {
		target += "?" + c.Query
	}
	if c.Fault != "" {
		target += "  (" + c.Fault + ")"
	}
	return fmt.Sprintf("%d\t%s\t%s\t%s\t%d\t%.1f\t%s", c.Number, c.Time.Local().Format("15:04:05.000"), c.Kind, c.Method, c.Status, c.DurationMS, target)
}

func tailCalls(r *remote, query string) error {
	resp, err := r.send(r.cmd.Context(), "GET", "/calls/tail"+query, "", nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := newEventReader(resp.Body)
	for {
		data, err := dec.next()
		if errors.Is(err, io.EOF) {
			return nil // the environment has ended
		}
		if err != nil {
			return err
		}
		if r.output == "json" {
			_, err = fmt.Fprintf(r.cmd.OutOrStdout(), "%s\n", data)
		} else {
			var c calls.Call
			if err := json.Unmarshal(data, &c); err != nil {
				return err
			}
			_, err = fmt.Fprintln(r.cmd.OutOrStdout(), strings.ReplaceAll(callLine(&c), "\t", "  "))
		}
		if err != nil {
			return err
		}
	}
}

func replayCalls(r *remote, args []string) error {
	if _, err := strconv.ParseInt(args[0], 10, 64); err == nil {
		answer, err := r.ask("POST", "/calls/"+args[0]+"/replay", nil)
		if err != nil {
			return err
		}
		var done calls.Replayed
		if err := errors.Join(json.Unmarshal(answer, &done), r.print(answer, "")); err != nil {
			return err
		}
		if !done.Same {
			return exitCode(exitFailure)
		}
		return nil
	}
	in, err := openInput(r.cmd, args[0])
	if err != nil {
		return err
	}
	defer in.Close()
	session, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if !json.Valid(session) {
		return fmt.Errorf("%s is no recorded session", args[0])
	}
	answer, err := r.ask("POST", "/calls/session/replay", json.RawMessage(session))
	if err != nil {
		return err
	}
	var done calls.Comparison
	if err := errors.Join(json.Unmarshal(answer, &done), r.print(answer, "")); err != nil {
		return err
	}
	if done.Other > 0 {
		return exitCode(exitFailure)
	}
	return nil
}
