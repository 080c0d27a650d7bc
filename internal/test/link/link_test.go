package link

import (
	"io"
	"net"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// What is sent through a link that is cut arrives when it is mended, in both directions, and connections live on.
func TestLink(t *testing.T) {
	server, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := To(t, server.Addr().String())
	client, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Address)
	if err != nil {
		t.Fatal(err)
	}
	served, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		served.Close()
		server.Close()
	})
	arrived := func(at net.Conn) chan string {
		came := make(chan string, 1)
		go func() {
			var b [1]byte
			_, err := io.ReadFull(at, b[:])
			if err != nil {
				t.Error(err)
			}
			came <- string(b[:])
		}()
		return came
	}
	send := func(from net.Conn, text string) {
		if _, err := from.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	send(client, "a")
	if got := <-arrived(served); got != "a" {
		t.Fatalf("%q arrived", got)
	}
	l.Cut()
	there, back := arrived(served), arrived(client)
	send(client, "b")
	send(served, "c")
	late, err := new(net.Dialer).DialContext(t.Context(), "tcp", l.Address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { late.Close() })
	send(late, "d")
	select {
	case got := <-there:
		t.Fatalf("%q got through", got)
	case got := <-back:
		t.Fatalf("%q got through", got)
	default:
	}
	l.Mend()
	if a, b := <-there, <-back; a != "b" || b != "c" {
		t.Errorf("%q and %q arrived", a, b)
	}
	begun, err := server.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { begun.Close() })
	if got := <-arrived(begun); got != "d" {
		t.Errorf("%q arrived", got)
	}
}
