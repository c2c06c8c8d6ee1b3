/** Makes the HTML file and the entry of each page in pages.ts, so that neither exists as a file. */
import { join } from 'node:path'
import type { Plugin } from 'vite'
import type { FallbackTexts } from './no-script.ts'
import { type Page, pages } from './pages.ts'

/** @param fallback what is shown where scripts are off or missing */
export function makeShells(root: string, fallback: FallbackTexts): Plugin {
  const sources = new Map(
    Object.entries(pages).flatMap(([path, page]) => [
      [join(root, `${path}.html`), shellOf(path, page, fallback)],
      [join(root, `entries/${path}.ts`), entryOf(page)],
    ]),
  )
  return {
    name: 'postern-shells',
    enforce: 'pre',
    resolveId(id) {
      const file = id.startsWith(root) ? id : join(root, id)
      return sources.has(file) ? file : undefined
    },
    load: (id) => sources.get(id),
  }
}

const noIndex = '\n    <meta name="robots" content="noindex" />'

function shellOf(path: string, { title, isIndexed }: Page, { noScript, lost }: FallbackTexts): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>${title} · %PRODUCT%</title>
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />${isIndexed ? '' : noIndex}
    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
    <script src="/rescue.js"></script>
    <script type="module" src="/entries/${path}.ts"></script>
  </head>
  <body>
    <div id="lost" role="alert" hidden>${lost}</div>
    <div id="app"></div>
    <noscript>${noScript}</noscript>
  </body>
</html>
`
}

function entryOf({ component, from, texts }: Page): string {
  return [
    `import { ${component} } from '${from}'`,
    texts ? `import { loadWords } from '${texts}'` : '',
    `import { start } from '/start.tsx'`,
    `await start(${component}${texts ? ', loadWords' : ''})`,
  ].join('\n')
}
