//go:build linux

package s3figures_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsv4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/prinzbox/prinzbox/clients/measure"
)

const bucket = "figures"

// What the table calls the servers.
const (
	minioName  = "MinIO"
	rcloneName = "rclone serve s3"
	motoName   = "moto"
	stockName  = "gofakes3 in memory"
	boxName    = "prinzbox"
	fullName   = "`--durability full`"
)

var columns = []string{minioName, rcloneName, motoName, stockName, boxName, fullName}

// The rows of the table.
const (
	rowPut     = "1 KiB PUT p50, ms"
	rowGet     = "1 KiB GET p50, ms"
	rowHead    = "HEAD p50, ms"
	rowPuts    = "8 clients, 1 KiB PUT /s"
	rowGets    = "8 clients, 1 KiB GET /s"
	rowBigPut  = "64 MiB PUT, MB/s"
	rowBigGet  = "64 MiB GET, MB/s"
	rowParts   = "256 MiB in 8 parts, MB/s"
	rowList    = "list of 1,000 of 1,000 keys p50, ms"
	rowListBig = "list of 1,000 of 100,000 keys p50, ms"
)

// local is the column of what has no S3 in it: http.ServeContent, and hashing and writing a file.
const local = "no S3"

// wanted is what a row should be, told with what was measured.
var wanted = []struct {
	row string
	say func(v func(column string) float64) string
}{
	{rowPut, func(v func(string) float64) string {
		return fmt.Sprintf("less than rclone: %.2fx; with `full` less than MinIO: %.2fx", v(boxName)/v(rcloneName), v(fullName)/v(minioName))
	}},
	{rowGet, func(v func(string) float64) string {
		return fmt.Sprintf("1.5x gofakes3: %.2fx", v(boxName)/v(stockName))
	}},
	{rowHead, func(v func(string) float64) string {
		return fmt.Sprintf("1.5x gofakes3: %.2fx", v(boxName)/v(stockName))
	}},
	{rowPuts, func(v func(string) float64) string {
		return fmt.Sprintf("2x rclone: %.2fx", v(boxName)/v(rcloneName))
	}},
	{rowGets, func(v func(string) float64) string {
		return fmt.Sprintf("2x rclone: %.2fx", v(boxName)/v(rcloneName))
	}},
	{rowBigPut, func(v func(string) float64) string {
		return fmt.Sprintf("0.6x of hashing and writing locally: %.2fx", v(boxName)/v(local))
	}},
	{rowBigGet, func(v func(string) float64) string {
		return fmt.Sprintf("0.8x of http.ServeContent: %.2fx", v(boxName)/v(local))
	}},
	{rowParts, func(v func(string) float64) string {
		return fmt.Sprintf("1.5x MinIO: %.2fx", v(boxName)/v(minioName))
	}},
	{rowList, func(func(string) float64) string { return "" }},
	{rowListBig, func(func(string) float64) string { return "under 10 ms" }},
}

// sut is a server under test.
type sut struct {
	t    *testing.T
	name string
	url  string
	http *http.Transport
	rows map[string]float64
}

func newSUT(t *testing.T, name, url string) *sut {
	s := &sut{t: t, name: name, url: url, rows: map[string]float64{}, http: &http.Transport{MaxIdleConnsPerHost: 16, DisableCompression: true}}
	t.Cleanup(s.http.CloseIdleConnections)
	return s
}

// signed is a request that was signed before the clock starts; it may be sent again and again.
type signed struct {
	*http.Request
	body []byte
}

// request signs a request with AWS's own signer, over the hash of its body.
func (s *sut) request(method, target string, body []byte) signed {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+target, http.NoBody)
	if err != nil {
		s.t.Fatal(err)
	}
	req.ContentLength = int64(len(body))
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	signer := awsv4.NewSigner(func(o *awsv4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(s.t.Context(), aws.Credentials{AccessKeyID: accessKey, SecretAccessKey: secretKey}, req, payload, "s3", "us-east-1", time.Now()); err != nil {
		s.t.Fatal(err)
	}
	return signed{req, body}
}

// send sends a request and reads the answer to its end, which w may look at.
func (s *sut) send(q signed, w io.Writer) (http.Header, error) {
	if len(q.body) > 0 {
		q.Body = io.NopCloser(bytes.NewReader(q.body))
	}
	resp, err := s.http.RoundTrip(q.Request)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return nil, fmt.Errorf("%s %s: %d %s", q.Method, q.URL.Path, resp.StatusCode, text)
	}
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	n, err := io.CopyBuffer(struct{ io.Writer }{w}, resp.Body, *buffer)
	if err == nil && q.Method == http.MethodGet && resp.ContentLength >= 0 && n != resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	return resp.Header, err
}

