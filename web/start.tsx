import type { ComponentType } from 'preact'
import { render } from 'preact'
import './style/colours.css'
import './style/base.css'
import './style/parts.css'
import { productName } from './settings.ts'
import { loadTexts } from './texts/language.ts'

/** Draws a page, once its texts are there. */
export async function start(Page: ComponentType): Promise<void> {
  await loadTexts()
  render(<Page />, document.getElementById('app')!)
}

export function setTitle(title: string): void {
  document.title = `${title} · ${productName}`
}
