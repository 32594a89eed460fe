package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// This file lays the environment over the configuration. A variable is CAIRN_
// and the key's path in capitals; of a site it is CAIRN_SITE_, the site's name
// with _ for all that is no letter or digit, and the key: CAIRN_SITE_SHOP_SECRET_KEY.
// Lists are separated by commas. Goals come from the file alone.

// applyEnv sets the keys that env names. It returns a warning for each variable
// that is no key's: an error would stop cairn under Kubernetes, which puts
// CAIRN_PORT and the like into the environment of every pod.
func applyEnv(c *Config, env map[string]string) (warnings []string, err error) {
	used := map[string]bool{}
	if err := overlay(reflect.ValueOf(c).Elem(), "CAIRN_", env, used); err != nil {
		return nil, err
	}
	for i := range c.Sites {
		prefix := "CAIRN_SITE_" + envName(c.Sites[i].Name) + "_"
		if err := overlay(reflect.ValueOf(&c.Sites[i]).Elem(), prefix, env, used); err != nil {
			return nil, err
		}
	}
	for name := range env {
		if !used[name] {
			warnings = append(warnings, "the environment variable "+name+" is no key of the configuration")
		}
	}
	slices.Sort(warnings)
	return warnings, nil
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

// overlay sets the keys of the struct v that env has under prefix.
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
		return fmt.Errorf("%q is no %s", text, v.Kind())
	}
	return nil
}
