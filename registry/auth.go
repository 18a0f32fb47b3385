package registry

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"errors"
	"sync"
)

// Auth knows who asks and what he may do. Passwords that were right and grants are remembered until they change, so that a request costs
// a look into memory.
type Auth struct {
	store    *Store
	standard Permission
	// key makes what is remembered of passwords useless to whoever reads the memory's dump without it, and impossible to guess ahead.
	key [32]byte
	// hashing bounds how many wrong passwords are worked on at a time: bcrypt is meant to be slow.
	hashing chan struct{}

	mu sync.RWMutex
	// verified maps a MAC of name and password to the hash that it matched.
	verified   map[[sha256.Size]byte]string
	generation uint64
	users      map[string]*Access
	runs       map[string]string
}

// Bounds of what is remembered; at the limit all is forgotten.
const (
	maxVerified = 10_000
	maxRunsKept = 20_000
)

// NewAuth makes the auth of a store. standard is the level of whoever has no grant on a resource.
func NewAuth(store *Store, standard Permission) *Auth {
	a := &Auth{
		store: store, standard: standard, hashing: make(chan struct{}, 2),
		verified: map[[sha256.Size]byte]string{}, users: map[string]*Access{}, runs: map[string]string{},
	}
	_, _ = rand.Read(a.key[:]) // never fails (crypto/rand)
	return a
}

// ErrUnauthenticated says that there is no such user, or that it is not his password.
var ErrUnauthenticated = errors.New("unknown user or wrong password")

// noHash matches no password; it makes an unknown user cost as much time as a wrong password.
var noHash = sync.OnceValue(func() string {
	hash, _ := hashPassword("nobody's password") // the cost is within bcrypt's bounds
	return hash
})

// Authenticate gives the access of a user who has shown his password, or ErrUnauthenticated.
func (a *Auth) Authenticate(ctx context.Context, username, password string) (*Access, error) {
	access, err := a.Access(ctx, username)
	known := err == nil
	if err != nil && !IsCode(err, ResourceDoesNotExist) {
		return nil, err
	}
	mac := hmac.New(sha256.New, a.key[:])
	_, _ = mac.Write([]byte(username))
	_, _ = mac.Write([]byte{0})
	_, _ = mac.Write([]byte(password))
	var key [sha256.Size]byte
	mac.Sum(key[:0])
	if known {
		a.mu.RLock()
		hash := a.verified[key]
		a.mu.RUnlock()
		if hash != "" && hash == access.hash {
			return access, nil
		}
	}
	select {
	case a.hashing <- struct{}{}:
		defer func() { <-a.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if !known {
		passwordMatches(noHash(), password)
		return nil, ErrUnauthenticated
	}
	if !passwordMatches(access.hash, password) {
		return nil, ErrUnauthenticated
	}
	a.mu.Lock()
	if len(a.verified) >= maxVerified {
		clear(a.verified)
	}
	a.verified[key] = access.hash
	a.mu.Unlock()
	return access, nil
}

// Access gives a user's access without asking for his password; RESOURCE_DOES_NOT_EXIST when there is no such user.
func (a *Auth) Access(ctx context.Context, username string) (*Access, error) {
	// Read before the grants are: a change meanwhile makes what is remembered here stale at once.
	generation := a.store.grants.Load()
	a.mu.RLock()
	known := a.users[username]
	fresh := a.generation == generation
	a.mu.RUnlock()
	if fresh && known != nil {
		return known, nil
	}
	access, err := a.load(ctx, username)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation < generation {
		clear(a.users)
		a.generation = generation
	}
	if a.generation == generation {
		a.users[username] = access
	}
	return access, nil
}

func (a *Auth) load(ctx context.Context, username string) (*Access, error) {
	q := a.store.db.Read()
	access := &Access{User: User{Username: username}, standard: a.standard, grants: map[string]map[string]Permission{}}
	err := q.QueryRowContext(ctx, "SELECT uid, password_hash, is_admin FROM users WHERE username = ?", username).
		Scan(&access.User.ID, &access.hash, &access.User.IsAdmin)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, noUser(username)
	} else if err != nil {
		return nil, err
	}
	grants, err := queryRows(ctx, q, func(rows *sql.Rows) (RolePermission, error) { return scanRolePermission(rows) },
		`SELECT p.pid, p.role_id, p.resource_type, p.resource_pattern, p.permission FROM user_roles a
		JOIN roles r ON r.role_id = a.role_id AND r.workspace = ? JOIN role_permissions p ON p.role_id = a.role_id WHERE a.uid = ?`, defaultWorkspace, access.User.ID)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		byPattern := access.grants[g.Type]
		if byPattern == nil {
			byPattern = map[string]Permission{}
			access.grants[g.Type] = byPattern
		}
		switch have := byPattern[g.Pattern]; {
		case have == Deny:
		case have == "", g.Permission == string(Deny):
			byPattern[g.Pattern] = Permission(g.Permission)
		default:
			byPattern[g.Pattern] = higher(have, Permission(g.Permission))
		}
	}
	return access, nil
}

