import type { ComponentType } from 'preact'
import { render } from 'preact'
import './style/colours.css'
import './style/base.css'
import './style/parts.css'
import { keepFocus } from './parts/focus.ts'
import { makeTextsTranslatable } from './parts/translatable.ts'
import { productName } from './settings.ts'
import { loadTexts } from './texts/language.ts'

/**
 * Renders a page once its texts are loaded.
 *
 * @param loadMore loads the texts that only this page has
 */
export async function start(Page: ComponentType, loadMore?: () => Promise<void>): Promise<void> {
  await loadTexts()
  await loadMore?.()
  const app = document.getElementById('app')!
  keepFocus(app)
  makeTextsTranslatable()
  render(<Page />, app)
}

export function setTitle(title: string): void {
  document.title = `${title} · ${productName}`
}
