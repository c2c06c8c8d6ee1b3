/** Checks of what a page looks like, which run in the page. Each names what is wrong. */
import type { Locator, Page } from 'playwright-core'

/** The spacing that a reader may set (WCAG 2.2, 1.4.12). */
const textSpacing = `* { line-height: 1.5 !important; letter-spacing: 0.12em !important; word-spacing: 0.16em !important }
  p { margin-bottom: 2em !important }`

/** Words that are broken although a line has room for them, boxes that cover others, and text that is cut off. */
export function layoutFaults(page: Page): Promise<string[]> {
  return page.evaluate(findFaults)
}

/** As above, with the spacing that a reader may set. The policy of the page allows no style, so it is set by script. */
export async function faultsWithTextSpacing(page: Page): Promise<string[]> {
  await page.evaluate((css) => {
    const sheet = new CSSStyleSheet()
    sheet.replaceSync(css)
    document.adoptedStyleSheets = [sheet]
  }, textSpacing)
  const faults = await page.evaluate(findFaults)
  await page.evaluate(() => (document.adoptedStyleSheets = []))
  return faults.map((fault) => `with text spacing: ${fault}`)
}

function findFaults(): string[] {
  const faults: string[] = []
  const root = document.querySelector('dialog[open]') ?? document.body
  const seen = (element: Element) =>
    element.checkVisibility({ visibilityProperty: true }) && !element.closest('.unseen, .skip, thead')
  const { scrollWidth } = document.documentElement
  if (scrollWidth > innerWidth) faults.push(`${scrollWidth} px of content`)

  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    const text = walker.currentNode as Text
    const parent = text.parentElement!
    if (!seen(parent) || parent.closest('option, noscript, meter, textarea')) continue
    for (const { 0: token, index } of text.data.matchAll(/\S+/g)) {
      for (const { 0: word, index: start } of token.matchAll(/[\p{L}\p{N}]{2,}/gu)) {
        const range = document.createRange()
        range.setStart(text, index + start)
        range.setEnd(text, index + start + word.length)
        const lines = new Set([...range.getClientRects()].map(({ top }) => Math.round(top)))
        if (lines.size > 1 && hasRoom(parent, token)) faults.push(`"${word}" is broken in "${token}"`)
      }
    }
  }
  const boxes = [...root.querySelectorAll('button, input, select, textarea, a[href], .badge, h1, h2')].filter(seen)
  for (const box of boxes) {
    if (box.matches('button, .badge, h1, h2') && box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 0) {
      if (getComputedStyle(box).display !== 'inline') faults.push(`"${box.textContent}" is cut off`)
    }
  }
  const rects = boxes.filter((box) => !box.closest('.toasts')).map((box) => [box, box.getBoundingClientRect()] as const)
  for (const [n, [one, a]] of rects.entries()) {
    for (const [other, b] of rects.slice(n + 1)) {
      if (one.contains(other) || other.contains(one)) continue
      const width = Math.min(a.right, b.right) - Math.max(a.left, b.left)
      const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)
      if (width > 1 && height > 1) faults.push(`"${nameOf(one)}" covers "${nameOf(other)}"`)
    }
  }
  return [...new Set(faults)]

  /** Whether a line is long enough for it. Only then must it not be broken. */
  function hasRoom(parent: Element, token: string): boolean {
    const line = document.createElement('span')
    Object.assign(line.style, { position: 'absolute', whiteSpace: 'nowrap', visibility: 'hidden' })
    line.textContent = token
    parent.append(line)
    const { width } = line.getBoundingClientRect()
    line.remove()
    let block = parent
    while (getComputedStyle(block).display === 'inline') block = block.parentElement!
    return width <= block.clientWidth
  }

  function nameOf(element: Element): string {
    return element.textContent?.trim() || element.getAttribute('name') || element.tagName
  }
}

/**
 * Walks through the page with Tab. Names the controls that are never reached and those whose focus nobody can see, and
 * in forced colors the buttons without a border (WCAG 2.2, 1.4.11, 2.1.1 and 2.4.7).
 */
export async function keyboardFaults(page: Page): Promise<string[]> {
  const count = await page.evaluate(() => {
    const root = document.querySelector<HTMLElement>('dialog[open]') ?? document.body
    const controls = [...root.querySelectorAll<HTMLElement>('a[href], button, input, select, textarea')]
    const usable = controls.filter((one) => one.checkVisibility() && !(one as HTMLButtonElement).disabled)
    usable.forEach((one, n) => one.setAttribute('data-stop', `${n} ${one.textContent || one.getAttribute('name')}`))
    // Not `blur()`: it leaves the keyboard with the frame of a challenge.
    root.tabIndex = -1
    root.focus()
    root.removeAttribute('tabindex')
    return usable.length
  })
  const faults = new Set<string>()
  // Once around, and once more: a key that is pressed while the focus enters or leaves the frame of a challenge can be lost.
  for (let n = 0, isMissing = true; isMissing && n < 2 * count + 6; n++) {
    await page.keyboard.press('Tab')
    const fault = await page.evaluate(() => {
      const element = document.activeElement!
      const { outlineStyle, outlineWidth } = getComputedStyle(element)
      const stop = element.getAttribute('data-stop')
      element.setAttribute('data-reached', '')
      return stop !== null && (outlineStyle === 'none' || outlineWidth === '0px') ? `focus not visible: ${stop}` : ''
    })
    if (fault) faults.add(fault)
    isMissing = (await page.locator('[data-stop]:not([data-reached])').count()) > 0
  }
  const rest = await page.evaluate(() => {
    const missed = [...document.querySelectorAll('[data-stop]:not([data-reached])')]
    const isForced = matchMedia('(forced-colors: active)').matches
    const bare = isForced
      ? [...document.querySelectorAll('button, .button')].filter((one) => {
          const { borderTopWidth, borderTopStyle } = getComputedStyle(one)
          return one.checkVisibility() && (borderTopStyle === 'none' || borderTopWidth === '0px')
        })
      : []
    for (const one of document.querySelectorAll('[data-stop]')) one.removeAttribute('data-stop')
    for (const one of document.querySelectorAll('[data-reached]')) one.removeAttribute('data-reached')
    return [
      ...missed.map((one) => `not reached: ${one.textContent || one.getAttribute('name')}`),
      ...bare.map((one) => `no border: ${one.textContent}`),
    ]
  })
  return [...faults, ...rest]
}

/**
 * Presses Tab until a control has the focus. It is the next one, but a key that is pressed while the focus enters or leaves
 * the frame of a challenge can be lost.
 */
export async function tabTo(page: Page, control: Locator): Promise<void> {
  let isThere = false
  for (let press = 0; !isThere && press < 5; press++) {
    await page.keyboard.press('Tab')
    isThere = await control.evaluate(
      (element) =>
        new Promise<boolean>((resolve) => {
          const hasFocus = () => document.hasFocus() && document.activeElement === element
          if (hasFocus()) return resolve(true)
          addEventListener('focusin', () => hasFocus() && resolve(true))
          setTimeout(() => resolve(hasFocus()), 2000)
        }),
    )
  }
  if (!isThere) throw new Error('Tab does not lead there')
}
