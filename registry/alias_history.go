package registry

import (
	"context"

	"github.com/prinzbox/prinzbox/registry/sqldb"
)

// AliasChange is one move of an alias. MLflow has no such record.
type AliasChange struct {
	Alias string
	// Version is the number of the version that the alias points at from then on; empty when it was taken away.
	Version string
	// Time is in milliseconds since 1970. By is the user's name; empty in an environment without users.
	Time int64
	By   string
}

// AliasHistory gives the last moves of a model's aliases, the newest first, at most limit. It begins with the release that keeps it. A name
// that is not there is RESOURCE_DOES_NOT_EXIST.
func (s *Store) AliasHistory(ctx context.Context, name string, limit int) ([]AliasChange, error) {
	mid, err := modelKey(ctx, s.db.Read(), name)
	if err != nil {
		return nil, err
	}
	return eachOf(ctx, s.db, func(r *sqldb.Row) AliasChange {
		return AliasChange{Alias: r.Text(0), Version: r.Text(1), Time: r.Int(2), By: r.Text(3)}
	}, "SELECT alias, COALESCE(CAST(version AS TEXT), ''), changed_at, changed_by FROM alias_history WHERE mid = ? ORDER BY hid DESC LIMIT ?", mid, limit)
}

// noteAlias records that an alias is about to point at a version. One that points there already has not moved.
func (s *Store) noteAlias(ctx context.Context, tx querier, v versionKey, alias string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alias_history (mid, alias, version, changed_at, changed_by) SELECT ?, ?, ?, ?, ?
		WHERE NOT EXISTS (SELECT 1 FROM aliases WHERE mid = ? AND alias = ? AND version = ?)`,
		v.mid, alias, v.number, s.now(), userName(ctx), v.mid, alias, v.number)
	return err
}

// noteNoAlias records that an alias is about to go.
func (s *Store) noteNoAlias(ctx context.Context, tx querier, mid int64, alias string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alias_history (mid, alias, changed_at, changed_by)
		SELECT mid, alias, ?, ? FROM aliases WHERE mid = ? AND alias = ?`, s.now(), userName(ctx), mid, alias)
	return err
}

// noteNoVersion records that the aliases of a version are about to go with it.
func (s *Store) noteNoVersion(ctx context.Context, tx querier, v versionKey) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO alias_history (mid, alias, changed_at, changed_by)
		SELECT mid, alias, ?, ? FROM aliases WHERE mid = ? AND version = ? ORDER BY alias`, s.now(), userName(ctx), v.mid, v.number)
	return err
}

// userName is who asks; empty without users.
func userName(ctx context.Context) string {
	if who := AccessOf(ctx); who != nil {
		return who.User.Username
	}
	return ""
}
