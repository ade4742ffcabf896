package executor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strconv"
	"time"

	"github.com/capstan-run/capstan/core"
)

// DefaultServerName is the name in the host's certificate.
const DefaultServerName = "capstan"

const (
	caLifetime   = 10 * 365 * 24 * time.Hour
	certLifetime = 24 * time.Hour
	// Certificates begin a little in the past, for machines whose clocks differ.
	clockSkew = 10 * time.Minute
)

// CA is the host's own certificate authority (ECDSA P-256, ten years). It
// signs the server's certificate and, for 24 hours each, those of executors.
// It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCA makes a certificate authority.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{CommonName: "capstan CA"},
		NotBefore:             now.Add(-clockSkew),
		NotAfter:              now.Add(caLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

// LoadCA reads what CA.PEM wrote.
func LoadCA(data []byte) (*CA, error) {
	ca := &CA{}
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		var err error
		switch block.Type {
		case "CERTIFICATE":
			ca.cert, err = x509.ParseCertificate(block.Bytes)
		case "EC PRIVATE KEY":
			ca.key, err = x509.ParseECPrivateKey(block.Bytes)
		}
		if err != nil {
			return nil, fmt.Errorf("load CA: %w", err)
		}
	}
	if ca.cert == nil || ca.key == nil {
		return nil, errors.New("load CA: certificate or key is missing")
	}
	if !ca.key.PublicKey.Equal(ca.cert.PublicKey) {
		return nil, errors.New("load CA: the key is not the certificate's")
	}
	return ca, nil
}

// PEM is the certificate and its private key. Keep it with mode 0600.
func (ca *CA) PEM() []byte {
	der, err := x509.MarshalECPrivateKey(ca.key)
	if err != nil {
		panic(err) // a P-256 key always marshals
	}
	return append(ca.CertPEM(), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})...)
}

// CertPEM is the certificate alone, for Bootstrap.CA.
func (ca *CA) CertPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

func (ca *CA) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.cert)
	return p
}

// serverCert makes the certificate of a server, which lives as long as the CA:
// the process that holds it does not outlive the host.
func (ca *CA) serverCert() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	der, err := ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: DefaultServerName},
		DNSNames:    []string{DefaultServerName},
		NotAfter:    ca.cert.NotAfter,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public())
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// executorCert signs a request's key for id and its place, whatever names the
// request asks for.
func (ca *CA) executorCert(csr *x509.CertificateRequest, id identity, lifetime time.Duration) ([]byte, error) {
	if err := csr.CheckSignature(); err != nil {
		return nil, err
	}
	if _, ok := csr.PublicKey.(*ecdsa.PublicKey); !ok {
		return nil, errors.New("key is not ECDSA")
	}
	return ca.sign(&x509.Certificate{
		Subject:     pkix.Name{CommonName: "capstan executor"},
		URIs:        []*url.URL{id.uri()},
		NotAfter:    time.Now().Add(lifetime),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, csr.PublicKey)
}

func (ca *CA) sign(t *x509.Certificate, pub any) ([]byte, error) {
	t.SerialNumber = serial()
	t.NotBefore = time.Now().Add(-clockSkew)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.BasicConstraintsValid = true
	return x509.CreateCertificate(rand.Reader, t, ca.cert, pub, ca.key)
}

func serial() *big.Int {
	b := make([]byte, 16)
	rand.Read(b)
	return new(big.Int).SetBytes(b)
}

// NewToken makes a one-time token: 256 random bits.
func NewToken() string {
	b := make([]byte, 32)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// identity is what an executor's certificate says.
type identity struct {
	id   string
	rank core.Rank // zero for a warm executor
}

// uri is capstan://executor/<id>[?epoch=..&gang=..&job=..&rank=..].
func (i identity) uri() *url.URL {
	u := &url.URL{Scheme: "capstan", Host: "executor", Path: "/" + i.id}
	if i.rank != (core.Rank{}) {
		u.RawQuery = url.Values{
			"job":   {string(i.rank.Job)},
			"epoch": {strconv.FormatInt(int64(i.rank.Epoch), 10)},
			"gang":  {i.rank.Gang},
			"rank":  {strconv.Itoa(i.rank.Rank)},
		}.Encode()
	}
	return u
}

var errNotExecutor = errors.New("certificate is not an executor's")

// identityOf reads what executorCert wrote.
func identityOf(cert *x509.Certificate) (identity, error) {
	if len(cert.URIs) != 1 {
		return identity{}, errNotExecutor
	}
	return parseIdentity(cert.URIs[0])
}

func parseIdentity(u *url.URL) (identity, error) {
	if u.Scheme != "capstan" || u.Host != "executor" || len(u.Path) < 2 {
		return identity{}, errNotExecutor
	}
	i := identity{id: u.Path[1:]}
	if u.RawQuery == "" {
		return i, nil
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return identity{}, errNotExecutor
	}
	epoch, err1 := strconv.ParseInt(q.Get("epoch"), 10, 64)
	rank, err2 := strconv.Atoi(q.Get("rank"))
	if err1 != nil || err2 != nil {
		return identity{}, errNotExecutor
	}
	i.rank = core.Rank{Job: core.JobID(q.Get("job")), Epoch: core.Epoch(epoch), Gang: q.Get("gang"), Rank: rank}
	return i, nil
}
