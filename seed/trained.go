// Package seed trains the sample models of Prinz's environment in Go and registers them: two elastic nets on the
// red-wine data and a fraud classifier. Every model is bit-identical from run to run and from processor to processor,
// and lies in the store as the directory that MLflow's own Python client would have written.
package seed

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/prinzbox/prinzbox/registry"
)

// Trained is a sample model ready to be registered.
type Trained struct {
	Name        string // of the registered model
	Description string
	RunName     string
	Params      map[string]string
	Metrics     map[string]float64    // on the rows held out of training
	Tags        map[string]string     // of the run, the model's history among them
	Data        registry.DatasetInput // what it was trained on
	Files       map[string][]byte     // the model directory, by file name
	RunID       string                // 32 hex digits, made of Name
}

// Names of the sample models; experiment "Test experiment N" goes with the N-th.
const (
	WineName1 = "MLF-ElasticnetWineModel-1"
	WineName2 = "MLF-ElasticnetWineModel-2"
	FraudName = "MLF-FraudDetection-3"
)

// exampleRows is about how many rows an input example has: enough to show the range of each column, few enough to read.
const exampleRows = 8

// WineSpec is one of Prinz's two wine models.
type WineSpec struct {
	Name           string
	ModelID        int // logged as a param, as Prinz's training script does
	Alpha, L1Ratio float64
}

// Wines are Prinz's two wine models.
func Wines() []WineSpec {
	return []WineSpec{
		{Name: WineName1, ModelID: 1, Alpha: .42, L1Ratio: .5},
		{Name: WineName2, ModelID: 2, Alpha: .84, L1Ratio: .5},
	}
}

// Wine trains an elastic net on three quarters of the red wines, chosen as Prinz chooses them, and measures it on the rest.
func Wine(spec WineSpec) (*Trained, error) {
	table, model, test, err := trainWine(spec)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", spec.Name, err)
	}
	held := table.rows(test)
	predicted := make([]float64, len(test))
	for i := range predicted {
		predicted[i] = model.Predict(held.row(i))
	}
	d := &directory{
		pickle:  pickleElasticNet(model, table.names),
		outputs: []column{{Type: "double"}},
	}
	for _, name := range table.names {
		d.inputs = append(d.inputs, column{Name: name, Type: "double"})
	}
	for i := 0; i < len(table.quality); i += len(table.quality)/exampleRows + 1 {
		var row []any
		for _, v := range table.row(i) {
			row = append(row, v)
		}
		d.example = append(d.example, row)
	}
	return d.trained(&Trained{
		Name: spec.Name,
		Data: trainingData("winequality-red", wineCSV, "http", map[string]any{"url": "https://doi.org/10.24432/C56S3T"},
			append(slices.Clone(d.inputs), column{Name: "quality", Type: "long"}), len(table.quality)-len(test)),
		Description: "Predicts the quality of a red wine from eleven measurements: an elastic net with alpha " +
			floatText(spec.Alpha) + " and l1_ratio " + floatText(spec.L1Ratio) +
			", trained on the Wine Quality data (Cortez et al., 2009, CC BY 4.0).",
		RunName: "elasticnet-wine-" + strconv.Itoa(spec.ModelID),
		Params: map[string]string{
			"alpha": floatText(spec.Alpha), "l1_ratio": floatText(spec.L1Ratio), "model_id": strconv.Itoa(spec.ModelID),
		},
		Metrics: regressionMetrics(held.quality, predicted),
	})
}

// trainingData describes data in the form in which mlflow.data.from_pandas logs it. The digest is that of the data's own bytes.
func trainingData(name string, data []byte, kind string, source map[string]any, columns []column, rows int) registry.DatasetInput {
	type required struct {
		column
		Required bool `json:"required"`
	}
	var spec []required
	for _, c := range columns {
		spec = append(spec, required{c, true})
	}
	text := func(v any) string {
		data, _ := json.Marshal(v) // of texts and numbers
		return string(data)
	}
	sum := sha256.Sum256(data)
	schema := text(map[string]any{"mlflow_colspec": spec})
	profile := text(map[string]int{"num_rows": rows, "num_elements": rows * len(columns)})
	return registry.DatasetInput{
		Tags:    []registry.KeyValue{{Key: "mlflow.data.context", Value: "training"}},
		Dataset: registry.Dataset{Name: name, Digest: hex.EncodeToString(sum[:4]), SourceType: kind, Source: text(source), Schema: &schema, Profile: &profile},
	}
}

func trainWine(spec WineSpec) (table *wineTable, model *ElasticNet, test []int, err error) {
	if table, err = readWine(); err != nil {
		return nil, nil, nil, err
	}
	train, test := split(len(table.quality))
	part := table.rows(train)
	model, err = fitElasticNet(part.columns, part.quality, spec.Alpha, spec.L1Ratio)
	return table, model, test, err
}

