package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The recipes of docs/mail.md run as they stand there, with a sendmail, a mail server and a web hook that
// keep what they get.

// mailPage is the page.
func mailPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(top, "docs", "mail.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// postOffice is a server with numbers of last week, and a folder in which recipes run.
type postOffice struct {
	*testServer
	dir, page, config string
	sent              string // what sendmail got
}

func openPostOffice(t *testing.T) *postOffice {
	t.Helper()
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	config := configured(t, fmt.Sprintf("data_dir = %q\npublic_url = \"https://stats.example/cairn\"\n%s", data, berlin))
	p := &postOffice{testServer: startServer(t, data, config...), dir: dir, page: mailPage(t), config: config[1], sent: filepath.Join(dir, "sent")}
	p.sowPages()
	p.write("sendmail", "#!/bin/sh\n[ \"$*\" = -t ] || exit 64\ncat >"+p.sent+".part && [ -s "+p.sent+".part ] && mv "+p.sent+".part "+p.sent+"\n", 0o700)
	return p
}

func (p *postOffice) write(name, text string, mode os.FileMode) string {
	p.Helper()
	file := filepath.Join(p.dir, name)
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		p.Fatal(err)
	}
	return file
}

// blocks are the blocks of code in a language below a heading.
func (p *postOffice) blocks(heading, language string) (blocks []string) {
	p.Helper()
	_, section, ok := strings.Cut(p.page, "\n## "+heading+"\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for rest := section; ; {
		_, block, is := strings.Cut(rest, "\n```"+language+"\n")
		block, after, whole := strings.Cut(block, "\n```\n")
		if !is || !whole {
			break
		}
		blocks, rest = append(blocks, block), after
	}
	if !ok || len(blocks) == 0 {
		p.Fatalf("the page has no %s below %q", language, heading)
	}
	return blocks
}

// here is a recipe for this machine. A range of a day or a week may have no events yet, so it is one of 30 days.
func (p *postOffice) here(recipe string, more ...string) string {
	return strings.NewReplacer(append([]string{
		"/usr/bin/cairn", p.options.Exe, "/usr/sbin/sendmail", filepath.Join(p.dir, "sendmail"), "/etc/cairn/config.toml", p.config,
		"-range lastweek", "-range 30d", "-range yesterday", "-range 30d", "--ssl-reqd --user \"$SMTP_USER:$SMTP_PASSWORD\" ", "",
	}, more...)...).Replace(recipe)
}

// sh runs a command as cron and systemd do, with the programs of the folder before others.
func (p *postOffice) sh(command string, env ...string) {
	p.Helper()
	if out, err := p.shell(command, env...).CombinedOutput(); err != nil {
		p.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func (p *postOffice) shell(command string, env ...string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", command)
	cmd.Dir = p.dir
	cmd.Env = append(append(os.Environ(), "PATH="+p.dir+":"+filepath.Dir(p.options.Exe)+":"+os.Getenv("PATH"), "CAIRN_CONFIG="+p.config), env...)
	return cmd
}

// theMail is the mail that was sent. It is the numbers of the site.
func (p *postOffice) theMail() {
	p.Helper()
	text, err := os.ReadFile(p.sent)
	if err != nil {
		p.Fatal(err)
	}
	_ = os.Remove(p.sent)
	p.isTheMail(text)
}

func (p *postOffice) isTheMail(text []byte) {
	p.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(text))
	if err != nil {
		p.Fatalf("%v in %s", err, text)
	}
	to, err := m.Header.AddressList("To")
	subject, wrong := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || wrong != nil || len(to) != 1 || to[0].Address != "you@example.com" || subject != "shop: 6 visitors in the last 30 days (new)" {
		p.Errorf("To: %v %v, Subject: %q %v", to, err, subject, wrong)
	}
	kind, _, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	body, _ := io.ReadAll(m.Body)
	if link := "https://stats.example/cairn/dashboard/site/shop?"; err != nil || kind != "multipart/alternative" || !bytes.Contains(body, []byte(link)) {
		p.Errorf("%s %v, without %s: %s", kind, err, link, body)
	}
	if bytes.Contains(text, []byte("\r")) {
		p.Error("lines end with more than \\n")
	}
}

func TestMailByCron(t *testing.T) {
	t.Parallel()
	p := openPostOffice(t)
	for _, line := range p.blocks("cron", "cron") {
		fields := regexp.MustCompile(`^(\S+ \S+ \S+ \S+ \S+)  cairn  (.*)$`).FindStringSubmatch(line)
		if fields == nil || fields[1] != "0 7 * * 1" || strings.Contains(fields[2], "%") {
			t.Fatalf("no line of cron, or one with %%: %s", line)
		}
		p.sh(p.here(fields[2]))
		p.theMail()
	}
	// The first line of the page, too.
	_, first, _ := strings.Cut(p.page, "```sh\n")
	first, _, _ = strings.Cut(first, "\n```")
	p.sh(p.here(first))
	p.theMail()
	// Of a store whose server is stopped as well.
	p.finish()
	p.sh(p.here(first))
	p.theMail()
	// Where nothing is answered, nothing is sent.
	out, err := p.shell(p.here(first, "bot=false", "bot=perhaps")).CombinedOutput()
	if _, missing := os.Stat(p.sent); err == nil || !os.IsNotExist(missing) || !strings.Contains(string(out), "bot") {
		t.Errorf("a wrong filter: %v, %v\n%s", err, missing, out)
	}
}

func TestMailBySystemd(t *testing.T) {
	t.Parallel()
	p := openPostOffice(t)
	units := p.blocks("systemd", "ini")
	if len(units) != 2 {
		t.Fatalf("the page has %d units", len(units))
	}
	service, timer := p.write("cairn-mail.service", p.here(units[0])+"\n", 0o600), p.write("cairn-mail.timer", units[1]+"\n", 0o600)
	command := regexp.MustCompile(`(?m)^ExecStart=/bin/sh -c '(.*)'$`).FindStringSubmatch(p.here(units[0]))
	if command == nil {
		t.Fatalf("no command in %s", units[0])
	}
	p.sh(command[1], "RUNTIME_DIRECTORY="+p.dir)
	p.theMail()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: there is no systemd-analyze here")
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", service, timer).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	when := regexp.MustCompile(`(?m)^OnCalendar=(.*)$`).FindStringSubmatch(units[1])
	if out, err := exec.Command("systemd-analyze", "calendar", when[1]).CombinedOutput(); err != nil || !strings.Contains(string(out), "Mon *-*-* 07:00:00") {
		t.Errorf("%v\n%s", err, out)
	}
}

// needsTool skips a test where a program is missing.
func needsTool(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("SKIPPED: there is no %s here", name)
		}
	}
}