var buffers = sync.Pool{New: func() any { b := make([]byte, 256<<10); return &b }}

func (s *sut) try(q signed) error {
	_, err := s.send(q, io.Discard)
	return err
}

func (s *sut) do(q signed) http.Header {
	s.t.Helper()
	h, err := s.send(q, io.Discard)
	if err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return h
}

// text is the answer to a request.
func (s *sut) text(q signed) []byte {
	s.t.Helper()
	var b bytes.Buffer
	if _, err := s.send(q, &b); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	return b.Bytes()
}

// rate is the speed of moving size bytes, in MB/s: the median of n times.
func rate(size, n int, f func()) float64 {
	return float64(size) / 1e3 / measure.Median(n, func(int) { f() })
}

func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // it never fails
	return data
}

// small measures requests of 1 KiB.
func (s *sut) small(scale int) {
	data := noise(1024)
	var puts, gets, heads []signed
	for i := range 64 {
		key := fmt.Sprintf("/%s/small/%02d", bucket, i)
		puts = append(puts, s.request("PUT", key, data))
		gets = append(gets, s.request("GET", key, nil))
		heads = append(heads, s.request("HEAD", key, nil))
	}
	for _, q := range puts { // also the warming up
		s.do(q)
	}
	if got := s.text(gets[7]); !bytes.Equal(got, data) {
		s.t.Fatalf("%s: GET gave %d other bytes", s.name, len(got))
	}
	n := max(20, 600/scale)
	for row, list := range map[string][]signed{rowPut: puts, rowGet: gets, rowHead: heads} {
		s.rows[row] = measure.Median(n, func(i int) { s.do(list[i%len(list)]) })
	}
	for row, method := range map[string]string{rowPuts: "PUT", rowGets: "GET"} {
		s.rows[row] = s.crowd(scale, method, data)
	}
}

// crowd is how many requests 8 clients get answered in a second, each with keys of its own.
func (s *sut) crowd(scale int, method string, data []byte) float64 {
	var count atomic.Int64
	var all sync.WaitGroup
	window := max(300*time.Millisecond, 3*time.Second/time.Duration(scale))
	body := data
	if method == "GET" {
		body = nil
	}
	var lists [8][]signed
	for c := range lists {
		for i := range 8 {
			lists[c] = append(lists[c], s.request(method, fmt.Sprintf("/%s/small/%02d", bucket, c*8+i), body))
		}
	}
	begin := time.Now()
	for _, list := range lists {
		all.Go(func() {
			for i := 0; time.Since(begin) < window; i++ {
				if err := s.try(list[i%len(list)]); err != nil {
					s.t.Errorf("%s: %v", s.name, err)
					return
				}
				count.Add(1)
			}
		})
	}
	all.Wait()
	return float64(count.Load()) / time.Since(begin).Seconds()
}

// large measures objects that take time to move.
func (s *sut) large(data []byte, rounds int) {
	put, get := s.request("PUT", "/"+bucket+"/large", data), s.request("GET", "/"+bucket+"/large", nil)
	s.rows[rowBigPut] = rate(len(data), rounds, func() { s.do(put) })
	sum := sha256.New()
	if _, err := s.send(get, sum); err != nil || !bytes.Equal(sum.Sum(nil), sha(data)) {
		s.t.Fatalf("%s: other bytes came back (%v)", s.name, err)
	}
	s.rows[rowBigGet] = rate(len(data), rounds, func() { s.do(get) })

	const parts = 8
	part := data[:len(data)/2]
	s.rows[rowParts] = rate(parts*len(part), max(1, rounds/2), func() {
		var made struct {
			UploadID string `xml:"UploadId"`
		}
		if err := xml.Unmarshal(s.text(s.request("POST", "/"+bucket+"/parts?uploads=", nil)), &made); err != nil {
			s.t.Fatal(err)
		}
		doc := "<CompleteMultipartUpload>"
		for n := 1; n <= parts; n++ {
			h := s.do(s.request("PUT", fmt.Sprintf("/%s/parts?partNumber=%d&uploadId=%s", bucket, n, made.UploadID), part))
			doc += fmt.Sprintf("<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", n, h.Get("ETag"))
		}
		s.do(s.request("POST", "/"+bucket+"/parts?uploadId="+made.UploadID, []byte(doc+"</CompleteMultipartUpload>")))
	})
}

