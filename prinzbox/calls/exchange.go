package calls

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Exchange is one request under way: the writer that its handler answers to, and what is noted of it. Whoever makes one calls End. A client that has
// its whole answer finds the call in the log: an answer without a Content-Length is whole when the handler has returned, and of others the last bytes
// are written when the call is kept.
type Exchange struct {
	http.ResponseWriter

	log     *Log
	call    *Call // nil where nothing is kept
	request *http.Request
	start   time.Time
	status  int
	bytes   int64

	// mu guards what a reader of the body may still touch when the handler has ended.
	mu         sync.Mutex
	body       io.ReadCloser
	read       int64
	ended      bool
	keepAsked  bool
	keepAnswer bool
	looked     bool // at the answer's type
}

// NewExchange stands between a handler and a client.
func NewExchange(w http.ResponseWriter, start time.Time) *Exchange {
	return &Exchange{ResponseWriter: w, start: start}
}

// In says in which log the exchange is noted, where the request came in, and how it is called. It gives the request's body another reader. The
// Call tells what it is for; it must not be changed but by [Exchange.Faulty].
func (x *Exchange) In(l *Log, on Listener, r *http.Request, requestID string) *Call {
	c := &Call{
		RequestID: requestID, Time: x.start, Method: r.Method, Scheme: "http", Host: r.Host, Path: r.URL.EscapedPath(), Proto: r.Proto, Client: r.UserAgent(),
		RequestType: first(r.Header, "Content-Type"), RequestBytes: max(r.ContentLength, 0),
	}
	if r.TLS != nil {
		c.Scheme = "https"
	}
	c.classify(on, r, l.cfg.Hosts)
	if l.cfg.Entries < 0 {
		return c
	}
	x.log, x.call, x.request = l, c, r
	if r.Body != nil && r.Body != http.NoBody {
		x.body = r.Body
		x.keepAsked = l.cfg.Body > 0 && first(r.Header, "Content-Encoding") == "" && maybeText(c.RequestType)
		r.Body = (*tap)(x)
	}
	return c
}

// Drop says that the call is not to be kept after all.
func (x *Exchange) Drop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.log, x.keepAsked = nil, false
}

// Faulty notes that fault rules changed the call.
func (x *Exchange) Faulty(name string) {
	if x.call == nil || name == "" {
		return
	}
	if x.call.Fault != "" {
		name = x.call.Fault + ", " + name
	}
	x.call.Fault = name
}

// Status is the status that was answered; 0 before.
func (x *Exchange) Status() int { return x.status }

// Bytes is how much of the answer's body was written.
func (x *Exchange) Bytes() int64 { return x.bytes }

// End keeps the call, unless the end of its answer did.
func (x *Exchange) End() {
	if x.log == nil {
		return
	}
	c, r := x.call, x.request
	x.mu.Lock()
	x.ended = true // a goroutine that the handler left behind may still read
	c.RequestBytes = max(c.RequestBytes, x.read)
	x.mu.Unlock()
	c.DurationMS = float64(time.Since(x.start).Nanoseconds()) / 1e6
	c.Status, c.ResponseBytes = x.status, x.bytes
	header := x.Header()
	c.ResponseType = first(header, "Content-Type")
	if c.Kind == Scoring {
		if version := first(header, "X-Prinzbox-Model-Version"); version != "" {
			c.Version = version
		}
	}
	c.Query = redactQuery(r.URL.RawQuery)
	c.Headers = keptHeaders(r.Header)
	if scheme, _, ok := strings.Cut(first(r.Header, "Authorization"), " "); ok && len(scheme) <= 20 {
		c.Authorization = scheme
	}
	c.Remote = r.RemoteAddr
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		c.Remote = host
	}
	c.RequestBody = settle(c.RequestBody, c.RequestType, x.log.secrets)
	c.ResponseBody = settle(c.ResponseBody, c.ResponseType, x.log.secrets)
	c.RequestBodyCut = c.RequestBodyCut && c.RequestBody != nil
	c.ResponseBodyCut = c.ResponseBodyCut && c.ResponseBody != nil
	x.log.add(c)
	x.log = nil
}

// settle is what is kept of a body: text, without secrets.
func settle(body Text, mediaType string, secrets [][]byte) Text {
	if len(body) == 0 {
		return nil
	}
	if !isText(mediaType) && !looksText(body) {
		return nil
	}
	return redactBody(body, mediaType, secrets)
}

func first(h http.Header, name string) string {
	if v := h[name]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// isText tells whether a media type is one of text.
func isText(mediaType string) bool {
	return strings.HasPrefix(mediaType, "application/json") || strings.HasPrefix(mediaType, "text/") || strings.Contains(mediaType, "json") ||
		strings.Contains(mediaType, "xml") || strings.HasPrefix(mediaType, "application/x-www-form-urlencoded") || strings.Contains(mediaType, "yaml")
}

// maybeText tells whether a body can be text: one whose type is not told is looked at when it is there.
func maybeText(mediaType string) bool { return mediaType == "" || isText(mediaType) }

// looksText tells whether bytes, of which the last character may be cut, are text.
func looksText(b []byte) bool {
	for i := 0; i < len(b); {
		if c := b[i]; c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\r' && c != '\t' {
				return false
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i > 0 && !utf8.FullRune(b[i:])
		}
		i += n
	}
	return true
}

// WriteHeader notes the status.
func (x *Exchange) WriteHeader(status int) {
	if x.status == 0 && status >= 200 {
		x.status = status
	}
	x.ResponseWriter.WriteHeader(status)
}

