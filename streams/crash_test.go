package streams

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
)

// TestAcknowledgedFramesSurviveAKill kills a process in the middle of publishing, and expects every frame that it had
// been told to be durable, under the sequence that it had been told.
func TestAcknowledgedFramesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	acked := map[string]string{} // stream/position to sequence
	for round := range 3 {
		for line := range killedAfter(t, dir, 400*(round+1)) {
			place, seq, ok := strings.Cut(line, " ")
			if ok && strings.HasSuffix(seq, ".") { // a line that was cut short has no full stop
				acked[place] = strings.TrimSuffix(seq, ".")
			}
		}
	}
	n := startNode(t, dir, smallConfig())
	for _, s := range replayAll(t, n.Log) {
		place := fmt.Sprintf("%s/%d", s.Frame.Stream, s.Frame.Position)
		if seq, ok := acked[place]; ok && seq == fmt.Sprint(s.Seq) {
			delete(acked, place)
		}
	}
	if len(acked) > 0 {
		t.Errorf("%d acknowledged frames are lost, among them %v", len(acked), acked)
	}
	if d := n.Damage(); len(d) > 0 {
		t.Errorf("damage: %+v", d)
	}
}

// killedAfter runs publishUntilKilled and yields its lines; it kills it, without warning, after some of them.
func killedAfter(t *testing.T, dir string, lines int) func(yield func(string) bool) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return func(yield func(string) bool) {
		scanner := bufio.NewScanner(out)
		for n := 0; scanner.Scan() && yield(scanner.Text()); n++ {
			if n == lines {
				if err := cmd.Process.Kill(); err != nil {
					t.Error(err)
				}
			}
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
			t.Errorf("the child ended by itself: %v", cmd.ProcessState)
		}
	}
}

// publishUntilKilled is the child: it publishes as several callers and prints what it was told to be durable.
func publishUntilKilled(dir string) {
	ctx := context.Background()
	err := func() error {
		server, err := StartServer(ctx, ServerConfig{DataDir: dir})
		if err != nil {
			return err
		}
		nc, err := server.Connect()
		if err != nil {
			return err
		}
		log, err := Open(ctx, nc, smallConfig())
		if err != nil {
			return err
		}
		p := log.NewPublisher(PublisherConfig{})
		var wg sync.WaitGroup
		for s := range 8 {
			wg.Go(func() {
				stream := fmt.Sprintf("%d-%d", os.Getpid(), s)
				for i := 0; ; i += 5 {
					frames := make([]*Frame, 5)
					for j := range frames {
						frames[j] = testFrame(stream, i+j)
					}
					acks, err := p.Publish(ctx, frames...)
					if err != nil {
						fmt.Fprintln(os.Stderr, err)
						return
					}
					for j, ack := range acks {
						fmt.Printf("%s/%d %d.\n", stream, i+j, ack.Seq)
					}
				}
			})
		}
		wg.Wait()
		return nil
	}()
	fmt.Fprintln(os.Stderr, "the child could not go on:", err)
	os.Exit(3)
}
