//go:build race

package prinzbox_test

// raceDetector tells that these tests were built with -race; the program is then built so as well.
const raceDetector = true
