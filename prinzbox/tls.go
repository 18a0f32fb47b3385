package prinzbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// TLS is how an environment speaks https, on all its ports; the zero value is plain http.
type TLS struct {
	// CertFile (the server's certificate first, then those between it and the root) and KeyFile are PEM.
	CertFile, KeyFile string
	// SelfSigned makes a certificate in the data directory, and a root for clients to trust: [Ready].CABundle.
	SelfSigned bool
}

func (t TLS) on() bool { return t.SelfSigned || t.CertFile != "" || t.KeyFile != "" }

func (t TLS) scheme() string {
	if t.on() {
		return "https"
	}
	return "http"
}

func (t TLS) check() error {
	switch {
	case t.SelfSigned && (t.CertFile != "" || t.KeyFile != ""):
		return errors.New("--tls self-signed makes a certificate, --tls-cert and --tls-key bring one: use one of them")
	case (t.CertFile == "") != (t.KeyFile == ""):
		return errors.New("--tls-cert and --tls-key belong together: give both")
	}
	return nil
}

// Files of the certificate that is made, below the data directory. The root's key is thrown away: who trusts the root trusts this
// one certificate, and nobody can make another.
const (
	tlsDir        = "tls"
	tlsRootFile   = "ca.pem"
	tlsBundleFile = "ca-bundle.pem"
	tlsCertFile   = "cert.pem"
	tlsKeyFile    = "key.pem"
)

// certificateLife is the longest that all browsers take; a certificate is made anew when renewBefore is left of it.
const (
	certificateLife = 825 * 24 * time.Hour
	renewBefore     = 30 * 24 * time.Hour
)

// openTLS reads or makes the certificate. It returns nil for plain http.
func (e *Env) openTLS() (*tls.Config, error) {
	t := e.cfg.TLS
	if !t.on() {
		return nil, nil
	}
	if t.SelfSigned {
		dir := filepath.Join(e.dir.path, tlsDir)
		if err := makeCertificate(dir, e.cfg.certificateNames(), time.Now()); err != nil {
			return nil, fmt.Errorf("--tls self-signed: %w", err)
		}
		t.CertFile, t.KeyFile = filepath.Join(dir, tlsCertFile), filepath.Join(dir, tlsKeyFile)
	}
	pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s, --tls-key %s: %w", t.CertFile, t.KeyFile, err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

// certificateNames are the names and addresses under which clients may reach the environment.
func (c Config) certificateNames() []string {
	names := []string{"localhost", "*.localhost", "*.ns.localhost", "127.0.0.1", "::1", c.Host}
	// OpenSSL takes no wildcard right below a top-level name.
	names = append(names, c.Bucket+".localhost")
	if name, err := os.Hostname(); err == nil {
		names = append(names, name)
	}
	if ip := net.ParseIP(c.Host); ip != nil && ip.IsUnspecified() {
		if addresses, err := net.InterfaceAddrs(); err == nil {
			for _, a := range addresses {
				if n, ok := a.(*net.IPNet); ok {
					names = append(names, n.IP.String())
				}
			}
		}
	}
	if u, err := url.Parse(c.S3PublicURL); err == nil && u.Hostname() != "" {
		names = append(names, u.Hostname())
		if net.ParseIP(u.Hostname()) == nil {
			names = append(names, "*."+u.Hostname())
		}
	}
	for _, pattern := range c.AllowedHosts {
		if name := hostName(pattern); name != "*" && strings.LastIndex(name, "*") <= 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	return slices.DeleteFunc(names, func(name string) bool {
		ip := net.ParseIP(name)
		return name == "" || ip == nil && (len(name) > 253 || strings.Trim(strings.ToLower(strings.TrimPrefix(name, "*.")), "abcdefghijklmnopqrstuvwxyz0123456789-.") != "")
	})
}

// makeCertificate makes a root and a certificate for the names, unless those that are there still serve.
func makeCertificate(dir string, names []string, now time.Time) error {
	if certificateServes(dir, names, now) {
		return writeBundle(dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := func(name string) *x509.Certificate {
		serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // fails only with the system's randomness
		return &x509.Certificate{
			SerialNumber: serial, Subject: pkix.Name{CommonName: name, Organization: []string{"prinzbox"}},
			NotBefore: now.Add(-time.Hour), NotAfter: now.Add(certificateLife), BasicConstraintsValid: true,
		}
	}
	host, _ := os.Hostname()
	root := template("prinzbox on " + host + ", " + now.UTC().Format(time.DateTime))
	root.IsCA, root.MaxPathLenZero, root.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	rootDER, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return err
	}
	if root, err = x509.ParseCertificate(rootDER); err != nil {
		return err
	}
	leaf := template("prinzbox")
	leaf.KeyUsage, leaf.ExtKeyUsage = x509.KeyUsageDigitalSignature, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root, &key.PublicKey, rootKey)
	if err != nil {
		return err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	for _, f := range []struct {
		name string
		text []byte
	}{
		{tlsKeyFile, block("PRIVATE KEY", keyDER)},
		{tlsCertFile, append(block("CERTIFICATE", der), block("CERTIFICATE", rootDER)...)},
		{tlsRootFile, block("CERTIFICATE", rootDER)},
	} {
		if err := replaceFile(filepath.Join(dir, f.name), f.text); err != nil {
			return err
		}
	}
	return writeBundle(dir)
}

// certificateServes tells whether the certificate that is there belongs to its key and root, is for all names, and lasts.
func certificateServes(dir string, names []string, now time.Time) bool {
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, tlsCertFile), filepath.Join(dir, tlsKeyFile))
	if err != nil {
		return false
	}
	text, err := os.ReadFile(filepath.Join(dir, tlsRootFile))
	roots := x509.NewCertPool()
	if err != nil || !roots.AppendCertsFromPEM(text) {
		return false
	}
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now.Add(renewBefore)}); err != nil {
		return false
	}
	have := slices.Clone(pair.Leaf.DNSNames)
	for _, ip := range pair.Leaf.IPAddresses {
		have = append(have, ip.String())
	}
	return !slices.ContainsFunc(names, func(name string) bool { return !slices.Contains(have, name) })
}

// writeBundle writes the root behind those that this machine trusts anyway: the variables that name a bundle replace a client's own, and it
// should still reach the rest of the world.
func writeBundle(dir string) error {
	root, err := os.ReadFile(filepath.Join(dir, tlsRootFile))
	if err != nil {
		return err
	}
	file := filepath.Join(dir, tlsBundleFile)
	for _, name := range []string{
		os.Getenv("REQUESTS_CA_BUNDLE"), os.Getenv("SSL_CERT_FILE"),
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
	} {
		if same, err := filepath.Abs(name); name == "" || err != nil || same == file {
			continue
		}
		if others, err := os.ReadFile(name); err == nil && len(others) > 0 {
			root = append(append(others, '\n'), root...)
			break
		}
	}
	return replaceFile(file, root)
}

// replaceFile writes a file for this user alone, complete or not at all.
func replaceFile(file string, text []byte) error {
	tmp := file + ".tmp"
	if err := os.WriteFile(tmp, text, 0o600); err != nil {
		return err
	}
	return os.Rename(tmp, file)
}

// caBundle is the file that clients trust the environment's own certificate by, below a data directory.
func caBundle(data string) string { return filepath.Join(data, tlsDir, tlsBundleFile) }
