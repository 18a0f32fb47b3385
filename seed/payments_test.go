package seed

import (
	"bytes"
	"math"
	"strings"
	"testing"
)

func TestMadePaymentsHaveBankSimsShape(t *testing.T) {
	payments := MadePayments()
	if len(payments) != madeRows {
		t.Fatalf("%d payments, want %d", len(payments), madeRows)
	}
	type sums struct{ rows, frauds, honest, stolen float64 }
	kinds := map[string]*sums{}
	customers := map[string][2]string{}
	women, frauds := 0.0, 0.0
	for _, p := range payments {
		k := kinds[p.Category]
		if k == nil {
			k = &sums{}
			kinds[p.Category] = k
		}
		k.rows++
		if p.Fraud {
			k.frauds++
			k.stolen += p.Amount
			frauds++
		} else {
			k.honest += p.Amount
		}
		if p.Gender == "F" {
			women++
		}
		who := [2]string{p.Age, p.Gender}
		if before, ok := customers[p.Customer]; ok && before != who {
			t.Fatalf("customer %s is %v and %v", p.Customer, before, who)
		}
		customers[p.Customer] = who
		if p.Step < 0 || p.Step > 179 || p.Merchant == "" || !(p.Amount > 0) {
			t.Fatalf("odd payment %+v", p)
		}
	}
	n := float64(len(payments))
	if share := frauds / n; share < 0.010 || share > 0.015 {
		t.Errorf("%.2f %% are fraud, BankSim has 1.2", 100*share)
	}
	if share := women / n; share < 0.5 || share > 0.6 {
		t.Errorf("%.0f %% are by women, BankSim has 55", 100*share)
	}
	for _, c := range madeCategories() {
		k := kinds[c.name]
		if k == nil {
			t.Errorf("no payment for %s", c.name)
			continue
		}
		// Four standard errors of a share and of an Erlang mean.
		share := c.payments / 594643
		if got := k.rows / n; math.Abs(got-share) > 4*math.Sqrt(share/n) {
			t.Errorf("%s has a share of %.4f, BankSim %.4f", c.name, got, share)
		}
		if got := k.frauds / k.rows; math.Abs(got-c.fraud) > 4*math.Sqrt(c.fraud*(1-c.fraud)/k.rows) {
			t.Errorf("%s: %.3f are fraud, want about %.3f", c.name, got, c.fraud)
		}
		if honest := k.rows - k.frauds; honest > 0 {
			if got := k.honest / honest; math.Abs(got-c.honest) > 4*c.honest/math.Sqrt(2*honest) {
				t.Errorf("%s: honest payments are of %.0f, want about %.0f", c.name, got, c.honest)
			}
		}
		if k.frauds > 0 {
			if got := k.stolen / k.frauds; math.Abs(got-c.stole) > 4*c.stole/math.Sqrt(2*k.frauds) {
				t.Errorf("%s: frauds are of %.0f, want about %.0f", c.name, got, c.stole)
			}
		}
	}
}

func TestReadBankSimReadsWhatIsWritten(t *testing.T) {
	want := MadePayments()[:500]
	want[3].Amount = math.NaN()
	var text bytes.Buffer
	if err := WriteBankSim(&text, want); err != nil {
		t.Fatal(err)
	}
	got, err := ReadBankSim(&text)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != len(want) {
		t.Fatalf("%d payments, want %d", len(got), len(want))
	}
	for i := range got {
		if math.IsNaN(want[i].Amount) && math.IsNaN(got[i].Amount) {
			got[i].Amount, want[i].Amount = 0, 0
		}
		if got[i] != want[i] {
			t.Fatalf("payment %d: %+v, want %+v", i, got[i], want[i])
		}
	}
}

