package metrics

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"assay/internal/fleet"
)

// FleetSource is what is asked about a fleet at each scrape.
type FleetSource interface {
	FleetStatus(ctx context.Context) (*fleet.Status, error)
	// FleetStats are this worker's own; ok is false without a fleet.
	FleetStats() (stats fleet.Stats, refused uint64, ok bool)
}

// NewFleet returns a collector of what a worker knows of its fleet, which has nothing to tell without one.
func NewFleet(source FleetSource) prometheus.Collector { return &fleetCollector{source} }

type fleetCollector struct{ source FleetSource }

var (
	members       = desc("fleet_members", "Workers that live.")
	owned         = desc("fleet_partition_owned", "1 for the worker that owns a partition.", "partition", "worker")
	epochs        = desc("fleet_partition_epoch", "Epoch that a partition is in.", "partition")
	partitionLag  = desc("fleet_partition_lag_batches", "Batches of a partition that are not folded.", "partition")
	takeOvers     = desc("fleet_take_overs_total", "Partitions that this worker has taken over from one that was dead.")
	takeOverTime  = desc("fleet_take_over_seconds_total", "How long these took, from when the dead worker was heard last until the partition was folded again.")
	longest       = desc("fleet_take_over_longest_seconds", "How long the longest of them took.")
	moves         = desc("fleet_hand_overs_total", "Partitions that this worker has given back.")
	ownFailures   = desc("fleet_failures_total", "Times that owning a partition, or following it, ended with an error here.")
	refusedWrites = desc("fleet_refused_writes_total", "Writes of this worker that were refused because another had taken over.")
)

// Describe implements prometheus.Collector.
func (c *fleetCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{members, owned, epochs, partitionLag, takeOvers, takeOverTime, longest, moves, ownFailures, refusedWrites} {
		ch <- d
	}
}

// Collect implements prometheus.Collector.
func (c *fleetCollector) Collect(ch chan<- prometheus.Metric) {
	stats, refused, ok := c.source.FleetStats()
	if !ok {
		return
	}
	for d, n := range map[*prometheus.Desc]uint64{
		takeOvers: stats.TakeOvers, moves: stats.Moves, ownFailures: stats.Failures, refusedWrites: refused,
	} {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n))
	}
	ch <- prometheus.MustNewConstMetric(takeOverTime, prometheus.CounterValue, stats.TakeOverTime.Seconds())
	ch <- prometheus.MustNewConstMetric(longest, prometheus.GaugeValue, stats.LongestTakeOver.Seconds())
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	s, err := c.source.FleetStatus(ctx)
	if err != nil {
		return // the counts of the log are missing too, and the other collector says why
	}
	gauge := func(d *prometheus.Desc, x float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x, labels...)
	}
	alive := 0
	for _, m := range s.Members {
		if m.Alive {
			alive++
		}
	}
	gauge(members, float64(alive))
	for _, p := range s.Partitions {
		n := strconv.Itoa(p.Partition)
		gauge(epochs, float64(p.Epoch), n)
		gauge(partitionLag, float64(p.Lag), n)
		if p.Owner != "" {
			gauge(owned, 1, n, p.Owner)
		}
	}
}
