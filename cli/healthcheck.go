package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"cairn/cli/config"
)

// This file is "cairn healthcheck", for supervisors that run a command, such as a container's.

// readyBytesMax is the most that is read of an answer of /readyz.
const readyBytesMax = 64 << 10

// healthcheck asks /readyz, which needs no key, so it works before the first keys are there and
// without a configuration file.
func healthcheck(args []string, stdout, stderr io.Writer) int {
	f := newFlags("healthcheck", "[flags]", "Ask the running server whether it takes writes. Print one line; the exit code is 0 if it\ndoes, else 1.")
	var cf config.Flags
	cf.Register(f.FlagSet)
	url := f.String("url", "", "reach the server at `URL` (default: through its data directory)")
	timeout := f.Duration("timeout", 5*time.Second, "wait `TIME` for the answer")
	if code, done := f.parse(args, 0, 0, stdout, stderr); done {
		return code
	}
	cfg, _, err := config.Load(cf, os.Environ())
	if err == nil {
		err = askReady(&cfg, *url, *timeout)
	}
	if err != nil {
		fmt.Fprintln(stdout, "not ready:", oneLine(err.Error()))
		return ExitFailed
	}
	fmt.Fprintln(stdout, "ready")
	return ExitOK
}

// askReady asks the server of a configuration, or the one at url, whether it is ready. The error
// says why it is not.
func askReady(cfg *config.Config, url string, timeout time.Duration) error {
	s, err := reach(cfg, url)
	if err != nil {
		return err
	}
	ctx, stop := context.WithTimeout(context.Background(), timeout)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.base+"/readyz", nil)
	if err != nil {
		return err
	}
	res, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the server: %w", err)
	}
	defer res.Body.Close()
	var answer struct {
		Status  string
		Reasons []string
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, readyBytesMax))
	if err != nil {
		return err
	}
	known := json.Unmarshal(body, &answer) == nil && answer.Status != ""
	switch {
	case !known:
		return fmt.Errorf("something that is not cairn answered %s", res.Status)
	case res.StatusCode == http.StatusOK:
		return nil
	case len(answer.Reasons) > 0:
		return errors.New(strings.Join(answer.Reasons, "; "))
	}
	return fmt.Errorf("the server answered %s", res.Status)
}

// oneLine folds all blanks of a text.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