// Fraud trains the fraud classifier on three quarters of the payments and measures it on the rest. origin says in
// a few words where the payments come from. At least eight payments are needed, with frauds and others among the
// three quarters.
func Fraud(payments []Payment, origin string) (*Trained, error) {
	model, test, err := trainFraud(payments)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", FraudName, err)
	}
	actual := make([]bool, len(test))
	probability := make([]float64, len(test))
	for i, row := range test {
		p := &payments[row]
		actual[i] = p.Fraud
		probability[i] = model.Probability(p.Age, p.Gender, p.Category, p.Amount)
	}
	d := &directory{
		pickle:  pickleFraud(model),
		inputs:  fraudInputs(),
		outputs: []column{{Type: "integer"}},
		example: [][]any{
			{"4", "F", "es_transportation", 42.42},
			{"2", "M", "es_food", 12.95},
			{"3", "F", "es_health", 310.5},
			{"1", "M", "es_leisure", 83.4},
			{"5", "F", "es_travel", 1200.0},
		},
	}
	return d.trained(&Trained{
		Name: FraudName,
		Data: trainingData("payments", paymentBytes(payments), "code", map[string]any{"tags": map[string]string{"mlflow.note.content": origin}},
			append(slices.Clone(d.inputs), column{Name: "fraud", Type: "boolean"}), len(payments)-len(test)),
		Description: "Tells whether a payment is fraud (1) or not (0) from age group, gender, category and amount: " +
			"a logistic regression, trained on " + origin + ".",
		RunName: "fraud-detection-3",
		Params: map[string]string{
			"C": "1.0", "penalty": "l2", "solver": "newton-cholesky", "model_id": "3",
			"training_rows": strconv.Itoa(model.Samples), "training_data": origin,
		},
		Metrics: classificationMetrics(actual, probability),
	})
}

// paymentBytes are what the model is trained on, for a digest.
func paymentBytes(payments []Payment) []byte {
	var b []byte
	for i := range payments {
		p := &payments[i]
		b = append(b, p.Age+","+p.Gender+","+p.Category+","...)
		b = strconv.AppendBool(binary.LittleEndian.AppendUint64(b, math.Float64bits(p.Amount)), p.Fraud)
	}
	return b
}

func trainFraud(payments []Payment) (model *FraudModel, test []int, err error) {
	if len(payments) < 8 || len(payments) > math.MaxInt32 {
		return nil, nil, fmt.Errorf("fraud model: %d payments; at least 8 are needed", len(payments))
	}
	train, test := split(len(payments))
	part := make([]Payment, len(train))
	for i, row := range train {
		part[i] = payments[row]
	}
	model, err = fitFraud(part)
	return model, test, err
}

// fraudInputs is the signature that Prinz's sample expects.
func fraudInputs() []column {
	return []column{{"age", "string"}, {"gender", "string"}, {"category", "string"}, {"amount", "double"}}
}

// trained adds what follows from the model's name: ids, files and tags.
func (d *directory) trained(t *Trained) (*Trained, error) {
	t.RunID = runID(t.Name)
	d.runID, d.uuid = t.RunID, fixedID("model", t.Name)
	files, history, err := d.files()
	if err != nil {
		return nil, err
	}
	t.Files = files
	t.Tags = map[string]string{
		"mlflow.source.name":       "prinzbox",
		"mlflow.source.type":       "LOCAL",
		"mlflow.user":              seedUser,
		"mlflow.runName":           t.RunName,
		"mlflow.note.content":      t.Description,
		"mlflow.log-model.history": history,
	}
	return t, nil
}

// runID is the id of the run that a sample model comes from.
func runID(name string) string { return fixedID("run", name) }

// seedUser is who the runs belong to.
const seedUser = "prinzbox"

// fixedID is 32 hex digits that depend on nothing but the words.
func fixedID(kind, name string) string {
	sum := sha256.Sum256([]byte("prinzbox seed " + kind + " " + name))
	return hex.EncodeToString(sum[:16])
}

func floatText(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// fraudPayments reads the user's table, or makes the synthetic one when there is none or a seed asks for another.
func fraudPayments(r io.Reader, seed uint64) (payments []Payment, origin string, err error) {
	const synthetic = "synthetic payments in the shape of BankSim"
	switch {
	case seed != 0:
		return madePayments(seed), fmt.Sprintf("%s, seed %d", synthetic, seed), nil
	case r == nil:
		return MadePayments(), synthetic, nil
	}
	payments, err = ReadBankSim(r)
	return payments, "the payments given by the user", err
}
