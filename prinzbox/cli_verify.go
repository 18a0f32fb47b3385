package prinzbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/prinzbox/prinzbox/artifacts"
	"github.com/prinzbox/prinzbox/prinzbox/control"
	"github.com/prinzbox/prinzbox/registry/sqldb"
)

func verifyCommand() *cobra.Command {
	var s settings
	var r remote
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Compare all stored artifacts with their hashes",
		Long: `verify reads every object of the data folder's S3 store (--data), with its versions and the parts of uploads under
way, and compares the bytes with the sizes and SHA-256 hashes that were taken when they were stored. The server
may run meanwhile; with --url or --namespace it is asked to do it. Files of an --artifacts-destination elsewhere have no hashes and are not read.

The exit code is 0 if all is well, 1 if anything is damaged or missing. Files that nothing names (left by a
process that was killed) are counted but are no damage: the next start removes them.`,
		Args: noArgs,
	}
	s.some(cmd.Flags(), &r, "data", "ephemeral", "log-level")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object with all that was found, as -o json does")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, _, err := s.folder(cmd, &r)
		if err != nil {
			return err
		}
		asJSON = asJSON || r.output == "json"
		ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		if r.url == "" && r.readyFile == "" && r.namespace == "" {
			return verify(ctx, cmd, c.Data, asJSON)
		}
		answer, err := r.ask("POST", "/verify", nil)
		if err != nil {
			return err
		}
		var v control.Verified
		if err := json.Unmarshal(answer, &v); err != nil {
			return err
		}
		return tellVerified(cmd.OutOrStdout(), v, asJSON, true)
	}
	return cmd
}

// verify verifies a data folder and reports.
func verify(ctx context.Context, cmd *cobra.Command, data string, asJSON bool) (err error) {
	dir, err := find(data)
	if err != nil {
		return err
	}
	db, unlock, err := openToRead(ctx, data, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(), unlock()) }()
	out := cmd.OutOrStdout()
	damaged := []artifacts.Damage{}
	progress := progressLine{w: cmd.ErrOrStderr()}
	config := artifacts.VerifyConfig{
		DB: db.Read(), Dir: blobsIn(dir),
		Found: func(d artifacts.Damage) {
			if damaged = append(damaged, d); !asJSON {
				progress.clear()
				_, _ = fmt.Fprintln(out, damageText(d))
			}
		},
	}
	if isTerminal(progress.w) {
		config.Progress = progress.show
	}
	report, err := artifacts.Verify(ctx, config)
	progress.clear()
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	return tellVerified(out, control.Verified{OK: report.Damaged == 0, VerifyReport: report, Damage: damaged}, asJSON, false)
}

// tellVerified reports what was found; each damage too, unless that has been told.
func tellVerified(out io.Writer, v control.Verified, asJSON, each bool) (err error) {
	if asJSON {
		err = json.NewEncoder(out).Encode(v)
	} else {
		for _, d := range v.Damage {
			if each {
				_, _ = fmt.Fprintln(out, damageText(d)) // the last line's error tells
			}
		}
		text := fmt.Sprintf("%d contents, %s: ", v.Contents, bytesText(v.Bytes))
		if v.OK {
			text += "all as they were stored"
		} else {
			text += fmt.Sprintf("%d damaged", v.Damaged)
		}
		if v.Orphans > 0 {
			text += fmt.Sprintf("; %d files (%s) that nothing names, which the next start removes", v.Orphans, bytesText(v.OrphanBytes))
		}
		_, err = fmt.Fprintln(out, text)
	}
	if err == nil && !v.OK {
		err = exitCode(exitFailure)
	}
	return err
}

// openToRead opens the database of a data folder, in the folder dir of its state. A server may be at work there; if none is, none can start
// until unlock.
func openToRead(ctx context.Context, data, dir string) (_ *sqldb.DB, unlock func() error, err error) {
	file := filepath.Join(dir, databaseFile)
	if _, err := os.Stat(file); err != nil {
		return nil, nil, fmt.Errorf("there is no data in %s (--data): %w", data, err)
	}
	lock := flock.New(filepath.Join(data, lockFile))
	mine, err := lock.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("cannot lock the data directory %s (--data): %w", data, err)
	}
	defer func() {
		if err != nil {
			_ = lock.Unlock()
		}
	}()
	db, err := openDB(ctx, dir, sqldb.DurabilityNormal)
	if err != nil {
		return nil, nil, err
	}
	if mine { // a folder of an older version has other tables
		if err := db.Migrate(ctx, "artifacts", artifacts.Migrations()); err != nil {
			_ = db.Close()
			return nil, nil, explain(data, err)
		}
	}
	return db, lock.Unlock, nil
}

// damageText is a damage in one line.
func damageText(d artifacts.Damage) string {
	names := make([]string, len(d.Objects))
	for i, o := range d.Objects {
		names[i] = fmt.Sprintf("s3://%s/%s", o.Bucket, o.Key)
		if o.Version != "" {
			names[i] += " version " + o.Version
		}
		if o.Upload != "" {
			names[i] += fmt.Sprintf(" part %d of upload %s", o.Part, o.Upload)
		}
	}
	text := strings.Join(names, ", ") + ": " + d.Problem
	if d.File != "" {
		text += " (" + filepath.ToSlash(d.File) + ")"
	}
	return text
}

// progressLine shows on a terminal how far it is.
type progressLine struct {
	w     io.Writer
	last  time.Time
	shown bool
}

func (p *progressLine) show(read, total int64) {
	if time.Since(p.last) < 200*time.Millisecond {
		return
	}
	p.last, p.shown = time.Now(), true
	_, _ = fmt.Fprintf(p.w, "\r%3d %% of %s ", read*100/max(total, 1), bytesText(total))
}

func (p *progressLine) clear() {
	if p.shown {
		_, _ = fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// bytesText is a size for people.
func bytesText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB"}
	size, i := float64(n), 0
	for ; size >= 1024 && i < len(units)-1; i++ {
		size /= 1024
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", size, units[i])
}
