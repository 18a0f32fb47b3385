package prinzbox

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
)

// S3Key is one more key of the S3 store, beside the environment's own. Printing or logging one does not show the secret.
type S3Key struct {
	AccessKey, Secret string
	// ReadOnly keys list and read; others may do everything. A bucket's policy can give and take more.
	ReadOnly bool
}

// String hides the secret.
func (k S3Key) String() string {
	if k.ReadOnly {
		return k.AccessKey + " (read-only)"
	}
	return k.AccessKey
}

// GoString hides the secret from %#v.
func (k S3Key) GoString() string { return "S3Key{" + k.String() + "}" }

// LogValue hides the secret from logs.
func (k S3Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// ParseS3Key reads ACCESS:SECRET, or ACCESS:SECRET:ro for a read-only key. The error does not hold the secret.
func ParseS3Key(text string) (S3Key, error) {
	access, secret, ok := strings.Cut(text, ":")
	if !ok {
		return S3Key{}, errors.New("write ACCESS:SECRET, or ACCESS:SECRET:ro for a read-only key")
	}
	k := S3Key{AccessKey: access}
	k.Secret, k.ReadOnly = strings.CutSuffix(secret, ":ro")
	return k, k.check()
}

func (k S3Key) check() error {
	switch {
	case len(k.AccessKey) < 3 || strings.ContainsAny(k.AccessKey, " \t\r\n/=,:"):
		return fmt.Errorf("the access key %q must have at least 3 characters, none of them a space, slash, comma, colon or =", k.AccessKey)
	case len(k.Secret) < 8:
		return fmt.Errorf("the secret of %s must have at least 8 characters", k.AccessKey)
	}
	return nil
}

// s3Keys are the keys by name.
func (c Config) s3Keys() (map[string]S3Key, error) {
	keys := map[string]S3Key{}
	for _, k := range c.S3Keys {
		if err := k.check(); err != nil {
			return nil, fmt.Errorf("--s3-key: %w", err)
		}
		if _, twice := keys[k.AccessKey]; twice || k.AccessKey == c.AccessKey {
			return nil, fmt.Errorf("--s3-key: there are two keys %s (--access-key %s is one)", k.AccessKey, c.AccessKey)
		}
		keys[k.AccessKey] = k
	}
	return keys, nil
}

// S3Keys are the keys of the S3 store: the environment's own first, then those of Config.S3Keys by name. Where passwords are asked for, users
// have keys too, of their own names; those are not listed.
func (e *Env) S3Keys() []S3Key {
	keys := slices.SortedFunc(slices.Values(e.cfg.S3Keys), func(a, b S3Key) int { return strings.Compare(a.AccessKey, b.AccessKey) })
	return append([]S3Key{{AccessKey: e.cfg.AccessKey, Secret: e.cfg.SecretKey}}, keys...)
}

// s3KeyFlag collects --s3-key unread: what is wrong with one is told later, since the flag library repeats a refused value, and with it the secret.
type s3KeyFlag struct{ texts *[]string }

// Set takes one key; the environment variable may hold several, separated by spaces.
func (f s3KeyFlag) Set(text string) error {
	*f.texts = append(*f.texts, text)
	return nil
}

// String is for the help, which shows the default: there is none.
func (f s3KeyFlag) String() string { return "" }

// Type is the placeholder in the help.
func (s3KeyFlag) Type() string { return "access:secret[:ro]" }

// parse reads what was collected.
func (f s3KeyFlag) parse() ([]S3Key, error) {
	var keys []S3Key
	for _, text := range *f.texts {
		items := strings.Fields(text)
		if len(items) == 0 {
			items = []string{""}
		}
		for _, item := range items {
			k, err := ParseS3Key(item)
			if err != nil {
				return nil, fmt.Errorf("--s3-key: %w", err)
			}
			keys = append(keys, k)
		}
	}
	return keys, nil
}
