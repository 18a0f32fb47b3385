package sqldb

import (
	"database/sql/driver"
	"fmt"
	"regexp"
	"sync"

	"modernc.org/sqlite"
)

// SQLite leaves the operator REGEXP to the program: `x REGEXP y` calls regexp(y, x). Go's expressions take time linear in the text, so a
// user's pattern cannot hang the database.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("regexp", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		pattern, ok := args[0].(string)
		if !ok || args[1] == nil {
			return nil, nil
		}
		re, err := patterns.get(pattern)
		if err != nil {
			return nil, err
		}
		switch text := args[1].(type) {
		case string:
			return re.MatchString(text), nil
		case []byte:
			return re.Match(text), nil
		default:
			return re.MatchString(fmt.Sprint(text)), nil
		}
	})
}

// patterns remembers the compiled expressions of searches under way, since the function sees one row at a time.
var patterns = memo{compiled: map[string]*regexp.Regexp{}}

type memo struct {
	mu       sync.RWMutex
	compiled map[string]*regexp.Regexp
}

const maxPatterns = 64

func (m *memo) get(pattern string) (*regexp.Regexp, error) {
	m.mu.RLock()
	re := m.compiled[pattern]
	m.mu.RUnlock()
	if re != nil {
		return re, nil
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.compiled) >= maxPatterns {
		clear(m.compiled)
	}
	m.compiled[pattern] = re
	return re, nil
}
