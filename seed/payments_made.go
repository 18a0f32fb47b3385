package seed

import (
	"fmt"
	"math"
)

// BankSim (E. Lopez-Rojas, S. Axelsson, 2014) may not be shipped, so the fraud model is trained on payments made here
// in its shape: the same columns, ages, genders and categories, and roughly its published shares, fraud rates and mean
// amounts. No row of BankSim is copied.
//
// Each of 400 customers has one age and gender for good. A payment draws its customer, its category by share, whether
// it is fraud by the category's rate, and its amount from an Erlang distribution of order 2 around the category's mean.
//
// One thing is not BankSim's: there no payment for transportation is fraud, here 3 in 1,000 are, around 900 each. A
// sample of Prinz expects a transportation payment of 800.00 to be called fraud, and a model can only learn what it is shown.

// madeRows is enough for stable weights and few enough to train in some ten milliseconds.
const madeRows = 16_000

// madeSeed starts the generator. Any other value gives another table of the same kind.
const madeSeed = 0x5052494e5a

type madeCategory struct {
	name          string
	payments      float64 // in BankSim; only the proportions count
	fraud         float64 // share
	honest, stole float64 // mean amounts
	merchants     int     // how many merchants sell it
}

// madeCategories has BankSim's figures, but for the fraud of es_transportation.
func madeCategories() []madeCategory {
	return []madeCategory{
		{"es_transportation", 505119, 0.003, 27, 900, 2},
		{"es_food", 26254, 0, 37, 0, 2},
		{"es_health", 16133, 0.105, 104, 407, 4},
		{"es_wellnessandbeauty", 15086, 0.048, 57, 229, 4},
		{"es_fashion", 6454, 0.018, 62, 247, 3},
		{"es_barsandrestaurants", 6373, 0.019, 41, 164, 2},
		{"es_hyper", 6098, 0.046, 40, 169, 2},
		{"es_sportsandtoys", 4002, 0.50, 88, 345, 4},
		{"es_tech", 2370, 0.067, 100, 416, 3},
		{"es_home", 1986, 0.15, 113, 457, 3},
		{"es_hotelservices", 1744, 0.31, 107, 422, 3},
		{"es_otherservices", 912, 0.25, 76, 316, 2},
		{"es_contents", 885, 0, 45, 0, 1},
		{"es_travel", 728, 0.79, 670, 2660, 2},
		{"es_leisure", 499, 0.95, 73, 300, 2},
	}
}

// MadePayments returns the synthetic table: always the same rows.
func MadePayments() []Payment { return madePayments(madeSeed) }

// madePayments is a table of the same kind, of another start of the generator.
func madePayments(seed uint64) []Payment {
	const customers = 400
	random := &splitMix{state: seed}

	ages := []string{"2", "3", "1", "4", "5", "6", "0", "U"}
	ageShares := cumulate(.315, .247, .16, .14, .09, .04, .006, .002)
	genders := []string{"F", "M", "E", "U"}
	genderShares := cumulate(.55, .446, .003, .001)
	type customer struct{ id, age, gender string }
	people := make([]customer, customers)
	for i := range people {
		p := customer{
			id:     fmt.Sprintf("C%09d", 1_000_000+random.below(999_000_000-1_000_000)),
			age:    ages[random.pick(ageShares)],
			gender: genders[random.pick(genderShares)],
		}
		// The rare kinds must be there however the draw falls: an enterprise, an unknown, both without a known age.
		switch i {
		case 0:
			p.age, p.gender = "U", "E"
		case 1:
			p.age, p.gender = "U", "U"
		case 2:
			p.age = "0"
		}
		people[i] = p
	}

	categories := madeCategories()
	shares := make([]float64, len(categories))
	merchants := make([][]string, len(categories))
	for i, c := range categories {
		shares[i] = c.payments
		for range c.merchants {
			merchants[i] = append(merchants[i], fmt.Sprintf("M%09d", 1_000_000+random.below(999_000_000)))
		}
	}
	shares = cumulate(shares...)

	payments := make([]Payment, madeRows)
	for i := range payments {
		who := people[random.below(customers)]
		kind := random.pick(shares)
		c := categories[kind]
		p := Payment{
			Step: i * 180 / madeRows, Customer: who.id, Age: who.age, Gender: who.gender,
			ZipcodeOri: "28007", Merchant: merchants[kind][random.below(c.merchants)], ZipMerchant: "28007",
			Category: c.name, Fraud: random.float() < c.fraud,
		}
		around := c.honest
		if p.Fraud {
			around = c.stole
		}
		u := (1 - random.float()) * (1 - random.float()) // in (0, 1]: its logarithm is finite
		p.Amount = math.Max(0.01, math.Round(-log(u)/2*around*100)/100)
		payments[i] = p
	}
	return payments
}

// cumulate returns the running sums of the weights, scaled to end at 1.
func cumulate(weights ...float64) []float64 {
	sums := make([]float64, len(weights))
	total := 0.0
	for i, w := range weights {
		total += w
		sums[i] = total
	}
	for i := range sums {
		sums[i] /= total
	}
	return sums
}
