package serving

import (
	"context"
	"hash/fnv"
	"math"
	"strconv"
	"strings"
	"sync"

	"github.com/prinzbox/prinzbox/registry"
)

// Tags of a registered model that say which version answers a request that names none. Their values name
// versions by number, stage or alias.
const (
	// TagCurrent is the version that wins over the one with the greatest last_updated_timestamp.
	TagCurrent = "prinzbox.current"
	// TagSplit shares such requests between versions, by weights: "1=90,champion=10". It wins over TagCurrent.
	TagSplit = "prinzbox.split"
	// TagShadow is a version that gets a copy of each such request after it was answered; its answers are only compared.
	TagShadow = "prinzbox.shadow"
)

// Headers of scoring routes.
const (
	// VersionHeader of an answer is the number of the version that gave it.
	VersionHeader = "X-Prinzbox-Model-Version"
	// StickyHeader of a request holds any text; requests with the same text get the same version of a split.
	StickyHeader = "X-Prinzbox-Sticky"
)

// maxShares bounds the versions of one split.
const maxShares = 20

// target is a version that answers requests.
type target struct {
	Version
	counters *counters
	// own is the model of a version that its tags make, a stub or an upstream; nil for a model directory.
	own *Loaded
	// problem says why the tags make no model.
	problem error
}

// choice is the versions that answer a name with a selector.
type choice struct {
	name    string
	targets []*target
	// upTo are the cumulated shares of the targets, the last one is 1; nil for a single target.
	upTo   []float64
	shadow *target // nil without one
}

// pick chooses a target. sticky, when not empty, decides instead of chance.
func (c *choice) pick(random func() float64, sticky string) *target {
	if c.upTo == nil {
		return c.targets[0]
	}
	at := 0.0
	if sticky != "" {
		at = stickyPlace(c.name, sticky)
	} else {
		at = random()
	}
	for i, end := range c.upTo {
		if at < end {
			return c.targets[i]
		}
	}
	return c.targets[len(c.targets)-1]
}

// stickyPlace maps a text to [0, 1), evenly, the same in every process.
func stickyPlace(name, text string) float64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	_, _ = h.Write([]byte{0})
	_, _ = h.Write([]byte(text))
	// FNV's high bits hardly differ between short texts: the finisher of MurmurHash3 spreads them.
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd
	x = (x ^ x>>33) * 0xc4ceb9fe1a85ec53
	x ^= x >> 33
	return float64(x>>11) / (1 << 53)
}

// resolutions are the answers of the catalog at one generation.
type resolutions struct {
	generation uint64
	mu         sync.RWMutex
	choices    map[route]*choice
}

// maxRemembered bounds the resolutions of one generation.
const maxRemembered = 10_000

// resolve finds the versions that answer a name with a selector.
func (s *Server) resolve(ctx context.Context, name, selector string) (*choice, error) {
	if s.changing == nil {
		return s.choose(ctx, name, selector)
	}
	generation := s.changing.Generation()
	known := s.resolved.Load()
	if known == nil || known.generation != generation {
		known = &resolutions{generation: generation, choices: map[route]*choice{}}
		s.resolved.Store(known)
	}
	key := route{name: name, selector: selector}
	known.mu.RLock()
	c, ok := known.choices[key]
	known.mu.RUnlock()
	if ok {
		return c, nil
	}
	c, err := s.choose(ctx, name, selector)
	if err != nil {
		return c, err
	}
	known.mu.Lock()
	if len(known.choices) < maxRemembered {
		known.choices[key] = c
	}
	known.mu.Unlock()
	return c, nil
}

// choose asks the catalog.
func (s *Server) choose(ctx context.Context, name, selector string) (*choice, error) {
	if selector != "" && selector != name {
		v, err := s.cfg.Catalog.Resolve(ctx, name, selector)
		if err != nil {
			return nil, err
		}
		return &choice{name: name, targets: []*target{s.target(v)}}, nil
	}
	tags, err := s.cfg.Catalog.Tags(ctx, name)
	if err != nil {
		return nil, err
	}
	return s.share(ctx, name, tags)
}

// share reads the tags that say who answers a name.
func (s *Server) share(ctx context.Context, name string, tags map[string]string) (*choice, error) {
	c := &choice{name: name}
	var err error
	if text := strings.TrimSpace(tags[TagSplit]); text != "" {
		err = s.split(ctx, c, text)
	} else {
		err = s.current(ctx, c, strings.TrimSpace(tags[TagCurrent]))
	}
	if err != nil {
		return nil, err
	}
	if text := strings.TrimSpace(tags[TagShadow]); text != "" {
		v, err := s.setting(ctx, name, TagShadow, text, text)
		if err != nil {
			return nil, err
		}
		c.shadow = s.target(v)
	}
	return c, nil
}

// CheckRouting tells what is wrong with one of the tags [TagCurrent], [TagSplit] and [TagShadow] of a model before it is set: an
// INVALID_PARAMETER_VALUE that says how to write it. An empty value is fine.
func (s *Server) CheckRouting(ctx context.Context, name, tag, value string) error {
	if strings.TrimSpace(value) == "" {
		return nil
	}
	c := &choice{name: name}
	if tag == TagSplit {
		return s.split(ctx, c, value)
	}
	_, err := s.setting(ctx, name, tag, value, strings.TrimSpace(value))
	return err
}

