/** What text of people may contain, and whether anybody can see it. */

/**
 * Marks, embeddings, overrides and isolates that turn the direction of the text around them (Unicode TR 36 §2.5,
 * CVE-2021-42574): `user\u202egpj.exe` reads as `userexe.jpg`. Letters of Arabic and Hebrew bring their own direction
 * and need none of these.
 */
const turnsDirection = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/

/** Line breaks of every kind: `\n`, NEL, and the separators of lines and paragraphs. */
const breaksLine = /[\n\u2028\u2029]/

/** Control characters but tab and newline. NEL is one of them. */
const controls = /(?![\t\n])\p{Cc}/u

/**
 * Letters, digits, punctuation and symbols that are drawn as nothing: fillers, variation selectors, tags and joiners
 * have the property; the blank pattern of Braille, the object replacement, the null note and two Egyptian blanks do
 * not.
 */
const drawn = /(?![\p{Default_Ignorable_Code_Point}\u2800\ufffc\u{1d159}\u{13441}\u{13442}])[\p{L}\p{N}\p{P}\p{S}]/u

/** Whether a text can turn the direction of what is shown around it. */
export function isDirectionSafe(text: string): boolean {
  return !turnsDirection.test(text)
}

/** Whether a text is one line without control characters. */
export function isSingleLine(text: string): boolean {
  return !breaksLine.test(text) && !controls.test(text) && !text.includes('\t')
}

/** Whether a text of several lines has no other control characters than tabs and newlines. */
export function hasPlainControls(text: string): boolean {
  return !controls.test(text.replaceAll('\r\n', '\n'))
}

/**
 * Whether there is at least one character to see. A mark needs a letter to stand on, so it does not count by itself.
 */
export function hasVisible(text: string): boolean {
  return drawn.test(text)
}
