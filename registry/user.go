package registry

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"strconv"
	"unicode/utf8"

	"golang.org/x/crypto/bcrypt"
)

// User is a user of an environment with basic auth, as MLflow's users/ calls show it.
type User struct {
	ID       int64  `json:"id"`
	Username string `json:"username"`
	IsAdmin  bool   `json:"is_admin"`
}

// minPassword is the shortest password in characters, MLflow's.
const minPassword = 12

// ValidatePassword checks a new password.
func ValidatePassword(password string) error {
	if utf8.RuneCountInString(password) < minPassword {
		return Invalidf("Password must be at least %d characters.", minPassword)
	}
	return nil
}

// maxUsername is the width of MLflow's column.
const maxUsername = 255

func validateUsername(name string) error {
	switch {
	case name == "":
		return Invalidf("Username cannot be empty.")
	case utf8.RuneCountInString(name) > maxUsername:
		return Invalidf("Username must be at most %d characters.", maxUsername)
	}
	for _, r := range name {
		// Basic auth splits at the first colon; no client could ever send such a name.
		if r == ':' || r < ' ' || r == 0x7f {
			return Invalidf("Username %q must not hold colons or control characters: HTTP Basic cannot carry them.", name)
		}
	}
	return nil
}

// digest is what bcrypt hashes: bcrypt reads no more than 72 bytes and stops at none, so long passwords are shortened first.
func digest(password string) []byte {
	sum := sha256.Sum256([]byte(password))
	return []byte(base64.StdEncoding.EncodeToString(sum[:]))
}

func hashPassword(password string) (string, error) {
	hash, err := bcrypt.GenerateFromPassword(digest(password), bcrypt.DefaultCost)
	return string(hash), err
}

func passwordMatches(hash, password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(hash), digest(password)) == nil
}

func noUser(name string) error { return NotFoundf("User with username=%s not found", name) }

// CreateUser makes a user. RESOURCE_ALREADY_EXISTS when the name is taken.
func (s *Store) CreateUser(ctx context.Context, name, password string, admin bool) (User, error) {
	if err := validateUsername(name); err != nil {
		return User{}, err
	}
	if err := ValidatePassword(password); err != nil {
		return User{}, err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return User{}, err
	}
	u := User{Username: name, IsAdmin: admin}
	err = s.writeGrants(ctx, func(tx querier) error {
		var taken int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM users WHERE username = ?", name).Scan(&taken); err != nil {
			return err
		}
		if taken > 0 {
			return Errorf(ResourceAlreadyExists, "User (username=%s) already exists. Error: user names are unique.", name)
		}
		return tx.QueryRowContext(ctx, "INSERT INTO users (username, password_hash, is_admin) VALUES (?, ?, ?) RETURNING uid", name, hash, admin).Scan(&u.ID)
	})
	return u, err
}

// User gives one user; RESOURCE_DOES_NOT_EXIST when there is none of that name.
func (s *Store) User(ctx context.Context, name string) (User, error) {
	return userNamed(ctx, s.db.Read(), name)
}

func userNamed(ctx context.Context, q querier, name string) (User, error) {
	u := User{Username: name}
	err := q.QueryRowContext(ctx, "SELECT uid, is_admin FROM users WHERE username = ?", name).Scan(&u.ID, &u.IsAdmin)
	if errors.Is(err, sql.ErrNoRows) {
		err = noUser(name)
	}
	return u, err
}

// Users lists all users, the oldest first.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	return queryRows(ctx, s.db.Read(), func(rows *sql.Rows) (u User, err error) {
		err = rows.Scan(&u.ID, &u.Username, &u.IsAdmin)
		return u, err
	}, "SELECT uid, username, is_admin FROM users ORDER BY uid")
}

// PasswordMatches tells whether a password is a user's; RESOURCE_DOES_NOT_EXIST when there is no such user.
func (s *Store) PasswordMatches(ctx context.Context, name, password string) (bool, error) {
	var hash string
	err := s.db.Read().QueryRowContext(ctx, "SELECT password_hash FROM users WHERE username = ?", name).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return false, noUser(name)
	}
	return err == nil && passwordMatches(hash, password), err
}

// SetPassword gives a user another password; the old one ends at once.
func (s *Store) SetPassword(ctx context.Context, name, password string) error {
	if err := ValidatePassword(password); err != nil {
		return err
	}
	hash, err := hashPassword(password)
	if err != nil {
		return err
	}
	return s.changeUser(ctx, name, "UPDATE users SET password_hash = ? WHERE username = ?", hash, name)
}

// SetAdmin makes a user an admin, or no longer one.
func (s *Store) SetAdmin(ctx context.Context, name string, admin bool) error {
	return s.changeUser(ctx, name, "UPDATE users SET is_admin = ? WHERE username = ?", admin, name)
}

// DeleteUser removes a user with his grants and his S3 key.
func (s *Store) DeleteUser(ctx context.Context, name string) error {
	return s.changeUser(ctx, name, "DELETE FROM users WHERE username = ?", name)
}

func (s *Store) changeUser(ctx context.Context, name, query string, args ...any) error {
	return s.writeGrants(ctx, func(tx querier) error {
		ok, err := affected(tx.ExecContext(ctx, query, args...))
		if err == nil && !ok {
			err = noUser(name)
		}
		return err
	})
}

// s3SecretBytes make 40 characters, as AWS's secrets have.
const s3SecretBytes = 30

// S3Secret gives the secret with which a user signs S3 requests under his name as access key. It is not his password: S3's signatures are
// checked with the secret in clear, and a password is kept only as a hash. The first call makes one; renew makes another, and the old one ends.
// It is encrypted at rest with the store's SecretKey; one that was encrypted with another key is replaced.
func (s *Store) S3Secret(ctx context.Context, name string, renew bool) (string, error) {
	if !renew {
		secret, err := s.s3Secret(ctx, s.db.Read(), name)
		if secret != "" || err != nil && !errors.Is(err, ErrSecret) {
			return secret, err
		}
	}
	var random [s3SecretBytes]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand)
	fresh := base64.RawURLEncoding.EncodeToString(random[:])
	sealed, err := s.sealSecret(fresh)
	if err != nil {
		return "", err
	}
	err = s.writeGrants(ctx, func(tx querier) error {
		if !renew { // somebody else may have made one since
			switch secret, err := s.s3Secret(ctx, tx, name); {
			case err != nil && !errors.Is(err, ErrSecret):
				return err
			case secret != "":
				fresh = secret
				return nil
			}
		}
		ok, err := affected(tx.ExecContext(ctx, "UPDATE users SET s3_secret = ? WHERE username = ?", sealed, name))
		if err == nil && !ok {
			err = noUser(name)
		}
		return err
	})
	return fresh, err
}

// KnownS3Secret is S3Secret of a user who has one; "" when he has none.
func (s *Store) KnownS3Secret(ctx context.Context, name string) (string, error) {
	return s.s3Secret(ctx, s.db.Read(), name)
}

func (s *Store) s3Secret(ctx context.Context, q querier, name string) (string, error) {
	var sealed []byte
	err := q.QueryRowContext(ctx, "SELECT s3_secret FROM users WHERE username = ?", name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return "", noUser(name)
	} else if err != nil {
		return "", err
	}
	return s.openSecret(sealed)
}

// canonicalID gives an experiment id the spelling under which grants know it: 07 and 7 are the same experiment.
func canonicalID(id string) string {
	if n, err := strconv.ParseInt(id, 10, 64); err == nil {
		return strconv.FormatInt(n, 10)
	}
	return id
}
