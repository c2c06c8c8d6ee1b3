/**
 * What at least one of the oldest supported browsers (web/build/browsers.ts) does not have, as scripts reach it from the
 * global object. Methods of prototypes end in a name; where another class has the same name, only a browser without them
 * can tell whether something needs them.
 */
export const newerFeatures = [
  'AbortSignal.any',
  'Array.fromAsync',
  'ArrayBuffer.prototype.transfer',
  'Atomics.waitAsync',
  'Blob.prototype.bytes',
  'CSSStyleSheet.prototype.replace',
  'CloseWatcher',
  'CookieStore',
  'Document.prototype.startViewTransition',
  'Element.prototype.checkVisibility',
  'Element.prototype.currentCSSZoom',
  'Element.prototype.getHTML',
  'Element.prototype.moveBefore',
  'Element.prototype.setHTMLUnsafe',
  'Error.isError',
  'Float16Array',
  'HTMLDialogElement.prototype.requestClose',
  'HTMLElement.prototype.hidePopover',
  'HTMLElement.prototype.showPopover',
  'HTMLElement.prototype.togglePopover',
  'HTMLInputElement.prototype.showPicker',
  'Highlight',
  'Intl.DurationFormat',
  'Intl.Segmenter',
  'Iterator',
  'Map.groupBy',
  'Navigation',
  'Object.groupBy',
  'Promise.try',
  'Promise.withResolvers',
  'PublicKeyCredential.getClientCapabilities',
  'PublicKeyCredential.parseCreationOptionsFromJSON',
  'PublicKeyCredential.parseRequestOptionsFromJSON',
  'ReadableStream.from',
  'RegExp.escape',
  'Request.prototype.bytes',
  'Request.prototype.duplex',
  'Response.json',
  'Response.prototype.bytes',
  'Scheduler',
  'Set.prototype.difference',
  'Set.prototype.intersection',
  'Set.prototype.isDisjointFrom',
  'Set.prototype.isSubsetOf',
  'Set.prototype.isSupersetOf',
  'Set.prototype.symmetricDifference',
  'Set.prototype.union',
  'String.prototype.isWellFormed',
  'String.prototype.toWellFormed',
  'Temporal',
  'TrustedHTML',
  'URL.canParse',
  'URL.parse',
  'URLPattern',
  'Uint8Array.fromBase64',
  'Uint8Array.prototype.toBase64',
  'Uint8Array.prototype.toHex',
  'navigation',
  'requestIdleCallback',
  'scheduler',
  'trustedTypes',
] as const

/** Methods of `Iterator.prototype`, whose names arrays have, too. */
export const iteratorHelpers = [
  'map',
  'filter',
  'take',
  'drop',
  'flatMap',
  'reduce',
  'toArray',
  'forEach',
  'some',
  'every',
  'find',
] as const

/** Names of methods that are too common to search for in a bundle. */
const commonNames = ['transfer', 'bytes', 'replace', 'difference', 'intersection', 'union', 'duplex']

/** Finds a use of the feature in a minified script. */
export function usesOf(feature: string): RegExp {
  const name = feature.split('.').at(-1)!
  if (commonNames.includes(name)) return /$^/
  if (feature.includes('.prototype.')) return new RegExp(`\\.${name}\\(`)
  return new RegExp(`(?<![\\w$.'"\`-])(globalThis\\.|window\\.|self\\.)?${feature.replace('.', '\\.')}(?![\\w$'"\`:-])`)
}

/** Takes the features away. Runs in a page, before its scripts. */
export function takeAway({ features, helpers }: { features: readonly string[]; helpers: readonly string[] }): void {
  for (const feature of features) {
    const path = feature.split('.')
    const name = path.pop()!
    const owner = path.reduce<Record<string, unknown> | undefined>(
      (object, part) => object?.[part] as Record<string, unknown> | undefined,
      globalThis as unknown as Record<string, unknown>,
    )
    if (owner) Reflect.deleteProperty(owner, name)
  }
  const iterator = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object
  for (const helper of helpers) Reflect.deleteProperty(iterator, helper)
}
