package prinzbox_test

import "fmt"

// fraudBody is Prinz's request to the fraud model, byte for byte.
func fraudBody(gender, amount string) string {
	return fmt.Sprintf(`{"columns":["age","gender","category","amount"],"data":[["4","%s","es_transportation",%s]]}`, gender, amount)
}
