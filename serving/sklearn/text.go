package sklearn

import (
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/prinzbox/prinzbox/serving/pyobj"
)

// vectorizer counts the tokens of a document.
type vectorizer struct {
	name       string
	vocabulary map[string]int
	width      int
	lower      bool
	binary     bool
	analyzer   string
	shortest   int // letters of a word
	low, high  int // of n in n-grams, no longer than the longest of the vocabulary
	stop       map[string]bool
	idf        *idf
}

// idf weighs the counts of tokens.
type idf struct {
	weights   []float64 // nil for none
	sublinear bool
	norm      string // empty for none
}

func loadVectorizer(_ *loader, e *estimator, _ int) (transformer, error) {
	v := &vectorizer{name: e.name, vocabulary: map[string]int{}, shortest: 2, low: 1, high: 1}
	if e.name == "HashingVectorizer" {
		e.fail("is not supported: its columns are too many for dense rows")
		return nil, e.err
	}
	e.option("input", "content")
	e.only("strip_accents")
	e.only("preprocessor")
	e.only("tokenizer")
	v.lower = e.flag("lowercase", true)
	v.binary = e.flag("binary", false)
	v.analyzer = e.option("analyzer", "word", "char", "char_wb")
	if v.analyzer == "word" {
		switch pattern, _ := e.get("token_pattern"); pattern {
		case `(?u)\b\w\w+\b`, `\b\w\w+\b`, `\w\w+`, `(?u)\w\w+`:
		case `(?u)\b\w+\b`, `\b\w+\b`, `\w+`, `(?u)\w+`:
			v.shortest = 1
		default:
			e.fail("option token_pattern=%s is not supported", describe(pattern))
		}
	}
	if pair, err := e.values(first(e.get("ngram_range"))); err == nil && len(pair) == 2 {
		a, ok1 := pyobj.Int(pair[0])
		z, ok2 := pyobj.Int(pair[1])
		if !ok1 || !ok2 || a < 1 || z < a || z > 100 {
			e.fail("option ngram_range is not understood")
		}
		v.low, v.high = a, z
	}
	v.readStopWords(e)
	v.readVocabulary(e)
	if e.name == "TfidfVectorizer" {
		t := e.object("_tfidf")
		if t == nil {
			return nil, e.err
		}
		v.idf = readIdf(t, v.width)
		if e.err == nil {
			e.err = t.err
		}
	}
	return v, e.err
}

func first(v pyobj.Value, _ bool) pyobj.Value { return v }

func (v *vectorizer) readStopWords(e *estimator) {
	words, _ := e.get("stop_words")
	if v.analyzer != "word" || words == nil {
		return
	}
	v.stop = map[string]bool{}
	if words == "english" {
		for w := range strings.FieldsSeq(englishStopWords) {
			v.stop[w] = true
		}
		return
	}
	items, err := e.values(words)
	if s, ok := words.(*pyobj.Set); ok {
		items, err = s.Items, nil
	}
	if err != nil {
		e.fail("option stop_words=%s is not supported", describe(words))
		return
	}
	for _, item := range items {
		s, ok := pyobj.Scalar(item).(string)
		if !ok {
			e.fail("option stop_words holds %s", pyobj.TypeName(item))
			return
		}
		v.stop[s] = true
	}
}

func (v *vectorizer) readVocabulary(e *estimator) {
	words, _ := e.get("vocabulary_")
	d, ok := words.(*pyobj.Dict)
	if !ok || len(d.Entries) == 0 {
		e.missing("vocabulary_")
		return
	}
	v.width = len(d.Entries)
	seen, longest := make([]bool, v.width), 0
	for _, entry := range d.Entries {
		word, ok1 := pyobj.Scalar(entry.Key).(string)
		at, ok2 := pyobj.Int(entry.Value)
		if !ok1 || !ok2 || at < 0 || at >= v.width || seen[at] {
			e.fail("attribute vocabulary_ is not understood")
			return
		}
		v.vocabulary[word], seen[at] = at, true
		longest = max(longest, utf8.RuneCountInString(word))
	}
	v.high = min(v.high, longest)
}

func readIdf(e *estimator, width int) *idf {
	t := &idf{sublinear: e.flag("sublinear_tf", false)}
	if e.has("norm") {
		t.norm = e.option("norm", "l2", "l1")
	}
	if !e.flag("use_idf", true) {
		return t
	}
	if e.has("idf_") {
		t.weights = e.vector("idf_", width)
		return t
	}
	t.weights = readDiagonal(e, "_idf_diag", width)
	return t
}

// readDiagonal reads a diagonal matrix of scipy, as releases before 1.5 keep the weights.
func readDiagonal(e *estimator, attr string, width int) []float64 {
	v, _ := e.get(attr)
	o, ok := v.(*pyobj.Object)
	if !ok {
		e.missing("idf_")
		return nil
	}
	m := &estimator{name: e.name, obj: o, budget: e.budget}
	data, _ := m.array("data")
	// Compressed rows have places as well; in a full diagonal they are all in order.
	if m.has("indices") {
		for i, at := range m.whole("indices", width) {
			if i != at {
				e.fail("attribute %s is not diagonal", attr)
			}
		}
	}
	if m.err != nil || len(data) != width {
		e.fail("attribute %s is not understood", attr)
	}
	return data
}

