import type { ComponentType } from 'preact'
import { render } from 'preact'
import './style/colors.css'
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
  try {
    await loadTexts()
    await loadMore?.()
  } catch {
    // A chunk is missing. public/rescue.js says so: nothing of this page can be relied on.
    dispatchEvent(new Event('pagelost'))
    return
  }
  const app = document.getElementById('app')!
  keepFocus(app)
  makeTextsTranslatable()
  render(<Page />, app)
}

export function setTitle(title: string): void {
  document.title = `${title} · ${productName}`
}
