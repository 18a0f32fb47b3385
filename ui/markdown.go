package ui

import (
	"bytes"
	"strings"

	"github.com/a-h/templ"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/parser"
	mdtext "github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// maxMarkdown bounds what is laid out; the rest of a longer text is shown as it is.
const maxMarkdown = 64 << 10

// markdown lays out notes: GitHub's Markdown without HTML. It is made once for each GUI and may be used by many requests.
type markdown struct{ engine goldmark.Markdown }

func newMarkdown() markdown {
	return markdown{goldmark.New(
		goldmark.WithExtensions(
			extension.NewTable(extension.WithTableCellAlignMethod(extension.TableCellAlignAttribute)), // a style attribute is against the pages' policy
			extension.Strikethrough, extension.Linkify, extension.TaskList,
		),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(tame{}, 900))),
	)}
}

// html lays a note out. HTML in it is left out, and only links that a browser may safely follow stay links; the rest is text. A text that
// cannot be laid out is shown as it is. top is the level of its highest heading.
func (m markdown) html(note string, top int) templ.Component {
	if len(note) > maxMarkdown {
		return plainText(note)
	}
	var b bytes.Buffer
	context := parser.NewContext()
	context.Set(topHeading, top)
	if err := m.engine.Convert([]byte(note), &b, parser.WithContext(context)); err != nil {
		return plainText(note)
	}
	return templ.Raw(b.String())
}

// tame makes a document fit a page: no pictures from elsewhere, headings below the page's own, links that give nothing away.
type tame struct{}

// topHeading is where the parser's context has the level of a note's highest heading.
var topHeading = parser.NewContextKey()

// Transform implements parser.ASTTransformer.
func (tame) Transform(doc *ast.Document, reader mdtext.Reader, context parser.Context) {
	top, _ := context.Get(topHeading).(int)
	var images []*ast.Image
	var links []*ast.Link
	var boxes []*extast.TaskCheckBox
	var raws []ast.Node
	highest, last := 7, top-1
	walk := func(fn func(ast.Node)) {
		_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) { // fn has no errors
			if entering {
				fn(n)
			}
			return ast.WalkContinue, nil
		})
	}
	walk(func(n ast.Node) {
		switch n := n.(type) {
		case *ast.Image:
			images = append(images, n)
		case *ast.RawHTML, *ast.HTMLBlock:
			raws = append(raws, n)
		case *extast.TaskCheckBox:
			boxes = append(boxes, n)
		case *ast.Heading:
			highest = min(highest, n.Level)
		case *ast.Link:
			links = append(links, n)
		case *ast.AutoLink:
			n.SetAttributeString("rel", []byte(foreign))
			if n.AutoLinkType == ast.AutoLinkURL && !safeLink(string(n.URL(reader.Source()))) {
				raws = append(raws, n)
			}
		}
	})
	walk(func(n ast.Node) {
		if h, ok := n.(*ast.Heading); ok {
			h.Level = min(h.Level-highest+top, last+1, 6)
			last = h.Level
		}
	})
	for _, raw := range raws { // shown as what was written
		raw.Parent().ReplaceChild(raw.Parent(), raw, asWritten(raw, reader.Source()))
	}
	for _, box := range boxes { // a character, since a field without a label says nothing to a screen reader
		mark := "☐ "
		if box.IsChecked {
			mark = "☑ "
		}
		box.Parent().ReplaceChild(box.Parent(), box, ast.NewString([]byte(mark)))
	}
	for _, image := range images {
		link := ast.NewLink()
		link.Destination = image.Destination
		moveChildren(image, func(c ast.Node) { link.AppendChild(link, c) })
		if link.FirstChild() == nil {
			link.AppendChild(link, ast.NewString([]byte("picture")))
		}
		image.Parent().ReplaceChild(image.Parent(), image, link)
		links = append(links, link)
	}
	for _, link := range links {
		link.SetAttributeString("rel", []byte(foreign))
		if parent := link.Parent(); !safeLink(string(link.Destination)) {
			moveChildren(link, func(c ast.Node) { parent.InsertBefore(parent, link, c) })
			parent.RemoveChild(parent, link)
		}
	}
}

// foreign is the rel of links that a user has written.
const foreign = "nofollow noopener noreferrer"

func moveChildren(from ast.Node, put func(ast.Node)) {
	for c := from.FirstChild(); c != nil; {
		next := c.NextSibling()
		put(c)
		c = next
	}
}

// asWritten is HTML, or an address that nobody may follow, as text.
func asWritten(n ast.Node, source []byte) ast.Node {
	var b bytes.Buffer
	switch n := n.(type) {
	case *ast.AutoLink:
		return ast.NewString(n.Label(source))
	case *ast.RawHTML:
		for i := range n.Segments.Len() {
			segment := n.Segments.At(i)
			b.Write(segment.Value(source))
		}
		return ast.NewString(b.Bytes())
	case *ast.HTMLBlock:
		for i := range n.Lines().Len() {
			segment := n.Lines().At(i)
			b.Write(segment.Value(source))
		}
		if n.HasClosure() {
			b.Write(n.ClosureLine.Value(source))
		}
	}
	p := ast.NewParagraph()
	p.AppendChild(p, ast.NewString(b.Bytes()))
	return p
}

// safeLink allows what leads to a page or a mailbox, and addresses of this server.
func safeLink(to string) bool {
	to = strings.ToLower(strings.TrimSpace(to))
	before, _, hasColon := strings.Cut(to, ":")
	if !hasColon || strings.HasPrefix(to, "/") || strings.HasPrefix(to, "#") || strings.HasPrefix(to, "?") || strings.HasPrefix(to, ".") {
		return true
	}
	return before == "http" || before == "https" || before == "mailto"
}
