package kernels

import "testing"

func TestPartition(t *testing.T) {
	for _, c := range []struct {
		workflow string
		n, want  int
	}{
		{"wf-1", 1, 0}, {"wf-1", 0, 0},
		{"abc", 16, 6}, {" ABC ", 16, 6}, // SHA-1 of "abc" begins with a9993e36
		{"", 8, 6}, // da39a3ee
	} {
		if got := Partition(c.workflow, c.n); got != c.want {
			t.Errorf("Partition(%q, %d) = %d, want %d", c.workflow, c.n, got, c.want)
		}
	}
}
