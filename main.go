// prinzbox is a whole MLflow environment in one process; see package prinzbox.
package main

import (
	"os"

	"github.com/prinzbox/prinzbox/prinzbox"
)

func main() { os.Exit(prinzbox.Main()) }
