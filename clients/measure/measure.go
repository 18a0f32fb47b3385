// Package measure holds what the comparisons with other servers have in common.
package measure

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Median is the median time of n calls in milliseconds. Each call gets its number.
func Median(n int, f func(i int)) float64 {
	took := make([]time.Duration, n)
	for i := range took {
		begin := time.Now()
		f(i)
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return float64(took[n/2].Microseconds()) / 1000
}

// Resident is the memory of a process and its children in MiB, as Linux tells it; 0 where there is no such process.
func Resident(pid int) float64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	var sum float64
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			sum = kib / 1024
		}
	}
	children, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, file := range children {
		list, _ := os.ReadFile(file)
		for child := range strings.FieldsSeq(string(list)) {
			if id, err := strconv.Atoi(child); err == nil {
				sum += Resident(id)
			}
		}
	}
	return sum
}
