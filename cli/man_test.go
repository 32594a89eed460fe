package cli

import (
	"os/exec"
	"strings"
	"testing"
)

// manual returns the manual page of a build that has a date.
func manual() string {
	var page strings.Builder
	writeManual(&page, build{Version: "1.2.3", Date: "2026-11-30T02:00:00Z"}, describe())
	return page.String()
}

// The manual page names every command and every flag.
func TestManualIsWhole(t *testing.T) {
	page := manual()
	if !strings.HasPrefix(page, ".TH CAIRN 1 \"2026-11-30\" \"cairn 1.2.3\"") {
		t.Errorf("%.80s", page)
	}
	for _, d := range describe() {
		head := ".SS \"cairn " + roff(d.name)
		begin := max(strings.Index(page, head+" "), strings.Index(page, head+"\""))
		if begin < 0 {
			t.Errorf("%s is missing", d.name)
			continue
		}
		section := page[begin+1:]
		section, _, _ = strings.Cut(section, ".SS")
		for _, f := range d.flags {
			if !strings.Contains(section, "\n\\fB\\-"+roff(f.name)+"\\fR") {
				t.Errorf("%s: flag %s is missing", d.name, f.name)
			}
		}
	}
	var out, errs strings.Builder
	if code := run([]string{"man"}, &out, &errs); code != ExitOK || !strings.Contains(out.String(), ".SS \"cairn serve") {
		t.Errorf("%d %s", code, errs.String())
	}
}

// groff and mandoc have no fault to find in it.
func TestManualIsGoodRoff(t *testing.T) {
	looked := false
	for _, tool := range [][]string{{"groff", "-man", "-ww", "-z", "-Tutf8"}, {"mandoc", "-Tlint", "-W", "warning"}} {
		if _, err := exec.LookPath(tool[0]); err != nil {
			continue
		}
		looked = true
		cmd := exec.Command(tool[0], tool[1:]...)
		cmd.Stdin = strings.NewReader(manual())
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", tool[0], err, out)
		}
	}
	if !looked {
		t.Skip("SKIPPED: there is neither groff nor mandoc here")
	}
}
