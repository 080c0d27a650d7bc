package main

import (
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// buildVersion is set by the Makefile: a tag, or how far after one and which commit.
var buildVersion string

// version is what this program was built from, as exactly as is known.
func version() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	var revision, modified string
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value[:min(len(s.Value), 12)]
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "-dirty"
		}
	}
	switch {
	case info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	case revision != "":
		return revision + modified
	}
	return "(devel)"
}

// buildInfo tells the version to Prometheus.
func buildInfo() prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "assay_build_info", Help: "1; the label tells the version.", ConstLabels: prometheus.Labels{"version": version()},
	}, func() float64 { return 1 })
}
