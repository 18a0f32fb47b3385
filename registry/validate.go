package registry

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/prinzbox/prinzbox/registry/pyjson"
)

// Limits in characters (contract/behaviours.md, section 3).
const (
	maxExperimentName     = 500
	maxKey                = 250
	maxExperimentTagValue = 20000
	maxParamValue         = 6000
	maxTagValue           = 8000
	maxRegistryTagValue   = 100_000
	maxAlias              = 255
	maxModelName          = 256
)

var keyPattern = regexp.MustCompile(`^[/\p{L}\p{N}\p{Mn}_.\- :]*$`)

const badCharacters = "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."

func missing(path string) error {
	return Invalidf("Missing value for required parameter '%s'.", path)
}

func tooLong(path string, limit int) error {
	return Invalidf("'%s' exceeds the maximum length of %d characters", path, limit)
}

func checkLength(text, path string, limit int) error {
	if len(text) > limit && utf8.RuneCountInString(text) > limit {
		return tooLong(path, limit)
	}
	return nil
}

// validateKey checks the key of a metric, param or tag. field is the parameter's path; length is what the message about the
// length calls it.
func validateKey(key, field, length string) error {
	if plainKey(key) {
		return nil
	}
	if !keyPattern.MatchString(key) {
		return Invalidf("Invalid value %s for parameter '%s' supplied: %s", quoteJSON(key), field, badCharacters)
	}
	if err := checkNormal(key, field); err != nil {
		return err
	}
	return checkLength(key, length, maxKey)
}

