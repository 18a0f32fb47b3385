package statsmodels

import (
	"math"
	"slices"

	"github.com/prinzbox/prinzbox/serving/pyobj"
	"github.com/prinzbox/prinzbox/serving/trees"
)

// link is the inverse of a link function.
type link struct {
	inverse func(float64) float64 // nil for the identity
	// generic tells that Python's arithmetic does, so that columns of several types can be predicted.
	generic bool
}

func straight(*pyobj.Object) (link, error) { return link{generic: true}, nil }

func fixed(inverse func(float64) float64) func(*pyobj.Object) (link, error) {
	return func(*pyobj.Object) (link, error) { return link{inverse: inverse}, nil }
}

func exponent(z float64) float64 { return math.Exp(z) }
func logit(z float64) float64    { return 1 / (1 + math.Exp(-z)) }
func probit(z float64) float64   { return math.Erfc(-z/math.Sqrt2) / 2 }

// inverses are the links without a setting, by the names of their classes; the lower case ones stand in older
// files.
var inverses = map[string]func(float64) float64{
	"Log": exponent, "log": exponent,
	"Logit": logit, "logit": logit,
	"Probit": probit, "probit": probit,
	"CLogLog": cloglog, "cloglog": cloglog,
	"LogLog": loglog, "loglog": loglog,
	"Cauchy": cauchy, "cauchy": cauchy,
	"LogC": logc, "logc": logc,
}

func cloglog(z float64) float64 { return 1 - math.Exp(-math.Exp(z)) }
func loglog(z float64) float64  { return math.Exp(-math.Exp(-z)) }
func cauchy(z float64) float64  { return 0.5 + math.Atan(z)/math.Pi }
func logc(z float64) float64    { return 1 - math.Exp(z) }

// powers are the links that are powers.
var powers = []string{
	"Power", "Identity", "identity", "InversePower", "inverse_power", "Sqrt", "sqrt", "InverseSquared", "inverse_squared",
}

// familyLink is the link of a generalized linear model's family.
func familyLink(model *pyobj.Object) (link, error) {
	v, _ := model.Attr("family")
	family, ok := v.(*pyobj.Object)
	if !ok {
		return link{}, trees.Unsupportedf("a family of type %s is not supported", pyobj.TypeName(v))
	}
	// Before statsmodels 0.14 a property hid it.
	v, ok = family.Attr("_link")
	if !ok {
		v, _ = family.Attr("link")
	}
	o, ok := v.(*pyobj.Object)
	if !ok || o.Class.Module != "statsmodels.genmod.families.links" {
		return link{}, trees.Unsupportedf("the link %s is not supported", pyobj.TypeName(v))
	}
	if inverse, ok := inverses[o.Class.Name]; ok {
		return link{inverse: inverse}, nil
	}
	if slices.Contains(powers, o.Class.Name) {
		return power(o)
	}
	return link{}, trees.Unsupportedf("the link %s is not supported", o.Class.Name)
}

func power(o *pyobj.Object) (link, error) {
	v, _ := o.Attr("power")
	p, ok := pyobj.Scalar(v).(float64)
	if n, isInt := pyobj.Int(v); isInt {
		p, ok = float64(n), true
	}
	switch {
	case !ok || p == 0:
		return link{}, trees.Unsupportedf("the power %s of the link %s is not supported", pyobj.TypeName(v), o.Class.Name)
	case p == 1:
		return link{generic: true}, nil
	}
	return link{inverse: func(z float64) float64 { return math.Pow(z, 1/p) }, generic: true}, nil
}
