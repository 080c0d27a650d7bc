package main

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"assay/internal/query"
	"assay/internal/test/gateway"
	"assay/streams/streamstest/cluster"
)

// composed is what this test needs of a compose file.
type composed struct {
	Services map[string]struct {
		Command     []string
		Environment map[string]string
	}
}

var composeVariable = regexp.MustCompile(`\$\{([A-Z0-9_]+)(:\?[^}]*)?\}`)

// The fleet of deploy/container, with processes in place of containers: its commands and its environment define a log and a store, and
// three workers work on them. The NATS servers are configured by deploy/nats.
func TestFleetAsDeployed(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three NATS servers and an S3 server")
	}
	text, err := os.ReadFile("../../deploy/container/fleet.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file composed
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	s3, nats := gateway.Start(t), cluster.Start(t, nil).URL()
	secrets := map[string]string{"ASSAY_NATS_TOKEN": "unused", "ASSAY_HTTP_TOKEN": "token", "S3_SECRET": "secretsecret"}
	run := func(service, data string) *exec.Cmd {
		s := file.Services[service]
		args := slices.Clone(s.Command)
		if len(args) == 0 {
			t.Fatalf("deploy/container/fleet.yaml has no command of %s", service)
		}
		args[slices.Index(args, "--data")+1] = data
		if listen := slices.Index(args, "--http-listen"); listen > 0 {
			args[listen+1] = "127.0.0.1:0"
		}
		cmd := command(t.Context(), args...)
		for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
			value := composeVariable.ReplaceAllStringFunc(s.Environment[name], func(v string) string {
				secret, known := secrets[composeVariable.FindStringSubmatch(v)[1]]
				if !known {
					t.Errorf("%s: %s is no secret that its first lines name", service, v)
				}
				return secret
			})
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		// where things are on this machine
		cmd.Env = append(cmd.Env, "ASSAY_NATS_URL="+nats, "AWS_ENDPOINT="+s3.URL(), "AWS_ACCESS_KEY_ID=key")
		return cmd
	}
	if out, err := run("define", t.TempDir()).CombinedOutput(); err != nil {
		t.Fatalf("define: %v\n%s", err, out)
	}
	var workers []*process
	var url string
	for n := 1; n <= 3; n++ {
		worker, rest := begin(t, run(fmt.Sprintf("worker-%d", n), t.TempDir()), "api=")
		url, _, _ = strings.Cut(rest, " ")
		workers = append(workers, worker)
	}
	remote := query.NewRemote(url, secrets["ASSAY_HTTP_TOKEN"])
	ingest := command(t.Context(), "ingest", "--server", url, "--http-token", secrets["ASSAY_HTTP_TOKEN"], part(t, t.TempDir(), 0))
	if out, err := ingest.CombinedOutput(); err != nil {
		t.Fatalf("ingest: %v\n%s", err, out)
	}
	soon(t, func() (bool, error) {
		found, err := remote.Workflows(t.Context(), query.WorkflowsRequest{})
		return err == nil && len(found.Workflows) > 0, nil // while partitions are taken over there is no answer
	})
	for _, worker := range workers {
		worker.stop(t)
	}
}

// The units are such as systemd takes, but for the program, which is not installed here.
func TestUnitsVerify(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("there is no systemd-analyze")
	}
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	if err != nil || len(units) < 3 {
		t.Fatal(units, err)
	}
	for _, unit := range units {
		text, err := os.ReadFile(unit)
		if err != nil {
			t.Fatal(err)
		}
		installed := filepath.Join(t.TempDir(), filepath.Base(unit))
		if err := os.WriteFile(installed, []byte(strings.ReplaceAll(string(text), "/usr/local/bin/assay", "/bin/true")), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", installed).CombinedOutput(); err != nil || strings.Contains(string(out), filepath.Base(unit)) {
			t.Errorf("%s: %v: %s", unit, err, out)
		}
	}
}
