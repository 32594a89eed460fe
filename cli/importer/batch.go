package importer

import (
	"fmt"
	"io"
	"strings"

	"cairn/engine/event"
)

// This file is what a reader hands to the end of an import: a batch of events, and of what became
// of the other records; and the summary that all batches add up to.

// Summary is what became of an import.
type Summary struct {
	Files      int
	Read       int64 // records: lines, rows or objects
	Events     int64 // that were made of them
	Stored     int64
	Duplicates int64            // that the server had
	LeftOut    map[string]int64 // records that are no events, by reason
	Refused    map[string]int64 // records and events, by reason
	Formats    []string         // of the files, each once
	Check      *Check           // of a dry run
}

// RefusedTotal is how many records and events were refused.
func (s *Summary) RefusedTotal() (n int64) {
	for _, v := range s.Refused {
		n += v
	}
	return n
}

// place is where an event comes from.
type place struct {
	file *member
	line int
	text []byte // of the record; nil unless it is kept for Rejected
}

// refused is a record that was not taken.
type refused struct {
	place
	why string
}

// batch is a stretch of the files on its way to the server.
type batch struct {
	body    []byte // lines of JSON
	ends    []int  // of each event in body
	places  []place
	read    int64
	leftOut map[string]int64
	refused []refused
	bytes   int64 // of texts that are kept
	done    int64 // bytes of the files that are read
}

// refuse keeps a record that was not taken.
func (r *reader) refuse(at place, why string) {
	if r.o.Rejected == nil {
		at.text = nil
	} else {
		at.text = append([]byte(nil), at.text...)
		r.batch.bytes += int64(len(at.text))
	}
	r.batch.refused = append(r.batch.refused, refused{at, why})
}

func newBatch() *batch { return &batch{leftOut: map[string]int64{}} }

// settle adds what a batch says without the server to the summary.
func (s *Summary) settle(b *batch, rejected io.Writer) error {
	s.Read += b.read
	s.Events += int64(len(b.ends))
	for why, n := range b.leftOut {
		count(s.LeftOut, why, n)
	}
	for _, no := range b.refused {
		if err := s.refuse(no.place, no.why, rejected); err != nil {
			return err
		}
	}
	return nil
}

// refuse counts a refused record and writes it to rejected.
func (s *Summary) refuse(at place, why string, rejected io.Writer) error {
	count(s.Refused, classOf(why), 1)
	if rejected == nil {
		return nil
	}
	line := event.AppendString([]byte(`{"file":`), at.file.name)
	line = fmt.Appendf(line, `,"line":%d,"reason":`, at.line)
	line = event.AppendString(line, why)
	line = append(line, `,"text":`...)
	line = append(event.AppendString(line, alias(at.text)), "}\n"...)
	_, err := rejected.Write(line)
	return err
}

// classOf makes reasons that differ in a number the same.
func classOf(why string) string {
	out := make([]byte, 0, len(why))
	for i := 0; i < len(why) && len(out) < 160; i++ {
		c := why[i]
		if c >= '0' && c <= '9' {
			if n := len(out); n > 0 && out[n-1] == 'N' {
				continue
			}
			c = 'N'
		}
		if c == '"' { // what was quoted differs from record to record
			if end := strings.IndexByte(why[i+1:], '"'); end >= 0 {
				out = append(out, `"…"`...)
				i += end + 1
				continue
			}
		}
		out = append(out, c)
	}
	return printable(string(out))
}

func count(m map[string]int64, key string, n int64) {
	if _, ok := m[key]; !ok && len(m) >= reasonsMax {
		key = "other reasons"
	}
	m[key] += n
}
