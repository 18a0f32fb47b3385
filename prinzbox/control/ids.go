package control

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"sync/atomic"
)

// IDs gives an environment its ids, 32 lower-case hexadecimal digits each: random ones, or, from a seed, the same in each run.
type IDs struct {
	random func() string
	seeded atomic.Pointer[sequence]
}

type sequence struct {
	seed  uint64
	count atomic.Uint64
}

// NewIDs makes ids by a function until there is a seed.
func NewIDs(random func() string) *IDs { return &IDs{random: random} }

// New gives an id. From a seed, the n-th id is the same in each environment; who gets it depends on the order of the calls.
func (i *IDs) New() string {
	s := i.seeded.Load()
	if s == nil {
		return i.random()
	}
	return idOf(s.seed, s.count.Add(1))
}

// idOf is the n-th id of a seed, in the form of a random UUID (version 4) without dashes.
func idOf(seed, n uint64) string {
	var in [16]byte
	binary.BigEndian.PutUint64(in[:8], seed)
	binary.BigEndian.PutUint64(in[8:], n)
	sum := sha256.Sum256(in[:])
	sum[6] = sum[6]&0x0f | 0x40
	sum[8] = sum[8]&0x3f | 0x80
	return hex.EncodeToString(sum[:16])
}

// Seed makes ids follow from a number, from the first one on.
func (i *IDs) Seed(seed uint64) { i.seeded.Store(&sequence{seed: seed}) }

// Reset makes ids random again.
func (i *IDs) Reset() { i.seeded.Store(nil) }

// IDState describes where ids come from.
type IDState struct {
	// Mode is "random" or "seeded"; Given counts the ids since the Seed was set.
	Mode  string `json:"mode"`
	Seed  uint64 `json:"seed"`
	Given uint64 `json:"given"`
}

// State describes the ids of now.
func (i *IDs) State() IDState {
	s := i.seeded.Load()
	if s == nil {
		return IDState{Mode: "random"}
	}
	return IDState{Mode: "seeded", Seed: s.seed, Given: s.count.Load()}
}
