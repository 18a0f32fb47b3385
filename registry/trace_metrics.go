package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MetricAggregation is one number to make of many: COUNT, SUM, AVG, MIN, MAX, or PERCENTILE with its value between 0 and 100.
type MetricAggregation struct {
	Type       string
	Percentile *float64
}

// label is the name of the number in a data point, as MLflow writes it: AVG, P99.0, P99.5.
func (a MetricAggregation) label() string {
	if a.Percentile == nil {
		return a.Type
	}
	text := strconv.FormatFloat(*a.Percentile, 'g', -1, 64)
	if !strings.ContainsAny(text, ".e") {
		text += ".0"
	}
	return "P" + text
}

// TraceMetricsQuery asks for numbers about the traces of experiments. View is TRACES, SPANS or ASSESSMENTS. Times are milliseconds since 1970, both
// ends included; Interval is seconds, 0 for none.
type TraceMetricsQuery struct {
	ExperimentIDs []string
	View, Metric  string
	Aggregations  []MetricAggregation
	Dimensions    []string
	Filters       []string
	Interval      int64
	Start, End    *int64
	Max           int
}

// MetricDataPoint is MLflow's MetricDataPoint message.
type MetricDataPoint struct {
	Metric     string            `json:"metric_name"`
	Dimensions map[string]string `json:"dimensions,omitempty"`
	Values     map[string]Float  `json:"values,omitempty"`
}

// traceMetric is how a metric is read: the value of a row, and what may be asked of it.
type traceMetric struct {
	name, value  string
	aggregations []string
	dimensions   []string
	// distinct counts different values.
	distinct bool
	// spanTime bounds spans by their own start instead of their trace's.
	spanTime bool
}

// traceView is the rows that a kind of metrics is about.
type traceView struct {
	name, from, time string
	metrics          []traceMetric
	// columns are the dimensions.
	columns map[string]string
}

var (
	countOnly  = []string{"COUNT"}
	notSummed  = []string{"AVG", "MAX", "MIN", "PERCENTILE"}
	allNumbers = []string{"AVG", "MAX", "MIN", "PERCENTILE", "SUM"}
	modelDims  = []string{"span_model_name", "span_model_provider"}
)

const (
	nameOfTrace    = "(SELECT g.value FROM trace_tags g WHERE g.tid = t.tid AND g.key = '" + TagTraceName + "')"
	sessionOfTrace = "(SELECT m.value FROM trace_metadata m WHERE m.tid = t.tid AND m.key = '" + MetaSession + "')"
	spanTime       = "p.start_time_ns / 1000000"
)

// tokensOfTrace and costOfSpan read a number of a JSON object.
func tokensOfTrace(key string) string {
	return "(SELECT " + numberIn("m.value", key) + " FROM trace_metadata m WHERE m.tid = t.tid AND m.key = '" + MetaTokenUsage + "')"
}

func costOfSpan(key string) string {
	return numberIn("p.cost", key)
}

// attributeOfSpan is an attribute's text.
func attributeOfSpan(key string) string { return textInText("p.content", "attributes", key) }

