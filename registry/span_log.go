package registry

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"unicode/utf8"
)

// spanBatch is what one call says of one trace.
type spanBatch struct {
	traceID     string
	spans       []*span
	start       int64  // earliest start in ms
	end         int64  // latest end in ms, 0 when none has ended
	state       string // by the root span; empty without one
	root        *span
	session     string
	user        string
	tags        map[string]string
	usage, cost bool // some span says something of it
}

// LogSpans stores spans of one or more traces; a span that is there already is replaced. A trace that is not there is made in the experiment,
// which must exist. What the spans say completes the trace, as far as StartTrace has not said it (contract/asserted.md, section 10).
// It returns the ids of the traces whose root span was among them.
func (s *Store) LogSpans(ctx context.Context, experimentID string, spans []NewSpan) (rooted []string, err error) {
	eid, err := parseExperimentID(experimentID)
	if err != nil {
		return nil, err
	}
	batches, err := batchSpans(spans)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		if b.root != nil {
			rooted = append(rooted, b.traceID)
		}
	}
	return rooted, s.db.Write(ctx, func(tx querier) error {
		for _, b := range batches {
			if err := b.write(ctx, tx, eid); err != nil {
				return err
			}
		}
		return nil
	})
}

// batchSpans groups spans by trace, in the order of their first spans.
func batchSpans(spans []NewSpan) ([]*spanBatch, error) {
	byTrace := map[string]*spanBatch{}
	var out []*spanBatch
	for i := range spans {
		sp, err := prepareSpan(&spans[i])
		if err != nil {
			return nil, err
		}
		b := byTrace[sp.traceID]
		if b == nil {
			b = &spanBatch{traceID: sp.traceID, start: sp.Start / 1e6, tags: map[string]string{}}
			byTrace[sp.traceID] = b
			out = append(out, b)
		}
		b.add(sp)
	}
	return out, nil
}

func (b *spanBatch) add(sp *span) {
	b.spans = append(b.spans, sp)
	b.start = min(b.start, sp.Start/1e6)
	b.end = max(b.end, sp.End/1e6)
	b.usage = b.usage || sp.attributes.has(attrTokenUsage)
	b.cost = b.cost || sp.attributes.has(attrCost)
	if b.session == "" {
		if b.session = sp.attributes.text(attrSession); b.session == "" {
			b.session = sp.attributes.text(attrConversation)
		}
		b.session = firstRunes(b.session, maxTraceMetadataShown)
	}
	if b.user == "" {
		b.user = sp.attributes.text(attrUser)
	}
	for _, a := range sp.Resource {
		if strings.HasPrefix(a.Key, resourceSDKPrefix) || strings.HasPrefix(a.Key, "mlflow.") {
			continue
		}
		if _, ok := b.tags[a.Key]; !ok {
			b.tag(a.Key, plain(a.JSON))
		}
	}
	if sp.parent != "" {
		return
	}
	b.root = sp
	if b.state == "" {
		b.state = TraceOK
		if sp.Status == SpanError {
			b.state = TraceError
		}
	}
	for _, a := range sp.attributes.list {
		if key, ok := strings.CutPrefix(a.Key, attrTraceTag); ok {
			b.tag(key, plain(a.JSON))
		}
	}
}

// tag keeps a tag that a span carries, unless its key is none that a trace may have.
func (b *spanBatch) tag(key, value string) {
	if validateKey(key, "key", "key") != nil || key == TagSpansLocation || key == TagArchiveLocation || key == TagArchivalFailure {
		return
	}
	limit := maxTagValue
	if key == TagTraceName {
		limit = maxTraceTagShown
	}
	b.tags[key] = firstRunes(value, limit)
}

func (b *spanBatch) write(ctx context.Context, tx querier, eid int64) error {
	tid, found, err := b.trace(ctx, tx, eid)
	if err != nil {
		return err
	}
	for _, sp := range b.spans {
		if _, err := tx.ExecContext(ctx, `INSERT INTO spans (tid, span_id, parent_span_id, name, type, status, start_time_ns, end_time_ns, content, usage, cost)
			VALUES (?, ?, nullif(?, ''), ?, nullif(?, ''), ?, ?, nullif(?, 0), ?, nullif(?, ''), nullif(?, ''))
			ON CONFLICT (tid, span_id) DO UPDATE SET parent_span_id = excluded.parent_span_id, name = excluded.name, type = excluded.type,
				status = excluded.status, start_time_ns = excluded.start_time_ns, end_time_ns = excluded.end_time_ns, content = excluded.content,
				usage = excluded.usage, cost = excluded.cost`,
			tid, sp.id, sp.parent, sp.Name, sp.typ, string(sp.Status), sp.Start, sp.End, sp.content,
			sp.attributes.get(attrTokenUsage), sp.attributes.get(attrCost)); err != nil {
			return err
		}
	}
	metadata, err := traceMetadata(ctx, tx, tid)
	if err != nil {
		return err
	}
	finalized := metadata[MetaFinalized] != ""
	if found {
		if err := b.updateTrace(ctx, tx, tid, finalized); err != nil {
			return err
		}
	}
	if err := b.updatePreviews(ctx, tx, tid); err != nil {
		return err
	}
	b.tags[TagSpansLocation] = spansHere
	if err := setTraceTags(ctx, tx, tid, b.tags); err != nil {
		return err
	}
	news := map[string]string{}
	if b.session != "" && metadata[MetaSession] == "" {
		news[MetaSession] = b.session
	}
	if b.user != "" && metadata[MetaTraceUser] == "" {
		news[MetaTraceUser] = b.user
	}
	for _, sum := range sums {
		// What StartTrace wrote is what the client added up; adding the spans again would count them twice.
		if sum == &tokenSum && !b.usage || sum == &costSum && !b.cost || finalized && metadata[sum.metadata] != "" {
			continue
		}
		text, err := sumSpans(ctx, tx, tid, sum)
		if err != nil {
			return err
		}
		if text != "" {
			news[sum.metadata] = text
		}
	}
	return setTraceMetadata(ctx, tx, tid, news)
}

