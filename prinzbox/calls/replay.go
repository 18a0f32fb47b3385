package calls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// Target is an environment that calls are sent to again.
type Target struct {
	// MLflow, S3 and Static are its base URLs, without a slash at the end.
	MLflow, S3, Static string
	// Client sends; nil is the default one.
	Client *http.Client
	// Prepare adds the credentials to a request of a kind; nil adds none. It signs requests to the S3 store.
	Prepare func(r *http.Request, kind Kind, body []byte) error
}

// Replayed is what came of a call that was sent again.
type Replayed struct {
	Number    int64  `json:"number"`
	Kind      Kind   `json:"kind"`
	Method    string `json:"method"`
	Path      string `json:"path"`
	Operation string `json:"operation,omitempty"`
	// Was is the status that was recorded, Status the one of now.
	Was    int  `json:"was"`
	Status int  `json:"status"`
	Same   bool `json:"same"`
	// Skipped says why a call was not sent.
	Skipped string `json:"skipped,omitempty"`
	// Body is the answer as far as a log would keep it, where it is text.
	Body Text `json:"body,omitempty"`

	answer []byte
}

// NotReplayableError says why a call cannot be sent again.
type NotReplayableError struct {
	Number int64
	Why    string
}

func (e *NotReplayableError) Error() string {
	return fmt.Sprintf("call %d cannot be sent again: %s", e.Number, e.Why)
}

// CanReplay tells whether a call can be sent again; the error is a [NotReplayableError].
func (c *Call) CanReplay() error {
	why := ""
	switch {
	case !c.whole() && c.RequestBodyCut:
		why = "its body was longer than the log keeps; start with a larger one (--calls-body)"
	case !c.whole():
		why = "its body is not text, or nobody read it, so the log did not keep it"
	case bytes.Contains(c.RequestBody, []byte(Secret)):
		why = "its body held a secret, which the log did not keep"
	case c.Kind == Control:
		why = "it is about the environment itself"
	default:
		return nil
	}
	return &NotReplayableError{c.Number, why}
}

// Replay sends a call again and gives what came of it.
func (t *Target) Replay(ctx context.Context, c *Call) (Replayed, error) {
	done := Replayed{Number: c.Number, Kind: c.Kind, Method: c.Method, Path: c.Path, Operation: c.Operation, Was: c.Status}
	if err := c.CanReplay(); err != nil {
		return done, err
	}
	base := t.MLflow
	switch c.Kind {
	case S3:
		base = t.S3
	case Static:
		base = t.Static
	}
	target := c.target()
	if c.Kind == S3 { // path style, whatever it was; signed anew
		target = s3Target(c)
	}
	r, err := http.NewRequestWithContext(ctx, c.Method, base+target, bytes.NewReader(c.RequestBody))
	if err != nil { // somebody else may have written the session
		return done, &NotReplayableError{c.Number, err.Error()}
	}
	for _, h := range c.Headers {
		r.Header.Set(h.Name, h.Value)
	}
	if c.RequestType != "" {
		r.Header.Set("Content-Type", c.RequestType)
	}
	r.Header.Set("User-Agent", "prinzbox-replay")
	r.Header.Del("Origin")
	if t.Prepare != nil {
		if err := t.Prepare(r, c.Kind, c.RequestBody); err != nil {
			return done, err
		}
	}
	client := t.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(r)
	if err != nil {
		done.Same = c.Status == 0 // then, too, nothing was answered
		done.Skipped = err.Error()
		if done.Same {
			done.Skipped = ""
		}
		return done, ctx.Err()
	}
	defer resp.Body.Close()
	done.answer, _ = io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // a cut answer is one, too
	_, _ = io.Copy(io.Discard, resp.Body)
	done.Status = resp.StatusCode
	done.Same = done.Status == c.Status
	if contentType := resp.Header.Get("Content-Type"); isText(contentType) {
		done.Body = settle(bytes.Clone(done.answer[:min(len(done.answer), DefaultBody)]), contentType, nil)
	}
	return done, nil
}

