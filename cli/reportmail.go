package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"cairn/cli/config"
	"cairn/http/tables"
	"cairn/http/tables/mail"
)

// This file prints a report as one mail, for "sendmail -t". Nothing is sent: cairn knows no mail
// server. A message is printed whole, after the answer has come, or not at all.

// linkBytesMax is how long the link to the dashboard may be. A longer one leads to the site alone.
const linkBytesMax = 1500

// checkMail refuses what no mail can be made with, before anything is asked.
func (e *reporting) checkMail() error {
	if e.mailTo == "" {
		return errors.New("-format mail needs -mail-to ADDRESS")
	}
	if _, err := mail.Addresses(e.mailTo); err != nil {
		return fmt.Errorf("-mail-to: %w", err)
	}
	if e.mailFrom == "" {
		return nil
	}
	switch from, err := mail.Addresses(e.mailFrom); {
	case err != nil:
		return fmt.Errorf("-mail-from: %w", err)
	case len(from) != 1:
		return fmt.Errorf("-mail-from: has %d addresses; a mail is from one", len(from))
	}
	return nil
}

// printMail prints a report as a message. Its lines end with \n, as those of every text that a program
// of Unix gives to sendmail.
func printMail(out io.Writer, e *reporting, r *tables.Report) error {
	m := mail.Message{Report: r, Date: time.Now(), Range: e.rangeName()}
	var err error
	if m.To, err = mail.Addresses(e.mailTo); err != nil {
		return err
	}
	if e.mailFrom != "" {
		if m.From, err = mail.Addresses(e.mailFrom); err != nil {
			return err
		}
	}
	if m.Host, err = os.Hostname(); err != nil {
		m.Host = "" // a message may be from anywhere
	}
	m.Dashboard = e.dashboard(r)
	text, err := m.Bytes()
	if err != nil {
		return err
	}
	_, err = out.Write(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")))
	return err
}

// rangeName is the name of the range that is asked for; "" = it has none.
func (e *reporting) rangeName() string {
	switch {
	case e.question != nil && !e.question.Range, e.query.Get("from") != "", e.query.Get("to") != "":
		return ""
	case e.query.Get("range") == "" && (e.question == nil || e.question.Param("compare") != nil):
		return "30d"
	}
	return e.query.Get("range")
}

// dashboard is the address of the screen that shows the report: below the server that was asked, or
// public_url. It is "" when neither is known, since an address of this machine alone is of no use to
// those who read the mail.
func (e *reporting) dashboard(r *tables.Report) string {
	base := e.url
	if base == "" || ownAddress(base) {
		cfg, _, err := config.Load(e.Flags, os.Environ())
		if err != nil || !cfg.Dashboard {
			return ""
		}
		base = cfg.PublicURL
	}
	if base == "" || r.Site == "" {
		return ""
	}
	base = strings.TrimRight(base, "/")
	site := r.Site
	if name := e.query.Get("site"); name != "" {
		site = name // as it is, and not made safe to read
	}
	link := base + tables.Screen(e.question, site, r.Lasting(e.query), !r.From.IsZero())
	if len(link) > linkBytesMax {
		link = base + tables.Screen(nil, site, nil, true)
	}
	return link
}

// ownAddress says whether an address is one that this machine alone can reach.
func ownAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return true
	}
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.Unmap().IsLoopback()
}
