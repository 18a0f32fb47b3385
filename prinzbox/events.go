package prinzbox

import (
	"bufio"
	"bytes"
	"io"
)

// eventReader reads the data of server-sent events.
type eventReader struct{ lines *bufio.Reader }

func newEventReader(r io.Reader) eventReader { return eventReader{bufio.NewReader(r)} }

// next gives the data of the next event that has some.
func (e eventReader) next() ([]byte, error) {
	for {
		line, err := e.lines.ReadBytes('\n')
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && err == nil {
			return bytes.TrimRight(data, "\r\n"), nil
		}
		if err != nil {
			return nil, err
		}
	}
}
