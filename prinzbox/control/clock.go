// Package control is what tests do to a running environment: stop its clock, number its ids, break its answers, read what it was asked, reset
// it. It is the HTTP API under /api/prinzbox, described by its own OpenAPI document, over a small interface of an environment.
package control

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// Clock is the time of an environment, which can be stopped, moved, and made to tick at each look. The zero Clock is the machine's.
type Clock struct {
	base func() time.Time

	mu     sync.RWMutex
	frozen bool
	at     time.Time     // while it is frozen
	offset time.Duration // while it is not
	tick   time.Duration
}

// Bounds of times, which MLflow has in milliseconds since 1970.
var (
	minTime = time.UnixMilli(0)
	maxTime = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
)

// NewClock makes a clock that goes as base does; nil is the machine's clock.
func NewClock(base func() time.Time) *Clock { return &Clock{base: base} }

func (c *Clock) real() time.Time {
	if c.base == nil {
		return time.Now()
	}
	return c.base()
}

// Now is the time.
func (c *Clock) Now() time.Time {
	c.mu.RLock()
	if c.tick == 0 {
		defer c.mu.RUnlock()
		if c.frozen {
			return c.at
		}
		return c.real().Add(c.offset)
	}
	c.mu.RUnlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen {
		return c.real().Add(c.offset)
	}
	now := c.at
	if next := now.Add(c.tick); !next.After(maxTime) {
		c.at = next
	}
	return now
}

// Freeze stops the clock at a time.
func (c *Clock) Freeze(at time.Time) error {
	if err := checkTime(at); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen, c.at, c.offset = true, at, 0
	return nil
}

// Set lets the clock go on from a time.
func (c *Clock) Set(to time.Time) error {
	if err := checkTime(to); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen, c.tick, c.offset = false, 0, to.Sub(c.real())
	return nil
}

// Advance moves the clock, stopped or not; a negative d moves it back.
func (c *Clock) Advance(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.frozen {
		to := c.at.Add(d)
		if err := checkTime(to); err != nil {
			return err
		}
		c.at = to
		return nil
	}
	if err := checkTime(c.real().Add(c.offset).Add(d)); err != nil {
		return err
	}
	c.offset += d
	return nil
}

// Tick moves a stopped clock by d whenever somebody looks at it, so that no two times are the same; 0 ends that. A clock that goes is stopped.
func (c *Clock) Tick(d time.Duration) error {
	if d < 0 {
		return errors.New("tick: a clock ticks forwards, by 0 or more")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.frozen && d > 0 {
		c.frozen, c.at, c.offset = true, c.real().Add(c.offset), 0
	}
	c.tick = d
	return nil
}

// Reset makes it the clock that it was at first.
func (c *Clock) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.frozen, c.at, c.offset, c.tick = false, time.Time{}, 0, 0
}

// ClockState describes a clock.
type ClockState struct {
	// Now is the time, which was not moved by this look.
	Now time.Time `json:"now"`
	// Mode is "real", "moved" (it goes, OffsetMS ahead of the machine's) or "frozen".
	Mode     string  `json:"mode"`
	OffsetMS float64 `json:"offset_ms"`
	TickMS   float64 `json:"tick_ms"`
}

// State describes the clock of now.
func (c *Clock) State() ClockState {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := ClockState{Now: c.at.UTC(), Mode: "frozen", TickMS: milliseconds(c.tick)}
	if !c.frozen {
		s.Now, s.Mode, s.OffsetMS = c.real().Add(c.offset).UTC(), "real", milliseconds(c.offset)
		if c.offset != 0 {
			s.Mode = "moved"
		}
	}
	return s
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func checkTime(t time.Time) error {
	if t.Before(minTime) || t.After(maxTime) {
		return fmt.Errorf("the time %s: a clock goes from 1970 to 9999", t.Format(time.RFC3339))
	}
	return nil
}
