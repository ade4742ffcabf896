package shuffle

import "github.com/capstan-run/capstan/shuffle/checksum"

// stage gathers small pieces on their way to a file, lets large ones pass, and
// keeps the checksum of the current partition. The checksum is taken of what
// is gathered in one go: a call for each piece of a small partition would cost
// more than the piece.
type stage struct {
	file   *objectFile
	buf    []byte // gathered, not yet written
	summed int    // of buf, bytes that are in crc or before the partition
	crc    uint32
	length int64 // of the current partition
}

const (
	stageSize = 256 << 10
	large     = 32 << 10 // pieces from this length on are not gathered
)

// pos is how many bytes there are, written or gathered.
func (s *stage) pos() int64 { return s.file.pos + int64(len(s.buf)) }

// begin starts a partition and returns its offset.
func (s *stage) begin() int64 {
	s.summed, s.crc, s.length = len(s.buf), 0, 0
	return s.pos()
}

// Write appends b to the current partition.
func (s *stage) Write(b []byte) (int, error) {
	if len(b) >= large || len(s.buf)+len(b) > stageSize {
		if err := s.flush(); err != nil {
			return 0, err
		}
	}
	s.length += int64(len(b))
	if len(b) < large {
		if s.buf == nil {
			s.buf = make([]byte, 0, stageSize)
		}
		s.buf = append(s.buf, b...)
		return len(b), nil
	}
	// Piece by piece, so that the copy finds in the cache what the checksum
	// brought there.
	for done := 0; done < len(b); {
		n := min(len(b)-done, stageSize)
		s.crc = checksum.Update(s.crc, b[done:done+n])
		if _, err := s.file.Write(b[done : done+n]); err != nil {
			return done, err
		}
		done += n
	}
	return len(b), nil
}

// end returns the length and checksum of the current partition.
func (s *stage) end() (int64, uint32) {
	s.sum()
	return s.length, s.crc
}

func (s *stage) sum() {
	s.crc = checksum.Update(s.crc, s.buf[s.summed:])
	s.summed = len(s.buf)
}

// flush writes what is gathered.
func (s *stage) flush() error {
	s.sum()
	_, err := s.file.Write(s.buf)
	s.buf, s.summed = s.buf[:0], 0
	return err
}
