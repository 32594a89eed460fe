package mail

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"

	"cairn/http/tables"
)

// This file makes the message.

// Message is what a mail is made of.
type Message struct {
	Report    *tables.Report
	Range     string          // the name of its range in the API, such as "lastweek"; "" = it has none
	From      []*mail.Address // one; none = the program that sends the mail fills it in
	To        []*mail.Address // one at least
	Dashboard string          // address of the screen that shows the same; "" = no link
	Date      time.Time
	Host      string // of this machine, for Message-ID where there is no From; "" = localhost
	ID        string // what Message-ID has before the @, in letters and digits; "" = random
}

// Bounds of a part. Gmail shows 102 KB of a message.
const (
	rowsMax   = 80  // of all tables together
	textWidth = 76  // columns
	textMax   = 160 // characters of a text
	textBytes = 32 << 10
)

// Bytes returns the message, whose lines end with \r\n. Only a Message without an address to send to
// gives an error.
func (m *Message) Bytes() ([]byte, error) {
	if len(m.To) == 0 {
		return nil, errors.New("a mail needs an address to go to")
	}
	id := m.ID
	if id == "" {
		var random [16]byte
		_, _ = rand.Read(random[:]) // it never fails
		id = hex.EncodeToString(random[:])
	}
	about := subject(m.Report, m.Range)
	page, err := m.html(about)
	if err != nil {
		return nil, err
	}
	boundary := "=_" + id // no line of quoted-printable has =_
	var h header
	if len(m.From) > 0 {
		h.addresses("From", m.From[:1])
	}
	h.addresses("To", m.To)
	h.text("Subject", about)
	h.line("Date", strings.Fields(m.Date.Format("Mon, 02 Jan 2006 15:04:05 -0700")))
	h.line("Message-ID", []string{"<" + id + "@" + m.host() + ">"})
	h.line("Auto-Submitted", []string{"auto-generated"}) // RFC 3834: nobody's absence answers it
	h.line("MIME-Version", []string{"1.0"})
	h.line("Content-Type", []string{"multipart/alternative;", `boundary="` + boundary + `"`})
	h.WriteString("\r\n")

	var b bytes.Buffer
	b.WriteString(h.String())
	for _, part := range []struct{ kind, text string }{{"text/plain", m.text()}, {"text/html", page}} {
		b.WriteString("--" + boundary + "\r\nContent-Type: " + part.kind + "; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
		if err := encode(&b, part.text); err != nil {
			return nil, err
		}
	}
	b.WriteString("--" + boundary + "--\r\n")
	return b.Bytes(), nil
}

// encode writes a text as quoted-printable. A line that is a dot alone would end the mail for
// "sendmail -t", so it is written as =2E.
func encode(b *bytes.Buffer, text string) error {
	var lines bytes.Buffer
	w := quotedprintable.NewWriter(&lines)
	if _, err := w.Write([]byte(text)); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	for line := range bytes.Lines(lines.Bytes()) {
		if string(bytes.TrimSpace(line)) == "." {
			line = []byte("=2E\r\n")
		}
		b.Write(line)
	}
	if !bytes.HasSuffix(b.Bytes(), []byte("\n")) {
		b.WriteString("\r\n")
	}
	b.WriteString("\r\n")
	return nil
}

// text is the part of plain text.
func (m *Message) text() string {
	text := m.Report.Text(tables.Style{Width: textWidth, RowsMax: rowsMax, BytesMax: textBytes, TextMax: textMax})
	if m.Dashboard != "" {
		text += "\n" + m.Dashboard + "\n"
	}
	return text
}

// host is what Message-ID has after the @.
func (m *Message) host() string {
	host := m.Host
	if len(m.From) > 0 {
		host = m.From[0].Address[strings.LastIndexByte(m.From[0].Address, '@')+1:]
	}
	host = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return -1
	}, host)
	if host = strings.Trim(host, ".-"); host == "" || len(host) > addressBytes || strings.Contains(host, "..") {
		return "localhost"
	}
	return host
}