// ExperimentOfRun finds the experiment that a run is in. It never changes, so it is remembered.
func (a *Auth) ExperimentOfRun(ctx context.Context, runID string) (string, error) {
	a.mu.RLock()
	eid := a.runs[runID]
	a.mu.RUnlock()
	if eid != "" {
		return eid, nil
	}
	eid, err := a.experimentOf(ctx, "SELECT eid FROM runs WHERE run_id = ?", runID, "Run with id=%s not found")
	if err == nil {
		a.mu.Lock()
		if len(a.runs) >= maxRunsKept {
			clear(a.runs)
		}
		a.runs[runID] = eid
		a.mu.Unlock()
	}
	return eid, err
}

// ExperimentOfLoggedModel finds the experiment that a logged model is in.
func (a *Auth) ExperimentOfLoggedModel(ctx context.Context, modelID string) (string, error) {
	return a.experimentOf(ctx, "SELECT eid FROM logged_models WHERE model_id = ?", modelID, "Logged model with ID '%s' not found.")
}

// ExperimentOfTrace finds the experiment that a trace is in.
func (a *Auth) ExperimentOfTrace(ctx context.Context, traceID string) (string, error) {
	return a.experimentOf(ctx, "SELECT eid FROM traces WHERE trace_id = ?", traceID, "Trace with ID '%s' not found.")
}

func (a *Auth) experimentOf(ctx context.Context, query, id, missing string) (eid string, err error) {
	err = a.store.db.Read().QueryRowContext(ctx, query, id).Scan(&eid)
	if errors.Is(err, sql.ErrNoRows) {
		err = NotFoundf(missing, id)
	}
	return eid, err
}

// ExperimentsOfDataset finds the experiments that an evaluation dataset belongs to.
func (a *Auth) ExperimentsOfDataset(ctx context.Context, datasetID string) ([]string, error) {
	return queryRows(ctx, a.store.db.Read(), func(rows *sql.Rows) (id string, err error) {
		err = rows.Scan(&id)
		return id, err
	}, `SELECT x.experiment_id FROM evaluation_dataset_experiments x JOIN evaluation_datasets d ON d.edid = x.edid WHERE d.dataset_id = ?`, datasetID)
}

// KindOfModel tells whether a registered name is a model's ([OnModel]) or a prompt's ([OnPrompt]); RESOURCE_DOES_NOT_EXIST when it is nobody's.
func (a *Auth) KindOfModel(ctx context.Context, name string) (string, error) {
	var prompt bool
	err := a.store.db.Read().QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM registered_model_tags t WHERE t.mid = m.mid AND t.key = '`+TagIsPrompt+`'
		AND lower(t.value) = 'true') FROM registered_models m WHERE m.name = ?`, name).Scan(&prompt)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", noRegisteredModel(name)
	case err != nil:
		return "", err
	case prompt:
		return OnPrompt, nil
	}
	return OnModel, nil
}
