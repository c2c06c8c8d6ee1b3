/** Pages without a script: one for each problem of the API (RFC 9457 §3.1.1), and one for people who meet a problem. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'vite'
import { problems } from '../../src/problems.ts'
import { type ErrorCode, type ErrorText, errorTexts } from '../texts/errors/en.ts'

const escapes = new Map(Object.entries({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }))
const escapeHtml = (text: string) => text.replace(/[&<>"]/g, (character) => escapes.get(character)!)

const codes = Object.keys(problems) as (keyof typeof problems)[]

type ErrorTexts = Readonly<Record<ErrorCode, ErrorText>>

const folder = join(import.meta.dirname, '../texts/errors')
/** The texts of every language that has a file, English first. */
const languages: readonly [string, ErrorTexts][] = await Promise.all(
  readdirSync(folder)
    .map((name) => name.replace('.ts', ''))
    .toSorted((one, other) => Number(other === 'en') - Number(one === 'en'))
    .map(async (tag): Promise<[string, ErrorTexts]> => {
      const module = (await import(pathToFileURL(join(folder, `${tag}.ts`)).href)) as { errorTexts: ErrorTexts }
      return [tag, module.errorTexts]
    }),
)

/** The HTML of each page by its path. */
export const problemPages: Readonly<Record<string, string>> = {
  problems: listPage(),
  ...Object.fromEntries(codes.map((code) => [`problems/${code}`, problemPage(code)])),
  ...Object.fromEntries((Object.keys(errorTexts) as ErrorCode[]).map((code) => [`errors/${code}`, errorPage(code)])),
}

export function makeProblemPages(root: string): Plugin {
  const sources = new Map(Object.entries(problemPages).map(([path, html]) => [join(root, `${path}.html`), html]))
  return {
    name: 'postern-problem-pages',
    enforce: 'pre',
    resolveId: (id) => (sources.has(id) ? id : undefined),
    load: (id) => sources.get(id),
    generateBundle() {
      for (const code of codes) {
        const { status, title, detail } = problems[code]
        const source = `${JSON.stringify({ type: `/problems/${code}`, code, status, title, detail }, null, 2)}\n`
        this.emitFile({ type: 'asset', fileName: `problems/${code}.json`, source })
      }
    },
  }
}

function problemPage(code: keyof typeof problems): string {
  const { status, title, detail } = problems[code]
  return pageOf(
    title,
    `<h1>${escapeHtml(title)}</h1>
      <p>${escapeHtml(detail)}</p>
      <dl>
        <dt>Code</dt>
        <dd><code>${code}</code></dd>
        <dt>Status</dt>
        <dd>${status}</dd>
      </dl>
      <p>
        The API answers with this problem as <code>application/problem+json</code>, with <code>/problems/${code}</code> as
        its type. <a href="/problems">All problems</a> · <a href="/docs">API reference</a>
      </p>`,
    `<link rel="alternate" type="application/json" href="/problems/${code}.json" />`,
  )
}

function listPage(): string {
  const items = codes.map((code) => {
    const { status, title } = problems[code]
    return `<li><a href="/problems/${code}"><code>${code}</code></a> (${status}): ${escapeHtml(title)}</li>`
  })
  return pageOf('Problems', `<h1>Problems</h1>\n      <ul>\n        ${items.join('\n        ')}\n      </ul>`)
}

/** In every language at once: the page has no script that could choose. */
function errorPage(code: ErrorCode): string {
  const sections = languages.map(([language, texts]) => {
    const { title, advice, link, href } = texts[code]
    return `<section lang="${language}">
        <h1>${escapeHtml(title)}</h1>
        <p>${escapeHtml(advice)}</p>
        ${href === undefined ? '' : `<p><a href="${href}">${escapeHtml(link)}</a></p>`}
      </section>`
  })
  return pageOf(errorTexts[code].title, sections.join('\n      <hr />\n      '))
}

function pageOf(title: string, content: string, head = ''): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <title>${escapeHtml(title)} · %PRODUCT%</title>
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <meta name="robots" content="noindex" />
    <link rel="icon" href="/favicon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/style/colors.css" />
    <link rel="stylesheet" href="/style/base.css" />
    <link rel="stylesheet" href="/style/parts.css" />
    ${head}
  </head>
  <body>
    <div class="shell narrow">
      <header class="top">
        <a class="brand" href="/account">
          <img src="/favicon.svg" alt="" width="28" height="28" /> <span>%PRODUCT%</span>
        </a>
      </header>
      <main class="card">
      ${content}
      </main>
    </div>
  </body>
</html>
`
}
