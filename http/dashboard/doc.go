// Package dashboard is the page on which people look at their events: HTML and SVG that the
// server renders, with script for comfort alone. Whatever it shows it has asked the native API
// for, so a curl can get it too.
//
// It knows neither the server nor the store. Reports answers a call of the native API, and Gate
// knows who looks; the room http implements both.
//
// The way of a request: dashboard.go finds the screen in screens.go, page.go asks what its panels
// need (ask.go, with the state of the address from query.go) and writes them with the templates.
//
//	dashboard.go  the interfaces, the routes, the way of one request
//	login.go      the door: a key, or the one-time link
//	share.go      shares and embeds; share_table.go their tables as CSV; sites.go the screen of all sites
//	screens.go    the table of screens
//	page.go       a screen or one panel of it, headers
//	ask.go        the questions of a page: each once, a few at a time
//	query.go      the query of an address: filters, range, what only the page needs
//	frame.go      what stands around the panels; filters.go filters in words; kept.go saved filters
//	range.go      the range of a page, the ranges beside it, its steps of time
//	panel.go      a panel in each of its states
//	panel_table.go, panel_chart.go  tables whose rows filter; the chart of a number, the week
//	metrics.go    the table of numbers; text.go every sentence; assets.go style and script
//
// Screens:
//
//	overview.go, goals.go  the first screen, and what its conversions are of
//	properties.go the panel of properties
//	pages.go      all pages, and one with what comes before and after it
//	events.go, facets.go   the list of events, and the fields beside it
//	event.go               one event
//	event_data.go          an event of the API, and its fields as a tree
//	people.go, profile.go  the lists of people and of visits, and one person
//	visits.go              visits as lines, one as a story, and its screen
//	live.go, bars.go       who is here now, and each event as it comes
//	funnels.go, funnel_editor.go  the screen of funnels, its form and the saved ones
//	retention.go  the screen of who comes back
//	paths.go      the screen of where visits go
//	aggregates.go the screen of numbers: sums, means, percentiles
//	shop.go       the screen of a shop
//	setup.go      what to paste, what has arrived; saved.go forms that save, rename, delete
//	analysis_form.go  the form of an analysis: what it looks for, and how it counts
//	matcher.go    filters that are a parameter themselves, such as the steps of a funnel, in forms
//	suggest.go    the lists of pages, names and fields that forms suggest
//	entities.go   the people or visits behind a number
//
// Writing and drawing:
//
//	format.go     numbers, rates, changes and durations in the viewer's language
//	dates.go      times on the wall clock of the site
//	names.go      flags of countries; their names, and those of other codes, are in http/dialect
//	chart.go      series over time as SVG: paths, points, the sentence, the table
//	chart_scale.go, chart_time.go  which numbers stand beside a chart, which times below
//	chart_spark.go, chart_hours.go, chart_cohorts.go, chart_paths.go, chart_funnel.go
//	              lines on cards; weekday × hour; retention; paths; funnels
package dashboard
