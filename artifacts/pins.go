package artifacts

import "sync"

// pins keeps the files of a content in place while somebody reads it, so that a reader sees the object it
// opened to its end, whatever happens to the key meanwhile.
type pins struct {
	mu   sync.Mutex
	held map[int64]*pin
}

type pin struct {
	readers int
	// going is set while the content's files are being removed: too late to read it.
	going bool
	// files are to be removed by the last reader.
	files []string
}

// hold begins a reader; false means that the content is being removed, so its row is out of date.
func (p *pins) hold(content int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.held[content]
	if h == nil {
		h = &pin{}
		p.held[content] = h
	}
	if h.going {
		return false
	}
	h.readers++
	return true
}

// drop ends a reader and returns the files that it, being the last, must remove.
func (p *pins) drop(content int64) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.held[content]
	if h.readers--; h.readers > 0 {
		return nil
	}
	delete(p.held, content)
	return h.files
}

// leave leaves the files of a deleted content to its readers. When there are none it answers false: the caller
// removes them, then calls removed.
func (p *pins) leave(g garbage) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.held[g.content]; h != nil {
		h.files = append(h.files, g.files...)
		return true
	}
	p.held[g.content] = &pin{going: true}
	return false
}

func (p *pins) removed(content int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.held, content)
}