// loadTfidf reads a TfidfTransformer that stands alone, behind a CountVectorizer.
func loadTfidf(_ *loader, e *estimator, _ int) (transformer, error) {
	in := readFeatures(e, -2, false)
	if in.width < 0 {
		f, _ := e.array("idf_")
		in.width = len(f)
	}
	if e.err != nil {
		return nil, e.err
	}
	t := readIdf(e, in.width)
	return transformFunc(func(b *builder, regs []int) ([]int, error) {
		first, err := in.of(b, regs)
		if err != nil {
			return nil, err
		}
		out := b.add(in.width)
		b.do(func(r *registers) error {
			if len(out) == 0 {
				return nil
			}
			x := r.num[out[0] : out[0]+len(out)]
			copy(x, r.num[first:first+in.width])
			t.weigh(x)
			return nil
		})
		return out, nil
	}), e.err
}

// weigh turns the counts of a document into weights.
func (t *idf) weigh(x []float64) {
	for i, v := range x {
		if v == 0 {
			continue
		}
		if t.sublinear {
			v = ln(v) + 1
		}
		if t.weights != nil {
			v *= t.weights[i]
		}
		x[i] = v
	}
	if t.norm == "" {
		return
	}
	if norm := rowNorm(x, t.norm); norm != 0 {
		for i := range x {
			x[i] /= norm
		}
	}
}

func (v *vectorizer) compile(b *builder, in []int) ([]int, error) {
	if !b.vector || len(in) != 1 {
		return nil, valueError("%s takes documents: a list of text, or one column of a ColumnTransformer given by its bare name. A table would be read as its column names.", v.name)
	}
	doc := in[0]
	out := b.add(v.width)
	b.do(func(r *registers) error {
		if r.isText == nil || !r.isText[doc] {
			if r.num[doc] != r.num[doc] {
				return valueError("np.nan is an invalid document, expected byte or unicode string.")
			}
			return &InputError{Kind: "AttributeError", Message: "a document is a number, want text"}
		}
		x := r.num[out[0] : out[0]+v.width]
		clear(x)
		v.count(r.text[doc], x)
		if v.binary {
			for i := range x {
				x[i] = math.Min(x[i], 1)
			}
		}
		if v.idf != nil {
			v.idf.weigh(x)
		}
		return nil
	})
	return out, nil
}

// count adds the tokens of a document up.
func (v *vectorizer) count(doc string, x []float64) {
	if v.lower {
		doc = pyLower(doc)
	}
	add := func(token string) {
		if at, ok := v.vocabulary[token]; ok {
			x[at]++
		}
	}
	switch v.analyzer {
	case "char":
		grams([]rune(squeezeSpace(doc)), v.low, v.high, add)
	case "char_wb":
		for _, word := range pyFields(doc) {
			wordGrams([]rune(" "+word+" "), v.low, v.high, add)
		}
	default:
		words := v.words(doc)
		for n := v.low; n <= min(v.high, len(words)); n++ {
			for i := 0; i+n <= len(words); i++ {
				if n == 1 {
					add(words[i])
				} else {
					add(strings.Join(words[i:i+n], " "))
				}
			}
		}
	}
}

// words are the runs of letters, digits and underscores that are long enough and no stop words.
func (v *vectorizer) words(doc string) []string {
	var out []string
	for _, w := range strings.FieldsFunc(doc, func(r rune) bool { return r != '_' && !unicode.IsLetter(r) && !unicode.IsNumber(r) }) {
		if utf8.RuneCountInString(w) < v.shortest {
			continue
		}
		if !v.stop[w] {
			out = append(out, w)
		}
	}
	return out
}

// grams gives all runs of low to high letters.
func grams(text []rune, low, high int, add func(string)) {
	for n := low; n <= min(high, len(text)); n++ {
		for i := 0; i+n <= len(text); i++ {
			add(string(text[i : i+n]))
		}
	}
}

// wordGrams gives the runs of letters of one padded word; a word that is too short counts once.
func wordGrams(word []rune, low, high int, add func(string)) {
	for n := low; n <= high; n++ {
		add(string(word[:min(n, len(word))]))
		i := 0
		for ; i+n < len(word); i++ {
			add(string(word[i+1 : i+1+n]))
		}
		if i == 0 {
			return
		}
	}
}

// isPySpace is what Python's str.split and \s take for white space.
func isPySpace(r rune) bool {
	return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f
}

func pyFields(s string) []string { return strings.FieldsFunc(s, isPySpace) }

// squeezeSpace makes one blank of two or more white spaces.
func squeezeSpace(s string) string {
	var b strings.Builder
	run := []rune(nil)
	flush := func() {
		if len(run) == 1 {
			b.WriteRune(run[0])
		} else if len(run) > 1 {
			b.WriteByte(' ')
		}
		run = run[:0]
	}
	for _, r := range s {
		if isPySpace(r) {
			run = append(run, r)
			continue
		}
		flush()
		b.WriteRune(r)
	}
	flush()
	return b.String()
}

// pyLower is str.lower: beside Go's, a dotted capital I is two letters, and a sigma at a word's end is the
// final one.
func pyLower(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return strings.ToLower(s)
	}
	letters := []rune(s)
	var b strings.Builder
	for i, r := range letters {
		switch r {
		case 'İ':
			b.WriteString("i̇")
		case 'Σ':
			if casedBefore(letters[:i]) && !casedAfter(letters[i+1:]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

func cased(r rune) bool {
	return unicode.IsUpper(r) || unicode.IsLower(r) || unicode.IsTitle(r)
}

func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune("'.:·’", r)
}

func casedBefore(letters []rune) bool {
	for _, r := range slices.Backward(letters) {
		if !caseIgnorable(r) {
			return cased(r)
		}
	}
	return false
}

func casedAfter(letters []rune) bool {
	for _, r := range letters {
		if !caseIgnorable(r) {
			return cased(r)
		}
	}
	return false
}
