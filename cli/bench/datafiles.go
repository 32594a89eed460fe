package bench

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// This file makes the files that the phase "data" imports.

// writeFile makes a file of dataImport lines.
func writeFile(path string, line func(b []byte, n int) []byte) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	var b []byte
	for n := range dataImport {
		b = append(line(b[:0], n), '\n')
		if _, err := w.Write(b); err != nil {
			break // Flush returns it, too
		}
	}
	err = w.Flush()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}

// writeEvents makes a file of cairn's own events.
func (d *dataRun) writeEvents(path string) error {
	s := newStream(d.Seed, d.run, d.streams, d.crowd())
	d.streams++
	at := time.Now().Add(-time.Hour)
	return writeFile(path, func(b []byte, n int) []byte { return s.appendEvent(b, at.Add(time.Duration(n)*time.Millisecond)) })
}

// writeAccessLog makes a log in the combined format: people with browsers read pages.
func (d *dataRun) writeAccessLog(path string) error {
	rng := rand.New(rand.NewPCG(d.Seed^d.run, 0))
	start := time.Now().Add(-24 * time.Hour)
	return writeFile(path, func(b []byte, n int) []byte {
		at := start.Add(time.Duration(n) * 24 * time.Hour / dataImport)
		visitor := zipf(rng, 1<<16)
		return fmt.Appendf(b, `198.18.%d.%d - - [%s] "GET /p/%d HTTP/1.1" 200 %d "https://shop.example/p/%d" "%s"`,
			visitor>>8, visitor&255, at.Format("02/Jan/2006:15:04:05 -0700"), zipf(rng, benchURLs), 1000+rng.IntN(50_000), zipf(rng, benchURLs), mixedAgents[visitor%len(mixedAgents)])
	})
}
