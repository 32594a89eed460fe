package config

import (
	"reflect"
	"slices"
)

// This file compares two configurations of one process.

// fixed are the keys that need a restart: memory, files and listeners are laid out by them.
// Certificates do not: a listener takes those that are there when a client connects.
// docs/sites.md lists them, and a test compares.
var fixed = []string{"listen", "listen_http", "debug_listen", "data_dir", "memory", "reserve", "dedup_hours", "log_format"}

// KeepFixed gives c the values of now for the keys that need a restart, and returns those of them that
// differ from started, the configuration with which the process was started.
func (c *Config) KeepFixed(started, now *Config) (changed []string) {
	for _, key := range fixed {
		to, was, is := c.field(key), started.field(key), now.field(key)
		if !reflect.DeepEqual(to.Interface(), was.Interface()) {
			changed = append(changed, key)
		}
		to.Set(is)
	}
	return changed
}

// field is the top-level key of a name.
func (c *Config) field(key string) (found reflect.Value) {
	eachKey(reflect.ValueOf(c).Elem(), reflect.Value{}, func(k string, f, _ reflect.Value) {
		if k == key {
			found = f
		}
	})
	return found
}

// Differences names what c has in another way than before: keys such as "ip_rate" or "geo", and sites
// as "site shop".
func (c *Config) Differences(before *Config) (names []string) {
	eachKey(reflect.ValueOf(c).Elem(), reflect.Value{}, func(key string, f, _ reflect.Value) {
		if key != "site" && !reflect.DeepEqual(f.Interface(), before.field(key).Interface()) {
			names = append(names, key)
		}
	})
	for i := range c.Sites {
		s := &c.Sites[i]
		if old := before.Site(s.Name); old == nil || !reflect.DeepEqual(*old, *s) {
			names = append(names, "site "+s.Name)
		}
	}
	for i := range before.Sites {
		if name := before.Sites[i].Name; c.Site(name) == nil && !slices.Contains(names, "site "+name) {
			names = append(names, "site "+name)
		}
	}
	return names
}
