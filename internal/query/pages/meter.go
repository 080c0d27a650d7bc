package pages

import (
	"sync"
	"time"

	"assay/internal/query"
)

// meter makes rates of counts, from what it was shown before. Nobody looks: nothing is measured.
type meter struct {
	mu      sync.Mutex
	samples []sample
}

// sample is how far the layers had come at a time.
type sample struct {
	at     time.Time
	layers [3]uint64
}

// Which samples are kept and compared.
const (
	samplesMax  = 64
	sampleEvery = time.Second
	sampleAge   = 20 * time.Second
)

// layerRates are events per second; -1 where it is not known yet.
type layerRates struct {
	Bronze float64 `json:"bronze"`
	Silver float64 `json:"silver"`
	Gold   float64 `json:"gold"`
}

// rates compares the counts with those of some seconds ago.
func (m *meter) rates(now time.Time, s *query.Summary) layerRates {
	m.mu.Lock()
	defer m.mu.Unlock()
	counts := [3]uint64{s.Bronze.Events, s.Silver.Events, s.Gold.Traces}
	for len(m.samples) > 0 && (now.Sub(m.samples[0].at) > sampleAge || len(m.samples) >= samplesMax) {
		m.samples = m.samples[1:]
	}
	found := layerRates{-1, -1, -1}
	if len(m.samples) > 0 {
		if before := m.samples[0]; now.Sub(before.at) >= sampleEvery {
			seconds := now.Sub(before.at).Seconds()
			per := func(i int) float64 { return max(0, float64(counts[i])-float64(before.layers[i])) / seconds }
			found = layerRates{per(0), per(1), per(2)}
		}
	}
	if n := len(m.samples); n == 0 || now.Sub(m.samples[n-1].at) >= sampleEvery {
		m.samples = append(m.samples, sample{now, counts})
	}
	return found
}
