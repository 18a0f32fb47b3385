package artifacts

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// uploadLife is how long an unfinished multipart upload is kept.
const uploadLife = 7 * 24 * time.Hour

// sweep removes what earlier runs left: temporary files, blob files that no row names, and old uploads. It runs beside the
// store's normal work: files of this run carry its epoch and are passed over.
func (s *Store) sweep(ctx context.Context) error {
	own := s.epoch + "-"
	temps, err := os.ReadDir(filepath.Join(s.dir, tempDir))
	if err != nil {
		return err
	}
	for _, e := range temps {
		if !strings.HasPrefix(e.Name(), own) {
			_ = os.Remove(filepath.Join(s.dir, tempDir, e.Name()))
		}
	}
	folders, err := os.ReadDir(filepath.Join(s.dir, blobDir))
	if err != nil {
		return err
	}
	removed := 0
	for _, folder := range folders {
		files, err := os.ReadDir(filepath.Join(s.dir, blobDir, folder.Name()))
		if err != nil {
			return err
		}
		for _, f := range files {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if strings.HasPrefix(f.Name(), own) || len(f.Name()) < 2 {
				continue
			}
			var one int
			err := s.db.Read().QueryRowContext(ctx, "SELECT 1 FROM artifact_contents WHERE file = ?", f.Name()).Scan(&one)
			if err == nil {
				continue
			}
			if !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			s.unlink(f.Name())
			removed++
		}
	}
	if removed > 0 {
		s.log.Info("artifacts: removed files of an interrupted run", "files", removed)
	}
	return s.abortOldUploads(ctx)
}

func (s *Store) abortOldUploads(ctx context.Context) error {
	before := s.clock().Add(-uploadLife).UnixMilli()
	rows, err := s.db.Read().QueryContext(ctx, "SELECT id FROM artifact_uploads WHERE started < ?", before)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		ids = append(ids, id)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, id := range ids {
		var g []garbage
		err := s.write(ctx, func(tx Querier) (err error) {
			g, err = dropUpload(ctx, tx, id)
			return err
		})
		if err != nil {
			return err
		}
		s.collect(g...)
	}
	return nil
}
