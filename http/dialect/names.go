package dialect

import "strings"

// This file names what reports give as codes, and the fields of events and visits. A code that it
// does not know is shown as it is. countries.go and languages.go have the rest.

// fieldTitles are the names of fields to people.
var fieldTitles = map[string]string{
	"entry": "Entry page", "exit": "Exit page", "host": "Host", "source": "Source", "medium": "Medium", "campaign": "Campaign", "term": "Term", "content": "Content",
	"referrer": "Referrer", "referrer_host": "Referrer’s host", "channel": "Channel", "country": "Country", "region": "Region", "city": "City", "language": "Language",
	"device": "Device", "browser": "Browser", "browser_version": "Browser version", "os": "System", "os_version": "System version", "brand": "Brand", "model": "Model",
	"screen": "Screen", "timezone": "Time zone", "dialect": "Protocol", "new": "New", "weekday": "Weekday", "hour": "Hour", "weekhour": "Weekday and hour", "length": "Length", "depth": "Depth",
	"page": "Page", "path": "Path", "title": "Title", "url": "Address", "name": "Event", "type": "Type", "value": "Value", "user": "Person", "anonymous": "Anonymous id", "session": "Visit", "group": "Group", "bot": "Bots",
	"utm_source": "UTM source", "utm_medium": "UTM medium", "utm_campaign": "UTM campaign", "utm_term": "UTM term", "utm_content": "UTM content", "click_id": "Click id",
	"ip": "IP address", "asn": "Network", "latitude": "Latitude", "longitude": "Longitude", "platform": "Platform", "message_id": "Message id",
	"has": "Field", "goal": "Goal",
}

// FieldTitle is the name of a field to people: "Entry page" of entry, "plan" of prop.plan.
func FieldTitle(field string) string {
	if title := fieldTitles[field]; title != "" {
		return title
	}
	for _, prefix := range []string{"prop.", "extra.", "context."} {
		if path, ok := strings.CutPrefix(field, prefix); ok {
			if title := fieldTitles[path]; title != "" && prefix == "context." {
				return title
			}
			return path
		}
	}
	return field
}

// ValueName is a value of a field to people: "Germany" of country DE, "yes" of new true.
func ValueName(field, value string) string {
	switch field {
	case "country":
		return CountryName(value)
	case "language":
		return LanguageName(value)
	case "type":
		return TypeName(value)
	case "channel":
		return ChannelName(value)
	case "device":
		return DeviceName(value)
	case "new":
		return known(map[string]string{"true": "yes", "false": "no"}, value)
	}
	return value
}

// DeviceName is how a kind of device is called.
func DeviceName(code string) string { return known(deviceNames, code) }

// ChannelName is how a channel of visits is called.
func ChannelName(code string) string { return known(channelNames, code) }

// TypeName is how a type of event is called.
func TypeName(code string) string { return known(typeNames, code) }

func known(names map[string]string, code string) string {
	if name := names[code]; name != "" {
		return name
	}
	return code
}

// deviceNames has the kinds of engine/ua.
var deviceNames = map[string]string{
	"desktop": "Desktop", "smartphone": "Phone", "tablet": "Tablet", "tv": "TV", "console": "Games console",
	"wearable": "Wearable", "car": "Car", "bot": "Bot",
}

// channelNames has the channels of engine/referrer.
var channelNames = map[string]string{
	"paid": "Paid", "email": "Email", "search": "Search", "social": "Social", "ai": "AI assistants",
	"tech": "Developer sites", "campaign": "Campaigns", "website": "Websites", "direct": "Direct",
}

// typeNames has the types of engine/event.
var typeNames = map[string]string{
	"track": "Event", "page": "Page view", "screen": "Screen view", "identify": "Identify", "group": "Group",
	"alias": "Alias", "increment": "Increment", "download": "Download", "outlink": "Outlink", "search": "Search",
	"content": "Content", "goal": "Goal", "order": "Order", "cart": "Cart",
}
