package mcp

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"runtime/debug"
	"time"

	"cairn/http/native"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
)

// This file answers one call of a tool.

// callMax bounds a call. The API answers within ten seconds, and a question may wait for others of
// its credential before.
const callMax = 20 * time.Second

// call asks the question of a tool. Whatever goes wrong is a result, so that the assistant can read
// it. The SDK calls it in a goroutine of its own, below nobody who recovers.
func (s *Server) call(ctx context.Context, c *Caller, q *native.Question, arguments json.RawMessage) (res *sdk.CallToolResult) {
	defer func() {
		if r := recover(); r != nil {
			if c.Failed != nil {
				c.Failed(r, debug.Stack())
			}
			res = refuse("internal error")
		}
	}()
	if wait := take(c.Calls, time.Now()); wait > 0 {
		return refuse(fmt.Sprintf("%d calls a minute are allowed; wait %d s", CallsMinute, int(math.Ceil(wait.Seconds()))))
	}
	rawQuery, err := queryOf(q, arguments)
	if err != nil {
		return refuse(err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, callMax)
	defer cancel()
	answer := c.Ask(ctx, q, rawQuery)
	if answer.Status != 200 {
		return refuse(sentence(answer))
	}
	structured, err := treat(answer.Body)
	if err != nil {
		return refuse(err.Error())
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return refuse(err.Error())
	}
	return &sdk.CallToolResult{
		StructuredContent: structured,
		Content:           []sdk.Content{&sdk.TextContent{Text: c.describe(q, rawQuery, query, answer, structured)}},
	}
}

// refuse is a result that says what is wrong. The text may repeat what the assistant has sent.
func refuse(text string) *sdk.CallToolResult {
	return &sdk.CallToolResult{IsError: true, Content: []sdk.Content{&sdk.TextContent{Text: text}}}
}

// sentence is what the API says of a question that it does not answer.
func sentence(a Answer) string {
	if a.Status == 0 {
		return safeLines(string(a.Body))
	}
	var refused struct{ Error string }
	if json.Unmarshal(a.Body, &refused) != nil || refused.Error == "" {
		return fmt.Sprintf("the server answered %d", a.Status)
	}
	if refused.Error == "query_timeout" {
		return "query_timeout: the question takes too long; ask for fewer days, or for less at once"
	}
	return safeLines(refused.Error)
}
