package ui

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// diffLine is a line of two texts: the same in both (' '), only in the first ('-') or only in the second ('+').
type diffLine struct {
	mark  byte
	parts []diffPart
}

// diffPart is a piece of a line; changed tells that the line's counterpart has something else there.
type diffPart struct {
	text    string
	changed bool
}

// maxDiff bounds the work of a comparison: the product of the lengths that differ. Beyond it, all of the one is replaced by all of the other.
const maxDiff = 4 << 20

// diffLines compares two texts line by line; a line that became another is compared word by word.
func diffLines(a, b string) (out []diffLine) {
	from, to := strings.Split(a, "\n"), strings.Split(b, "\n")
	var gone, come []string
	flush := func() {
		paired := min(len(gone), len(come))
		var minus, plus []diffLine
		for i := range gone {
			if i < paired {
				m, p := diffWords(gone[i], come[i])
				minus, plus = append(minus, diffLine{'-', m}), append(plus, diffLine{'+', p})
				continue
			}
			minus = append(minus, diffLine{'-', []diffPart{{text: gone[i]}}})
		}
		for _, line := range come[paired:] {
			plus = append(plus, diffLine{'+', []diffPart{{text: line}}})
		}
		out = append(append(out, minus...), plus...)
		gone, come = nil, nil
	}
	for _, s := range edits(from, to) {
		switch s.mark {
		case '-':
			gone = append(gone, s.text)
		case '+':
			come = append(come, s.text)
		default:
			flush()
			out = append(out, diffLine{' ', []diffPart{{text: s.text}}})
		}
	}
	flush()
	return out
}

// diffWords marks what differs between two lines. Lines with little in common are not marked: all of them differs.
func diffWords(a, b string) (minus, plus []diffPart) {
	same := 0
	add := func(parts []diffPart, text string, changed bool) []diffPart {
		if n := len(parts); n > 0 && parts[n-1].changed == changed {
			parts[n-1].text += text
			return parts
		}
		return append(parts, diffPart{text, changed})
	}
	for _, s := range edits(words(a), words(b)) {
		switch s.mark {
		case '-':
			minus = add(minus, s.text, true)
		case '+':
			plus = add(plus, s.text, true)
		default:
			same += len(strings.TrimSpace(s.text))
			minus, plus = add(minus, s.text, false), add(plus, s.text, false)
		}
	}
	if 3*same < min(len(a), len(b)) {
		return []diffPart{{text: a}}, []diffPart{{text: b}}
	}
	return minus, plus
}

// words parts a line into words and what stands between them, character by character.
func words(line string) (out []string) {
	start := 0
	for i, r := range line {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' {
			continue
		}
		if start < i {
			out = append(out, line[start:i])
		}
		start = i + utf8.RuneLen(r)
		if r == utf8.RuneError {
			_, size := utf8.DecodeRuneInString(line[i:])
			start = i + size
		}
		out = append(out, line[i:start])
	}
	if start < len(line) {
		out = append(out, line[start:])
	}
	return out
}

type edit struct {
	mark byte
	text string
}

// edits is a shortest way from one list to the other, by their longest common subsequence.
func edits(a, b []string) (out []edit) {
	head := 0
	for head < len(a) && head < len(b) && a[head] == b[head] {
		out = append(out, edit{' ', a[head]})
		head++
	}
	tail := 0
	for tail < len(a)-head && tail < len(b)-head && a[len(a)-1-tail] == b[len(b)-1-tail] {
		tail++
	}
	x, y := a[head:len(a)-tail], b[head:len(b)-tail]
	i, j := 0, 0
	if len(x)*len(y) <= maxDiff {
		// common[i][j] is the length of the longest common subsequence of x[i:] and y[j:].
		width := len(y) + 1
		common := make([]int32, (len(x)+1)*width)
		for i, left := range slices.Backward(x) {
			for j, right := range slices.Backward(y) {
				if left == right {
					common[i*width+j] = common[(i+1)*width+j+1] + 1
				} else {
					common[i*width+j] = max(common[(i+1)*width+j], common[i*width+j+1])
				}
			}
		}
		for i < len(x) && j < len(y) {
			switch {
			case x[i] == y[j]:
				out = append(out, edit{' ', x[i]})
				i++
				j++
			case common[(i+1)*width+j] >= common[i*width+j+1]:
				out = append(out, edit{'-', x[i]})
				i++
			default:
				out = append(out, edit{'+', y[j]})
				j++
			}
		}
	}
	for ; i < len(x); i++ {
		out = append(out, edit{'-', x[i]})
	}
	for ; j < len(y); j++ {
		out = append(out, edit{'+', y[j]})
	}
	for _, line := range a[len(a)-tail:] {
		out = append(out, edit{' ', line})
	}
	return out
}
