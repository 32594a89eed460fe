package dashboard

// This file holds the sentences of the page, so that they can be read and translated in one place.

const (
	textLogin        = "Your session has ended."
	textShare        = "This share does not show that."
	textTooMuch      = "This is too much for ten seconds. Choose fewer days."
	textBusy         = "The server is busy. It is asked again in a moment."
	textBadField     = "The address asks for something that does not work: "
	textDamage       = "Data on the disk is damaged, so this cannot be counted."
	textDamageFile   = "The file: "
	textFailed       = "This could not be counted."
	textNoVisits     = "No visits in these days."
	textNothing      = "Nothing in these days."
	textNoEvents     = "This site has no events yet."
	textWider        = "Look at 12 months"
	textLast         = "Take off the last filter"
	textBarred       = "The filter of the field “%s” leaves nothing of this."
	textNoSaved      = "There is no such saved filter: it was deleted."
	textTakeOff      = "Take it off"
	textSetUp        = "Set up tracking"
	textRevenueBy    = "What the orders of the visits were worth, whatever their currency."
	textNoFunnels    = "No funnel is saved."
	textForget       = "This deletes every event of this person under all their ids, and what is known of them. It cannot be undone. Run it where the server runs; with -dry-run it only counts."
	textNoGoals      = "This site has no goals yet: what visits should lead to, such as a sign-up."
	textMakeGoal     = "Make a goal"
	textTheVisit     = "the visit"
	textEachEvent    = "each event"
	textNoPerson     = "Nobody has such an id in these days, nor such a name among the 1,000 who were here last."
	textPropertiesOf = "In alphabetical order, whatever the filters, and perhaps of days near by. Choose one to count it."
	textNoProperties = "No property is known in these days. Those of new events appear within a minute."
	textSharedNone   = "This share names no property that events of these days have."
	textSaveFirst    = "A share shows everything, or what a saved filter lets through. Save this filter first: go back, press “Save”, then “Share”."
	textNoCurrency   = "no currency"
	textNoValue      = "(none)"
	textDirect       = "Direct"
	textAll          = "All "
	textColumns      = "All columns"
	textNotFound     = "There is no such page."
	textLongAddress  = "This address is too long. Take off some filters."
)

// Of tables of a share, as errors that begin with the parameter.
const (
	textFormat      = "must be csv"
	textNoTable     = "this screen has no table; the answers of the API are below data/, such as data/live"
	textWhichTable  = "this screen has several tables; name one of "
	textNoSuchTable = "this screen has no such table; its tables are "
	textNoSuchTab   = "no table of this screen has such a tab; they are "
)

// Of the door.
const (
	textLoginKey = "Use a key of the site: its read_key to look, its secret_key to save things too, or the admin_token for all sites. “cairn keys” prints them."
	textOpen     = "This link works once."
	textSpent    = "A link opens the dashboard once, and for fifteen minutes. “cairn dashboard” prints a new one; or log in with a key."
	textToken    = "Whoever has this link sees what it shows, without a key. It is shown once; you can end it at any time."
	textConfirm  = "To end a share, type its name: whoever has the link loses it."
	textNoShare  = "This share cannot be shown"
	textNoEmbed  = "This may not be shown here"
	textEmbed    = "The share names no pages that may embed it. Whoever made it can make another one that does."
	textOldForm  = "This form lacks what it changes. Load the page again."
	textForeign  = "This form was not sent by a page of this server."
)

// Of the set-up.
const textGeoNone = "Addresses are not located: there is no database of places."

var geoTexts = map[string]string{
	"country": "Addresses are located by country only. Add a city database for regions and cities.",
	"region":  "Addresses are located by region.",
	"city":    "Addresses are located by city.",
}

// Of the analyses.
const (
	textTwoSteps      = "A funnel needs two steps or more that say what is looked for."
	textEmptyStep     = "(empty)"
	textNobody        = "Nobody in these days."
	textOthers        = "All others"
	textFunnelHelp    = "How many people go through some steps, one after the other, and where the others stop."
	textEntityHelp    = "People are followed over all of their visits; a visit only until it ends."
	textModeHelp      = "“Nothing in between” allows no other page or event between two steps."
	textWindowHelp    = "How long after the first step the last one may come."
	textSplitFirst    = "How many did the first step."
	textSplitStep     = "How many came so far, and their part of those who did the step before."
	textRetentionHelp = "How many of those who began in one period come back in the later ones."
	textCohortHelp    = "A person is in the cohort of the first time ever, of the first time in these days, or in one for each period."
	textCountHelp     = "“Then or later” also counts who comes back in a later period."
	textNoPeriod      = "No later period is over yet."
	textHatched       = "Hatched: that period is not over yet. The average leaves it out."
	textPathsHelp     = "Where visits go, one column after the other. Choose a line to follow it."
	textAnchorHelp    = "Whether a visit is followed from the first time alone, or from every time."
	textFoldHelp      = "Patterns with blanks between them: pages that match one are shown as one."
	textNumbersHelp   = "The values of events, or a property of theirs that holds numbers. Filters choose the events."
	textSumInexact    = "≈ Some numbers are too large or too fine to be added exactly."
	textRanksInexact  = "≈ There are so many different numbers that the median and the percentiles are within "
	textNotNumbers    = " are no numbers and are left out."
	textStillOpen     = "Those who began lately may still go on, so the last steps of time can rise."
	textSplitRate     = "The part of those who did the first step that did all others."
)
