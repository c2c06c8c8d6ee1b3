/** Tabs, line breaks and every other control character, with the spaces around them. */
const breaks = /[\s\p{Cc}\p{Zl}\p{Zp}]+/gu
/**
 * Invisible characters that can change how the rest reads: bidi controls, zero-width and tag characters, lone surrogates.
 * The two joiners stay, because several scripts cannot be written without them.
 */
const invisible = /(?![\u200c\u200d])[\p{Cf}\p{Cs}]/gu

/**
 * Makes text from outside safe for one line of an email: no line break (which could forge a header or a paragraph), nothing
 * that turns the reading direction, and at most `maxLength` characters. The renderer does the escaping.
 */
export function plainLine(text: string, maxLength: number): string {
  const characters = Array.from(text.replace(invisible, '').replace(breaks, ' ').trim())
  return characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join('')}…` : characters.join('')
}