func TestMailByCurl(t *testing.T) {
	t.Parallel()
	needsTool(t, "curl")
	p := openPostOffice(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		got <- mailServer(c)
	}()
	p.sh(p.here(p.blocks("Without sendmail", "sh")[0], "smtp.example.com:587", l.Addr().String()))
	text := <-got
	if strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") || !strings.Contains(text, "\r\nFrom: ") && !strings.HasPrefix(text, "From: stats@example.com\r\n") {
		t.Errorf("the mail server got %q", text)
	}
	p.isTheMail([]byte(strings.ReplaceAll(text, "\r\n", "\n")))
}

// mailServer takes one mail by SMTP and returns it.
func mailServer(c net.Conn) (text string) {
	in := bufio.NewReader(c)
	fmt.Fprint(c, "220 mail\r\n")
	for data := false; ; {
		line, err := in.ReadString('\n')
		verb := strings.ToUpper(line[:min(4, len(line))])
		switch {
		case err != nil:
			return text
		case data && line == ".\r\n":
			data = false
			fmt.Fprint(c, "250 taken\r\n")
		case data:
			text += strings.TrimPrefix(line, ".")
		case verb == "DATA":
			data = true
			fmt.Fprint(c, "354 go on\r\n")
		case verb == "QUIT":
			fmt.Fprint(c, "221 bye\r\n")
			return text
		default:
			fmt.Fprint(c, "250 fine\r\n")
		}
	}
}

func TestReportsByHook(t *testing.T) {
	t.Parallel()
	needsTool(t, "curl", "jq")
	p := openPostOffice(t)
	got := make(chan string, 1)
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- r.Header.Get("Title") + "|" + r.Header.Get("Content-Type") + "|" + string(body)
	}))
	defer hook.Close()
	recipes := p.blocks("A web hook", "sh")
	if len(recipes) != 2 {
		t.Fatalf("the page has %d recipes", len(recipes))
	}
	p.sh(p.here(recipes[0], "https://ntfy.example/stats", hook.URL))
	if body := <-got; !strings.HasPrefix(body, "cairn yesterday|") || !regexp.MustCompile(`Visitors +6 `).MatchString(body) {
		t.Errorf("ntfy gets %s", body)
	}
	p.sh(p.here(recipes[1]), "HOOK="+hook.URL)
	_, body, _ := strings.Cut(<-got, "|application/json|")
	var said struct{ Text string }
	if err := json.Unmarshal([]byte(body), &said); err != nil || !strings.HasPrefix(said.Text, "```\nVisits · shop\n") || !strings.HasSuffix(said.Text, "\n```") {
		t.Errorf("the chat gets %v %q", err, body)
	}
}