// plainKey tells of most keys, at little cost, that nothing is wrong with them.
func plainKey(key string) bool {
	if key == "" || len(key) > maxKey {
		return false
	}
	for i := range len(key) {
		switch c := key[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// checkNormal refuses a name that would lead elsewhere if it were a path.
func checkNormal(name, field string) error {
	if norm := posixNorm(name); norm != name || norm == "." || strings.HasPrefix(norm, "..") || strings.HasPrefix(norm, "/") {
		return Invalidf("Invalid value %s for parameter '%s' supplied: Names may be treated as files in certain cases, and must not resolve to other names when treated as such. This name would resolve to '%s'",
			quoteJSON(name), field, norm)
	}
	return nil
}

// posixNorm is Python's posixpath.normpath: path.Clean, but for two leading slashes, which stay.
func posixNorm(p string) string {
	c := path.Clean(p)
	if strings.HasPrefix(p, "//") && !strings.HasPrefix(p, "///") {
		return "/" + c
	}
	return c
}

// quoteJSON writes a string as Python's json does, in ASCII.
func quoteJSON(s string) string {
	b, _ := json.Marshal(s) // a string always encodes
	if isASCII(b) {
		return string(b)
	}
	var out []byte
	for _, r := range string(b) {
		switch {
		case r < utf8.RuneSelf:
			out = append(out, byte(r))
		case r > 0xffff:
			hi, lo := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, hi, lo)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
	}
	return string(out)
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func validateExperimentName(name string) error {
	if name == "" {
		return missing("name")
	}
	return checkLength(name, "name", maxExperimentName)
}

func validateExperimentTag(t KeyValue) error {
	if err := validateKey(t.Key, "key", "key"); err != nil {
		return err
	}
	return checkLength(t.Value, "value", maxExperimentTagValue)
}

// cut shortens a value to its limit, or refuses it when the store keeps long values.
func (s *Store) cut(value, field string, limit int) (string, error) {
	if len(value) <= limit || utf8.RuneCountInString(value) <= limit {
		return value, nil
	}
	if s.cfg.KeepLongValues {
		return "", tooLong(field, limit)
	}
	n := 0
	for i := range value {
		if n == limit {
			return value[:i], nil
		}
		n++
	}
	return value, nil
}

// validateTags checks run tags, given one at a time, and cuts long values.
func (s *Store) validateTags(tags []KeyValue) ([]KeyValue, error) {
	return s.checkPairs(tags, maxTagValue, "key", "value", func(int, string) string { return "key" })
}

func (s *Store) validateParams(params []KeyValue, field func(i int, name string) string) ([]KeyValue, error) {
	return s.checkPairs(params, maxParamValue, "Param key", "Param value", field)
}

func (s *Store) checkPairs(pairs []KeyValue, limit int, keyName, valueName string, field func(i int, name string) string) ([]KeyValue, error) {
	out := make([]KeyValue, len(pairs))
	for i, p := range pairs {
		if err := validateKey(p.Key, field(i, "key"), keyName); err != nil {
			return nil, err
		}
		value, err := s.cut(p.Value, valueName, limit)
		if err != nil {
			return nil, err
		}
		out[i] = KeyValue{p.Key, value}
	}
	return out, nil
}

// validateMetric checks a point, which is metrics[index] of a batch, or alone if the index is negative.
func validateMetric(m *Metric, index int) error {
	if plainKey(m.Key) && m.Timestamp >= 0 {
		return nil
	}
	prefix := ""
	if index >= 0 {
		prefix = fmt.Sprintf("metrics[%d].", index)
	}
	if err := validateKey(m.Key, prefix+"name", "Metric name"); err != nil {
		return err
	}
	if m.Timestamp < 0 {
		return Invalidf("Invalid value %d for parameter '%s' supplied: metric '%s' (value=%s). Timestamp must be a nonnegative long (64-bit integer) ",
			m.Timestamp, prefix+"timestamp", m.Key, pyjson.AppendFloat(nil, float64(m.Value)))
	}
	return nil
}

// validateBatch checks a batch before anything is looked up or written.
func (s *Store) validateBatch(b Batch) (Batch, error) {
	for _, limit := range []struct {
		what    string
		max, is int
	}{
		{"metrics", MaxBatchMetrics, len(b.Metrics)},
		{"params", MaxBatchParams, len(b.Params)},
		{"tags", MaxBatchTags, len(b.Tags)},
		{"metrics, params, and tags", MaxBatchTotal, len(b.Metrics) + len(b.Params) + len(b.Tags)},
	} {
		if limit.is > limit.max {
			return b, Invalidf("A batch logging request can contain at most %d %s. Got %d %s. Please split up %s across multiple requests and try again.",
				limit.max, limit.what, limit.is, limit.what, limit.what)
		}
	}
	for i := range b.Metrics {
		if err := validateMetric(&b.Metrics[i], i); err != nil {
			return b, err
		}
	}
	var err error
	if b.Params, err = s.validateParams(b.Params, indexed("params")); err != nil {
		return b, err
	}
	for i, t := range b.Tags {
		if err := validateKey(t.Key, fmt.Sprintf("tags[%d].key", i), fmt.Sprintf("tags[%d].key", i)); err != nil {
			return b, err
		}
		if b.Tags[i].Value, err = s.cut(t.Value, "value", maxTagValue); err != nil {
			return b, err
		}
	}
	b.Tags = lastWins(b.Tags)
	seen := make(map[string]int, len(b.Params))
	var twice []string
	for _, p := range b.Params {
		if seen[p.Key]++; seen[p.Key] == 2 {
			twice = append(twice, p.Key)
		}
	}
	if twice != nil {
		return b, Invalidf("Duplicate parameter keys have been submitted: %s. Please ensure the request contains only one param value per param key.", pyList(twice))
	}
	return b, nil
}

func indexed(list string) func(int, string) string {
	return func(i int, name string) string { return fmt.Sprintf("%s[%d].%s", list, i, name) }
}

var (
	aliasPattern        = regexp.MustCompile(`^[\p{L}\p{N}_\-]*$`)
	versionAliasPattern = regexp.MustCompile(`^[vV]\d+$`)
)

func validateModelName(name, field string) error {
	if strings.TrimSpace(name) == "" {
		return missing(field)
	}
	if strings.ContainsAny(name, "/:") {
		return Invalidf("Invalid model name '%s'. Names cannot contain '/' or ':'.", name)
	}
	if err := checkNormal(name, "name"); err != nil {
		return err
	}
	return checkLength(name, field, maxModelName)
}

func validateRegistryTag(t KeyValue) error {
	if err := validateKey(t.Key, "key", "key"); err != nil {
		return err
	}
	if t.Key == tagPromptText && utf8.RuneCountInString(t.Value) > maxRegistryTagValue {
		return Invalidf("Prompt text exceeds max length of %d characters.", maxRegistryTagValue)
	}
	return checkLength(t.Value, "value", maxRegistryTagValue)
}

// validateAliasName checks the form of an alias.
func validateAliasName(alias string) error {
	switch {
	case alias == "":
		return missing("alias")
	case !aliasPattern.MatchString(alias):
		return Invalidf("Invalid alias name: '%s'. Names may only contain alphanumerics, underscores (_), and dashes (-).", alias)
	}
	return checkLength(alias, "Registered model alias name", maxAlias)
}

// validateAlias checks a name that is to be set. "latest" and v1, v2 … would read as something else in a models:/ URI.
func validateAlias(alias string) error {
	if err := validateAliasName(alias); err != nil {
		return err
	}
	switch {
	case strings.EqualFold(alias, "latest"):
		return Invalidf("'latest' alias name (case insensitive) is reserved.")
	case versionAliasPattern.MatchString(alias):
		return Invalidf("Version alias name '%s' is reserved.", alias)
	}
	return nil
}

var runIDPattern = regexp.MustCompile(`^[a-zA-Z0-9][\p{L}\p{N}_\-]{0,255}$`)

// ValidateRunID checks the form of a run id, as MLflow does for log-batch and log-inputs.
func ValidateRunID(id string) error {
	if !runIDPattern.MatchString(id) {
		return Invalidf("Invalid value %s for parameter 'run_id' supplied.", quoteJSON(id))
	}
	return nil
}
