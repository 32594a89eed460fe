package segment

import (
	"context"
	"strings"

	"cairn/engine/event"
	"cairn/http/dialect"
)

// This file answers what browsers' SDKs load before they send anything. A write key is
// public, and the answer only says where to send events.

// Read answers analytics.js' settings and RudderStack's source configuration.
func (protocol) Read(_ context.Context, req *dialect.Request, _ dialect.Reader, res *dialect.Response) error {
	rudder := endpointOf(req).kind == source
	key := ""
	if rudder {
		if key = basicUser(req.Header("Authorization")); key == "" {
			key = queryValue(req.RawQuery, "writeKey")
		}
	} else {
		path := strings.TrimPrefix(req.Path, "/v1/projects/")
		path, _, _ = strings.Cut(path, "/")
		key = event.Unescape(strings.ReplaceAll(path, "+", "%2B"))
	}
	res.ContentType = contentType
	site := (*dialect.Site)(nil)
	if key != "" {
		site = req.Find(credential(key))
	}
	if site == nil {
		res.Status = 404
		res.Body = append(res.Body[:0], `{"error":"no such write key"}`...)
		return nil
	}
	res.Status = 200
	if rudder {
		// The key is in a header, so a cache must not keep one answer for everybody.
		res.Header = append(res.Header, [2]string{"Cache-Control", "private, max-age=300"}, [2]string{"Vary", "Authorization"})
		res.Body = appendSource(res.Body[:0], key, site.Name)
	} else {
		res.Header = append(res.Header, [2]string{"Cache-Control", "public, max-age=300"})
		res.Body = appendSettings(res.Body[:0], key, req.Address("/v1"))
	}
	return nil
}

// appendSettings writes the least that analytics.js starts with. There is one integration:
// for any other, analytics.js would load code from the vendor's network.
// api is the address of /v1.
func appendSettings(dst []byte, key, api string) []byte {
	protocol, host, _ := strings.Cut(api, "://")
	dst = event.AppendString(append(dst, `{"integrations":{"Segment.io":{"apiKey":`...), key)
	dst = event.AppendString(append(dst, `,"apiHost":`...), host)
	dst = event.AppendString(append(dst, `,"protocol":`...), protocol)
	return append(dst, `,"addBundledMetadata":true,"unbundledIntegrations":[],"maybeBundledConfigIds":{}}},`+
		`"plan":{"track":{"__default":{"enabled":true,"integrations":{}}},"identify":{"__default":{"enabled":true}},"group":{"__default":{"enabled":true}}},`+
		`"edgeFunction":{},"analyticsNextEnabled":true,"middlewareSettings":{},"enabledMiddleware":{},`+
		`"metrics":{"sampleRate":0},"legacyVideoPluginsEnabled":false,"remotePlugins":[]}`...)
}

// appendSource writes the least that RudderStack's SDK starts with: a source that is enabled
// and has no destinations.
func appendSource(dst []byte, key, name string) []byte {
	dst = event.AppendString(append(dst, `{"source":{"id":`...), name)
	dst = event.AppendString(append(dst, `,"name":`...), name)
	dst = event.AppendString(append(dst, `,"writeKey":`...), key)
	return append(dst, `,"enabled":true,"config":{"statsCollection":{"errors":{"enabled":false},"metrics":{"enabled":false}}},`+
		`"connections":[],"destinations":[],"workspaceId":"cairn","sourceDefinition":{"name":"Javascript"}},"updatedAt":"2026-01-01T00:00:00.000Z"}`...)
}
