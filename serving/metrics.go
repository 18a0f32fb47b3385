package serving

import (
	"cmp"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// latencies are the upper bounds of the histogram's buckets, in seconds.
var latencies = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60}

// latencyBounds are the same in nanoseconds.
var latencyBounds = func() (out [len(latencies)]time.Duration) {
	for i, l := range latencies {
		out[i] = time.Duration(l * 1e9)
	}
	return out
}()

// maxSeries bounds the versions that are counted apart; those that come later are counted together, without a name.
const maxSeries = 10_000

// counters are what is counted of a model version. A request costs a few atomic additions.
type counters struct {
	model, version string
	header         []string // the value of VersionHeader; never altered

	ok      atomic.Uint64 // answers with status 200
	rows    atomic.Uint64
	nanos   atomic.Uint64
	buckets [len(latencies) + 1]atomic.Uint64
	mu      sync.Mutex
	other   map[int]uint64 // answers by status

	recent recent

	shadows    [len(shadowResults)]atomic.Uint64
	shadowRows [2]atomic.Uint64
}

// observe counts an answer.
func (c *counters) observe(status, rows int, took time.Duration) {
	if status == 200 {
		c.ok.Add(1)
	} else {
		c.mu.Lock()
		if c.other == nil {
			c.other = map[int]uint64{}
		}
		c.other[status]++
		c.mu.Unlock()
	}
	if rows > 0 {
		c.rows.Add(uint64(rows))
	}
	c.nanos.Add(uint64(took))
	i := 0
	for i < len(latencyBounds) && took > latencyBounds[i] {
		i++
	}
	c.buckets[i].Add(1)
	c.recent.add(time.Now(), status >= 200 && status < 300, took) // the real time, as durations are
}

// byStatus are the answers so far.
func (c *counters) byStatus() map[int]uint64 {
	c.mu.Lock()
	out := maps.Clone(c.other)
	c.mu.Unlock()
	if n := c.ok.Load(); n > 0 {
		if out == nil {
			out = map[int]uint64{}
		}
		out[200] = n
	}
	return out
}

// metrics holds the counters of all versions. Those without a model count requests that met none.
type metrics struct {
	mu       sync.RWMutex
	versions map[route]*counters // by name and number
}

