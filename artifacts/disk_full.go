package artifacts

import (
	"context"
	"errors"
	"runtime"
	"syscall"
)

// Result codes of SQLite when there is no room: for rows, and for the memory that its processes share.
const (
	sqliteFull    = 13
	sqliteShmSize = 10 | 19<<8
	sqliteWrite   = 10 | 3<<8
)

// windowsDiskFull is ERROR_DISK_FULL.
const windowsDiskFull = syscall.Errno(112)

// diskError tells a client that there is no room, rather than that something is wrong inside: on the disk, in its quota, in a file.
func diskError(err error) error {
	full := errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) ||
		runtime.GOOS == "windows" && errors.Is(err, windowsDiskFull)
	if coded, ok := errors.AsType[interface {
		error
		Code() int
	}](err); ok {
		code := coded.Code()
		full = full || code&0xff == sqliteFull || code == sqliteShmSize || code == sqliteWrite
	}
	if full {
		return &Error{"InsufficientStorage", "The server's disk is full; nothing was stored."}
	}
	return err
}

// roomyDB tells of a full disk as such.
type roomyDB struct{ DB }

// Write implements DB.
func (d roomyDB) Write(ctx context.Context, fn func(tx Querier) error) error {
	return diskError(d.DB.Write(ctx, fn))
}