// traceViews are MLflow 3.17.2's.
var traceViews = []traceView{
	{
		name: "TRACES", from: "traces t", time: "t.timestamp_ms",
		columns: map[string]string{"trace_name": nameOfTrace, "trace_status": "t.status"},
		metrics: []traceMetric{
			{name: "trace_count", value: "t.tid", aggregations: countOnly, dimensions: []string{"trace_name", "trace_status"}},
			{name: "session_count", value: sessionOfTrace, aggregations: countOnly, distinct: true},
			{name: "latency", value: "t.execution_time_ms", aggregations: notSummed, dimensions: []string{"trace_name"}},
			{name: "input_tokens", value: tokensOfTrace("input_tokens"), aggregations: allNumbers, dimensions: []string{"trace_name"}},
			{name: "output_tokens", value: tokensOfTrace("output_tokens"), aggregations: allNumbers, dimensions: []string{"trace_name"}},
			{name: "total_tokens", value: tokensOfTrace("total_tokens"), aggregations: allNumbers, dimensions: []string{"trace_name"}},
			{name: "cache_read_input_tokens", value: tokensOfTrace("cache_read_input_tokens"), aggregations: allNumbers, dimensions: []string{"trace_name"}},
			{name: "cache_creation_input_tokens", value: tokensOfTrace("cache_creation_input_tokens"), aggregations: allNumbers, dimensions: []string{"trace_name"}},
		},
	},
	{
		name: "SPANS", from: "traces t JOIN spans p ON p.tid = t.tid", time: spanTime,
		columns: map[string]string{
			"span_name": "p.name", "span_type": "p.type", "span_status": "p.status",
			"span_model_name": attributeOfSpan(attrModel), "span_model_provider": attributeOfSpan(attrProvider),
		},
		metrics: []traceMetric{
			{name: "span_count", value: "p.sid", aggregations: countOnly, dimensions: []string{"span_model_name", "span_model_provider", "span_name", "span_status", "span_type"}},
			{name: "latency", value: "(p.end_time_ns - p.start_time_ns) / 1000000", aggregations: notSummed, dimensions: []string{"span_name", "span_status"}},
			{name: "input_cost", value: costOfSpan("input_cost"), aggregations: allNumbers, dimensions: modelDims, spanTime: true},
			{name: "output_cost", value: costOfSpan("output_cost"), aggregations: allNumbers, dimensions: modelDims, spanTime: true},
			{name: "total_cost", value: costOfSpan("total_cost"), aggregations: allNumbers, dimensions: modelDims, spanTime: true},
		},
	},
	{
		// What was overruled does not count.
		name: "ASSESSMENTS", from: "traces t JOIN assessments a ON a.tid = t.tid AND a.valid", time: "t.timestamp_ms",
		columns: map[string]string{"assessment_name": "a.name", "assessment_value": "a.value"},
		metrics: []traceMetric{
			{name: "assessment_count", value: "a.aid", aggregations: countOnly, dimensions: []string{"assessment_name", "assessment_value"}},
			{
				name: "assessment_value", aggregations: notSummed, dimensions: []string{"assessment_name"},
				value: `CASE WHEN a.number IS NOT NULL THEN a.number WHEN a.value = 'true' THEN 1.0 WHEN a.value = 'false' THEN 0.0
					WHEN lower(trim(trim(a.value, '"'))) = 'yes' THEN 1.0 WHEN lower(trim(trim(a.value, '"'))) = 'no' THEN 0.0 END`,
			},
		},
	},
}

// maxInterval keeps the arithmetic of time buckets within 64 bits; it is some 30,000 years.
const maxInterval = 1_000_000_000_000