// of finds or makes the counters of a version.
func (m *metrics) of(model, version string) *counters {
	key := route{name: model, selector: version}
	m.mu.RLock()
	c := m.versions[key]
	m.mu.RUnlock()
	if c != nil {
		return c
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if c = m.versions[key]; c != nil {
		return c
	}
	if len(m.versions) >= maxSeries {
		key = route{}
		if c = m.versions[key]; c != nil {
			return c
		}
	}
	c = &counters{model: key.name, version: key.selector, header: []string{key.selector}}
	if m.versions == nil {
		m.versions = map[route]*counters{}
	}
	m.versions[key] = c
	return c
}

// all are the counters by name and version number.
func (m *metrics) all() []*counters {
	m.mu.RLock()
	out := slices.Collect(maps.Values(m.versions))
	m.mu.RUnlock()
	number := func(c *counters) int { n, _ := strconv.Atoi(c.version); return n }
	slices.SortFunc(out, func(a, b *counters) int {
		return cmp.Or(cmp.Compare(a.model, b.model), cmp.Compare(number(a), number(b)), cmp.Compare(a.version, b.version))
	})
	return out
}

// VersionStats is what was counted of a model version since the start.
type VersionStats struct {
	Model, Version string
	// Requests by status; Rows scored; Seconds spent in all requests together.
	Requests map[int]uint64
	Rows     uint64
	Seconds  float64
	// LastMinute counts the answers of the last minute. Median and P95 are seconds within which half, and 95 of 100, answers were given since the
	// start, as exact as the buckets of /metrics.
	LastMinute  uint64
	Median, P95 float64
	// Minute is the last minute in spans, the oldest first.
	Minute []Span
	// Shadows counts the copies that the version got as a shadow, by what became of them: agree, differ, error, dropped.
	Shadows map[string]uint64
}

// Stats tells what was counted of each version, by name and number. The entry without a model counts requests that met none.
func (s *Server) Stats() []VersionStats {
	var out []VersionStats
	now := time.Now()
	for _, c := range s.metrics.all() {
		v := VersionStats{
			Model: c.model, Version: c.version, Requests: c.byStatus(), Rows: c.rows.Load(), Seconds: float64(c.nanos.Load()) / 1e9,
			Median: c.quantile(0.5), P95: c.quantile(0.95),
		}
		v.Minute, v.LastMinute = c.recent.spans(now)
		for i, result := range shadowResults {
			if n := c.shadows[i].Load(); n > 0 {
				if v.Shadows == nil {
					v.Shadows = map[string]uint64{}
				}
				v.Shadows[result] = n
			}
		}
		if v.Requests != nil || v.Shadows != nil {
			out = append(out, v)
		}
	}
	return out
}

// WriteMetrics writes what is counted in Prometheus' text format, version 0.0.4. visible tells whose models are
// shown; nil shows all.
func (s *Server) WriteMetrics(w io.Writer, visible func(model string) bool) error {
	all := slices.DeleteFunc(s.metrics.all(), func(c *counters) bool { return visible != nil && c.model != "" && !visible(c.model) })
	e := &exposition{}
	e.family("prinzbox_scoring_requests_total", "counter", "Scoring requests by model version and HTTP status; those without a model named none that is there.")
	for _, c := range all {
		statuses := c.byStatus()
		for _, status := range slices.Sorted(maps.Keys(statuses)) {
			e.sample("", c, "code", strconv.Itoa(status), float64(statuses[status]))
		}
	}
	e.family("prinzbox_scoring_errors_total", "counter", "Scoring requests that were answered with another status than 2xx.")
	for _, c := range all {
		n := uint64(0)
		for status, count := range c.byStatus() {
			if status < 200 || status > 299 {
				n += count
			}
		}
		e.sample("", c, "", "", float64(n))
	}
	e.family("prinzbox_scoring_rows_total", "counter", "Rows that were scored.")
	for _, c := range all {
		e.sample("", c, "", "", float64(c.rows.Load()))
	}
	e.family("prinzbox_scoring_duration_seconds", "histogram", "Time from a request's headers to its answer.")
	for _, c := range all {
		n := uint64(0)
		for i := range c.buckets {
			n += c.buckets[i].Load()
			bound := "+Inf"
			if i < len(latencies) {
				bound = strconv.FormatFloat(latencies[i], 'g', -1, 64)
			}
			e.sample("_bucket", c, "le", bound, float64(n))
		}
		e.sample("_sum", c, "", "", float64(c.nanos.Load())/1e9)
		e.sample("_count", c, "", "", float64(n))
	}
	e.family("prinzbox_scoring_shadow_total", "counter", "Copies of requests that a version got as a shadow, by what became of them.")
	for _, c := range all {
		for i, result := range shadowResults {
			if n := c.shadows[i].Load(); n > 0 {
				e.sample("", c, "result", result, float64(n))
			}
		}
	}
	e.family("prinzbox_scoring_shadow_rows_total", "counter", "Rows of such copies, by whether the shadow predicted the same.")
	for _, c := range all {
		for i, result := range shadowResults[:2] {
			if n := c.shadowRows[i].Load(); n > 0 {
				e.sample("", c, "result", result, float64(n))
			}
		}
	}
	e.family("prinzbox_scoring_loaded_models", "gauge", "Models that are kept loaded.")
	e.b = append(e.b, "prinzbox_scoring_loaded_models "+strconv.Itoa(s.cache.len())+"\n"...)
	_, err := w.Write(e.b)
	return err
}

// exposition builds Prometheus' text format.
type exposition struct {
	b    []byte
	name string
}

func (e *exposition) family(name, kind, help string) {
	e.name = name
	e.b = append(e.b, "# HELP "+name+" "+help+"\n# TYPE "+name+" "+kind+"\n"...)
}

var labelEscapes = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)

func (e *exposition) sample(suffix string, c *counters, label, value string, n float64) {
	e.b = append(e.b, e.name+suffix+`{model="`+labelEscapes.Replace(c.model)+`",version="`+labelEscapes.Replace(c.version)+`"`...)
	if label != "" {
		e.b = append(e.b, ","+label+`="`+value+`"`...)
	}
	e.b = append(e.b, "} "...)
	e.b = append(strconv.AppendFloat(e.b, n, 'g', -1, 64), '\n')
}
