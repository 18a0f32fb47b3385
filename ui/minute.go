package ui

import (
	"strconv"
	"time"

	"github.com/prinzbox/prinzbox/serving"
)

// Geometry of the chart of the last minute in user units; the style sheet scales the picture.
const (
	minuteWidth  = 240.0
	minuteHeight = 40.0
)

// minuteChart is the last minute of all versions of a model: how many answers, how many of them errors, and how long they took.
type minuteChart struct {
	spans []serving.Span
	bars  []minuteBar
	line  string // points of the mean time
	// most and slowest are the tops of both scales; text tells all of it to those who cannot see it.
	most, slowest, text string
}

// minuteBar is one span: its answers from the bottom, the errors at the bottom of it.
type minuteBar struct{ x, width, y, height, badY, badHeight string }

func (c *minuteChart) add(spans []serving.Span) {
	if c.spans == nil {
		c.spans = make([]serving.Span, len(spans))
	}
	for i := range min(len(spans), len(c.spans)) {
		c.spans[i].Requests += spans[i].Requests
		c.spans[i].Errors += spans[i].Errors
		c.spans[i].Seconds += spans[i].Seconds
	}
}

func (c *minuteChart) draw() {
	var all, bad, most uint64
	slowest, seconds := 0.0, 0.0
	for _, s := range c.spans {
		all, bad, most, seconds = all+s.Requests, bad+s.Errors, max(most, s.Requests), seconds+s.Seconds
		if s.Requests > 0 {
			slowest = max(slowest, s.Seconds/float64(s.Requests))
		}
	}
	if all == 0 {
		c.spans = nil
		return
	}
	text := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	step := minuteWidth / float64(len(c.spans))
	var points []byte
	for i, s := range c.spans {
		if s.Requests == 0 {
			continue
		}
		x, height := float64(i)*step, minuteHeight*float64(s.Requests)/float64(most)
		wrong := height * float64(s.Errors) / float64(s.Requests)
		c.bars = append(c.bars, minuteBar{text(x + 1), text(step - 2), text(minuteHeight - height), text(height), text(minuteHeight - wrong), text(wrong)})
		y := minuteHeight - (minuteHeight-4)*ratio(s.Seconds/float64(s.Requests), 0, slowest) - 2
		for _, px := range []float64{x + 1, x + step - 1} {
			if points != nil {
				points = append(points, ' ')
			}
			points = appendPlace(points, px, y)
		}
	}
	c.line = string(points)
	c.most = countText(int(most), "answer", false) + " in 5 s"
	c.slowest = latencyText(time.Duration(slowest * float64(time.Second)))
	c.text = "The last minute: " + countText(int(all), "answer", false) + ", " + countText(int(bad), "error", false) + ", on average " +
		latencyText(time.Duration(seconds/float64(all)*float64(time.Second)))
}
