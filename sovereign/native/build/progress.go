package main

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// weightsTable holds the measured cost of the heaviest units of a first build, in seconds on 2 cores: unit, seconds, how
// many units the line stands for. The line * is for all others together.
//
//go:embed weights.tsv
var weightsTable string

// parallelism is how many units ran at a time when the weights were measured.
const parallelism = 1.9

// priorTime is for how much of a build the measured speed is believed before this machine's own.
const priorTime = 30 * time.Second

// progress estimates how far a build is from the units that are finished.
type progress struct {
	weights map[string]float64 // seconds of single units
	others  float64            // seconds of a unit that is not listed
	total   float64            // seconds of all units that are to be built
	done    float64            // seconds of those that were
}

func newProgress(table string) (*progress, error) {
	p := &progress{weights: make(map[string]float64)}
	for line := range strings.Lines(table) {
		fields := strings.Split(strings.TrimSpace(line), "\t")
		if len(fields) != 3 {
			return nil, fmt.Errorf("weights: %q has not three fields", line)
		}
		seconds, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
		units, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			return nil, fmt.Errorf("weights: %w", err)
		}
		p.total += seconds
		if fields[0] == "*" {
			p.others = seconds / units
		} else {
			p.weights[fields[0]] = seconds
		}
	}
	return p, nil
}

// finished counts a unit as built, or as none of this build's work if it was fresh.
func (p *progress) finished(unit string, fresh bool) {
	weight, listed := p.weights[unit]
	if !listed {
		weight = p.others
	}
	if fresh {
		p.total = max(p.total-weight, p.done)
		return
	}
	p.done += weight
	p.total = max(p.total, p.done)
}

// share is how much of the work is done, from 0 to 1.
func (p *progress) share() float64 {
	if p.total == 0 {
		return 0
	}
	return p.done / p.total
}

// left estimates the time to the end, at the speed so far; at first, at the speed that was measured.
func (p *progress) left(elapsed time.Duration) time.Duration {
	prior := priorTime.Seconds()
	speed := (p.done + prior*parallelism) / (elapsed.Seconds() + prior)
	return time.Duration((p.total - p.done) / speed * float64(time.Second))
}

func (p *progress) line(elapsed time.Duration) string {
	return fmt.Sprintf("native library: %3.0f %%, %s, about %s left",
		100*p.share(), elapsed.Round(time.Second), roundUp(p.left(elapsed)))
}

// roundUp gives an estimate no more digits than it deserves.
func roundUp(d time.Duration) time.Duration {
	unit := 10 * time.Second
	if d > 2*time.Minute {
		unit = time.Minute
	}
	return (d + unit - 1).Truncate(unit)
}
