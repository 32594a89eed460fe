package config

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cairn/http/dialect"
	"cairn/http/matomo"
)

// This file changes and shows the settings of a site as JSON. The members have the names of the
// keys of [[site]], a table is an object, and [[site.goal]] is an array of objects.

// SettingError says why a setting of a site is refused.
type SettingError struct {
	Key  string // such as "matomo.debug"
	What string // the whole sentence, with the key
}

func (e *SettingError) Error() string { return e.What }

// closed says why a key cannot be set by a call; "" if it can.
func closed(key string) string {
	switch last := key[strings.LastIndexByte(key, '.')+1:]; {
	case key == "name" || key == "id":
		return "is given once, when the site is made, and stays"
	case strings.HasSuffix(last, "_file"):
		return "names a file of the server, so it can be set in the configuration file alone"
	case slices.Contains([]string{"client_secret", "secret_key", "token_auth", "read_key", "matomo.tracking_token", "key"}, key):
		return `is a secret, which cairn makes itself; "cairn keys" prints it`
	}
	return ""
}

// SetSite sets keys of a site. A name with dots, such as "matomo.debug", is a key of a table. null
// sets the default. Where a number or a truth is wanted, or a list, its text will do, as in an
// environment variable. After an error, a *SettingError, the site is half changed.
func SetSite(s *Site, settings map[string]any) error {
	keys := make([]string, 0, len(settings))
	for key := range settings {
		keys = append(keys, key)
	}
	slices.Sort(keys) // the same mistakes give the same answer
	for _, key := range keys {
		if err := setKey(reflect.ValueOf(s).Elem(), reflect.ValueOf(DefaultSite()), "", key, settings[key]); err != nil {
			return err
		}
	}
	return nil
}

// setKey sets one key of the table v, whose path is prefix.
func setKey(v, defaults reflect.Value, prefix, key string, value any) error {
	path := prefix + key
	name, rest, dotted := strings.Cut(key, ".")
	var to, def reflect.Value
	var names []string
	eachKey(v, defaults, func(k string, f, d reflect.Value) {
		if names = append(names, k); k == name {
			to, def = f, d
		}
	})
	if !to.IsValid() {
		hint := DidYouMean(name, names)
		if hint == "" && prefix == "" {
			if at := homeOf(name); at != "" {
				hint = fmt.Sprintf(", did you mean %q?", at)
			}
		}
		return &SettingError{path, fmt.Sprintf("unknown key %q%s", path, hint)}
	}
	if why := closed(prefix + name); why != "" {
		return &SettingError{path, path + " " + why}
	}
	wrong := func(what string) error { return &SettingError{path, fmt.Sprintf("%s: must be %s", path, what)} }
	switch {
	case dotted && isTable(to.Type()):
		return setKey(to, def, prefix+name+".", rest, value)
	case dotted:
		return &SettingError{path, fmt.Sprintf("unknown key %q: %s is not a table", path, prefix+name)}
	case value == nil && def.IsValid():
		to.Set(def)
		return nil
	case isTable(to.Type()):
		table, ok := value.(map[string]any)
		if !ok {
			return wrong("an object")
		}
		for k, x := range table {
			if err := setKey(to, def, path+".", k, x); err != nil {
				return err
			}
		}
		return nil
	case isTables(to.Type()):
		return setTables(to, path, value)
	}
	if err := setJSON(to, value); err != nil {
		return &SettingError{path, path + ": " + err.Error()}
	}
	return nil
}

// homeOf is the path of a key that stands in a table of [[site]], "" if no or more than one table
// has it.
func homeOf(name string) (home string) {
	for path := range keyPaths() {
		if in, ok := strings.CutPrefix(path, "site."); ok && strings.HasSuffix(in, "."+name) && !strings.HasPrefix(in, "goal.") {
			if home != "" {
				return ""
			}
			home = in
		}
	}
	return home
}