func TestReadBankSim(t *testing.T) {
	const header = "age,gender,category,amount,fraud\n"
	for _, c := range []struct{ name, text, want string }{
		{"single quotes, other columns, another order", "'fraud','x',\"amount\",age,category,gender\n'1',a,' 4.5',\"'3'\",'es_food','F'\n", ""},
		{"Windows lines, byte order mark, no last newline", "\ufeffage,gender,category,amount,fraud\r\n'1','F','es_food',2.50,0\r\n\r\n'1','M','es_food',,1", ""},
		{"empty", "", "payments: the file is empty; its first line must name the columns"},
		{"missing column", "age,gender,amount,fraud\n", `payments: line 1: no column "category"; needed are age, gender, category, amount and fraud, separated by commas`},
		{"column twice", "age,age,gender,category,amount,fraud\n", `payments: line 1: column "age" is named twice`},
		{"only a header", header, "payments: the file has a header but no payments"},
		{"short row", header + "1,F,es_food,1,0\n1,F,es_food,1\n", "payments: line 3: 4 values, but the header names 5 columns"},
		{"bad amount", header + "1,F,es_food,one,0\n", `payments: line 2: column amount: "one" is not a finite number`},
		{"endless amount", header + "1,F,es_food,1e999,0\n", `payments: line 2: column amount: "1e999" is not a finite number`},
		{"not a number that is a number", header + "1,F,es_food,1,2\n", `payments: line 2: column fraud: "2" is neither 0 nor 1`},
		{"bad step", "step," + header + "x,1,F,es_food,1,0\n", `payments: line 2: column step: "x" is not an integer`},
		{"endless line", header + strings.Repeat("x", 2<<20), "payments: line 2: bufio.Scanner: token too long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadBankSim(strings.NewReader(c.text))
			if got := errText(err); got != c.want {
				t.Errorf("error %q, want %q", got, c.want)
			}
		})
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFraudRefusesTablesThatTeachNothing(t *testing.T) {
	table := func(n int, change func(i int, p *Payment)) []Payment {
		payments := make([]Payment, n)
		for i := range payments {
			payments[i] = Payment{Age: "1", Gender: "F", Category: "es_food", Amount: float64(i), Fraud: i%2 == 0}
			change(i, &payments[i])
		}
		return payments
	}
	for _, c := range []struct {
		name, want string
		payments   []Payment
	}{
		{"no rows", "0 payments; at least 8 are needed", nil},
		{"no frauds", "column fraud is the same in all 30 payments", table(40, func(_ int, p *Payment) { p.Fraud = false })},
		{"no amounts", "column amount is empty in all 30 payments", table(40, func(_ int, p *Payment) { p.Amount = math.NaN() })},
		{"ages like names", "column age has 600 different values, at most 300 can be used", table(800, func(i int, p *Payment) { p.Age = strings.Repeat("x", i) })},
		{"equal amounts are fine", "", table(40, func(_ int, p *Payment) { p.Amount = 3 })},
		{"huge amounts are fine", "", table(40, func(i int, p *Payment) { p.Amount *= 1e150 })},
		{"amounts beyond squaring", "too large", table(40, func(i int, p *Payment) { p.Amount *= 1e200 })},
		{"perfectly separable is fine", "", table(40, func(i int, p *Payment) { p.Fraud = i > 20 })},
	} {
		t.Run(c.name, func(t *testing.T) {
			trained, err := Fraud(c.payments, "a test")
			if got := errText(err); !strings.Contains(got, c.want) || (c.want == "") != (err == nil) {
				t.Fatalf("error %q, want %q", got, c.want)
			}
			if err == nil {
				for name, v := range trained.Metrics {
					if math.IsNaN(v) || math.IsInf(v, 0) {
						t.Errorf("%s is %v", name, v)
					}
				}
			}
		})
	}
}

func FuzzReadBankSim(f *testing.F) {
	f.Add([]byte("step,age,gender,category,amount,fraud\n0,'1','F','es_food',2.50,0\n"))
	f.Add([]byte("'fraud',amount,age,category,gender\n1,,x,y,z\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		payments, err := ReadBankSim(bytes.NewReader(text))
		if (err == nil) != (len(payments) > 0) {
			t.Fatalf("%d payments and error %v", len(payments), err)
		}
		if err != nil || len(payments) > 200 {
			return
		}
		if _, err := Fraud(payments, "fuzzing"); err != nil && !strings.Contains(err.Error(), "fraud model: ") {
			t.Errorf("odd error %v", err)
		}
	})
}

func BenchmarkWine(b *testing.B) {
	for b.Loop() {
		if _, err := Wine(Wines()[0]); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFraud(b *testing.B) {
	for b.Loop() {
		if _, err := Fraud(MadePayments(), "synthetic payments"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMadePayments(b *testing.B) {
	for b.Loop() {
		MadePayments()
	}
}
