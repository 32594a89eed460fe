package engine

import (
	"time"

	"cairn/engine/identity"
	"cairn/engine/table"
)

// siteState is a site on its way through the pipeline: its rows, and what each stage
// remembers of it.
type siteState struct {
	*table.Table

	touched    uint64    // the publisher's: commits when the rows in memory last grew
	fresh      int       // the publisher's: values that rows in memory are the first to count
	asked      uint64    // the sequencer's: the last time it asked for memory for rows of the site
	mergeAfter time.Time // the merger's: when it may try again
}

func newSiteState(id uint32, links *identity.Links) *siteState {
	return &siteState{Table: table.New(id, links)}
}
