package promstream_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is as much of a Redis as a push needs, and can behave badly.
type server struct {
	listener net.Listener

	mutex       sync.Mutex
	connections []net.Conn
	accepted    int
	elements    []string
	// What it does with a command other than HELLO; by default it takes it.
	answer func(net.Conn, []string)
}

func serve(t *testing.T, config *tls.Config) *server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if config != nil {
		listener = tls.NewListener(listener, config)
	}
	s := &server{listener: listener}
	t.Cleanup(func() {
		_ = listener.Close()
		s.cut()
	})
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			s.mutex.Lock()
			s.connections = append(s.connections, connection)
			s.accepted++
			s.mutex.Unlock()
			go s.talk(connection)
		}
	}()
	return s
}

func (s *server) url() string { return "redis://" + s.listener.Addr().String() }

// Ends all connections, and waits until the other side can see it.
func (s *server) cut() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for _, connection := range s.connections {
		_ = connection.Close()
	}
	s.connections = nil
}

func (s *server) behave(answer func(net.Conn, []string)) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.answer = answer
}

func (s *server) taken() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]string(nil), s.elements...)
}

func (s *server) howOften() int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.accepted
}

func (s *server) talk(connection net.Conn) {
	defer func() { _ = connection.Close() }()
	for reader := bufio.NewReader(connection); ; {
		command, err := readCommand(reader)
		if err != nil {
			return
		}
		s.mutex.Lock()
		answer := s.answer
		s.mutex.Unlock()
		switch {
		case strings.EqualFold(command[0], "HELLO"):
			_, _ = fmt.Fprint(connection, "-ERR unknown command\r\n")
		case answer != nil:
			answer(connection, command)
		default:
			s.mutex.Lock()
			s.elements = append(s.elements, command[2:]...)
			s.mutex.Unlock()
			_, _ = fmt.Fprintf(connection, ":%d\r\n", len(command)-2)
		}
	}
}

func readCommand(reader *bufio.Reader) ([]string, error) {
	length := func() (int, error) {
		line, err := reader.ReadString('\n')
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(line[1:]))
	}
	words, err := length()
	if err != nil {
		return nil, err
	}
	command := make([]string, words)
	for index := range command {
		size, err := length()
		if err != nil {
			return nil, err
		}
		word := make([]byte, size+2)
		if _, err := io.ReadFull(reader, word); err != nil {
			return nil, err
		}
		command[index] = string(word[:size])
	}
	return command, nil
}

// A port on which nobody listens.
func refusing(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	return "redis://" + address
}

// A certificate of 127.0.0.1 that is its own authority.
func certificate(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}
