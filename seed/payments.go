package seed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Payment is one row of a payments table in BankSim's shape.
type Payment struct {
	Step                  int // the day of the simulation
	Customer              string
	Age                   string // "0" to "6", or "U" for unknown
	Gender                string // E, F, M or U
	ZipcodeOri            string
	Merchant, ZipMerchant string
	Category              string  // es_transportation, es_food, …
	Amount                float64 // NaN when the table has none
	Fraud                 bool
}

// paymentColumns is the header of BankSim's file.
var paymentColumns = [...]string{
	"step", "customer", "age", "gender", "zipcodeOri", "merchant", "zipMerchant", "category", "amount", "fraud",
}

// WriteBankSim writes the payments as BankSim's own file is written: a header, commas, text in single quotes.
func WriteBankSim(w io.Writer, payments []Payment) error {
	out := bufio.NewWriter(w) // keeps the first error for Flush
	_, _ = fmt.Fprintln(out, strings.Join(paymentColumns[:], ","))
	for i := range payments {
		p := &payments[i]
		amount, fraud := "", 0
		if !math.IsNaN(p.Amount) {
			amount = strconv.FormatFloat(p.Amount, 'f', -1, 64)
		}
		if p.Fraud {
			fraud = 1
		}
		_, _ = fmt.Fprintf(out, "%d,'%s','%s','%s','%s','%s','%s','%s',%s,%d\n", p.Step, p.Customer, p.Age, p.Gender,
			p.ZipcodeOri, p.Merchant, p.ZipMerchant, p.Category, amount, fraud)
	}
	return out.Flush()
}

// ReadBankSim reads a payments table such as BankSim's file bs140513_032310.csv: a header that names the columns in
// any order, values with or without single or double quotes. The columns age, gender, category, amount and fraud (0 or
// 1) must be there, the others are read when present; an empty amount is a missing one. Errors name line and column.
func ReadBankSim(r io.Reader) ([]Payment, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 64<<10), 1<<20)
	if !lines.Scan() {
		if err := lines.Err(); err != nil {
			return nil, fmt.Errorf("payments: line 1: %w", err)
		}
		return nil, errors.New("payments: the file is empty; its first line must name the columns")
	}
	names := fields(nil, bytes.TrimPrefix(lines.Bytes(), []byte("\ufeff")))
	place := map[string]int{}
	for i, name := range names {
		if _, twice := place[string(name)]; twice {
			return nil, fmt.Errorf("payments: line 1: column %q is named twice", name)
		}
		place[string(name)] = i
	}
	var at [len(paymentColumns)]int // where each of our columns stands, or -1
	for i, name := range paymentColumns {
		p, ok := place[name]
		if !ok {
			switch p = -1; name {
			case "age", "gender", "category", "amount", "fraud":
				return nil, fmt.Errorf("payments: line 1: no column %q; needed are age, gender, category, amount and fraud, separated by commas", name)
			}
		}
		at[i] = p
	}

	var payments []Payment
	texts := map[string]string{} // the same few strings come again and again
	width := len(names)
	values := make([][]byte, 0, width)
	for number := 2; lines.Scan(); number++ {
		line := bytes.TrimSuffix(lines.Bytes(), []byte("\r"))
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		values = fields(values[:0], line)
		if len(values) != width {
			return nil, fmt.Errorf("payments: line %d: %d values, but the header names %d columns", number, len(values), width)
		}
		text := func(column int) string {
			if at[column] < 0 {
				return ""
			}
			v := values[at[column]]
			s, ok := texts[string(v)]
			if !ok {
				s = string(v)
				texts[s] = s
			}
			return s
		}
		p := Payment{
			Customer: text(1), Age: text(2), Gender: text(3), ZipcodeOri: text(4),
			Merchant: text(5), ZipMerchant: text(6), Category: text(7), Amount: math.NaN(),
		}
		if at[0] >= 0 {
			step, err := strconv.Atoi(string(values[at[0]]))
			if err != nil {
				return nil, fmt.Errorf("payments: line %d: column step: %q is not an integer", number, values[at[0]])
			}
			p.Step = step
		}
		if v := values[at[8]]; len(v) > 0 {
			amount, err := strconv.ParseFloat(string(v), 64)
			if err != nil || math.IsInf(amount, 0) {
				return nil, fmt.Errorf("payments: line %d: column amount: %q is not a finite number", number, v)
			}
			p.Amount = amount
		}
		switch v := string(values[at[9]]); v {
		case "0":
		case "1":
			p.Fraud = true
		default:
			return nil, fmt.Errorf("payments: line %d: column fraud: %q is neither 0 nor 1", number, v)
		}
		payments = append(payments, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("payments: line %d: %w", len(payments)+2, err)
	}
	if len(payments) == 0 {
		return nil, errors.New("payments: the file has a header but no payments")
	}
	return payments, nil
}

// fields splits a line at its commas and takes blanks and one pair of quotes off each value. BankSim's values hold no commas.
func fields(into [][]byte, line []byte) [][]byte {
	for {
		value, rest, more := bytes.Cut(line, []byte(","))
		value = bytes.TrimSpace(value)
		if n := len(value); n >= 2 && (value[0] == '\'' || value[0] == '"') && value[n-1] == value[0] {
			value = bytes.TrimSpace(value[1 : n-1])
		}
		into = append(into, value)
		if !more {
			return into
		}
		line = rest
	}
}