// setTables sets a list of tables, such as goals.
func setTables(to reflect.Value, path string, value any) error {
	list, ok := value.([]any)
	if !ok {
		return &SettingError{path, path + ": must be an array of objects"}
	}
	all := reflect.MakeSlice(to.Type(), 0, len(list))
	for i, one := range list {
		table, ok := one.(map[string]any)
		if !ok {
			return &SettingError{path, path + ": must be an array of objects"}
		}
		e := reflect.New(to.Type().Elem()).Elem()
		if goal, is := e.Addr().Interface().(*matomo.Goal); is {
			*goal = matomo.DefaultGoal()
		}
		for k, x := range table {
			if err := setKey(e, reflect.Value{}, fmt.Sprintf("%s[%d].", path, i), k, x); err != nil {
				return err
			}
		}
		all = reflect.Append(all, e)
	}
	to.Set(all)
	return nil
}

// setJSON sets v, which is no table, to a value of JSON.
func setJSON(v reflect.Value, value any) error {
	switch x := value.(type) {
	case string:
		return setText(v, x)
	case bool:
		if v.Kind() == reflect.Bool {
			v.SetBool(x)
			return nil
		}
	case float64:
		switch {
		case v.Kind() == reflect.Float64:
			v.SetFloat(x)
			return nil
		case x == math.Trunc(x) && math.Abs(x) < 1<<53 && v.Kind() != reflect.String && v.Kind() != reflect.Bool && v.Kind() != reflect.Slice:
			return setText(v, strconv.FormatInt(int64(x), 10))
		}
	case []any:
		if v.Kind() != reflect.Slice {
			break
		}
		list := reflect.MakeSlice(v.Type(), 0, len(x))
		for _, one := range x {
			e := reflect.New(v.Type().Elem()).Elem()
			if _, nested := one.([]any); nested {
				return fmt.Errorf("must be a list of plain values")
			}
			if err := setJSON(e, one); err != nil {
				return err
			}
			list = reflect.Append(list, e)
		}
		v.Set(list)
		return nil
	}
	what := kindText[v.Kind()]
	if what == "" {
		what = "text"
	}
	if v.Kind() == reflect.Slice {
		what = "a list"
	}
	return fmt.Errorf("must be %s", what)
}

// ShowSite is the settings of a site as a JSON object, in the order of the configuration. Secrets and
// names of files are left out.
func ShowSite(s *Site) []byte { return appendJSON(nil, "", reflect.ValueOf(s).Elem()) }

// appendJSON appends a table whose path is prefix.
func appendJSON(dst []byte, prefix string, v reflect.Value) []byte {
	dst = append(dst, '{')
	first := len(dst)
	eachKey(v, reflect.Value{}, func(key string, f, _ reflect.Value) {
		if why := closed(prefix + key); why != "" && key != "name" && key != "id" {
			return
		}
		if len(dst) > first {
			dst = append(dst, ',')
		}
		dst = append(appendValue(dst, reflect.ValueOf(key)), ':')
		switch {
		case isTable(f.Type()):
			dst = appendJSON(dst, prefix+key+".", f)
		case isTables(f.Type()):
			dst = append(dst, '[')
			for i := range f.Len() {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = appendJSON(dst, prefix+key+"[].", f.Index(i))
			}
			dst = append(dst, ']')
		default:
			dst = appendValue(dst, f)
		}
	})
	return append(dst, '}')
}

// appendValue appends a plain value. A size or a duration is its text.
func appendValue(dst []byte, v reflect.Value) []byte {
	x := v.Interface()
	switch d := x.(type) {
	case dialect.Duration:
		x = time.Duration(d).String()
	case dialect.Size:
		x = d.String()
	}
	if v.Kind() == reflect.Slice && v.Len() == 0 {
		return append(dst, "[]"...)
	}
	text, err := json.Marshal(x)
	if err != nil {
		return append(dst, "null"...)
	}
	return append(dst, text...)
}
