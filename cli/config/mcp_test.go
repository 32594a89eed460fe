package config

import (
	"slices"
	"strings"
	"testing"
)

// Assistants are off by default; each mistake of [mcp] names its key; hosts of certificates count as
// hosts.
func TestMCP(t *testing.T) {
	cfg, _, err := loadText(t, "acme_hosts = [\"stats.example\"]\n[mcp]\nenabled = true\nprops = [\"plan\", \"a.b\", \"*\"]\norigins = [\"https://chat.example\", \"http://localhost:3000\"]\nhosts = [\"cairn.lan\"]\n")
	if err == nil {
		err = cfg.Validate()
	}
	if err != nil {
		t.Fatal(err)
	}
	a := cfg.Assistants()
	if !a.Enabled || a.People || strings.Join(a.Hosts, " ") != "stats.example cairn.lan" || len(a.Props) != 3 || len(a.Origins) != 2 {
		t.Errorf("%+v", a)
	}
	if def := Default(); def.Assistants().Enabled || def.Assistants().People {
		t.Error("assistants are let in by default")
	}
	for text, want := range map[string]string{
		`props = [""]`:                                  "mcp.props",
		`props = ["prop.plan"]`:                         "mcp.props",
		`origins = ["chat.example"]`:                    "mcp.origins",
		`origins = ["https://chat.example/"]`:           "mcp.origins",
		`origins = ["https://chat.example/x"]`:          "mcp.origins",
		`origins = ["*"]`:                               "mcp.origins",
		`origins = ["null"]`:                            "mcp.origins",
		`origins = ["https://u@chat.example"]`:          "mcp.origins",
		`hosts = ["cairn.lan:8080"]`:                    "mcp.hosts",
		`hosts = ["https://cairn.lan"]`:                 "mcp.hosts",
		`hosts = ["*"]`:                                 "mcp.hosts",
		`hosts = [""]`:                                  "mcp.hosts",
		`hosts = [` + strings.Repeat(`"a",`, 257) + `]`: "mcp.hosts",
	} {
		cfg, _, err := loadText(t, "[mcp]\n"+text+"\n")
		if err == nil {
			err = cfg.Validate()
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
	// Of several mistakes the first is named each time.
	long := slices.Repeat([]string{"a"}, mcpListMax+1)
	for range 20 {
		if err := (&MCP{Props: long, Origins: long, Hosts: long}).validate(); err == nil || err.Error() != "mcp.props: at most 256" {
			t.Fatal(err)
		}
	}
}
