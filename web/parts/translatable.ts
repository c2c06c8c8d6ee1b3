/**
 * Lets programs that translate pages work. They replace each text by an element of their own, so a text that changes
 * later would stay as it was, or stand beside its old translation. Here each text has an element, which goes with it.
 */
import { type ComponentChild, type ComponentChildren, Fragment, type VNode, h, options } from 'preact'

/** These hold text alone. */
const withoutElements: unknown[] = ['option', 'textarea', 'title', 'meter']

let isWrapping = false

export function makeTextsTranslatable(): void {
  // oxlint-disable-next-line typescript/unbound-method -- a hook of Preact, which has no receiver
  const next = options.vnode
  options.vnode = (vnode: VNode<{ children?: ComponentChildren }>) => {
    const { type, props } = vnode
    const holdsTexts = (typeof type === 'string' && !withoutElements.includes(type)) || type === Fragment
    if (holdsTexts && !isWrapping && props?.children !== undefined) props.children = wrapTexts(props.children)
    next?.(vnode)
  }
}

function wrapTexts(children: ComponentChildren): ComponentChildren {
  return Array.isArray(children) ? children.map(wrapText) : wrapText(children, 0)
}

/** The key is the text: another text is another element. */
function wrapText(child: ComponentChild, place: number): ComponentChild {
  const isText = (typeof child === 'string' && child.trim() !== '') || typeof child === 'number'
  if (!isText) return Array.isArray(child) ? child.map(wrapText) : child
  isWrapping = true
  try {
    return h('span', { key: `${place} ${child}` }, child)
  } finally {
    isWrapping = false
  }
}
