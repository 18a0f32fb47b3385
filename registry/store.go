// Package registry is the vocabulary and the store of an MLflow environment: experiments, runs, metrics, registered
// models, versions, logged models. The JSON tags of its types are MLflow's wire format; its errors are MLflow's.
package registry

import (
	"context"
	"crypto/aes"
	"crypto/rand"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are the steps that make the store's tables; see [sqldb.DB.Migrate].
func Migrations() fs.FS {
	sub, err := fs.Sub(migrations, "migrations")
	if err != nil {
		panic(err) // the folder is embedded above
	}
	return sub
}

// Config is what a store needs from its environment.
type Config struct {
	DB    *sqldb.DB
	Clock func() time.Time
	// NewID gives 32 lowercase hex digits, as a UUID4 without dashes.
	NewID func() string
	// ArtifactRoot is the location under which experiments without one of their own are put: "<root>/<experiment id>".
	ArtifactRoot string
	// AllowHost tells whether experiments and versions may lie at a URI that names a host, for example http://HOST/…; nil: none may.
	AllowHost func(uri string) bool
	// KeepLongValues refuses param and tag values over the limit instead of cutting them, as MLflow does under
	// MLFLOW_TRUNCATE_LONG_VALUES=false.
	KeepLongValues bool
	// CustomScorers takes scorers that carry Python code, as MLflow does under MLFLOW_SERVER_ENABLE_CUSTOM_SCORERS.
	CustomScorers bool
	// SecretKey encrypts the secrets of webhooks: 16, 24 or 32 bytes for AES. Empty means one that is forgotten with the store, as
	// MLflow does it without MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY.
	SecretKey []byte
	// Deliver is told what webhooks are to hear, after the change is committed. It must not block. nil means that nobody delivers.
	Deliver func(Event, []Subscriber)
}

// Store keeps the environment's entities. It is safe for concurrent use.
type Store struct {
	cfg Config
	db  *sqldb.DB

	models atomic.Uint64
	// grants changes with every change of users, roles and permissions.
	grants atomic.Uint64
}

// Open brings the tables up to date and makes the experiment "Default" with id 0 when the store is new.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.DB.Migrate(ctx, "registry", Migrations()); err != nil {
		return nil, err
	}
	if len(cfg.SecretKey) == 0 {
		cfg.SecretKey = make([]byte, 32)
		_, _ = rand.Read(cfg.SecretKey) // never fails (crypto/rand)
	}
	if _, err := aes.NewCipher(cfg.SecretKey); err != nil {
		return nil, fmt.Errorf("the key for webhook secrets: %w", err)
	}
	s := &Store{cfg: cfg, db: cfg.DB}
	err := s.db.Write(ctx, func(tx querier) error {
		var any int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM (SELECT 1 FROM experiments LIMIT 1)").Scan(&any); err != nil || any > 0 {
			return err
		}
		now := s.now()
		_, err := tx.ExecContext(ctx, `INSERT INTO experiments (eid, name, artifact_location, creation_time, last_update_time)
			VALUES (0, 'Default', ?, ?, ?)`, joinURI(cfg.ArtifactRoot, "0"), now, now)
		return err
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

type querier = sqldb.Querier

// ModelGeneration changes with every change of a registered model, version, stage or alias, before the change returns.
func (s *Store) ModelGeneration() uint64 { return s.models.Load() }

// writeModels is Write for everything that decides which version a name means.
func (s *Store) writeModels(ctx context.Context, fn func(tx querier) error) error {
	defer s.models.Add(1)
	return s.db.Write(ctx, fn)
}

// now is the environment's time in milliseconds since 1970.
func (s *Store) now() int64 { return s.cfg.Clock().UnixMilli() }

// Lifecycle stages of experiments, runs and logged models.
const (
	StageActive  = "active"
	StageDeleted = "deleted"
)

// KeyValue is a tag or a param.
type KeyValue struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ViewType chooses which lifecycle stages a search shows; the numbers are MLflow's.
type ViewType int

const (
	// ViewActiveOnly is the default.
	ViewActiveOnly  ViewType = 1
	ViewDeletedOnly ViewType = 2
	ViewAll         ViewType = 3
)

// ParseViewType reads a view type by name or number; anything unknown is ACTIVE_ONLY, as MLflow has it.
func ParseViewType(s string) ViewType {
	switch strings.ToUpper(s) {
	case "DELETED_ONLY", "2":
		return ViewDeletedOnly
	case "ALL", "3":
		return ViewAll
	}
	return ViewActiveOnly
}

// Page is one page of a search. An empty NextPageToken means that nothing follows.
type Page[T any] struct {
	Items         []T
	NextPageToken string
}

// Query is a search: MLflow's filter text, order_by clauses, page size and token. View applies to entities with a
// lifecycle.
type Query struct {
	Filter     string
	OrderBy    []string
	MaxResults int
	PageToken  string
	View       ViewType
}

// queryRows runs a query and scans each row.
func queryRows[T any](ctx context.Context, q querier, scan func(*sql.Rows) (T, error), query string, args ...any) (out []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		v, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// eachOf reads all rows of a query by Each.
func eachOf[T any](ctx context.Context, db *sqldb.DB, read func(*sqldb.Row) T, query string, args ...any) (out []T, err error) {
	err = db.Each(ctx, func(r *sqldb.Row) error {
		out = append(out, read(r))
		return nil
	}, query, args...)
	return out, err
}

// optionalText is a column that may be NULL.
func optionalText(r *sqldb.Row, column int) *string {
	if r.Null(column) {
		return nil
	}
	text := r.Text(column)
	return &text
}

func scanKeyValue(rows *sql.Rows) (kv KeyValue, err error) {
	err = rows.Scan(&kv.Key, &kv.Value)
	return kv, err
}

// affected tells whether a statement changed anything.
func affected(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// placeholders is "?,?,…" for n values.
func placeholders(n int) string {
	return strings.TrimSuffix(strings.Repeat("?,", n), ",")
}
