package ua

import (
	"slices"
	"strings"
)

// This file tells the kind of a device from its system and the words in its agent.

// sign is what tells a kind of device: any one of the words is enough.
type sign struct {
	device  string
	names   []string // a product or an item of a comment is called exactly this
	parts   []string // the agent contains this
	starts  []string // an item of a comment begins with this
	without string   // and the agent does not contain this; "" = nothing is asked
}

// deviceRules is how the devices of a system are told apart. The first sign that an agent
// shows decides.
type deviceRules struct {
	only      string // every device of the system is this, whatever the agent says; "" = look
	signs     []sign
	otherwise string // without a sign
}

// systemRules has the systems that do not run on desktops alone. Any other is a Desktop, or a
// TV if the agent has a word of one.
var systemRules = map[string]deviceRules{
	"Xbox":        {only: Console},
	"PlayStation": {only: Console},
	"Nintendo":    {only: Console},
	"tvOS":        {only: TV},
	"Roku":        {only: TV},
	"watchOS":     {only: Wearable},

	"iPadOS": {otherwise: Tablet},

	"iOS":            {otherwise: Smartphone},
	"Windows Phone":  {otherwise: Smartphone},
	"Windows Mobile": {otherwise: Smartphone},
	"KaiOS":          {otherwise: Smartphone},
	"Symbian":        {otherwise: Smartphone},
	"MeeGo":          {otherwise: Smartphone},
	"Maemo":          {otherwise: Smartphone},
	"Sailfish OS":    {otherwise: Smartphone},
	"Firefox OS":     {signs: []sign{{device: Tablet, names: []string{"Tablet"}}}, otherwise: Smartphone},
	"BlackBerry":     {signs: []sign{{device: Tablet, names: []string{"PlayBook"}, parts: []string{"Tablet"}}}, otherwise: Smartphone},

	// Android on a tablet leaves the word Mobile out.
	"Android": {signs: androidSigns, otherwise: Tablet},
	"Tizen":   {signs: androidSigns, otherwise: Tablet},
	"webOS":   {signs: slices.Concat([]sign{{device: TV, parts: []string{"TV"}}}, androidSigns), otherwise: Tablet},
	"HarmonyOS": {signs: slices.Concat(androidSigns, []sign{
		{device: Desktop, names: []string{"PC"}},
		{device: Smartphone, names: []string{"Phone"}},
	}), otherwise: Desktop},

	"Linux": {signs: []sign{
		{device: Car, names: []string{"Tesla", "QtCarBrowser"}},
		{device: Wearable, names: []string{"OculusBrowser"}},
		{device: Tablet, names: []string{"Kindle", "Silk"}},
		tabletModels,
		{device: Smartphone, names: []string{"Mobile", "Mobile Safari"}},
	}, otherwise: Desktop},
	"": {signs: []sign{{device: Smartphone, names: []string{"Opera Mini", "J2ME", "MIDP-2.0", "UP.Browser"}}}},
}

// tvSign is looked for on any system without a kind of its own: it knows television sets,
// boxes and sticks.
var tvSign = sign{
	device: TV,
	names:  []string{"CrKey", "Large Screen", "TV"},
	parts: []string{
		"SMART-TV", "SmartTV", "Smart-TV", "HbbTV", "GoogleTV", "Android TV", "AppleTV", "Apple TV", "BRAVIA",
		"NetCast", "Viera", "VIDAA", "; AFT", "DTV)", "InettvBrowser", "Opera TV", "TV Safari",
	},
}

// tabletModels are those of makers whose tablets have the word Mobile in their agent.
var tabletModels = sign{
	device: Tablet,
	starts: []string{"SM-T", "SM-X", "GT-P", "SAMSUNG SM-T", "SAMSUNG SM-X", "Lenovo TB", "Nexus 7", "Nexus 9", "Nexus 10", "KF", "Pixel C", "Pixel Tablet", "Kindle"},
	parts:  []string{"Tab ", " Pad"},
}

var androidSigns = []sign{
	{device: Tablet, names: []string{"Tablet"}, parts: []string{"Tablet"}},
	{device: Wearable, names: []string{"OculusBrowser", "PicoBrowser"}, parts: []string{"Watch", "SM-R8", "SM-R9"}},
	tabletModels,
	{device: Car, names: []string{"Automotive", "Android Automotive"}},
	{device: Smartphone, names: []string{"Opera Mini", "Opera Mobi"}, parts: []string{"Mobile"}},
	{device: Smartphone, names: []string{"wv"}, without: "Safari"},
	// These leave the word Mobile out.
	{device: Smartphone, names: []string{"Instagram", "FBAV", "Dalvik", "UCBrowser", "Pinterest", "okhttp"}},
}

// device tells the kind of device; system is the name of the operating system, "" when it
// is not known.
func (t *tokens) device(system string) string {
	f, ok := systemRules[system]
	switch {
	case !ok:
		f.otherwise = Desktop
	case f.only != "":
		return f.only
	}
	if t.shows(&tvSign) {
		return TV
	}
	for i := range f.signs {
		if t.shows(&f.signs[i]) {
			return f.signs[i].device
		}
	}
	return f.otherwise
}

// shows says whether the agent has one of the words of a sign.
func (t *tokens) shows(s *sign) bool {
	if s.without != "" && strings.Contains(t.agent, s.without) {
		return false
	}
	for _, part := range s.parts {
		if strings.Contains(t.agent, part) {
			return true
		}
	}
	for _, name := range s.names {
		if t.has(name) {
			return true
		}
	}
	return len(s.starts) > 0 && t.begins(s.starts)
}

// begins says whether an item of a comment begins with one of the words.
func (t *tokens) begins(words []string) bool {
	for i := range t.n {
		if !t.store[i].comment {
			continue
		}
		for _, word := range words {
			if strings.HasPrefix(t.store[i].text, word) {
				return true
			}
		}
	}
	return false
}