// Write notes the size, and the text up to the log's bound.
func (x *Exchange) Write(b []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if x.wholeWith(int64(len(b))) {
		x.note(b)
		x.End()
		n, err := x.ResponseWriter.Write(b)
		x.bytes -= int64(len(b) - n)
		return n, err
	}
	n, err := x.ResponseWriter.Write(b)
	x.note(b[:n])
	return n, err
}

func (x *Exchange) note(b []byte) {
	x.bytes += int64(len(b))
	if x.keepsAnswer() {
		x.call.ResponseBody, x.call.ResponseBodyCut = keep(x.call.ResponseBody, b, x.log.cfg.Body)
	}
}

// wholeWith tells whether so many more bytes make a kept answer whole before its handler returns.
func (x *Exchange) wholeWith(more int64) bool {
	missing, told := x.missing()
	return told && more >= missing
}

// bodyless tells whether net/http sends nothing but the head.
func (x *Exchange) bodyless() bool {
	return x.request.Method == http.MethodHead || x.status == http.StatusNoContent || x.status == http.StatusNotModified
}

// missing is how much of a kept answer's body is still to come, where its head tells.
func (x *Exchange) missing() (n int64, told bool) {
	if x.log == nil || x.bodyless() {
		return 0, false
	}
	text := first(x.Header(), "Content-Length")
	if text == "" {
		return 0, false
	}
	length, err := strconv.ParseInt(text, 10, 64)
	return length - x.bytes, err == nil
}

// keepsAnswer tells, at the first byte, whether the body is kept: pages are not, and what is compressed is not text.
func (x *Exchange) keepsAnswer() bool {
	if x.looked || x.log == nil {
		return x.keepAnswer && x.log != nil
	}
	x.looked = true
	h := x.Header()
	x.keepAnswer = x.log.cfg.Body > 0 && isText(first(h, "Content-Type")) && first(h, "Content-Encoding") == "" &&
		(x.call.Kind != GUI || strings.HasPrefix(first(h, "Content-Type"), "application/json"))
	return x.keepAnswer
}

// keep adds to a body, up to a bound.
func keep(body Text, more []byte, bound int) (_ Text, cut bool) {
	room := bound - len(body)
	if room < len(more) {
		cut, more = true, more[:max(room, 0)]
	}
	return append(body, more...), cut
}

// ReadFrom keeps the kernel's file-to-socket copy within reach of large downloads.
func (x *Exchange) ReadFrom(src io.Reader) (int64, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if x.keepsAnswer() && !x.call.ResponseBodyCut {
		n, err := io.Copy(writer{x}, io.LimitReader(src, int64(x.log.cfg.Body-len(x.call.ResponseBody)+1)))
		if err != nil || !x.call.ResponseBodyCut {
			return n, err
		}
		m, err := x.passOn(src)
		return n + m, err
	}
	return x.passOn(src)
}

// lastBytes of a body are not left to the kernel: they are written when the call is kept.
const lastBytes = 4 << 10

func (x *Exchange) passOn(src io.Reader) (int64, error) {
	missing, told := x.missing()
	if !told {
		return x.copyFrom(src)
	}
	var n int64
	if missing > lastBytes {
		part := &io.LimitedReader{R: src, N: missing - lastBytes}
		whole, limited := src.(*io.LimitedReader)
		if limited { // the kernel copies from a file behind one of them, not behind two
			part.R, part.N = whole.R, min(part.N, whole.N)
		}
		var err error
		n, err = x.copyFrom(part)
		if limited {
			whole.N -= n
		}
		if err != nil || part.N > 0 {
			return n, err
		}
	}
	m, err := io.Copy(writer{x}, src)
	return n + m, err
}

func (x *Exchange) copyFrom(src io.Reader) (int64, error) {
	n, err := io.Copy(x.ResponseWriter, src)
	x.bytes += n
	return n, err
}

// writer hides ReadFrom.
type writer struct{ x *Exchange }

func (w writer) Write(b []byte) (int, error) { return w.x.Write(b) }

// Flush sends what is there.
func (x *Exchange) Flush() {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if x.log != nil && x.bodyless() || x.wholeWith(0) {
		x.End()
	}
	_ = http.NewResponseController(x.ResponseWriter).Flush() // where it cannot be done, the rest sends it
}

// Hijack hands the connection over; nothing that is answered on it is noted.
func (x *Exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, buf, err := http.NewResponseController(x.ResponseWriter).Hijack()
	if err == nil {
		x.End()
	}
	return conn, buf, err
}

// Unwrap lets http.ResponseController reach the real writer.
func (x *Exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }

// tap is the request's body, of which text is kept.
type tap Exchange

// Read passes on, and notes.
func (t *tap) Read(b []byte) (int, error) {
	n, err := t.body.Read(b)
	if n > 0 {
		t.mu.Lock()
		t.read += int64(n)
		if t.keepAsked && !t.ended && !t.call.RequestBodyCut {
			if t.call.RequestBody == nil && t.request.ContentLength > 0 {
				t.call.RequestBody = make(Text, 0, min(t.request.ContentLength, int64(t.log.cfg.Body)))
			}
			t.call.RequestBody, t.call.RequestBodyCut = keep(t.call.RequestBody, b[:n], t.log.cfg.Body)
		}
		t.mu.Unlock()
	}
	return n, err
}

// Close closes the body.
func (t *tap) Close() error { return t.body.Close() }
