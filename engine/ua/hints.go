package ua

import (
	"strings"

	"github.com/valyala/fastjson"
)

// Hints are the client hints of a request, each as the browser wrote it, or "". A hint
// longer than hintBytesMax is ignored.
type Hints struct {
	Brands          string // Sec-CH-UA
	FullVersions    string // Sec-CH-UA-Full-Version-List
	Platform        string // Sec-CH-UA-Platform
	PlatformVersion string // Sec-CH-UA-Platform-Version
	Model           string // Sec-CH-UA-Model
	Mobile          string // Sec-CH-UA-Mobile
	FormFactors     string // Sec-CH-UA-Form-Factors
	Data            string // the same as one JSON object, in the form of Matomo's uadata
}

// DataKey is the key of HintsOf for the JSON object of Matomo's uadata. The other keys
// are the names of headers.
const DataKey = "uadata"

const (
	hintBytesMax = 1024
	dataBytesMax = 4096
	brandsMax    = 16 // entries of a list that are read; browsers send three
	nameBytesMax = 64 // longest brand, platform or model that is used
)

// HintsOf returns the hints among headers by lower-case name.
func HintsOf(headers map[string]string) Hints {
	if len(headers) == 0 {
		return Hints{}
	}
	if data, ok := headers[DataKey]; ok && len(headers) == 1 {
		if len(data) > dataBytesMax {
			data = ""
		}
		return Hints{Data: data}
	}
	h := Hints{
		Brands: headers["sec-ch-ua"], FullVersions: headers["sec-ch-ua-full-version-list"],
		Platform: headers["sec-ch-ua-platform"], PlatformVersion: headers["sec-ch-ua-platform-version"],
		Model: headers["sec-ch-ua-model"], Mobile: headers["sec-ch-ua-mobile"], FormFactors: headers["sec-ch-ua-form-factors"],
		Data: headers[DataKey],
	}
	for _, s := range [...]*string{&h.Brands, &h.FullVersions, &h.Platform, &h.PlatformVersion, &h.Model, &h.Mobile, &h.FormFactors} {
		if len(*s) > hintBytesMax {
			*s = ""
		}
	}
	if len(h.Data) > dataBytesMax {
		h.Data = ""
	}
	return h
}

// hinted is the parsed form of hints.
type hinted struct {
	brands          []brandVersion
	platform        string
	platformVersion string
	model           string
	mobile          bool
	form            string
}

type brandVersion struct {
	brand, version string
	full           bool // the version is whole, not only its first number
}

// refine lets hints win over the agent, which browsers have frozen.
func (h *Hints) refine(a *Agent) {
	if *h == (Hints{}) {
		return
	}
	var x hinted
	if h.Data != "" {
		x.readData(h.Data)
	}
	x.readHeaders(h)
	x.browser(a)
	x.system(a)
	x.device(a)
	if x.model != "" {
		a.Model = strings.Clone(x.model)
		a.Brand = brandOf(a.Model)
	}
}

// readHeaders reads the structured headers (RFC 8941), leniently.
func (x *hinted) readHeaders(h *Hints) {
	x.readBrands(h.FullVersions, true)
	x.readBrands(h.Brands, false)
	if s := bare(h.Platform); s != "" {
		x.platform = s
	}
	if s := bare(h.PlatformVersion); s != "" {
		x.platformVersion = s
	}
	if s := bare(h.Model); s != "" {
		x.model = s
	}
	if strings.TrimSpace(h.Mobile) == "?1" {
		x.mobile = true
	}
	if s, _, _ := strings.Cut(h.FormFactors, ","); bare(s) != "" {
		x.form = bare(s)
	}
}

// readBrands reads "Brand";v="1.2", "Other";v="3". A brand may have commas, semicolons and
// escapes: browsers put some made-up brands with them into the list.
func (x *hinted) readBrands(s string, full bool) {
	for len(x.brands) < brandsMax {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			return
		}
		brand, rest, ok := quoted(s[i:])
		if !ok {
			return
		}
		s = rest
		var v string
		if after, ok := strings.CutPrefix(strings.TrimLeft(s, " "), ";"); ok {
			if after, ok = strings.CutPrefix(strings.TrimLeft(after, " "), "v="); ok {
				if v, s, ok = quoted(after); !ok {
					return
				}
			}
		}
		x.brands = append(x.brands, brandVersion{printable(brand), version(v), full})
	}
}