// TraceMetrics adds up numbers of the traces of experiments for charts, ordered by time bucket and dimensions, at most q.Max data points. Groups
// without a value are left out. Errors: INVALID_PARAMETER_VALUE for a metric, aggregation, dimension or filter that the view does not have.
func (s *Store) TraceMetrics(ctx context.Context, q TraceMetricsQuery) ([]MetricDataPoint, error) {
	view, metric, err := q.check()
	if err != nil {
		return nil, err
	}
	eids := make([]int64, len(q.ExperimentIDs))
	for i, id := range q.ExperimentIDs {
		if eids[i], err = parseExperimentID(id); err != nil {
			return nil, err
		}
	}
	list, err := json.Marshal(eids)
	if err != nil {
		return nil, err
	}
	where, args := []string{"t.eid " + inList}, []any{string(list)}
	for _, text := range q.Filters {
		f, err := parseTraceMetricFilter(text)
		if err != nil {
			return nil, err
		}
		clause, values, err := f.sql(view.name)
		if err != nil {
			return nil, err
		}
		where, args = append(where, clause), append(args, values...)
	}
	bounded := "t.timestamp_ms"
	if metric.spanTime {
		bounded = spanTime
	}
	if q.Start != nil {
		where, args = append(where, bounded+" >= ?"), append(args, *q.Start)
	}
	if q.End != nil {
		where, args = append(where, bounded+" <= ?"), append(args, *q.End)
	}
	names, columns := []string(nil), []string(nil)
	if q.Interval > 0 {
		b := strconv.FormatInt(q.Interval*1000, 10)
		names = append(names, "time_bucket")
		// The remainder of a time before 1970 is negative.
		columns = append(columns, "("+view.time+") - ((("+view.time+") % "+b+") + "+b+") % "+b)
	}
	for _, d := range q.Dimensions {
		names, columns = append(names, d), append(columns, view.columns[d])
	}
	var selected, keys, found strings.Builder
	found.WriteString(" WHERE v IS NOT NULL")
	for i, c := range columns {
		d := "d" + strconv.Itoa(i)
		selected.WriteString(c + " AS " + d + ", ")
		keys.WriteString(d + ", ")
		found.WriteString(" AND " + d + " IS NOT NULL")
	}
	rows := "FROM (SELECT " + selected.String() + metric.value + " AS v FROM " + view.from + " WHERE " + strings.Join(where, " AND ") + ")" + found.String()
	g := traceMetricGroups{q: q, names: names}
	if slices.ContainsFunc(q.Aggregations, func(a MetricAggregation) bool { return a.Percentile != nil }) {
		// SQL sorts; a percentile needs every value of its group.
		return g.sorted(ctx, s.db.Read(), "SELECT * "+rows+" ORDER BY "+keys.String()+"v", args)
	}
	if len(columns) > 0 {
		list := strings.TrimSuffix(keys.String(), ", ")
		rows += " GROUP BY " + list + " ORDER BY " + list
	}
	count := "COUNT(v)"
	if metric.distinct {
		count = "COUNT(DISTINCT v)"
	}
	query := "SELECT " + keys.String() + count + ", SUM(CAST(v AS REAL)), AVG(v), MIN(v), MAX(v) " + rows + " LIMIT ?"
	return g.grouped(ctx, s.db.Read(), query, append(args, q.Max))
}

// check finds the view and the metric; the words are MLflow's.
func (q *TraceMetricsQuery) check() (view traceView, metric traceMetric, err error) {
	i := slices.IndexFunc(traceViews, func(v traceView) bool { return v.name == q.View })
	if i < 0 {
		return view, metric, Invalidf("view_type must be one of ['TRACES', 'SPANS', 'ASSESSMENTS'], got '%s'", q.View)
	}
	view = traceViews[i]
	var known []string
	for _, m := range view.metrics {
		known = append(known, m.name)
	}
	if i = slices.Index(known, q.Metric); i < 0 {
		return view, metric, Invalidf("metric_name must be one of %s, got '%s'", pyList(known), q.Metric)
	}
	metric = view.metrics[i]
	var unknown []string
	for _, a := range q.Aggregations {
		if !slices.Contains(metric.aggregations, a.Type) && !slices.Contains(unknown, a.Type) {
			unknown = append(unknown, a.Type)
		}
	}
	if unknown != nil {
		slices.Sort(unknown)
		return view, metric, Invalidf("Found invalid aggregation_type(s): %s. Supported aggregation types: %s", pyList(unknown), pyList(metric.aggregations))
	}
	for _, a := range q.Aggregations {
		switch p := a.Percentile; {
		case a.Type != "PERCENTILE" && p != nil:
			return view, metric, Invalidf("Percentile value is only allowed for PERCENTILE aggregation type, got %s", a.Type)
		case a.Type == "PERCENTILE" && p == nil:
			return view, metric, Invalidf("Percentile value is required for PERCENTILE aggregation")
		case p != nil && !(*p >= 0 && *p <= 100):
			return view, metric, Invalidf("Percentile value must be between 0 and 100, got %v", *p)
		}
	}
	for _, d := range q.Dimensions {
		if !slices.Contains(metric.dimensions, d) && !slices.Contains(unknown, d) {
			unknown = append(unknown, d)
		}
	}
	switch {
	case unknown != nil:
		slices.Sort(unknown)
		supported := "[]"
		if metric.dimensions != nil {
			supported = pyList(metric.dimensions)
		}
		return view, metric, Invalidf("Found invalid dimension(s): %s. Supported dimensions: %s", pyList(unknown), supported)
	case q.Interval != 0 && (q.Start == nil || q.End == nil):
		return view, metric, Invalidf("start_time_ms and end_time_ms are required if time_interval_seconds is set")
	case q.Interval < 0 || q.Interval > maxInterval:
		return view, metric, Invalidf("time_interval_seconds must be between 1 and %d, got %d", maxInterval, q.Interval)
	case q.Max < 0:
		return view, metric, Invalidf("max_results must not be negative, got %d", q.Max)
	}
	return view, metric, nil
}

