package registry

import (
	"fmt"
	"hash/fnv"
)

// Names for runs and logged models that come without one: adjective-animal-number, as MLflow's.
var (
	adjectives = []string{
		"able", "amber", "bold", "brave", "bright", "calm", "clean", "clever", "crisp", "curious", "daring", "eager", "exact", "fair", "fast",
		"fine", "fresh", "gentle", "glad", "grand", "handy", "honest", "keen", "kind", "lively", "loyal", "lucky", "mellow", "merry", "mighty",
		"modest", "neat", "nimble", "noble", "patient", "plain", "polite", "proud", "quick", "quiet", "rare", "ready", "rustic", "serene",
		"sharp", "shiny", "silent", "smooth", "snowy", "steady", "sunny", "swift", "tidy", "upbeat", "vivid", "warm", "wise", "witty",
	}
	animals = []string{
		"ant", "badger", "bat", "bear", "bee", "bison", "boar", "bug", "calf", "cat", "crab", "crane", "crow", "deer", "dog", "dolphin", "dove",
		"duck", "eel", "elk", "falcon", "fawn", "finch", "fish", "fly", "fox", "frog", "goat", "goose", "grouse", "gull", "hare", "hawk", "hen",
		"heron", "horse", "ibex", "jay", "koi", "lamb", "lark", "lion", "lynx", "mare", "mink", "mole", "moose", "moth", "mouse", "mule", "newt",
		"otter", "owl", "ox", "perch", "pig", "pony", "pug", "quail", "ram", "rat", "rook", "seal", "shad", "sheep", "shrew", "shrike", "skink",
		"slug", "snail", "squid", "stag", "stork", "swan", "toad", "trout", "vole", "wasp", "whale", "wolf", "worm", "wren", "yak",
	}
)

// name makes a name of an id, so that an environment with fixed ids has fixed names. It is at most 20 characters long.
func name(id string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	n := h.Sum64()
	pick := func(below int) int {
		i := n % uint64(below)
		n /= uint64(below)
		return int(i)
	}
	return fmt.Sprintf("%s-%s-%d", adjectives[pick(len(adjectives))], animals[pick(len(animals))], pick(1001))
}
