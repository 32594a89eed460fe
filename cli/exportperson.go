package cli

import (
	"archive/zip"
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
)

// This file exports what is no list of events: one person, all profiles, counters.

// person writes all that is stored of one person as a zip file.
func (e *exportFlags) person(ctx context.Context, s *server, stdout, stderr io.Writer) error {
	query, err := e.query()
	if err != nil {
		return err
	}
	profile, err := s.get(ctx, "/api/v1/users/"+url.PathEscape(e.user)+"?"+siteOf(e.site))
	if refused := (*refusal)(nil); errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return errors.New("nothing is stored of " + e.user)
	}
	if err != nil {
		return err
	}
	defer profile.Body.Close()
	file, err := openExport(e, stdout)
	if err != nil {
		return err
	}
	z := zip.NewWriter(file)
	add := func(name string, copy func(w io.Writer) error) {
		if err != nil {
			return
		}
		var w io.Writer
		if w, err = z.Create(name); err == nil {
			err = copy(w)
		}
	}
	add("profile.json", func(w io.Writer) error {
		_, err := io.Copy(w, profile.Body)
		return err
	})
	add("events.ndjson", func(w io.Writer) error {
		res, err := s.get(ctx, "/api/v1/export?"+query+"&user="+url.QueryEscape(e.user))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(w, res.Body)
		return err
	})
	add("sessions.ndjson", func(w io.Writer) error {
		return s.pages(ctx, "/api/v1/sessions?"+query+"&limit=1000&user="+url.QueryEscape(e.user), "sessions", w)
	})
	if err == nil {
		err = z.Close()
	}
	if err == nil {
		err = file.finish()
	}
	if err != nil {
		file.leave()
	}
	return err
}

// profiles writes all profiles.
func (e *exportFlags) profiles(ctx context.Context, s *server, stdout io.Writer) error {
	return e.simple(stdout, func(w io.Writer, query string) error {
		return s.pages(ctx, "/api/v1/users?"+query+"&limit=1000", "users", w)
	})
}

// copyCounters writes the counters of a property.
func (e *exportFlags) copyCounters(ctx context.Context, s *server, stdout io.Writer) error {
	return e.simple(stdout, func(w io.Writer, query string) error {
		res, err := s.get(ctx, "/api/v1/counters?"+query+"&format=csv&property="+url.QueryEscape(e.counters))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.Copy(w, res.Body)
		return err
	})
}

// simple writes a file that does not go on.
func (e *exportFlags) simple(stdout io.Writer, write func(w io.Writer, query string) error) error {
	query, err := e.query()
	if err != nil {
		return err
	}
	file, err := openExport(e, stdout)
	if err != nil {
		return err
	}
	if err = write(file, query); err == nil {
		err = file.finish()
	}
	if err != nil {
		file.leave()
	}
	return err
}

func siteOf(name string) string {
	if name == "" {
		return ""
	}
	return "site=" + url.QueryEscape(name)
}

// pageBytes is how large an answer with a page of a listing may be.
const pageBytes = 256 << 20

// pages writes the members of all pages of a listing, one a line.
func (s *server) pages(ctx context.Context, path, member string, to io.Writer) error {
	w := bufio.NewWriter(to)
	for after := ""; ; {
		res, err := s.get(ctx, path+after)
		if err != nil {
			return err
		}
		var page map[string]json.RawMessage
		err = json.NewDecoder(io.LimitReader(res.Body, pageBytes)).Decode(&page)
		res.Body.Close()
		if err != nil {
			return err
		}
		var list []json.RawMessage
		if err := json.Unmarshal(page[member], &list); err != nil {
			return err
		}
		for _, one := range list {
			w.Write(one)
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
		}
		var next string
		if raw := page["next"]; raw != nil {
			if err := json.Unmarshal(raw, &next); err != nil {
				return err
			}
		}
		if next == "" {
			return w.Flush()
		}
		after = "&after=" + url.QueryEscape(next)
	}
}
