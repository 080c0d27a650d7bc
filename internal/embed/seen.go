package embed

import (
	"crypto/sha256"
	"sync"
)

// seenMax is how many texts a generation of seen has. With 256 dimensions their vectors take 1 MB.
const seenMax = 1024

// seen remembers the vectors of the last texts: agents send the same again and again, a system prompt, a tool's answer, a
// history. It has two generations, of which the older goes when the younger is full. It is used by several goroutines, and its
// vectors are shared: nobody writes to them.
type seen struct {
	sync.Mutex
	young, old map[[sha256.Size]byte][]float32
}

// find returns the name of a text, and its vector if that is remembered.
func (s *seen) find(text string) (name [sha256.Size]byte, vector []float32) {
	name = sha256.Sum256([]byte(text))
	s.Lock()
	defer s.Unlock()
	vector, young := s.young[name]
	if !young {
		if vector = s.old[name]; vector != nil {
			s.add(name, vector)
		}
	}
	return name, vector
}

func (s *seen) keep(name [sha256.Size]byte, vector []float32) {
	s.Lock()
	defer s.Unlock()
	s.add(name, vector)
}

func (s *seen) add(name [sha256.Size]byte, vector []float32) {
	if s.young == nil || len(s.young) == seenMax {
		s.young, s.old = make(map[[sha256.Size]byte][]float32, seenMax), s.young
	}
	s.young[name] = vector
}