// trace finds or makes the trace.
func (b *spanBatch) trace(ctx context.Context, tx querier, eid int64) (tid int64, found bool, err error) {
	err = tx.QueryRowContext(ctx, "SELECT tid FROM traces WHERE trace_id = ?", b.traceID).Scan(&tid)
	if !errors.Is(err, sql.ErrNoRows) {
		return tid, err == nil, err
	}
	var any int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM experiments WHERE eid = ?", eid).Scan(&any); err != nil {
		return 0, false, err
	}
	if any == 0 {
		return 0, false, NotFoundf("No Experiment with id=%d exists", eid)
	}
	info := TraceInfo{TraceID: b.traceID, RequestTime: Timestamp(b.start), State: TraceInProgress}
	if b.end != 0 {
		d := Duration(b.end - b.start)
		info.ExecutionDuration = &d
	}
	if b.state != "" {
		info.State = b.state
	}
	if tid, err = upsertTrace(ctx, tx, eid, info); err != nil {
		return 0, false, err
	}
	return tid, false, setTraceLocation(ctx, tx, tid, eid, b.traceID)
}

// updateTrace widens the time of a trace and ends it when its root span has come.
func (b *spanBatch) updateTrace(ctx context.Context, tx querier, tid int64, finalized bool) error {
	if !finalized {
		if _, err := tx.ExecContext(ctx, `UPDATE traces SET timestamp_ms = min(timestamp_ms, ?1),
			execution_time_ms = CASE WHEN ?2 = 0 THEN CASE WHEN execution_time_ms IS NULL THEN NULL ELSE timestamp_ms + execution_time_ms - min(timestamp_ms, ?1) END
				ELSE max(timestamp_ms + coalesce(execution_time_ms, 0), ?2) - min(timestamp_ms, ?1) END
			WHERE tid = ?3`, b.start, b.end, tid); err != nil {
			return err
		}
	}
	if b.state == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE traces SET status = ? WHERE tid = ? AND status IN (?, ?)", b.state, tid, TraceInProgress, TraceUnspecified)
	return err
}

// updatePreviews shows inputs and outputs of the root span, unless the trace has previews.
func (b *spanBatch) updatePreviews(ctx context.Context, tx querier, tid int64) error {
	if b.root == nil {
		return nil
	}
	var request, response any
	if text := b.root.attributes.get(attrInputs); text != "" {
		request = preview(text, "user")
	}
	if text := b.root.attributes.get(attrOutputs); text != "" {
		response = preview(text, "assistant")
	}
	if request == nil && response == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE traces SET request_preview = coalesce(request_preview, ?), response_preview = coalesce(response_preview, ?) WHERE tid = ?",
		request, response, tid)
	return err
}

func traceMetadata(ctx context.Context, tx querier, tid int64) (map[string]string, error) {
	list, err := queryRows(ctx, tx, scanKeyValue, "SELECT key, value FROM trace_metadata WHERE tid = ?", tid)
	out := make(map[string]string, len(list))
	for _, kv := range list {
		out[kv.Key] = kv.Value
	}
	return out, err
}

// sumSpans adds up all stored spans of a trace; "" when none says anything.
func sumSpans(ctx context.Context, tx querier, tid int64, sum *sum) (string, error) {
	column := "usage"
	if sum == &costSum {
		column = "cost"
	}
	nodes, err := queryRows(ctx, tx, func(rows *sql.Rows) (n sumNode, err error) {
		var text string
		if err = rows.Scan(&n.id, &n.parent, &text); err == nil && strings.HasPrefix(text, "{") && utf8.ValidString(text) {
			n.has, n.values = true, sum.parse([]byte(text))
		}
		return n, err
	}, "SELECT span_id, coalesce(parent_span_id, ''), coalesce("+column+", '') FROM spans WHERE tid = ?", tid)
	if err != nil {
		return "", err
	}
	if totals, ok := sum.total(nodes); ok {
		return sum.format(totals), nil
	}
	return "", nil
}