// s3Target is path and query of an S3 call in path style, without what a presigned URL had.
func s3Target(c *Call) string {
	path := c.Path
	if c.Bucket != "" && !strings.HasPrefix(path, "/"+c.Bucket+"/") && path != "/"+c.Bucket {
		path = "/" + c.Bucket + path
	}
	var kept []string
	for item := range strings.SplitSeq(c.Query, "&") {
		name, _, _ := strings.Cut(item, "=")
		if item != "" && !strings.HasPrefix(strings.ToLower(name), "x-amz-") && name != "AWSAccessKeyId" && name != "Signature" && name != "Expires" {
			kept = append(kept, item)
		}
	}
	if len(kept) == 0 {
		return path
	}
	return path + "?" + strings.Join(kept, "&")
}

// Session is a recording: calls in their order, for a bug report.
type Session struct {
	// Format is 1.
	Format  int    `json:"prinzbox_session"`
	Program string `json:"program"`
	Calls   []Call `json:"calls"`
}

// SessionFormat is the version of a session's form.
const SessionFormat = 1

// ReadSession reads a session, as JSON.
func ReadSession(r io.Reader) (s Session, err error) {
	if err := json.NewDecoder(r).Decode(&s); err != nil {
		return s, fmt.Errorf("it is no recorded session (JSON with prinzbox_session and calls): %w", err)
	}
	if s.Format != SessionFormat {
		return s, fmt.Errorf("prinzbox_session is %d, this prinzbox knows %d: use the version that recorded it (%.40q)", s.Format, SessionFormat, s.Program)
	}
	for i := range s.Calls {
		c := &s.Calls[i]
		if !slices.Contains(Kinds(), c.Kind) || c.Method == "" || !strings.HasPrefix(c.Path, "/") {
			return s, fmt.Errorf("calls[%d]: it needs a kind, a method, and a path that begins with a slash", i)
		}
	}
	return s, nil
}

// Comparison is what came of a session that was sent again.
type Comparison struct {
	Same    int `json:"same"`
	Other   int `json:"different"`
	Skipped int `json:"skipped"`
	// Calls are all, in their order.
	Calls []Replayed `json:"calls"`
}

// ReplaySession sends the calls of a session one after the other and compares the statuses. Ids that the target makes, of runs, models, traces and
// experiments, take the place of the recorded ones in the calls that follow. Calls that cannot be sent again are skipped.
func (t *Target) ReplaySession(ctx context.Context, s Session) (Comparison, error) {
	out := Comparison{Calls: []Replayed{}}
	ids := map[string]string{}
	for i := range s.Calls {
		c := s.Calls[i]
		was := c.ResponseBody
		c.rename(ids)
		done, err := t.Replay(ctx, &c)
		var not *NotReplayableError
		switch {
		case errors.As(err, &not):
			done.Skipped = not.Why
			out.Skipped++
		case err != nil:
			return out, err
		case done.Same:
			out.Same++
		default:
			out.Other++
		}
		learn(ids, was, done.answer)
		done.Path = s.Calls[i].Path
		out.Calls = append(out.Calls, done)
	}
	return out, nil
}

// madeID is an id that a server makes, and no client chooses.
var madeID = regexp.MustCompile(`^(?:[a-z]{1,4}-)?[0-9a-f]{32}$|^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$|^[0-9]{15,20}$`)

// learn finds, at the same places of two answers, ids that differ.
func learn(ids map[string]string, was, now []byte) {
	var a, b any
	if json.Unmarshal(was, &a) != nil || json.Unmarshal(now, &b) != nil {
		return
	}
	pair(ids, a, b)
}

func pair(ids map[string]string, a, b any) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok && a != b && madeID.MatchString(a) && madeID.MatchString(b) {
			ids[a] = b
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				pair(ids, a[i], b[i])
			}
		}
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			for key := range a {
				pair(ids, a[key], b[key])
			}
		}
	}
}

// words are what ids can be in a text.
var words = regexp.MustCompile(`[0-9A-Za-z-]{15,}`)

// rename puts ids of now in place of recorded ones.
func (c *Call) rename(ids map[string]string) {
	if len(ids) == 0 {
		return
	}
	in := func(text string) string {
		return words.ReplaceAllStringFunc(text, func(word string) string {
			if id, ok := ids[word]; ok {
				return id
			}
			return word
		})
	}
	c.Path, c.Query, c.Key = in(c.Path), in(c.Query), in(c.Key)
	if len(c.RequestBody) > 0 {
		c.RequestBody = Text(in(string(c.RequestBody)))
	}
}
