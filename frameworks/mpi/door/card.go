package door

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net"
	"strconv"
	"time"
)

// card is what a keeper tells the others of itself. Its base64 fits a value of the
// key space.
type card struct {
	Node  string   `json:"n"`           // equal on one machine
	Net   string   `json:"i"`           // with Node, equal for all that reach each other by loopback
	Path  string   `json:"p"`           // of the door there
	Ports []string `json:"t,omitempty"` // host:port of its door on the network
	Print []byte   `json:"f"`           // SHA-256 of its certificate
}

func (c *card) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		return "" // strings do marshal
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func readCard(s string) (card, error) {
	var c card
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err == nil {
		err = decode(b, &c)
	}
	return c, err
}

func decode(b []byte, v any) error {
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	return nil
}

// identity is a key that lives as long as its keeper.
func identity() (tls.Certificate, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	now := time.Now()
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, form, form, public, private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, err
}

func fingerprint(der []byte) []byte {
	sum := sha256.Sum256(der)
	return sum[:]
}

// secured is TLS with whoever has one of the fingerprints that known returns.
func secured(own tls.Certificate, known func() [][]byte) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{own}, MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequireAnyClientCert, InsecureSkipVerify: true, // VerifyConnection does
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return errors.New("no certificate")
			}
			print := fingerprint(s.PeerCertificates[0].Raw)
			for _, k := range known() {
				if bytes.Equal(k, print) {
					return nil
				}
			}
			return errors.New("no keeper of this world has that certificate")
		},
	}
}

// addresses are this machine's on networks that others may be on.
func addresses() []net.IP {
	list, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []net.IP
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
			out = append(out, n.IP)
		}
	}
	return out
}

func ports(l net.Listener) []string {
	var out []string
	for _, ip := range addresses() {
		if len(out) < 8 { // a card has to fit
			out = append(out, net.JoinHostPort(ip.String(), strconv.Itoa(l.Addr().(*net.TCPAddr).Port)))
		}
	}
	return out
}
