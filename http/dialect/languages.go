package dialect

import "strings"

// This file names languages.

// LanguageName is the English name of a language tag as events have it: "German", "English (United
// States)", "Chinese (Traditional, Taiwan)". What a tag says beyond language, script and country
// is left out.
func LanguageName(tag string) string {
	base, rest, _ := strings.Cut(strings.ReplaceAll(tag, "_", "-"), "-")
	name := languageNames[strings.ToLower(base)]
	if name == "" {
		return tag
	}
	var script, country string
	for part := range strings.SplitSeq(rest, "-") {
		switch {
		case len(part) == 1: // an extension
			return named(name, script, country)
		case len(part) == 2 && country == "" && IsCountry(strings.ToUpper(part)):
			country = CountryName(strings.ToUpper(part))
		case part == "419" && country == "":
			country = "Latin America"
		case len(part) == 4 && script == "":
			script = scriptNames[strings.ToLower(part)]
		}
	}
	return named(name, script, country)
}

func named(name, script, country string) string {
	switch {
	case script != "" && country != "":
		return name + " (" + script + ", " + country + ")"
	case script != "" || country != "":
		return name + " (" + script + country + ")"
	}
	return name
}

// scriptNames has the scripts that more than one language of the web is told apart by.
var scriptNames = map[string]string{
	"hans": "Simplified", "hant": "Traditional", "latn": "Latin", "cyrl": "Cyrillic", "arab": "Arabic",
	"deva": "Devanagari",
}

// languageNames has the English names by ISO 639-1 code, and those of ISO 639-3 that browsers
// send. docs/data-sources.md says where they come from.
var languageNames = map[string]string{
	"aa": "Afar", "ab": "Abkhazian", "ae": "Avestan", "af": "Afrikaans", "ak": "Akan",
	"am": "Amharic", "an": "Aragonese", "ar": "Arabic", "as": "Assamese", "ast": "Asturian",
	"av": "Avaric", "ay": "Aymara", "az": "Azerbaijani", "ba": "Bashkir", "be": "Belarusian",
	"bg": "Bulgarian", "bho": "Bhojpuri", "bi": "Bislama", "bm": "Bambara", "bn": "Bangla",
	"bo": "Tibetan", "br": "Breton", "bs": "Bosnian", "ca": "Catalan", "ce": "Chechen",
	"ceb": "Cebuano", "ch": "Chamorro", "chr": "Cherokee", "ckb": "Central Kurdish",
	"co": "Corsican", "cr": "Cree", "cs": "Czech", "cu": "Church Slavic", "cv": "Chuvash",
	"cy": "Welsh", "da": "Danish", "de": "German", "dsb": "Lower Sorbian", "dv": "Divehi",
	"dz": "Dzongkha", "ee": "Ewe", "el": "Greek", "en": "English", "eo": "Esperanto",
	"es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian", "ff": "Fulah",
	"fi": "Finnish", "fil": "Filipino", "fj": "Fijian", "fo": "Faroese", "fr": "French",
	"fur": "Friulian", "fy": "Western Frisian", "ga": "Irish", "gd": "Scottish Gaelic",
	"gl": "Galician", "gn": "Guarani", "gsw": "Swiss German", "gu": "Gujarati", "gv": "Manx",
	"ha": "Hausa", "haw": "Hawaiian", "he": "Hebrew", "hi": "Hindi", "ho": "Hiri Motu",
	"hr": "Croatian", "hsb": "Upper Sorbian", "ht": "Haitian Creole", "hu": "Hungarian",
	"hy": "Armenian", "hz": "Herero", "ia": "Interlingua", "id": "Indonesian",
	"ie": "Interlingue", "ig": "Igbo", "ii": "Sichuan Yi", "ik": "Inupiaq", "in": "Indonesian",
	"io": "Ido", "is": "Icelandic", "it": "Italian", "iu": "Inuktitut", "iw": "Hebrew",
	"ja": "Japanese", "ji": "Yiddish", "jv": "Javanese", "jw": "Javanese", "ka": "Georgian",
	"kg": "Kongo", "ki": "Kikuyu", "kj": "Kuanyama", "kk": "Kazakh", "kl": "Kalaallisut",
	"km": "Khmer", "kn": "Kannada", "ko": "Korean", "kok": "Konkani", "kr": "Kanuri",
	"ks": "Kashmiri", "ku": "Kurdish", "kv": "Komi", "kw": "Cornish", "ky": "Kyrgyz",
	"la": "Latin", "lb": "Luxembourgish", "lg": "Ganda", "li": "Limburgish", "ln": "Lingala",
	"lo": "Lao", "lt": "Lithuanian", "lu": "Luba-Katanga", "lv": "Latvian", "mai": "Maithili",
	"mg": "Malagasy", "mh": "Marshallese", "mi": "Maori", "mk": "Macedonian", "ml": "Malayalam",
	"mn": "Mongolian", "mni": "Manipuri", "mo": "Romanian", "mr": "Marathi", "ms": "Malay",
	"mt": "Maltese", "my": "Burmese", "na": "Nauru", "nb": "Norwegian Bokmål",
	"nd": "North Ndebele", "nds": "Low German", "ne": "Nepali", "ng": "Ndonga", "nl": "Dutch",
	"nn": "Norwegian Nynorsk", "no": "Norwegian", "nr": "South Ndebele", "nv": "Navajo",
	"ny": "Nyanja", "oc": "Occitan", "oj": "Ojibwa", "om": "Oromo", "or": "Odia",
	"os": "Ossetic", "pa": "Punjabi", "pi": "Pali", "pl": "Polish", "ps": "Pashto",
	"pt": "Portuguese", "qu": "Quechua", "rm": "Romansh", "rn": "Rundi", "ro": "Romanian",
	"ru": "Russian", "rw": "Kinyarwanda", "sa": "Sanskrit", "sah": "Sakha", "sat": "Santali",
	"sc": "Sardinian", "scn": "Sicilian", "sd": "Sindhi", "se": "Northern Sami", "sg": "Sango",
	"sh": "Serbo-Croatian", "si": "Sinhala", "sk": "Slovak", "sl": "Slovenian", "sm": "Samoan",
	"sn": "Shona", "so": "Somali", "sq": "Albanian", "sr": "Serbian", "ss": "Swati",
	"st": "Southern Sotho", "su": "Sundanese", "sv": "Swedish", "sw": "Swahili", "ta": "Tamil",
	"te": "Telugu", "tg": "Tajik", "th": "Thai", "ti": "Tigrinya", "tk": "Turkmen",
	"tl": "Filipino", "tn": "Tswana", "to": "Tongan", "tr": "Turkish", "ts": "Tsonga",
	"tt": "Tatar", "tw": "Akan", "ty": "Tahitian", "tzm": "Central Atlas Tamazight",
	"ug": "Uyghur", "uk": "Ukrainian", "ur": "Urdu", "uz": "Uzbek", "ve": "Venda",
	"vec": "Venetian", "vi": "Vietnamese", "vo": "Volapük", "wa": "Walloon", "wo": "Wolof",
	"xh": "Xhosa", "yi": "Yiddish", "yo": "Yoruba", "yue": "Cantonese", "za": "Zhuang",
	"zh": "Chinese", "zu": "Zulu",
}