// traceMetricGroups turns rows into data points. The first columns of a row are the dimensions.
type traceMetricGroups struct {
	q     TraceMetricsQuery
	names []string
}

// dimensions are the first columns of a row as a data point has them.
func (g traceMetricGroups) dimensions(row []any) map[string]string {
	out := make(map[string]string, len(g.names))
	for i, name := range g.names {
		out[name] = fmt.Sprint(row[i])
		if ms, ok := row[i].(int64); ok && name == "time_bucket" {
			out[name] = time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05-07:00")
		}
	}
	return out
}

// point makes a data point of what was asked, if any of it is there.
func (g traceMetricGroups) point(points []MetricDataPoint, dimensions map[string]string, value func(MetricAggregation) (float64, bool)) []MetricDataPoint {
	p := MetricDataPoint{Metric: g.q.Metric, Dimensions: dimensions, Values: map[string]Float{}}
	for _, a := range g.q.Aggregations {
		if v, ok := value(a); ok && !math.IsNaN(v) && !math.IsInf(v, 0) { // JSON has no such numbers
			p.Values[a.label()] = Float(v)
		}
	}
	if len(p.Values) == 0 {
		return points
	}
	return append(points, p)
}

// scanRow reads a row into n values.
func scanRow(rows *sql.Rows, n int) ([]any, error) {
	row, into := make([]any, n), make([]any, n)
	for i := range row {
		into[i] = &row[i]
	}
	return row, rows.Scan(into...)
}

// grouped reads rows of dimensions, count, sum, average, least and greatest.
func (g traceMetricGroups) grouped(ctx context.Context, db querier, query string, args []any) (points []MetricDataPoint, err error) {
	places := map[string]int{"COUNT": 0, "SUM": 1, "AVG": 2, "MIN": 3, "MAX": 4}
	rows, err := queryRows(ctx, db, func(rows *sql.Rows) ([]any, error) { return scanRow(rows, len(g.names)+len(places)) }, query, args...)
	for _, row := range rows {
		points = g.point(points, g.dimensions(row), func(a MetricAggregation) (float64, bool) { return number64(row[len(g.names)+places[a.Type]]) })
	}
	return points, err
}

// sorted reads rows of dimensions and one value, in order.
func (g traceMetricGroups) sorted(ctx context.Context, db querier, query string, args []any) (points []MetricDataPoint, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var group []any
	var values []float64
	end := func() {
		if len(values) > 0 && len(points) < g.q.Max {
			points = g.point(points, g.dimensions(group), func(a MetricAggregation) (float64, bool) { return aggregate(values, a), true })
		}
	}
	for rows.Next() {
		row, err := scanRow(rows, len(g.names)+1)
		if err != nil {
			return nil, err
		}
		v, ok := number64(row[len(g.names)])
		if !ok {
			continue
		}
		if key := row[:len(g.names)]; len(values) == 0 || !slices.Equal(group, key) {
			end()
			group, values = key, values[:0]
		}
		values = append(values, v)
	}
	end()
	return points, rows.Err()
}

// aggregate makes one number of sorted values; percentiles lie between two values in proportion.
func aggregate(values []float64, a MetricAggregation) float64 {
	sum, last := 0.0, len(values)-1
	switch a.Type {
	case "MIN":
		return values[0]
	case "MAX":
		return values[last]
	case "PERCENTILE":
		at := *a.Percentile / 100 * float64(last)
		i := int(at)
		return values[i] + (at-float64(i))*(values[min(i+1, last)]-values[i])
	case "COUNT":
		return float64(len(values))
	}
	for _, v := range values {
		sum += v
	}
	if a.Type == "AVG" {
		return sum / float64(len(values))
	}
	return sum
}

// number64 reads a number as SQL gives it.
func number64(v any) (float64, bool) {
	switch n := v.(type) {
	case int64:
		return float64(n), true
	case float64:
		return n, true
	}
	return 0, false
}
