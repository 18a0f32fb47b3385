package ui

import (
	"context"
	"slices"
)

// schemaDiff is what two versions of a model take and give, side by side.
type schemaDiff struct {
	from, to string
	versions []string
	problem  string
	parts    []schemaPart
	changes  int
}

// schemaPart is the inputs, the outputs or the params.
type schemaPart struct {
	title string
	rows  []schemaRow
}

// schemaRow is one column. before or after is empty where it is not there.
type schemaRow struct{ name, before, after, word string }

// schemaDiff compares two versions; without a choice the newest with the one before it.
func (u *UI) schemaDiff(ctx context.Context, name string, versions []string, from, to string) *schemaDiff {
	d := &schemaDiff{from: from, to: to, versions: versions}
	if to == "" {
		d.to = versions[0]
	}
	if from == "" {
		d.from = versions[min(slices.Index(versions, d.to)+1, len(versions)-1)]
	}
	var schemas [2]Model
	for i, number := range []string{d.from, d.to} {
		about, err := u.cfg.Scoring.Describe(ctx, name, number)
		if err != nil {
			d.problem = u.problemOf(err)
			return d
		}
		schemas[i] = about
	}
	for _, part := range []struct {
		title         string
		before, after []Field
	}{
		{"Inputs", schemas[0].Inputs, schemas[1].Inputs}, {"Outputs", schemas[0].Outputs, schemas[1].Outputs}, {"Params", schemas[0].Params, schemas[1].Params},
	} {
		rows := diffFields(part.before, part.after)
		for _, r := range rows {
			if r.word != "" {
				d.changes++
			}
		}
		if len(rows) > 0 {
			d.parts = append(d.parts, schemaPart{part.title, rows})
		}
	}
	return d
}

// diffFields pairs fields by name, and those without a name by position, in the order of the newer list; what is gone comes last.
func diffFields(before, after []Field) (rows []schemaRow) {
	old := fieldTexts(before)
	for _, f := range fieldTexts(after) {
		row := schemaRow{name: f.name, after: f.text, word: "added"}
		if i := slices.IndexFunc(old, func(o fieldText) bool { return o.name == f.name }); i >= 0 {
			row.before, row.word = old[i].text, ""
			if row.before != row.after {
				row.word = "changed"
			}
			old = slices.Delete(old, i, i+1)
		}
		rows = append(rows, row)
	}
	for _, o := range old {
		rows = append(rows, schemaRow{name: o.name, before: o.text, word: "removed"})
	}
	return rows
}

// fieldText is a field in words.
type fieldText struct{ name, text string }

func fieldTexts(fields []Field) []fieldText {
	out := make([]fieldText, len(fields))
	for i, f := range fields {
		out[i] = fieldText{f.Name, typeText(f)}
		if f.Name == "" {
			out[i].name = "column " + itoa(i)
		}
		if f.Optional && f.Default == nil {
			out[i].text += ", optional"
		}
		if f.Default != nil {
			out[i].text += " = " + shorten(string(f.Default), 60)
		}
	}
	return out
}