func sha(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}

// list measures a page of 1,000 keys in a bucket that has n.
func (s *sut) list(row, name string, n int) {
	s.do(s.request("PUT", "/"+name, nil))
	var next atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := int(next.Add(1)); i <= n; i = int(next.Add(1)) {
				if err := s.try(s.request("PUT", fmt.Sprintf("/%s/key-%06d", name, i), []byte("x"))); err != nil {
					s.t.Errorf("%s: %v", s.name, err)
					return
				}
			}
		})
	}
	all.Wait()
	// From the middle: where an index helps and a scan does not.
	page := s.request("GET", fmt.Sprintf("/%s?list-type=2&start-after=key-%06d", name, (n-1000)/2), nil)
	if got := bytes.Count(s.text(page), []byte("<Key>")); got != min(n, 1000) {
		s.t.Errorf("%s: a page has %d keys", s.name, got)
	}
	s.rows[row] = measure.Median(20, func(int) { s.do(page) })
}

// localRows measure what any server does at least: sending a file, and hashing and writing one.
func localRows(t *testing.T, stock command, plain string, data []byte, rounds int) map[string]float64 {
	t.Helper()
	s := start(t, local, stock)
	get := s.request("GET", "/plain/", nil)
	target := filepath.Join(t.TempDir(), "f")
	return map[string]float64{
		rowBigGet: rate(len(data), rounds, func() { s.do(get) }),
		rowBigPut: rate(len(data), rounds, func() {
			f, err := os.Create(target)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(struct{ io.Writer }{io.MultiWriter(md5.New(), sha256.New(), f)}, bytes.NewReader(data)); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}),
	}
}

// TestFigures prints a Markdown table. PRINZBOX_FIGURES=1 measures in full, in less than four minutes on an idle machine; PRINZBOX_FIGURES=20
// does a twentieth of the work, to see that all runs.
func TestFigures(t *testing.T) {
	scale, err := strconv.Atoi(os.Getenv("PRINZBOX_FIGURES"))
	if err != nil || scale < 1 {
		t.Skip("a measurement, not a test: set PRINZBOX_FIGURES=1")
	}
	data := noise(64 << 20)
	rounds := max(1, 5/scale)
	plain := filepath.Join(t.TempDir(), "plain")
	if err := os.WriteFile(plain, data, 0o644); err != nil {
		t.Fatal(err)
	}
	commands := serverCommands(t, plain)
	results := map[string]map[string]float64{}
	t.Run(local, func(t *testing.T) { results[local] = localRows(t, commands[stockName], plain, data, rounds) })
	for _, name := range columns {
		how, ok := commands[name]
		if !ok {
			continue
		}
		t.Run(strings.Trim(name, "`-"), func(t *testing.T) {
			s := start(t, name, how)
			results[name] = s.rows
			s.small(scale)
			s.large(data, rounds)
			s.list(rowList, "thousand", 1000)
			if name == boxName { // others would take minutes to be filled
				s.list(rowListBig, "hundred-thousand", max(2000, 100_000/scale))
			}
		})
	}
	fmt.Print(table(results, scale)) //nolint:forbidigo // the table is what this is run for
}

func table(results map[string]map[string]float64, scale int) string {
	shown := append(slices.Clone(columns), local)
	text := "\n| work | " + strings.Join(shown, " | ") + " | wanted: reached |\n|---" + strings.Repeat("|---", len(shown)+1) + "|\n"
	for _, w := range wanted {
		text += "| " + w.row
		for _, c := range shown {
			cell := ""
			if v, ok := results[c][w.row]; ok {
				cell = strconv.FormatFloat(v, 'f', map[bool]int{true: 2, false: 0}[v < 100], 64)
			}
			text += " | " + cell
		}
		text += " | " + w.say(func(column string) float64 { return results[column][w.row] }) + " |\n"
	}
	if scale > 1 {
		text += fmt.Sprintf("\nNot a measurement: 1/%d of the work.\n", scale)
	}
	return text
}