// current takes the version that the tag names, the one of the alias of all models, or Prinz's choice.
func (s *Server) current(ctx context.Context, c *choice, tag string) (err error) {
	var v Version
	switch {
	case tag != "":
		v, err = s.setting(ctx, c.name, TagCurrent, tag, tag)
	case s.cfg.CurrentAlias != "":
		v, err = s.cfg.Catalog.Resolve(ctx, c.name, s.cfg.CurrentAlias)
		if !registry.IsCode(err, registry.ResourceDoesNotExist) {
			break
		}
		fallthrough
	default:
		v, err = s.cfg.Catalog.Resolve(ctx, c.name, "")
	}
	if err == nil {
		c.targets = []*target{s.target(v)}
	}
	return err
}

// settingError is a routing tag that means nothing; the model itself is there.
type settingError struct{ cause *registry.Error }

func (e *settingError) Error() string { return e.cause.Error() }

func (e *settingError) Unwrap() error { return e.cause }

func badSetting(name, tag, value, why string) error {
	if len(value) > 200 {
		value = strings.ToValidUTF8(value[:200], "") + "…"
	}
	return &settingError{&registry.Error{
		Code:    registry.InvalidParameterValue,
		Message: "Tag " + tag + " of registered model '" + name + "' is '" + value + "': " + why,
	}}
}

// setting resolves a selector that stands in a tag.
func (s *Server) setting(ctx context.Context, name, tag, value, selector string) (Version, error) {
	if selector == name {
		return Version{}, badSetting(name, tag, value, "name a version by its number, stage or alias.")
	}
	v, err := s.cfg.Catalog.Resolve(ctx, name, selector)
	if registry.IsCode(err, registry.ResourceDoesNotExist) || registry.IsCode(err, registry.InvalidParameterValue) {
		err = badSetting(name, tag, value, "the model has no version, stage or alias '"+selector+"'. Set the tag to one that it has, or delete it.")
	}
	return v, err
}

// split reads "1=90,champion=10".
func (s *Server) split(ctx context.Context, c *choice, text string) error {
	parts := strings.Split(text, ",")
	if len(parts) > maxShares {
		return badSetting(c.name, TagSplit, text, "at most "+strconv.Itoa(maxShares)+" versions can share requests.")
	}
	total := 0.0
	for _, part := range parts {
		selector, number, ok := strings.Cut(part, "=")
		weight, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if !ok || err != nil || weight < 0 || math.IsNaN(weight) || weight > 1e9 {
			return badSetting(c.name, TagSplit, text, "write versions and their weights as '1=90,champion=10'.")
		}
		v, err := s.setting(ctx, c.name, TagSplit, text, strings.TrimSpace(selector))
		if err != nil {
			return err
		}
		total += weight
		c.targets = append(c.targets, s.target(v))
		c.upTo = append(c.upTo, total)
	}
	if total == 0 {
		return badSetting(c.name, TagSplit, text, "one of the weights must be greater than 0.")
	}
	for i := range c.upTo {
		c.upTo[i] /= total
	}
	return nil
}

// target is a version with what its tags make of it.
func (s *Server) target(v Version) *target {
	t := &target{Version: v, counters: s.metrics.of(v.Name, v.Number)}
	t.own, t.problem = s.tagged(v)
	return t
}

// model is the target's model, loaded now if it was not.
func (s *Server) model(ctx context.Context, t *target) (*Loaded, error) {
	switch {
	case t.problem != nil:
		return nil, t.problem
	case t.own != nil:
		return t.own, nil
	case t.Source == "":
		return nil, registry.NotFoundf("Model version %s/%s has no source.", t.Name, t.Number)
	}
	return s.cache.get(ctx, t.Source)
}

// Share is one version of a split.
type Share struct {
	// Version is a version number, Weight its part of the requests, from 0 to 1.
	Version string
	Weight  float64
}

// Routing is what happens to requests for a model that name no version.
type Routing struct {
	// Shares are the versions that answer; a single one has the weight 1.
	Shares []Share
	// Shadow is the version that gets copies; empty when there is none.
	Shadow string
}

// Routing tells which versions answer requests for a model that name none. A tag that means nothing is an
// INVALID_PARAMETER_VALUE that names it, an unknown model a RESOURCE_DOES_NOT_EXIST.
func (s *Server) Routing(ctx context.Context, name string) (Routing, error) {
	c, err := s.resolve(ctx, name, "")
	if err != nil {
		return Routing{}, err
	}
	var r Routing
	from := 0.0
	for i, t := range c.targets {
		to := 1.0
		if c.upTo != nil {
			to = c.upTo[i]
		}
		r.Shares = append(r.Shares, Share{t.Number, to - from})
		from = to
	}
	if c.shadow != nil {
		r.Shadow = c.shadow.Number
	}
	return r, nil
}
