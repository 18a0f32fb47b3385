package artifacts

import (
	"context"
	"crypto/md5"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// CompleteOptions say what a finished upload must be.
type CompleteOptions struct {
	Conditions
	// Checksum is the expected checksum of the object in base64 (with or without -N when of the parts' checksums), or "". Algorithm is
	// what it was made with.
	Checksum, Algorithm string
	// ChecksumType is FULL_OBJECT or COMPOSITE, as the upload began, or "".
	ChecksumType string
	// Size is the expected size of the object in bytes, or nil.
	Size *int64
}

// CompleteUpload makes an object of the given parts, in their order; no bytes are copied. A part's ETag is given with or
// without quotes. Parts not named are dropped. Completing once more with the same parts gives the same answer, for as long as an unfinished
// upload would be kept. Errors: NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, MalformedXML (no parts), BadDigest,
// InvalidRequest (ChecksumType or Size), PreconditionFailed.
func (s *Store) CompleteUpload(ctx context.Context, bucket, key, id string, named []PartInfo, o CompleteOptions) (ObjectInfo, error) {
	if len(named) == 0 {
		return ObjectInfo{}, &Error{codeMalformedXML, "The request names no parts: upload at least one and name it."}
	}
	var info ObjectInfo
	var all []garbage
	err := s.write(ctx, func(tx Querier) error {
		all = nil
		u, err := upload(ctx, tx, bucket, key, id)
		if isCode(err, codeNoSuchUpload) {
			info, err = completedBefore(ctx, tx, bucket, key, id, named, err)
			return err
		}
		if err != nil {
			return err
		}
		have, err := listParts(ctx, tx, id, 0, maxPartNumber)
		if err != nil {
			return err
		}
		parts, err := s.chooseParts(u, have, named)
		if err != nil {
			return err
		}
		old, err := s.target(ctx, tx, bucket, key, o.Conditions)
		if err != nil {
			return err
		}
		if info, err = joinedObject(u, parts, o); err != nil {
			return err
		}
		if info.content, err = insertJoined(ctx, tx, info.Size, parts); err != nil {
			return err
		}
		if all, err = dropUpload(ctx, tx, id); err != nil {
			return err
		}
		g, err := s.setObject(ctx, tx, &info, old)
		if err != nil {
			return err
		}
		all = append(all, g)
		return s.rememberCompleted(ctx, tx, id, info)
	})
	if err != nil {
		return ObjectInfo{}, err
	}
	s.collect(all...)
	return info, nil
}

// joinedObject describes the object that parts make, and checks what is expected of it.
func joinedObject(u UploadInfo, parts []PartInfo, o CompleteOptions) (ObjectInfo, error) {
	info := ObjectInfo{
		Bucket: u.Bucket, Key: u.Key, Headers: u.Headers, Metadata: u.Metadata, Tags: u.Tags, StorageClass: u.StorageClass,
		ETag: joinETags(parts), ChecksumType: u.Checksum,
	}
	for _, p := range parts {
		info.Size += p.Size
	}
	if o.Size != nil && *o.Size != info.Size {
		return info, &Error{codeInvalidRequest, fmt.Sprintf("The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *o.Size, info.Size)}
	}
	if u.Checksum != "" && o.ChecksumType != "" && o.ChecksumType != u.checksumType() {
		return info, &Error{codeInvalidRequest, "The upload was created using the " + u.checksumType() + " checksum mode. The complete request must use the same checksum mode."}
	}
	if u.Checksum == "" {
		info.ChecksumType, u.FullObject = defaultChecksum, true
	}
	if info.Checksum = joinChecksums(info.ChecksumType, u.FullObject, parts); info.Checksum == "" {
		info.ChecksumType = "" // parts that an older release stored
	} else if o.Checksum != "" && (u.Checksum != "" || o.Algorithm == info.ChecksumType) && bareChecksum(o.Checksum) != bareChecksum(info.Checksum) {
		return info, &Error{codeBadDigest, "The " + info.ChecksumType + " you specified did not match that of the parts."}
	}
	return info, nil
}

// checksumType spells how the object's checksum is made.
func (u UploadInfo) checksumType() string {
	if u.FullObject {
		return checksumFull
	}
	return checksumComposite
}

// insertJoined makes a content of parts.
func insertJoined(ctx context.Context, tx Querier, size int64, parts []PartInfo) (content int64, err error) {
	res, err := tx.ExecContext(ctx, "INSERT INTO artifact_contents (refs, size) VALUES (1, ?)", size)
	if err != nil {
		return 0, err
	}
	if content, err = res.LastInsertId(); err != nil {
		return 0, err
	}
	for i, p := range parts {
		// The segment takes over a reference of its own; the part's goes with the upload.
		if _, err := tx.ExecContext(ctx, "UPDATE artifact_contents SET refs = refs + 1 WHERE id = ?", p.content); err != nil {
			return 0, err
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO artifact_segments (joined, seq, content, number, sum_type, sum) VALUES (?, ?, ?, ?, ?, ?)",
			content, i, p.content, p.Number, p.ChecksumType, p.Checksum)
		if err != nil {
			return 0, err
		}
	}
	return content, nil
}

// rememberCompleted keeps what a completed upload was answered with, and forgets what is old.
func (s *Store) rememberCompleted(ctx context.Context, tx Querier, id string, info ObjectInfo) error {
	now := s.now()
	if _, err := tx.ExecContext(ctx, "DELETE FROM artifact_completed WHERE finished < ?", now-uploadLife.Milliseconds()); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO artifact_completed (id, bucket, key, finished, size, etag, sum_type, sum, version)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, info.Bucket, []byte(info.Key), now, info.Size, info.ETag, info.ChecksumType, info.Checksum, info.Version)
	return err
}

// completedBefore answers again for an upload that was completed with the same parts; for others with the given error.
func completedBefore(ctx context.Context, tx Querier, bucket, key, id string, named []PartInfo, unknown error) (ObjectInfo, error) {
	info := ObjectInfo{Bucket: bucket, Key: key}
	var finished int64
	err := tx.QueryRowContext(ctx, `SELECT finished, size, etag, sum_type, sum, version FROM artifact_completed
		WHERE id = ? AND bucket = ? AND key = ?`, id, bucket, []byte(key)).
		Scan(&finished, &info.Size, &info.ETag, &info.ChecksumType, &info.Checksum, &info.Version)
	if errors.Is(err, sql.ErrNoRows) {
		return info, unknown
	}
	if err != nil {
		return info, err
	}
	parts := slices.Clone(named)
	for i := range parts {
		parts[i].ETag = strings.Trim(parts[i].ETag, `"`)
	}
	if joinETags(parts) != info.ETag {
		return info, unknown
	}
	info.Modified = fromMillis(finished)
	return info, nil
}

// chooseParts finds the named parts among those that were uploaded.
func (s *Store) chooseParts(u UploadInfo, have, named []PartInfo) ([]PartInfo, error) {
	byNumber := make(map[int]PartInfo, len(have))
	for _, p := range have {
		byNumber[p.Number] = p
	}
	for i := 1; i < len(named); i++ {
		if named[i-1].Number >= named[i].Number {
			return nil, &Error{codeInvalidPartOrder, "The list of parts was not in ascending order of part numbers."}
		}
	}
	parts := make([]PartInfo, len(named))
	for i, n := range named {
		p, ok := byNumber[n.Number]
		if !ok || strings.Trim(n.ETag, `"`) != p.ETag || (n.Checksum != "" && n.Checksum != p.Checksum && (u.Checksum != "" || n.ChecksumType == p.ChecksumType)) {
			return nil, &Error{codeInvalidPart, fmt.Sprintf("Part %d was not uploaded, or its ETag or checksum is another.", n.Number)}
		}
		if i < len(named)-1 && p.Size < s.minPart {
			return nil, &Error{codeEntityTooSmall, fmt.Sprintf("Part %d has %d bytes; every part but the last needs at least %d.", p.Number, p.Size, s.minPart)}
		}
		parts[i] = p
	}
	return parts, nil
}

func joinETags(parts []PartInfo) string {
	h := md5.New()
	for _, p := range parts {
		b, _ := hex.DecodeString(p.ETag) // written by PutPart
		h.Write(b)
	}
	return fmt.Sprintf("%s-%d", hexOf(h.Sum(nil)), len(parts))
}

// joinChecksums computes the object's checksum from the parts', or "" if it cannot.
func joinChecksums(algorithm string, full bool, parts []PartInfo) string {
	h := newChecksum(algorithm)
	if h == nil {
		return ""
	}
	var sum []byte
	for i, p := range parts {
		b, err := base64.StdEncoding.DecodeString(p.Checksum)
		if err != nil || p.ChecksumType != algorithm || len(b) != h.Size() {
			return ""
		}
		switch {
		case !full:
			h.Write(b)
		case i == 0:
			sum = b
		default:
			if sum = combineChecksums(algorithm, sum, b, p.Size); sum == nil {
				return ""
			}
		}
	}
	if full {
		return base64.StdEncoding.EncodeToString(sum)
	}
	return fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))
}

// bareChecksum is a checksum without the number of parts; base64 as S3 uses it has no hyphens.
func bareChecksum(s string) string {
	s, _, _ = strings.Cut(s, "-")
	return s
}
