package ua

import "strings"

// device tells the kind of device; system is the name of the operating system.
func (t *tokens) device(system string) string {
	switch system {
	case "Xbox", "PlayStation", "Nintendo":
		return Console
	case "tvOS", "Roku":
		return TV
	case "watchOS":
		return Wearable
	}
	if t.isTV(system) {
		return TV
	}
	switch system {
	case "iPadOS":
		return Tablet
	case "Firefox OS":
		if t.has("Tablet") {
			return Tablet
		}
		return Smartphone
	case "iOS", "Windows Phone", "Windows Mobile", "KaiOS", "Symbian", "MeeGo", "Maemo", "Sailfish OS":
		return Smartphone
	case "BlackBerry":
		if t.has("PlayBook") || strings.Contains(t.agent, "Tablet") {
			return Tablet
		}
		return Smartphone
	case "Android", "HarmonyOS", "Tizen", "webOS":
		switch {
		case t.has("Tablet") || strings.Contains(t.agent, "Tablet"):
			return Tablet
		case t.isWatch():
			return Wearable
		case t.isTabletModel():
			return Tablet
		case t.has("Automotive") || t.has("Android Automotive"):
			return Car
		case strings.Contains(t.agent, "Mobile") || t.has("Opera Mini") || t.has("Opera Mobi") || t.has("wv") && !strings.Contains(t.agent, "Safari"):
			return Smartphone
		case t.has("Instagram") || t.has("FBAV") || t.has("Dalvik") || t.has("UCBrowser") || t.has("Pinterest"):
			return Smartphone // these leave the word Mobile out
		case system == "HarmonyOS" && (t.has("PC") || !t.has("Phone")):
			return Desktop
		case system == "HarmonyOS":
			return Smartphone
		}
		return Tablet // what Android leaves the word Mobile out for
	case "":
		switch {
		case t.has("Opera Mini") || t.has("J2ME") || t.has("MIDP-2.0") || t.has("UP.Browser"):
			return Smartphone
		}
		return ""
	case "Linux":
		switch {
		case t.has("Tesla") || t.has("QtCarBrowser"):
			return Car
		case t.has("OculusBrowser"):
			return Wearable
		case t.has("Kindle") || t.has("Silk") || t.isTabletModel():
			return Tablet
		case t.has("Mobile") || t.has("Mobile Safari"):
			return Smartphone
		}
	}
	return Desktop
}

// isTV knows television sets, boxes and sticks by the words they carry.
func (t *tokens) isTV(system string) bool {
	switch {
	case system == "webOS" && (t.has("SmartTV") || strings.Contains(t.agent, "SmartTV") || strings.Contains(t.agent, "TV")):
		return true
	case strings.Contains(t.agent, "SMART-TV"), strings.Contains(t.agent, "SmartTV"), strings.Contains(t.agent, "Smart-TV"),
		strings.Contains(t.agent, "HbbTV"), strings.Contains(t.agent, "GoogleTV"), strings.Contains(t.agent, "Android TV"),
		strings.Contains(t.agent, "AppleTV"), strings.Contains(t.agent, "Apple TV"), strings.Contains(t.agent, "BRAVIA"),
		strings.Contains(t.agent, "NetCast"), strings.Contains(t.agent, "Viera"), strings.Contains(t.agent, "VIDAA"), strings.Contains(t.agent, "; AFT"),
		strings.Contains(t.agent, "DTV)"), strings.Contains(t.agent, "InettvBrowser"), strings.Contains(t.agent, "Opera TV"), strings.Contains(t.agent, "TV Safari"):
		return true
	}
	return t.has("CrKey") || t.has("Large Screen") || t.has("TV")
}

func (t *tokens) isWatch() bool {
	return strings.Contains(t.agent, "Watch") || strings.Contains(t.agent, "SM-R8") || strings.Contains(t.agent, "SM-R9") || t.has("OculusBrowser") || t.has("PicoBrowser")
}

// isTabletModel knows makers that write Mobile on their tablets.
func (t *tokens) isTabletModel() bool {
	for i := range t.n {
		if !t.store[i].comment {
			continue
		}
		text := t.store[i].text
		for _, prefix := range [...]string{"SM-T", "SM-X", "GT-P", "SAMSUNG SM-T", "SAMSUNG SM-X", "Lenovo TB", "Nexus 7", "Nexus 9", "Nexus 10", "KF", "Pixel C", "Pixel Tablet", "Kindle"} {
			if strings.HasPrefix(text, prefix) {
				return true
			}
		}
	}
	return strings.Contains(t.agent, "Tab ") || strings.Contains(t.agent, " Pad")
}