// quoted cuts a string in double quotes from the start of s.
func quoted(s string) (text, rest string, ok bool) {
	if s == "" || s[0] != '"' {
		return "", s, false
	}
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return s[1:i], s[i+1:], true
		}
	}
	return "", s, false
}

// bare returns a header that is one quoted string.
func bare(s string) string {
	s = strings.TrimSpace(s)
	if t, _, ok := quoted(s); ok {
		s = t
	}
	return printable(s)
}

// printable returns s when it is short printable ASCII, else "". All browsers, platforms and
// models have such names.
func printable(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > nameBytesMax {
		return ""
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return ""
		}
	}
	return s
}

var parsers fastjson.ParserPool

// readData reads {"brands":[{"brand","version"}],"fullVersionList":[…],
// "platform","platformVersion","model","mobile":bool,"formFactors":[…]}.
func (x *hinted) readData(data string) {
	p := parsers.Get()
	defer parsers.Put(p)
	v, err := p.Parse(data)
	if err != nil {
		return
	}
	for _, list := range [...]struct {
		key  string
		full bool
	}{{"fullVersionList", true}, {"brands", false}} {
		entries := v.GetArray(list.key)
		for _, e := range entries[:min(len(entries), brandsMax)] {
			x.brands = append(x.brands, brandVersion{
				printable(string(e.GetStringBytes("brand"))), version(string(e.GetStringBytes("version"))), list.full})
		}
	}
	x.platform = printable(string(v.GetStringBytes("platform")))
	x.platformVersion = printable(string(v.GetStringBytes("platformVersion")))
	x.model = printable(string(v.GetStringBytes("model")))
	x.mobile = v.GetBool("mobile")
	if forms := v.GetArray("formFactors"); len(forms) > 0 {
		x.form = printable(string(forms[0].GetStringBytes()))
	}
}

// brandNames has the browsers whose brand is not their name.
var brandNames = map[string]string{
	"Google Chrome": "Chrome", "Microsoft Edge": "Edge", "Android WebView": "Chrome WebView", "HeadlessChrome": "Headless Chrome",
	"Yandex": "Yandex Browser", "YaBrowser": "Yandex Browser", "Oculus Browser": "Meta Quest Browser", "Microsoft Edge WebView2": "Edge WebView",
	"Opera Mobile": "Opera", "OperaMobile": "Opera", "Samsung Browser": "Samsung Internet", "DuckDuckGo Privacy Browser": "DuckDuckGo",
	"Norton Private Browser": "Norton Browser", "Naver Whale": "Whale", "Huawei Browser": "Huawei Browser", "HuaweiBrowser": "Huawei Browser", "Mi Browser": "MIUI Browser",
}

// browser takes the brand that is neither Chromium nor one of the made-up brands
// ("Not/A)Brand"), which keep servers from relying on the list.
func (x *hinted) browser(a *Agent) {
	var name, ver string
	for _, b := range x.brands {
		n := b.brand
		if strings.Contains(n, "Not") && strings.Contains(n, "Brand") || n == "" {
			continue
		}
		if full, ok := brandNames[n]; ok {
			n = full
		}
		if name == "" || name == "Chromium" && n != "Chromium" {
			name, ver = n, ""
		}
		if n == name && b.full && ver == "" {
			ver = b.version
		}
		if n == name && ver == "" && a.BrowserVersion == "" {
			ver = b.version
		}
	}
	switch {
	case name == "":
		return
	case name == a.Browser:
	case name == "Chromium" && a.Browser != "":
		return // "Chromium" alone says less than the agent does
	case a.Browser == "" || a.Browser == "Chrome" || a.Browser == "Chromium":
		a.Browser = strings.Clone(name)
		if ver == "" { // the agent has the version of its Chrome
			a.BrowserVersion = ""
			for _, b := range x.brands {
				if b.brand == name || brandNames[b.brand] == name {
					ver = b.version
				}
			}
		}
	default:
		return // an app, or a browser that hides in a web view
	}
	if ver != "" {
		a.BrowserVersion = strings.Clone(ver)
	}
}

var platformNames = map[string]string{
	"Windows": "Windows", "macOS": "macOS", "Mac OS X": "macOS", "Android": "Android", "Chrome OS": "Chrome OS", "Chromium OS": "Chrome OS", "Linux": "Linux", "iOS": "iOS", "Fuchsia": "Fuchsia", "HarmonyOS": "HarmonyOS",
}

