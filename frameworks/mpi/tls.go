package mpi

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"

	"github.com/capstan-run/capstan/core"
)

// secure is how links to other nodes are secured with the files that the host
// has made for this world; nil without them. Whoever has a certificate of the
// world's authority is one of its ranks, by whatever name it is reached.
func secure(cert, key, ca string) (*tls.Config, error) {
	if cert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	var pem []byte
	if err == nil {
		pem, err = os.ReadFile(ca)
	}
	roots := x509.NewCertPool()
	if err == nil && !roots.AppendCertsFromPEM(pem) {
		err = errors.New(ca + " holds no certificate")
	}
	if err != nil {
		return nil, &core.Error{Kind: core.Internal, What: "read the certificates for links to other nodes", Err: err}
	}
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair},
		RootCAs: roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert,
		InsecureSkipVerify: true, // the name alone: verify checks the rest
		VerifyConnection:   func(s tls.ConnectionState) error { return verify(s, roots) },
	}, nil
}

func verify(s tls.ConnectionState, roots *x509.CertPool) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the peer shows no certificate")
	}
	between := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		between.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}
