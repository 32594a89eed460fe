package config

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	httpd "cairn/http"
	"cairn/http/wire"
)

// This file has the keys of [mcp].

// MCP says whether assistants may ask at /mcp, and what.
type MCP struct {
	Enabled bool     `toml:"enabled"`
	People  bool     `toml:"people"`
	Props   []string `toml:"props"`
	Origins []string `toml:"origins"`
	Hosts   []string `toml:"hosts"`
}

// mcpListMax bounds each list of the table.
const mcpListMax = 256

// validate returns what is wrong with the table. The error names the key.
func (m *MCP) validate() error {
	for _, list := range []struct {
		name   string
		values []string
	}{{"props", m.Props}, {"origins", m.Origins}, {"hosts", m.Hosts}} {
		if len(list.values) > mcpListMax {
			return fmt.Errorf("mcp.%s: at most %d", list.name, mcpListMax)
		}
	}
	if err := CheckProps(m.Props); err != nil {
		return fmt.Errorf("mcp.props: %w", err)
	}
	for _, text := range m.Origins {
		u, err := url.Parse(text)
		if err != nil || u.Scheme == "" || !wire.ValidHost(u.Host) || u.Scheme+"://"+u.Host != text {
			return fmt.Errorf(`mcp.origins: %q is no origin such as "https://chat.example"`, text)
		}
	}
	for _, text := range m.Hosts {
		if !wire.ValidHost(text) || strings.ContainsAny(text, ":[]") {
			return fmt.Errorf(`mcp.hosts: %q is no host such as "cairn.lan"; leave out the port`, text)
		}
	}
	return nil
}

// CheckProps checks a list of properties that assistants may name.
func CheckProps(props []string) error {
	if i := slices.IndexFunc(props, func(p string) bool { return p == "" || strings.HasPrefix(p, "prop.") || len(p) > 1024 }); i >= 0 {
		return fmt.Errorf(`%q is no path of a property such as "plan" or "address.city"; "*" is every property`, props[i])
	}
	return nil
}

// Assistants are the settings of a checked configuration.
func (c *Config) Assistants() httpd.Assistants {
	hosts, _ := c.fetchedHosts() // checked
	return httpd.Assistants{Enabled: c.MCP.Enabled, People: c.MCP.People, Props: c.MCP.Props, Origins: c.MCP.Origins, Hosts: slices.Concat(hosts, c.MCP.Hosts)}
}