func (x *hinted) system(a *Agent) {
	name := platformNames[x.platform]
	if name == "" {
		return
	}
	// The agents of an iPad and of a television are more specific.
	specific := name == "iOS" && a.OS == "iPadOS" || name == "Linux" && (a.OS == "Tizen" || a.OS == "webOS" || a.OS == "KaiOS")
	if specific {
		return
	}
	if name != a.OS {
		a.OS, a.OSVersion = name, ""
		if a.Device == "" {
			a.Device = map[string]string{"Windows": Desktop, "macOS": Desktop, "Linux": Desktop, "Chrome OS": Desktop}[name]
		}
	}
	v := version(x.platformVersion)
	if v == "" {
		return
	}
	switch name {
	case "Windows":
		v = windowsByHint(v)
	case "Linux":
		v = "" // the kernel's version, which nobody calls that of Linux
	default:
		for strings.HasSuffix(v, ".0") && strings.Contains(v, ".") {
			v = strings.TrimSuffix(v, ".0")
		}
	}
	if v != "" {
		a.OSVersion = strings.Clone(v)
	}
}

// windowsByHint returns the version of Windows. The hint is the version of an API, not
// of Windows; see learn.microsoft.com/microsoft-edge/web-platform/how-to-detect-win11.
func windowsByHint(v string) string {
	major, minor, _ := strings.Cut(v, ".")
	switch {
	case major == "0":
		minor, _, _ = strings.Cut(minor, ".")
		return map[string]string{"1": "7", "2": "8", "3": "8.1"}[minor]
	case len(major) == 1, major == "10":
		return "10"
	case len(major) == 2 && major >= "13", len(major) > 2:
		return "11"
	}
	return ""
}

func (x *hinted) device(a *Agent) {
	switch x.form {
	case "Desktop":
		a.Device = Desktop
	case "Mobile":
		a.Device = Smartphone
	case "Tablet", "EInk":
		a.Device = Tablet
	case "Watch", "XR":
		a.Device = Wearable
	case "Automotive":
		a.Device = Car
	default:
		if x.mobile && (a.Device == "" || a.Device == Desktop) {
			a.Device = Smartphone
		}
	}
}

// brandOf is the maker of a model, as far as its name shows it.
func brandOf(model string) string {
	for _, b := range [...]struct{ prefix, brand string }{
		{"SM-", "Samsung"}, {"GT-", "Samsung"}, {"SC-", "Samsung"}, {"SCG", "Samsung"}, {"Galaxy", "Samsung"}, {"Pixel", "Google"}, {"Nexus", "Google"},
		{"Redmi", "Xiaomi"}, {"POCO", "Xiaomi"}, {"Mi ", "Xiaomi"}, {"MI ", "Xiaomi"}, {"M2", "Xiaomi"}, {"2201", "Xiaomi"}, {"2203", "Xiaomi"}, {"2211", "Xiaomi"}, {"2312", "Xiaomi"}, {"2409", "Xiaomi"},
		{"CPH", "Oppo"}, {"OPPO", "Oppo"}, {"RMX", "Realme"}, {"ONEPLUS", "OnePlus"}, {"OnePlus", "OnePlus"}, {"vivo", "Vivo"}, {"V2", "Vivo"}, {"moto", "Motorola"}, {"motorola", "Motorola"}, {"XT", "Motorola"},
		{"HUAWEI", "Huawei"}, {"Nokia", "Nokia"}, {"TECNO", "Tecno"}, {"Infinix", "Infinix"}, {"itel", "Itel"}, {"LM-", "LG"}, {"LG-", "LG"}, {"XQ-", "Sony"}, {"SO-", "Sony"}, {"Lenovo", "Lenovo"}, {"TB-", "Lenovo"},
		{"KF", "Amazon"}, {"AFT", "Amazon"}, {"Quest", "Meta"}, {"iPhone", "Apple"}, {"iPad", "Apple"}, {"Nothing", "Nothing"}, {"A063", "Nothing"}, {"FP", "Fairphone"}, {"ZTE", "ZTE"}, {"ASUS", "Asus"},
	} {
		if strings.HasPrefix(model, b.prefix) {
			return b.brand
		}
	}
	return ""
}
