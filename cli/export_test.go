package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exportRows are the rows of a made-up export, by their ids.
func exportRows(format string) (head string, ids, rows []string) {
	for i := range 40 {
		id := fmt.Sprintf("%032x", i+1)
		row := fmt.Sprintf("{\"id\":\"%s\",\"name\":\"a\\nb\"}\n", id)
		if format == "csv" {
			row = fmt.Sprintf("%s,t,\"a \"\"quoted\"\"\r\nbreak %d\",\r\n", id, i)
		}
		ids, rows = append(ids, id), append(rows, row)
	}
	if format == "csv" {
		head = "id,received,time,type,name,user,anonymous,session,dialect,value,\"prop.a,b\",country\r\n"
	}
	return head, ids, rows
}

// breaking is a server whose every answer breaks off after some bytes. It answers as
// GET /api/v1/export does.
func breaking(t *testing.T, format string, bytes int) (*httptest.Server, *[]string) {
	head, ids, rows := exportRows(format)
	var asked []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, r.URL.RawQuery)
		text := ""
		if q.Get("head") == "yes" {
			text = head
		}
		for i, id := range ids {
			if id > q.Get("after") {
				text += rows[i]
			}
		}
		w.Header().Set("Cairn-Up-To", ids[len(ids)-1])
		if len(text) > bytes {
			w.Header().Set("Content-Length", fmt.Sprint(len(text))) // more than is sent
			text = text[:bytes]
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(s.Close)
	return s, &asked
}

// An export that breaks off anywhere goes on after the last whole event, and its file is the one
// that would have come at once.
func TestExportGoesOn(t *testing.T) {
	for _, format := range []string{"ndjson", "csv"} {
		head, ids, rows := exportRows(format)
		for _, bytes := range []int{130, 171, 400, 1 << 20} {
			s, asked := breaking(t, format, bytes)
			file := filepath.Join(t.TempDir(), "events")
			e := &exportFlags{format: format, out: file}
			var errs strings.Builder
			exportWait = 0
			if err := e.events(context.Background(), &server{client: s.Client(), base: s.URL, header: http.Header{}}, nil, &errs); err != nil {
				t.Fatalf("%s, %d bytes: %v", format, bytes, err)
			}
			text, err := os.ReadFile(file)
			if want := head + strings.Join(rows, ""); err != nil || string(text) != want {
				t.Errorf("%s, %d bytes: %q, want %q, %v", format, bytes, text, want, err)
			}
			if want := fmt.Sprintf("40 events exported. Later events: -after %s\n", ids[39]); errs.String() != want {
				t.Errorf("%s, %d bytes: stderr %q, want %q", format, bytes, errs.String(), want)
			}
			last := (*asked)[len(*asked)-1]
			if len(*asked) > 1 && (!strings.Contains(last, "up_to="+ids[39]) || format == "csv" && (!strings.Contains(last, "head=no") || !strings.Contains(last, "columns=%22prop.a%2Cb%22%2Ccountry"))) {
				t.Errorf("%s, %d bytes: the last question was %s", format, bytes, last)
			}
			if _, err := os.Stat(file + ".part"); err == nil {
				t.Errorf("%s, %d bytes: a part is left", format, bytes)
			}
		}
	}
}

// An export that gets no further ends, says where it is, and leaves what it has.
func TestExportGivesUp(t *testing.T) {
	_, _, rows := exportRows("ndjson")
	s, asked := breaking(t, "ndjson", len(rows[0])-1)
	file := filepath.Join(t.TempDir(), "events")
	exportWait = 0
	e := &exportFlags{format: "ndjson", out: file, after: fmt.Sprintf("%032x", 7)}
	err := e.events(context.Background(), &server{client: s.Client(), base: s.URL, header: http.Header{}}, nil, new(strings.Builder))
	if err == nil || !strings.Contains(err.Error(), "-after "+e.after) || len(*asked) != exportTries+1 {
		t.Errorf("%v, asked %d times", err, len(*asked))
	}
	if text, err := os.ReadFile(file + ".part"); err != nil || len(text) != 0 {
		t.Errorf("the part has %q, %v", text, err)
	}
}

// A file goes on after the event of -after, wherever it was cut off.
func TestExportGoesOnInItsFile(t *testing.T) {
	for _, format := range []string{"ndjson", "csv"} {
		head, ids, rows := exportRows(format)
		whole := head + strings.Join(rows, "")
		for _, ending := range []string{"", ".part"} {
			for _, cut := range []int{0, 1, 25, len(rows[0]), 5 * len(rows[0])} {
				s, _ := breaking(t, format, 1<<20)
				file := filepath.Join(t.TempDir(), "events")
				if err := os.WriteFile(file+ending, []byte(whole[:len(head)+len(strings.Join(rows[:20], ""))+cut]), 0o600); err != nil {
					t.Fatal(err)
				}
				e := &exportFlags{format: format, out: file, after: ids[14], quiet: true}
				if err := e.events(context.Background(), &server{client: s.Client(), base: s.URL, header: http.Header{}}, nil, new(strings.Builder)); err != nil {
					t.Fatalf("%s%s, cut %d: %v", format, ending, cut, err)
				}
				if text, err := os.ReadFile(file); err != nil || string(text) != whole {
					t.Errorf("%s%s, cut %d: %q, want %q, %v", format, ending, cut, text, whole, err)
				}
			}
		}
	}
}
