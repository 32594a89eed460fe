// Package dashboard is the page on which people look at their events: HTML and SVG that the
// server renders, with script for comfort alone. Whatever it shows it has asked the native API
// for, so a curl can get it too.
//
// It knows neither the server nor the store. Reports answers a call of the native API, and Gate
// knows who looks; the room http implements both.
//
//	dashboard.go  the interfaces, the routes, the way of one request
//	format.go     numbers, rates, changes and durations in the viewer's language
//	dates.go      times on the wall clock of the site
//	chart.go      series over time as SVG: paths, points, the sentence, the table
//	chart_scale.go, chart_time.go  which numbers stand beside a chart, which times below
//	chart_spark.go, chart_hours.go, chart_cohorts.go, chart_paths.go, chart_funnel.go
//	              lines on cards; weekday × hour; retention; paths; funnels
//	matcher.go    filters that are a parameter themselves, such as the steps of a funnel, in forms
//	suggest.go    the lists of pages, names and fields that forms suggest
//	funnels.go, funnel_editor.go  the screen of funnels, its form and the saved ones
//	analysis_form.go  the form of an analysis: what it looks for, and how it counts
//	retention.go  the screen of who comes back
//	paths.go      the screen of where visits go
//	aggregates.go  the screen of numbers: sums, means, percentiles
//	entities.go   the people or visits behind a number
//	names.go      names of countries, languages, devices, channels, types
//	events.go, event.go    the list of events with its fields, and one event
//	event_data.go          an event of the API, and its fields as a tree
//	visits.go              visits as lines, one as a story, and its screen
//	people.go, profile.go  the lists of people and of visits, and one person
//	live.go, bars.go       who is here now, and each event as it comes
package dashboard
