/**
 * Keeps the place of somebody who uses the keyboard or a screen reader. When the element with the focus disappears, such
 * as the button of a row that was just removed, a browser starts again at the top of the page. Here the focus moves to
 * what stands next to it.
 */

/** A parent of the element that had the focus, and what stood beside the child that led to it. */
interface Step {
  parent: Element
  after: Element | null
  before: Element | null
}

const controls = 'a[href], button, input, select, textarea, summary'
const headings = 'h1, h2, h3'

export function keepFocus(root: Element): void {
  let held: Element | undefined
  let steps: Step[] = []
  document.addEventListener('focusin', ({ target }) => {
    held = target as Element
    steps = stepsTo(held)
  })
  document.addEventListener('focusout', ({ target, relatedTarget }) => {
    if (relatedTarget !== null) return
    // Chromium sends this while it removes the element; afterwards it is seen whether the visitor left it by a click.
    queueMicrotask(() => {
      if (held === target && held.isConnected && isNowhere()) held = undefined
    })
  })
  new MutationObserver(() => {
    if (!held || held.isConnected || !isNowhere()) return
    const next = successor(steps) ?? root.querySelector('main')
    held = undefined
    focus(next)
  }).observe(root, { childList: true, subtree: true })
}

function isNowhere(): boolean {
  return document.activeElement === null || document.activeElement === document.body
}

function stepsTo(element: Element): Step[] {
  const steps: Step[] = []
  for (let child = element; child.parentElement; child = child.parentElement) {
    steps.push({ parent: child.parentElement, after: child.nextElementSibling, before: child.previousElementSibling })
  }
  return steps
}

/** The control after the lost one, else the one before it, else the heading above it, as near as possible. */
function successor(steps: readonly Step[]): Element | undefined {
  for (const { parent, after, before } of steps) {
    if (!parent.isConnected) continue
    const next = within(after, controls).at(0) ?? within(before, `${controls}, ${headings}`).at(-1)
    const heading = within(parent, headings).at(0)
    if (next ?? heading) return next ?? heading
  }
  return undefined
}

function within(element: Element | null, selector: string): Element[] {
  if (!element?.isConnected) return []
  const found = [element, ...element.querySelectorAll(selector)].filter((one) => one.matches(selector))
  // Not `checkVisibility`, which the oldest supported browsers do not have.
  return found.filter((one) => one.getClientRects().length > 0 && !(one as HTMLButtonElement).disabled)
}

function focus(element: Element | null): void {
  if (!(element instanceof HTMLElement)) return
  if (!element.matches(controls)) element.tabIndex = -1
  element.focus()
}
