package mesh_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/capstan-run/capstan/shuffle/mesh"
	"github.com/capstan-run/capstan/shuffle/mesh/meshtest"
)

// gang returns configurations with the places that place names.
func gang(size int, place func(rank int) mesh.Place) []mesh.Config {
	places := make([]mesh.Place, size)
	for r := range places {
		places[r] = place(r)
	}
	configs := make([]mesh.Config, size)
	for r := range configs {
		configs[r] = mesh.Config{ID: "test", Rank: r, Size: size, Places: places}
	}
	return configs
}

func inProcess(t testing.TB, size int) []mesh.Config {
	c := gang(size, func(int) mesh.Place { return mesh.Place{Process: "p"} })
	hub := new(mesh.Hub)
	for r := range c {
		c[r].Hub = hub
	}
	return c
}

func sameHost(t testing.TB, size int) []mesh.Config {
	c := gang(size, func(int) mesh.Place { return mesh.Place{Host: "h"} })
	dir := t.TempDir()
	for r := range c {
		c[r].Dir = dir
	}
	return c
}

func network(t testing.TB, size int) []mesh.Config {
	listeners := make([]net.Listener, size)
	for r := range listeners {
		var err error
		if listeners[r], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	c := gang(size, func(r int) mesh.Place { return mesh.Place{Address: listeners[r].Addr().String()} })
	for r := range c {
		c[r].Listener = listeners[r]
	}
	return c
}

func secured(t testing.TB, size int) []mesh.Config {
	c, ca := network(t, size), newAuthority(t)
	for r := range c {
		c[r].TLS = ca.config(t, fmt.Sprintf("rank-%d", r))
		c[r].Authorize = func(rank int, s tls.ConnectionState) error {
			if got := s.PeerCertificates[0].Subject.CommonName; got != fmt.Sprintf("rank-%d", rank) {
				return fmt.Errorf("certificate of %s, not of rank %d", got, rank)
			}
			return nil
		}
	}
	return c
}

// mixed has two processes on one host and a third host.
func mixed(t testing.TB, size int) []mesh.Config {
	c := network(t, size)
	hub, dir := new(mesh.Hub), t.TempDir()
	for r := range c {
		switch r % 4 {
		case 0, 1:
			c[0].Places[r].Process, c[0].Places[r].Host = "p", "h"
		case 2:
			c[0].Places[r].Host = "h"
		}
		c[r].Hub, c[r].Dir = hub, dir
	}
	return c
}

func TestInProcess(t *testing.T)    { meshtest.Run(t, inProcess) }
func TestSharedMemory(t *testing.T) { meshtest.Run(t, sameHost) }
func TestNetwork(t *testing.T)      { meshtest.Run(t, network) }
func TestSecured(t *testing.T)      { meshtest.Run(t, secured) }
func TestMixed(t *testing.T)        { meshtest.Run(t, mixed) }

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	a := &authority{pool: x509.NewCertPool()}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour)}
	der := a.sign(t, template, nil)
	a.pool.AddCert(der)
	a.cert = der
	return a
}

// sign makes a key and a certificate for it; the first is the authority's own.
func (a *authority) sign(t testing.TB, template *x509.Certificate, use func(*ecdsa.PrivateKey)) *x509.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer, a.key = template, key, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	if use != nil {
		use(key)
	}
	return cert
}

// config is a TLS config of one who is called name.
func (a *authority) config(t testing.TB, name string) *tls.Config {
	template := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	var key *ecdsa.PrivateKey
	cert := a.sign(t, template, func(k *ecdsa.PrivateKey) { key = k })
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		RootCAs:      a.pool, ClientCAs: a.pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	}
}
