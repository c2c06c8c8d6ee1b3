import type { Block, Brand, Letter } from './letter.ts'
import type { Texts } from './texts/languages.ts'

/** A letter as plain text: the same blocks in the same order as the HTML. */
export function renderText(letter: Letter, brand: Brand, words: Texts['frame']): string {
  const closing = `-- \n${words.footer(brand)}\n${brand.publicUrl}`
  return `${[letter.heading, ...letter.blocks.map(blockText), closing].join('\n\n')}\n`
}

function blockText(block: Block): string {
  switch (block.kind) {
    case 'paragraph':
      return block.text
    case 'button':
      return `${block.label}:\n${block.url}`
    case 'facts':
      return block.facts.map(([label, value]) => `${label}: ${value}`).join('\n')
    case 'note':
      return block.link ? `${block.text}\n${block.link.label}: ${block.link.url.replace(/^mailto:/, '')}` : block.text
  }
}
