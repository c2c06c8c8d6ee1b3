/** Puts the name of the product into every page, and its colors into the style sheet. */
import type { Plugin } from 'vite'
import brand from '../brand.json' with { type: 'json' }
import type { Settings } from './settings.ts'

type Colors = (typeof brand)['light']

const declarations = ({ accent, accentHover, onAccent }: Colors) =>
  `--accent: ${accent}; --accent-hover: ${accentHover}; --on-accent: ${onAccent};`

const escapes = new Map(Object.entries({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }))
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => escapes.get(character)!)

export function applyBrand({ productName }: Settings): Plugin {
  return {
    name: 'postern-brand',
    transformIndexHtml: (html) => html.replaceAll('%PRODUCT%', escapeHtml(productName)),
    transform(code, id) {
      if (!id.endsWith('/style/colors.css')) return undefined
      const dark = `@media (prefers-color-scheme: dark) { :root { ${declarations(brand.dark)} } }`
      return `${code}\n:root { ${declarations(brand.light)} }\n${dark}\n`
    },
  }
}
