package promotion

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"assay/internal/test/program"
)

// The official MCP Registry, built from its Go module.
const (
	mcpRegistryModule  = "github.com/modelcontextprotocol/registry"
	mcpRegistryVersion = "v1.8.8"
)

// registryStartTimeout bounds how long it takes to make its tables and to listen.
const registryStartTimeout = 2 * time.Minute

// Against the official registry itself, over a real database, behind a network that loses every other answer: each
// promotion is one version of one server in the end.
func TestOfficialMCPRegistry(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the official MCP Registry and starts PostgreSQL")
	}
	const promotions = 25
	address := startRegistry(t, startPostgres(t))
	lossy := loseAnswers(t, address)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(anonymousToken(t, address)), 0o600); err != nil {
		t.Fatal(err)
	}
	b, clock := newBed(t), newManualClock()
	b.send(0, promotions)
	registry, err := Open(KindMCP, Endpoint{URL: lossy, TokenFile: token})
	if err != nil {
		t.Fatal(err)
	}
	defer registry.Close()
	o := b.options(registry)
	o.Clock, o.Timeout = clock, 10*time.Second
	p, stop := b.start(o)
	for b.settle(p); b.counts(p).Published < promotions; b.settle(p) {
		clock.skip()
	}
	stop()
	if left := b.entries(); len(left) != 0 {
		t.Errorf("entries left in the bucket: %v", left)
	}
	t.Logf("%d attempts, %d failures", p.Status().Attempts, p.Status().Failures)
	for i := range promotions {
		checkVersions(t, address, promotionOf(t, i))
	}
}

// checkVersions checks that the registry has the promotion once, and as it was.
func checkVersions(t *testing.T, address string, p *Promotion) {
	t.Helper()
	var got struct {
		Servers []struct {
			Server struct {
				Version string
				Meta    map[string]json.RawMessage `json:"_meta"`
			}
		}
	}
	getJSON(t, address+"/v0.1/servers/"+url.PathEscape(mcpAnonymous+"/"+p.NodeCID)+"/versions", &got)
	if len(got.Servers) != 1 || got.Servers[0].Server.Version != version(p) {
		t.Errorf("%s has the versions %+v", p.NodeCID, got.Servers)
		return
	}
	var sent Promotion
	if err := json.Unmarshal(got.Servers[0].Server.Meta[mcpMeta], &sent); err != nil || sent.EventCID != p.EventCID || len(sent.Sources) != len(p.Sources) {
		t.Errorf("%s carries %+v, error %v", p.NodeCID, sent, err)
	}
}

// loseAnswers is a proxy that breaks the connection instead of passing on every other answer to a POST.
func loseAnswers(t *testing.T, address string) string {
	target, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	var posts atomic.Int64
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && posts.Add(1)%2 == 1 {
			through.ServeHTTP(httptest.NewRecorder(), r)
			reset(w)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		proxy.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return proxy.URL
}

func anonymousToken(t *testing.T, address string) string {
	response, err := http.Post(address+"/v0.1/auth/none", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var got struct {
		Token string `json:"registry_token"`
	}
	if err := json.NewDecoder(response.Body).Decode(&got); err != nil || got.Token == "" {
		t.Fatalf("no token: %s, error %v", response.Status, err)
	}
	return got.Token
}

func getJSON(t *testing.T, address string, into any) {
	t.Helper()
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("GET %s: %s: %s", address, response.Status, body)
	}
}

// startRegistry builds and starts the registry and returns its address once it answers.
func startRegistry(t *testing.T, database string) string {
	listen := program.FreeAddress(t)
	registry := exec.Command(program.Build(t, mcpRegistryModule, mcpRegistryVersion, "cmd/registry"))
	registry.Env = append(os.Environ(),
		"MCP_REGISTRY_SERVER_ADDRESS="+listen, "MCP_REGISTRY_DATABASE_URL="+database, "MCP_REGISTRY_DATABASE_MAX_CONNECTIONS=8",
		"MCP_REGISTRY_DATABASE_MIN_CONNECTIONS=1", "MCP_REGISTRY_ENABLE_ANONYMOUS_AUTH=true",
		"MCP_REGISTRY_ENABLE_REGISTRY_VALIDATION=false", "MCP_REGISTRY_JWT_PRIVATE_KEY="+strings.Repeat("5a", 32),
	)
	registry.Stdout, registry.Stderr = t.Output(), t.Output()
	if err := registry.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = registry.Process.Signal(syscall.SIGTERM)
		_ = registry.Wait()
	})
	program.Await(t, listen, registryStartTimeout)
	return "http://" + listen
}

// startPostgres starts a database of its own on a Unix socket and returns its address.
func startPostgres(t *testing.T) string {
	bin := postgresPrograms(t)
	dir, err := os.MkdirTemp("", "postgres") // short, for the socket's path; open to the database's user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	run := func(program string, args ...string) error {
		command := exec.Command(filepath.Join(bin, program), args...)
		command.Dir, command.SysProcAttr = dir, notRoot(t, dir)
		out, err := command.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w: %s", program, err, out)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "registry", "--auth=trust", "--no-sync"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop"); err != nil {
			t.Error(err)
		}
	})
	// The log goes to a file: a server that kept pg_ctl's output open would keep it from ending.
	options := "-k " + dir + " -c listen_addresses='' -c fsync=off"
	if err := run("pg_ctl", "-D", data, "-w", "-l", filepath.Join(dir, "log"), "-o", options, "start"); err != nil {
		t.Fatal(err)
	}
	return "postgres://registry@/postgres?host=" + url.QueryEscape(dir) + "&sslmode=disable"
}

// postgresPrograms is the directory of initdb and pg_ctl: on the path, or where Debian hides them.
func postgresPrograms(t *testing.T) string {
	if found, err := exec.LookPath("initdb"); err == nil {
		if found, err = filepath.EvalSymlinks(found); err == nil {
			return filepath.Dir(found)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed: apt-get install postgresql")
	}
	return filepath.Dir(found[len(found)-1])
}

// notRoot makes a command run as another user where the test runs as root, which PostgreSQL refuses to.
func notRoot(t *testing.T, dir string) *syscall.SysProcAttr {
	if os.Getuid() != 0 {
		return nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Skip("PostgreSQL does not run as root, and there is no user postgres or nobody")
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
