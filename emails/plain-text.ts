/** Tabs, line breaks and every other control character, with the spaces around them. */
const breaks = /[\s\p{Cc}\p{Zl}\p{Zp}]+/gu
/**
 * What is invisible and can change how the rest reads: bidi controls, zero-width and tag characters, lone surrogates.
 * The two joiners stay, because several scripts cannot be written without them.
 */
const invisible = /(?![\u200c\u200d])[\p{Cf}\p{Cs}]/gu

/**
 * Words from outside, made fit for one line of a mail: no line break (which could forge a header or a paragraph), nothing
 * that turns the reading direction, and no more than `maxLength` characters. Escaping is left to the renderer.
 */
export function plainLine(text: string, maxLength: number): string {
  const characters = Array.from(text.replace(invisible, '').replace(breaks, ' ').trim())
  return characters.length > maxLength ? `${characters.slice(0, maxLength - 1).join('')}…` : characters.join('')
}
