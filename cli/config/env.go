package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// This file sets configuration keys from environment variables. The name of a variable is
// CAIRN_ and the key's path in capitals. For a site it is CAIRN_SITE_, the site's name and
// the key, as in CAIRN_SITE_SHOP_SECRET_KEY; in the site's name, every character other than
// a letter or a digit becomes _. Lists are separated by commas. Goals can only be set in
// the file.

// noKeys are variables of cairn that are no keys of the configuration: CAIRN_URL and CAIRN_KEY say whom
// "cairn report" asks.
var noKeys = []string{"CAIRN_CONFIG", "CAIRN_URL", "CAIRN_KEY"}

// applyEnv sets the keys of sites that env names. used has the variables of other keys. It returns
// a warning for each variable that matches no key. An error instead would stop cairn under Kubernetes, which puts
// CAIRN_PORT and similar variables into the environment of every pod.
func applyEnv(c *Config, env map[string]string, used map[string]bool) (warnings []string, err error) {
	for i := range c.Sites {
		prefix := "CAIRN_SITE_" + envName(c.Sites[i].Name) + "_"
		if err := overlay(reflect.ValueOf(&c.Sites[i]).Elem(), prefix, env, used); err != nil {
			return nil, err
		}
	}
	for name := range env {
		if !used[name] {
			warnings = append(warnings, "the environment variable "+name+" matches no configuration key and is ignored")
		}
	}
	slices.Sort(warnings)
	return warnings, nil
}

// SiteVariable is the environment variable that sets a key of a site, such as "matomo.debug".
func SiteVariable(site, key string) string {
	return "CAIRN_SITE_" + envName(site) + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

func envName(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, s)
}

// overlay sets the fields of the struct v for which env has a variable that begins with
// prefix.
func overlay(v reflect.Value, prefix string, env map[string]string, used map[string]bool) error {
	for i := range v.NumField() {
		f := v.Type().Field(i)
		key := f.Tag.Get("toml")
		if f.Anonymous {
			if err := overlay(v.Field(i), prefix, env, used); err != nil {
				return err
			}
			continue
		}
		if key == "" {
			continue
		}
		name := prefix + strings.ToUpper(key)
		if f.Type.Kind() == reflect.Struct {
			if err := overlay(v.Field(i), name+"_", env, used); err != nil {
				return err
			}
			continue
		}
		text, ok := env[name]
		if !ok {
			continue
		}
		used[name] = true
		if err := setText(v.Field(i), text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// kindText names a kind of value to the operator.
var kindText = map[reflect.Kind]string{
	reflect.Bool:    "true or false",
	reflect.Int:     "a whole number",
	reflect.Uint32:  "a whole number from 0 to 4294967295",
	reflect.Float64: "a number",
}

// setText sets v from the text of an environment variable.
func setText(v reflect.Value, text string) (err error) {
	if u, ok := v.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return u.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int:
		var n int64
		if n, err = strconv.ParseInt(text, 10, 64); err == nil {
			v.SetInt(n)
		}
	case reflect.Uint32:
		var n uint64
		if n, err = strconv.ParseUint(text, 10, 32); err == nil {
			v.SetUint(n)
		}
	case reflect.Float64:
		var x float64
		if x, err = strconv.ParseFloat(text, 64); err == nil {
			v.SetFloat(x)
		}
	case reflect.Slice:
		v.SetZero()
		for part := range strings.SplitSeq(text, ",") {
			if part = strings.TrimSpace(part); part == "" {
				continue
			}
			e := reflect.New(v.Type().Elem()).Elem()
			if err := setText(e, part); err != nil {
				return err
			}
			v.Set(reflect.Append(v, e))
		}
	default:
		return fmt.Errorf("cannot be set from the environment")
	}
	if err != nil {
		return fmt.Errorf("%q is not %s", text, kindText[v.Kind()])
	}
	return nil
}
