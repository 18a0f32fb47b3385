package serving

import (
	"context"
	"io"
)

// noting notes the ETag of each file before it is opened.
type noting struct {
	Objects
	etags *[]string
}

// Unwrap gives the objects below, as [Config] has them.
func (n *noting) Unwrap() Objects { return n.Objects }

func (n *noting) Open(ctx context.Context, uri, path string) (io.ReadCloser, int64, error) {
	etag, err := n.ETag(ctx, uri, path)
	if err != nil {
		return nil, 0, err
	}
	*n.etags = append(*n.etags, etag)
	return n.Objects.Open(ctx, uri, path)
}
